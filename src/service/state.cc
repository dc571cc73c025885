#include "service/state.h"

#include "base/encoding.h"

namespace latchkey::service {

Status State::Load(store::Store& store) {
  Status status = store.ForEachPlan([this](const core::Plan& plan) -> Status {
    Apply(plan);
    return {};
  });
  if (!status.ok()) return status;
  status = store.ForEachAccount([this](const core::Account& account) -> Status {
    Apply(account);
    return {};
  });
  if (!status.ok()) return status;
  return store.ForEachToken([this](const core::Token& token) -> Status {
    Apply(token);
    return {};
  });
}

std::optional<core::Plan> State::FindPlan(std::string_view name_or_id) const {
  // An id holds an underscore, which no name may.
  if (const auto id = core::PlanId::Parse(name_or_id)) return FindPlan(*id);
  MutexLock lock(mutex_);
  const auto found = plan_names_.find(name_or_id);
  if (found == plan_names_.end()) return std::nullopt;
  return plans_.at(found->second);
}

std::optional<core::Plan> State::FindPlan(core::PlanId id) const {
  MutexLock lock(mutex_);
  const auto found = plans_.find(id);
  if (found == plans_.end()) return std::nullopt;
  return found->second;
}

std::optional<core::Account> State::FindAccount(std::string_view workspace_or_id) const {
  if (const auto id = core::AccountId::Parse(workspace_or_id)) return FindAccount(*id);
  MutexLock lock(mutex_);
  const auto found = workspaces_.find(ToLower(workspace_or_id));
  if (found == workspaces_.end()) return std::nullopt;
  return WithPlan(accounts_.at(found->second));
}

std::optional<core::Account> State::FindAccount(core::AccountId id) const {
  MutexLock lock(mutex_);
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return std::nullopt;
  return WithPlan(found->second);
}

void State::Apply(const core::Plan& plan) {
  MutexLock lock(mutex_);
  core::Plan& standing = plans_[plan.id];
  const bool spread = standing.premium_data != plan.premium_data;
  standing = plan;
  plan_names_[plan.name] = plan.id;
  if (!spread) return;
  for (const auto& [id, account] : accounts_) {
    if (account.plan == plan.id) index_.Put(WithPlan(account));
  }
}

void State::Apply(const core::Account& account) {
  MutexLock lock(mutex_);
  accounts_[account.id] = account;
  workspaces_[account.workspace] = account.id;
  index_.Put(WithPlan(account));
}

core::Account State::WithPlan(core::Account account) const {
  const auto plan = plans_.find(account.plan);
  account.premium_data = plan != plans_.end() && plan->second.premium_data;
  return account;
}

// Two threads that each want two of the locks would block each other for good if they took them in
// different orders, and one that wants the same lock twice would block itself: so from the lowest
// to the highest, each once. The analysis of locks can't follow that.
State::Hold::Hold(const State& state,
                  std::initializer_list<std::int64_t> ids) NO_THREAD_SAFETY_ANALYSIS
    : state_(state) {
  for (const std::int64_t id : ids) {
    held_ |= std::uint64_t{1} << (static_cast<std::uint64_t>(id) % kLocks);
  }
  for (std::size_t i = 0; i < kLocks; ++i) {
    if (held_ >> i & 1) state_.locks_[i].lock();
  }
}

State::Hold::~Hold() NO_THREAD_SAFETY_ANALYSIS {
  for (std::size_t i = 0; i < kLocks; ++i) {
    if (held_ >> i & 1) state_.locks_[i].unlock();
  }
}

}  // namespace latchkey::service
