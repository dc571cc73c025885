#include "core/reason.h"

#include <array>

namespace latchkey::core {
namespace {

// In the order of the enum. Sentences that old clients compare (wire.md §2) stand as they were,
// with or without a full stop; the others say what to change.
constexpr std::array<ReasonInfo, static_cast<std::size_t>(Reason::kCount)> kTable = {{
    {Reason::kNone, 200, "", ""},
    {Reason::kBadRequest, 400, "bad_request", "The request is not well-formed HTTP."},
    {Reason::kInvalidValues, 400, "invalid_values",
     "You have supplied invalid values for this request"},
    {Reason::kTypeRequired, 400, "type_required",
     "The batch needs types: send types=quote, types=chart or both."},
    {Reason::kTokenRequired, 401, "token_required",
     "A token is required: send it as token=… in the query or as Authorization: Bearer."},
    {Reason::kSignInRequired, 401, "sign_in_required",
     "A credential is required: send it as Authorization: Bearer."},
    {Reason::kSecretTokenRequired, 401, "secret_token_required",
     "This takes a secret token: a publishable one won't do."},
    {Reason::kDataRestricted, 401, "data_restricted",
     "The token has no right to this data: use one that has."},
    {Reason::kPremiumRequired, 402, "premium_required",
     "This is premium data: the account needs a plan with the premium subscription."},
    {Reason::kTokenInvalid, 403, "token_invalid", "The API key provided is not valid."},
    {Reason::kTokenDisabled, 403, "token_disabled",
     "The token is disabled: enable it or use another."},
    {Reason::kTokenExpired, 403, "token_expired",
     "The token has expired: give it a later expiry or use another."},
    {Reason::kAccountInactive, 403, "account_inactive",
     "The account is suspended: only the operator can resume it."},
    {Reason::kTokenWrongEnvironment, 403, "token_wrong_environment",
     "A test token reads only datasets that are marked as test: use a live token."},
    {Reason::kSecretTokenInBrowser, 403, "secret_token_in_browser",
     "A secret token must not be used in a browser: use a publishable one there, and replace this "
     "one if others could see it."},
    {Reason::kPlanLimitReached, 403, "plan_limit_reached",
     "The plan's maximum is reached: remove what is no longer needed or change the plan."},
    {Reason::kNotPermitted, 403, "not_permitted",
     "The credential may not do this: use one that may."},
    {Reason::kNotFound, 404, "not_found", "Not Found"},
    {Reason::kMethodNotAllowed, 405, "method_not_allowed",
     "The path does not take this method: use one of those in Allow."},
    {Reason::kRequestTimeout, 408, "request_timeout",
     "The request did not arrive in time: send it again, whole."},
    {Reason::kConflict, 409, "conflict",
     "It exists already, or it changed meanwhile: read it again before changing it."},
    {Reason::kPreconditionFailed, 412, "precondition_failed",
     "It changed since it was read: read it again and send its new ETag in If-Match."},
    {Reason::kBodyTooLarge, 413, "body_too_large", "The body is too large: send less at a time."},
    {Reason::kUrlTooLong, 414, "url_too_long", "The URL is too long: ask for less at a time."},
    {Reason::kUnsupportedMediaType, 415, "unsupported_media_type",
     "The body's Content-Type is not taken here: send one that is."},
    {Reason::kExpectationFailed, 417, "expectation_failed",
     "The only expectation that can be met is 100-continue."},
    {Reason::kMisdirected, 421, "misdirected",
     "This listener does not answer for that host: use one of its own names."},
    {Reason::kPreconditionRequired, 428, "precondition_required",
     "A change takes If-Match: send the ETag of what was read."},
    {Reason::kHeadTooLarge, 431, "head_too_large",
     "The request's head is too large: send fewer or shorter header fields."},
    {Reason::kInternal, 500, "internal",
     "The server failed: report the request's id to its operator."},
    {Reason::kNotImplemented, 501, "not_implemented",
     "The server does not know this method or transfer coding: use another."},
    {Reason::kUnavailable, 503, "unavailable",
     "The server can't do this at present: try again later."},
    {Reason::kHttpVersion, 505, "http_version", "The server speaks HTTP/1.1 and HTTP/1.0."},
}};

constexpr bool InOrder() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (kTable[i].reason != static_cast<Reason>(i)) return false;
  }
  return true;
}
static_assert(InOrder());

}  // namespace

const ReasonInfo& Describe(Reason reason) { return kTable.at(static_cast<std::size_t>(reason)); }

std::span<const ReasonInfo> AllReasons() { return std::span(kTable).subspan(1); }

std::optional<Reason> ParseReason(std::string_view name) {
  for (const ReasonInfo& info : AllReasons()) {
    if (info.name == name) return info.reason;
  }
  return std::nullopt;
}

}  // namespace latchkey::core
