#include "env/shares.h"

namespace latchkey {

Shares::Held Shares::Take(std::int64_t lane, std::uint64_t amount) {
  if (amount > 0) {
    const MutexLock lock(mutex_);
    const auto mine = lanes_.find(lane);
    const std::uint64_t of_lane = mine == lanes_.end() ? 0 : mine->second;
    // Neither sum is ever more than its bound, so neither difference wraps.
    if (amount > most_ - held_ || amount > most_of_lane_ - of_lane) return nullptr;
    held_ += amount;
    lanes_[lane] += amount;
  }
  return {this, [this, lane, amount](const void*) { GiveBack(lane, amount); }};
}

std::uint64_t Shares::held() const {
  const MutexLock lock(mutex_);
  return held_;
}

void Shares::GiveBack(std::int64_t lane, std::uint64_t amount) {
  if (amount == 0) return;
  const MutexLock lock(mutex_);
  held_ -= amount;
  const auto mine = lanes_.find(lane);
  mine->second -= amount;
  if (mine->second == 0) lanes_.erase(mine);
}

}  // namespace latchkey
