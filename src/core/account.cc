#include "core/account.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"

namespace latchkey::core {
namespace {

constexpr std::size_t kMinNameBytes = 2;
constexpr std::size_t kMaxNameBytes = 63;

// The operator's own workspaces, and names by which an account could pass for the operator.
constexpr std::array<std::string_view, 12> kReservedWorkspaces = {
    "admin",  "all",      "console", "core",   "internal", "latchkey",
    "manage", "operator", "premium", "public", "root",     "system"};

bool IsLowerAlnum(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z'); }

Status CheckName(std::string_view name, std::string_view what) {
  const auto wrong = [&](std::string_view rule) {
    return MakeError(ErrorCode::kInvalid, std::string(what) + " " + std::string(rule) + ".");
  };
  if (name.size() < kMinNameBytes || name.size() > kMaxNameBytes) {
    return wrong("must have 2 to 63 characters");
  }
  if (!std::ranges::all_of(name, [](char c) { return IsLowerAlnum(c) || c == '-'; })) {
    return wrong("may hold a-z, 0-9 and dashes only");
  }
  if (name.front() < 'a') return wrong("must start with a letter");
  if (name.back() == '-') return wrong("must end with a letter or a digit");
  return {};
}

}  // namespace

std::string_view ToString(AccountState state) {
  return state == AccountState::kSuspended ? "suspended" : "active";
}

std::optional<AccountState> ParseAccountState(std::string_view text) {
  if (text == "active") return AccountState::kActive;
  if (text == "suspended") return AccountState::kSuspended;
  return std::nullopt;
}

Status CheckWorkspaceName(std::string_view name) {
  if (Status status = CheckName(name, "A workspace's name"); !status.ok()) return status;
  if (std::ranges::find(kReservedWorkspaces, name) != kReservedWorkspaces.end()) {
    return MakeError(ErrorCode::kInvalid,
                     "The workspace's name \"" + std::string(name) + "\" is reserved.");
  }
  return {};
}

Status CheckPlanName(std::string_view name) { return CheckName(name, "A plan's name"); }

}  // namespace latchkey::core
