#include "manage/call.h"

#include <utility>

#include "base/encoding.h"
#include "env/redact.h"
#include "http/problem.h"

namespace latchkey::manage {
namespace {

core::Reason ReasonOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return core::Reason::kInvalidValues;
    case ErrorCode::kNotFound:
      return core::Reason::kNotFound;
    case ErrorCode::kConflict:
      return core::Reason::kConflict;
    case ErrorCode::kStale:
      return core::Reason::kPreconditionFailed;
    case ErrorCode::kLimit:
      return core::Reason::kPlanLimitReached;
    case ErrorCode::kUnavailable:
    case ErrorCode::kUnknown:  // the detail says that the outcome is not known
      return core::Reason::kUnavailable;
    case ErrorCode::kCorrupt:
    case ErrorCode::kNewer:
    case ErrorCode::kInternal:
      return core::Reason::kInternal;
  }
  return core::Reason::kInternal;
}

}  // namespace

const std::string* Call::Query(std::string_view name) const {
  for (const http::QueryParameter& parameter : query) {
    if (parameter.name == name) return &parameter.value;
  }
  return nullptr;
}

Reply JsonReply(std::string json) {
  Reply reply;
  reply.body = std::move(json);
  return reply;
}

Reply ObjectReply(std::string json, std::int64_t version) {
  Reply reply = JsonReply(std::move(json));
  reply.etag = EntityTag(version);
  return reply;
}

Reply CreatedReply(std::string json, std::int64_t version, std::string location) {
  Reply reply = ObjectReply(std::move(json), version);
  reply.status = 201;
  reply.location = std::move(location);
  return reply;
}

Reply NoContentReply() {
  Reply reply;
  reply.status = 204;
  reply.content_type.clear();
  return reply;
}

Reply Refuse(core::Reason reason, std::string_view detail, std::string_view request_id,
             std::span<const FieldError> errors) {
  const core::ReasonInfo& info = core::Describe(reason);
  std::string text(info.sentence);
  if (!detail.empty()) {
    if (!text.ends_with('.')) text.push_back('.');
    text.append(" ").append(detail);
  }
  Reply reply;
  reply.status = info.status;
  reply.reason = reason;
  reply.content_type = http::kProblemContentType;
  http::Problem problem;
  problem.status = info.status;
  problem.detail = text;
  problem.reason = info.name;
  problem.request_id = request_id;
  problem.errors = errors;
  // What a caller sent may come back in a detail; a token that strayed into it does not.
  reply.body = RedactTokens(http::ProblemJson(problem));
  return reply;
}

Reply Refuse(const Error& error, std::string_view request_id) {
  std::string_view detail = error.public_text;
  // A sentence of core's leads to its field by "at"; here the field leads, as everywhere.
  if (!error.fields.empty() && detail.starts_with("at " + error.fields.front().field + ":")) {
    detail.remove_prefix(3);
  }
  if (error.code == ErrorCode::kUnknown && detail.empty()) {
    detail = "Whether it was done is not known. Look before you try again.";
  }
  Reply reply = Refuse(ReasonOf(error.code), detail, request_id, error.fields);
  reply.internal_text = error.internal_text;
  return reply;
}

std::string EntityTag(std::int64_t version) { return '"' + std::to_string(version) + '"'; }

Precondition CheckIfMatch(const Call& call, std::int64_t version) {
  if (!call.has_if_match) return Precondition::kAbsent;
  std::string_view rest = TrimBlanks(call.if_match);
  if (rest == "*") return Precondition::kAny;
  // A list of entity tags; a weak one never matches (strong comparison).
  const std::string wanted = EntityTag(version);
  bool matches = false;
  while (true) {
    const bool weak = rest.starts_with("W/");
    if (weak) rest.remove_prefix(2);
    if (!rest.starts_with('"')) return Precondition::kMalformed;
    const std::size_t end = rest.find('"', 1);
    if (end == std::string_view::npos) return Precondition::kMalformed;
    if (!weak && rest.substr(0, end + 1) == wanted) matches = true;
    rest = TrimBlanks(rest.substr(end + 1));
    if (rest.empty()) return matches ? Precondition::kMatches : Precondition::kStale;
    if (!rest.starts_with(',')) return Precondition::kMalformed;
    rest = TrimBlanks(rest.substr(1));
  }
}

}  // namespace latchkey::manage
