// One request of the management or internal plane as its API functions see it, and their reply.
// Both own all they hold: they travel between I/O threads and the worker pool.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "core/audit.h"
#include "core/decision.h"
#include "core/ids.h"
#include "core/reason.h"
#include "core/token.h"
#include "http/message.h"
#include "http/query.h"
#include "manage/routes.h"

namespace latchkey::manage {

struct Call {
  Route route{};
  std::string path;  // decoded and normalised, for Location
  std::vector<std::string> captures;
  std::vector<http::QueryParameter> query;  // only names that the route takes, none twice
  std::string body;
  bool has_if_match = false;
  std::string if_match;
  bool has_idempotency_key = false;
  std::string idempotency_key;
  core::Actor actor;
  // The secret token that called, and what it was judged by; none for the operator.
  core::TokenId token;
  core::Facts facts;
  core::Environment environment = core::Environment::kLive;  // the token's; the operator's is live
  // The account that the caller's secret token may change; none for the operator, whose path names
  // it.
  core::AccountId account;
  // What was presented: the key of idempotent answers is derived from it.
  Secret credential;

  // nullptr if it was not sent.
  const std::string* Query(std::string_view name) const;
};

struct Reply {
  int status = 200;
  core::Reason reason = core::Reason::kNone;
  std::string content_type = "application/json; charset=utf-8";
  std::string body;
  std::string etag;      // empty: none
  std::string location;  // empty: none
  std::string allow;     // empty: none
  bool replayed = false;
  std::unique_ptr<http::BodySource> source;  // instead of body
  std::uint64_t source_bytes = 0;            // how long the source is: Latchkey-Content-Bytes
  std::string internal_text;                 // of an error: for the log alone
};

// 200 with a JSON object, and the version as its ETag.
Reply ObjectReply(std::string json, std::int64_t version);
// 201.
Reply CreatedReply(std::string json, std::int64_t version, std::string location);
Reply JsonReply(std::string json);
Reply NoContentReply();

// problem+json, the one way to refuse. The reason gives status and first sentence, the
// detail is one more.
Reply Refuse(core::Reason reason, std::string_view detail, std::string_view request_id,
             std::span<const FieldError> errors = {});
// The same for an error of a use case; its public text alone is shown.
Reply Refuse(const Error& error, std::string_view request_id);

// The text of an ETag for a version: "\"7\"".
std::string EntityTag(std::int64_t version);

// What If-Match says (RFC 9110 §13.1.1) about the version that stands.
enum class Precondition { kAbsent, kAny, kMatches, kStale, kMalformed };
Precondition CheckIfMatch(const Call& call, std::int64_t version);

}  // namespace latchkey::manage
