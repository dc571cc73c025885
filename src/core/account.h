// Accounts and plans.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "core/ids.h"

namespace latchkey::core {

// What an operator sells. A change of a plan holds for all its accounts at once.
struct Plan {
  PlanId id;
  std::string name;  // 2 to 63 of a-z, 0-9, dash; unique: how commands and configuration name it
  std::string title;
  std::uint64_t monthly_core_credits = 0;  // the quota
  bool pay_as_you_go = false;              // may go past the quota
  bool premium_data = false;               // the premium subscription
  // Per account; absent: no maximum.
  std::optional<std::uint32_t> max_tokens;
  std::optional<std::uint32_t> max_datasets;       // in the account's own workspace
  std::optional<std::uint64_t> max_storage_bytes;  // of all records in it (storage.md says how)
  std::optional<std::uint32_t> max_jobs;           // uploads that have not ended
  Timestamp created_at{};
  std::int64_t version = 1;
};

enum class AccountState : std::uint8_t { kActive, kSuspended };
std::string_view ToString(AccountState state);  // "active", "suspended"
std::optional<AccountState> ParseAccountState(std::string_view text);

inline constexpr std::size_t kMaxTitleBytes = 128;  // of a plan or an account

// What a decision needs of an account and its plan: small, and in memory for every account.
struct Account {
  AccountId id;
  PlanId plan;
  AccountState state = AccountState::kActive;
  bool premium_data = false;  // copied from the plan when loaded; not stored here
  bool browser_guard = true;  // refuse secret tokens from a browser
  std::string workspace;
  std::string title;
  Timestamp created_at{};
  std::int64_t version = 1;
};

// 2 to 63 of a-z, 0-9 and dash, starting with a letter, ending with a letter or digit, and not
// reserved (core, premium, operator and others). The error says which rule is broken.
Status CheckWorkspaceName(std::string_view name);
Status CheckPlanName(std::string_view name);

}  // namespace latchkey::core
