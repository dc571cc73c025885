// The closed table of reasons (wire.md §2, docs/decisions.md). A reason that is not here can't be
// given; a test holds this table, docs/decisions.md and docs/openapi.yaml together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace latchkey::core {

enum class Reason : std::uint8_t {
  kNone,  // allowed
  kBadRequest,
  kInvalidValues,
  kTypeRequired,
  kTokenRequired,
  kSignInRequired,
  kSecretTokenRequired,
  kDataRestricted,
  kPremiumRequired,
  kTokenInvalid,
  kTokenDisabled,
  kTokenExpired,
  kAccountInactive,
  kTokenWrongEnvironment,
  kSecretTokenInBrowser,
  kPlanLimitReached,
  kNotPermitted,
  kNotFound,
  kMethodNotAllowed,
  kRequestTimeout,
  kConflict,
  kPreconditionFailed,
  kBodyTooLarge,
  kUrlTooLong,
  kUnsupportedMediaType,
  kExpectationFailed,
  kMisdirected,
  kPreconditionRequired,
  kHeadTooLarge,
  kInternal,
  kNotImplemented,
  kUnavailable,
  kHttpVersion,
  kCount,
};

struct ReasonInfo {
  Reason reason;
  int status;
  std::string_view name;      // "token_invalid"
  std::string_view sentence;  // the fixed first sentence; old clients compare some of them
};

const ReasonInfo& Describe(Reason reason);
std::span<const ReasonInfo> AllReasons();  // without kNone
std::optional<Reason> ParseReason(std::string_view name);

}  // namespace latchkey::core
