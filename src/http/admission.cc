#include "http/admission.h"

#include <algorithm>

namespace latchkey::http {

bool Admission::Trusted(const IpAddress& address) const {
  return std::any_of(options_.trusted_proxies.begin(), options_.trusted_proxies.end(),
                     [&](const IpNetwork& network) { return network.Contains(address); });
}

Admission::Verdict Admission::Enter(const IpAddress& address) {
  const bool trusted = Trusted(address);
  const MutexLock lock(mutex_);
  if (open_ >= options_.limits.max_connections) return Verdict::kTooMany;
  if (!trusted) {
    std::size_t& count = per_address_[address];
    if (count >= options_.limits.max_connections_per_address) {
      if (count == 0) per_address_.erase(address);
      return Verdict::kTooManyOfAddress;
    }
    ++count;
  }
  ++open_;
  return Verdict::kAdmitted;
}

void Admission::Leave(const IpAddress& address) {
  const bool trusted = Trusted(address);
  const MutexLock lock(mutex_);
  --open_;
  if (trusted) return;
  const auto found = per_address_.find(address);
  if (found != per_address_.end() && --found->second == 0) per_address_.erase(found);
}

}  // namespace latchkey::http
