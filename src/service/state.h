// Plans and accounts in memory, and the one place where a change reaches the index. Loaded from the
// store at the start; every use case applies here what it has committed.
//
// Thread-safe. Changes of one thing must be applied in the order of their commits: whoever makes or
// changes a plan, an account or a token has a Hold on it from before the commit (and before what it
// reads for it) to the return of Apply.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "base/thread_annotations.h"
#include "core/account.h"
#include "core/ids.h"
#include "core/token.h"
#include "service/token_index.h"
#include "store/store.h"

namespace latchkey::service {

class State {
 public:
  // Borrowed; must outlive this.
  explicit State(TokenIndex& index) : index_(index) {}

  // Reads all there is into memory and the index. Once, before anything else.
  Status Load(store::Store& store) EXCLUDES(mutex_);

  // By id, or by name (plans) or workspace (accounts; without case). Accounts carry their plan's
  // premium_data.
  std::optional<core::Plan> FindPlan(std::string_view name_or_id) const EXCLUDES(mutex_);
  std::optional<core::Plan> FindPlan(core::PlanId id) const EXCLUDES(mutex_);
  std::optional<core::Account> FindAccount(std::string_view workspace_or_id) const EXCLUDES(mutex_);
  std::optional<core::Account> FindAccount(core::AccountId id) const EXCLUDES(mutex_);

  // In force when they return. A plan's premium_data reaches all its accounts.
  void Apply(const core::Plan& plan) EXCLUDES(mutex_);
  void Apply(const core::Account& account) EXCLUDES(mutex_);
  void Apply(const core::Token& token) { index_.Put(token); }
  void ApplyRemoval(core::TokenId token) { index_.Remove(token); }

  // Keeps others from changing these things. Blocks; a thread has one Hold at a time.
  class Hold {
   public:
    Hold(const State& state, std::initializer_list<std::int64_t> ids);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    const State& state_;
    std::uint64_t held_ = 0;  // a bit for each lock
  };

 private:
  // A thing's lock is shared with some others.
  static constexpr std::size_t kLocks = 64;

  core::Account WithPlan(core::Account account) const REQUIRES(mutex_);

  TokenIndex& index_;
  mutable std::array<Mutex, kLocks> locks_;
  mutable Mutex mutex_;
  std::unordered_map<core::PlanId, core::Plan> plans_ GUARDED_BY(mutex_);
  std::map<std::string, core::PlanId, std::less<>> plan_names_ GUARDED_BY(mutex_);
  std::unordered_map<core::AccountId, core::Account> accounts_ GUARDED_BY(mutex_);
  std::map<std::string, core::AccountId, std::less<>> workspaces_ GUARDED_BY(mutex_);
};

}  // namespace latchkey::service
