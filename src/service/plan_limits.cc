#include "service/plan_limits.h"

#include <fmt/format.h>

#include "base/encoding.h"

namespace latchkey::service {
namespace {

Error NoRoom(std::uint64_t max_bytes) {
  return MakeError(ErrorCode::kLimit,
                   fmt::format("The account's plan allows {} bytes of storage, and this would be "
                               "more. Delete records, or take a larger plan.",
                               max_bytes));
}

}  // namespace

std::optional<core::Plan> PlanLimits::PlanOf(core::AccountId account) const {
  const std::optional<core::Account> found = state_.FindAccount(account);
  return found ? state_.FindPlan(found->plan) : std::nullopt;
}

std::optional<std::uint32_t> PlanLimits::MaxDatasets(core::AccountId account) const {
  const std::optional<core::Plan> plan = PlanOf(account);
  return plan ? plan->max_datasets : std::nullopt;
}

Status PlanLimits::CheckDatasets(core::AccountId account) const {
  const std::optional<core::Account> found = state_.FindAccount(account);
  const std::optional<core::Plan> plan = found ? state_.FindPlan(found->plan) : std::nullopt;
  if (!plan || !plan->max_datasets) return {};
  const std::shared_ptr<const DatasetMap> map = catalogue_.Snapshot();
  const std::string prefix = ToLower(found->workspace) + "/";
  std::uint32_t datasets = 0;
  for (auto entry = map->lower_bound(prefix);
       entry != map->end() && entry->first.starts_with(prefix); ++entry) {
    ++datasets;
  }
  if (datasets < *plan->max_datasets) return {};
  return MakeError(ErrorCode::kLimit,
                   fmt::format("The account's plan allows {} datasets, and it has them. Remove "
                               "one, or take a larger plan.",
                               *plan->max_datasets));
}

std::optional<std::uint32_t> PlanLimits::MaxJobs(core::AccountId account) const {
  const std::optional<core::Plan> plan = PlanOf(account);
  return plan ? plan->max_jobs : std::nullopt;
}

std::uint64_t PlanLimits::StoredBytes(const core::Account& account) const {
  const std::shared_ptr<const DatasetMap> map = catalogue_.Snapshot();
  const std::string prefix = ToLower(account.workspace) + "/";
  std::uint64_t bytes = 0;
  for (auto entry = map->lower_bound(prefix);
       entry != map->end() && entry->first.starts_with(prefix); ++entry) {
    bytes += entry->second->live->bytes.load();
  }
  return bytes;
}

// What is taken but not yet counted where it is stored is counted here, so that two writes at once
// don't both find the same room. What replaces a record is counted as if it were new.
Status PlanLimits::Take(core::AccountId account, std::uint64_t bytes) {
  const std::optional<core::Account> found = state_.FindAccount(account);
  const std::optional<core::Plan> plan = found ? state_.FindPlan(found->plan) : std::nullopt;
  MutexLock lock(mutex_);
  std::uint64_t& taken = taken_[account];
  if (plan && plan->max_storage_bytes && bytes > 0) {
    const std::uint64_t max = *plan->max_storage_bytes;
    const std::uint64_t stands = StoredBytes(*found) + taken;
    if (stands > max || bytes > max - stands) {
      if (taken == 0) taken_.erase(account);
      return NoRoom(max);
    }
  }
  taken += bytes;
  return {};
}

void PlanLimits::GiveBack(core::AccountId account, std::uint64_t bytes) {
  MutexLock lock(mutex_);
  const auto taken = taken_.find(account);
  taken->second -= bytes;
  if (taken->second == 0) taken_.erase(taken);
}

Status PlanLimits::CheckRoom(core::AccountId account) {
  Room room = MakeRoom(account);
  return room.Grow(1);
}

PlanLimits::Room PlanLimits::MakeRoom(core::AccountId account) {
  Room room;
  room.limits_ = this;
  room.account_ = account;
  return room;
}

PlanLimits::Room& PlanLimits::Room::operator=(Room&& other) noexcept {
  if (this == &other) return *this;
  Return();
  limits_ = std::exchange(other.limits_, nullptr);
  account_ = other.account_;
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

Status PlanLimits::Room::Grow(std::uint64_t bytes) {
  if (limits_ == nullptr || !account_ || bytes == 0) return {};
  Status taken = limits_->Take(account_, bytes);
  if (taken.ok()) bytes_ += bytes;
  return taken;
}

void PlanLimits::Room::Return() {
  if (bytes_ > 0) limits_->GiveBack(account_, std::exchange(bytes_, 0));
}

}  // namespace latchkey::service
