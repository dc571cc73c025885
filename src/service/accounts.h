// Use cases of plans and accounts. Everything here blocks on the store (reads by name or id do
// not) and runs on the worker pool. Thread-safe. Errors and kUnknown as in tokens.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/account.h"
#include "core/audit.h"
#include "core/ids.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "service/idempotency.h"
#include "service/master_key.h"
#include "service/page.h"
#include "service/state.h"
#include "service/tokens.h"
#include "store/store.h"

namespace latchkey::service {

// Whole numbers up to here are exact in every JSON reader.
inline constexpr std::uint64_t kMaxMonthlyCredits = 9'007'199'254'740'991;
inline constexpr std::uint64_t kMaxStorageBytes = kMaxMonthlyCredits;

// Absent: the default, or as it stands.
struct PlanSettings {
  std::optional<std::string> title;
  std::optional<std::uint64_t> monthly_core_credits;
  std::optional<bool> pay_as_you_go;
  std::optional<bool> premium_data;
  // null: no maximum
  std::optional<std::optional<std::uint32_t>> max_tokens;
  std::optional<std::optional<std::uint32_t>> max_datasets;
  std::optional<std::optional<std::uint64_t>> max_storage_bytes;  // up to kMaxStorageBytes
  std::optional<std::optional<std::uint32_t>> max_jobs;
};

struct NewPlan {
  std::string name;
  PlanSettings settings;  // no title: the name
};

struct AccountSettings {
  std::optional<std::string> title;
  std::optional<core::PlanId> plan;
};

struct NewAccount {
  std::string workspace;
  std::string title;  // empty: the workspace
  core::PlanId plan;
};

// Both texts whole: the secret one is shown this once.
struct CreatedAccount {
  core::Account account;
  CreatedToken secret;
  CreatedToken publishable;
};

class Accounts {
 public:
  // References are borrowed and must outlive this. `entropy` must be thread-safe.
  Accounts(store::Store& store, State& state, KeyRing& keys, const Clock& clock, Entropy& entropy)
      : store_(store), state_(state), keys_(keys), clock_(clock), entropy_(entropy) {}

  // kConflict: the name stands already.
  Result<core::Plan> CreatePlan(const NewPlan& plan, core::Actor actor,
                                const IdempotencyRecord<core::Plan>* idempotency = nullptr);
  Result<core::Plan> FindPlan(std::string_view name_or_id);
  Result<Paged<core::Plan>> ListPlans(const PageRequest& page);  // search is not used
  // In force for all accounts of the plan at once.
  Result<core::Plan> PatchPlan(core::PlanId id, const PlanSettings& settings,
                               std::optional<std::int64_t> expected_version, core::Actor actor);

  // Makes one secret and one publishable token with it, in the same transaction. kConflict: the
  // workspace stands already; kInvalid: no such plan; kLimit: the plan allows fewer than two.
  Result<CreatedAccount> CreateAccount(
      const NewAccount& account, core::Actor actor,
      const IdempotencyRecord<CreatedAccount>* idempotency = nullptr);
  // By workspace (without case) or id.
  Result<core::Account> FindAccount(std::string_view workspace_or_id);
  Result<Paged<core::Account>> ListAccounts(const PageRequest& page);
  Result<core::Account> PatchAccount(core::AccountId id, const AccountSettings& settings,
                                     std::optional<std::int64_t> expected_version,
                                     core::Actor actor);
  // Every token of a suspended account is refused (account_inactive) until it is resumed.
  Result<core::Account> Suspend(core::AccountId id, core::Actor actor);
  Result<core::Account> Resume(core::AccountId id, core::Actor actor);

 private:
  struct Change {
    AccountSettings settings;
    std::optional<core::AccountState> state;
    std::optional<std::int64_t> expected_version;
    bool unconditional = false;  // the caller could have named a version and did not
  };
  Result<core::Account> ChangeAccount(core::AccountId id, const Change& change,
                                      std::string_view action, core::Actor actor);
  void ApplyStricter(const core::Account& before, const core::Account& after);

  store::Store& store_;
  State& state_;
  KeyRing& keys_;
  const Clock& clock_;
  Entropy& entropy_;
};

}  // namespace latchkey::service
