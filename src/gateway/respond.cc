#include "gateway/respond.h"

#include <cstring>
#include <utility>

#include "core/reason.h"
#include "env/redact.h"
#include "http/problem.h"

namespace latchkey::gateway {
namespace {

using core::Reason;

constexpr std::string_view kMethods = "GET, HEAD, OPTIONS";

// wire.md §2. no-store on everything: most answers are charged or may be refused a moment later,
// and a token in a URL must not end up in a cache.
constexpr std::string_view kCommonLines =
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: iexcloud-messages-used, iexcloud-credits-used, "
    "iexcloud-premium-messages-used, iexcloud-premium-credits-used, RateLimit, RateLimit-Policy, "
    "Latchkey-Reason, Latchkey-Request-Id, Retry-After\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; sandbox\r\n"
    "Cache-Control: no-store\r\n";

constexpr std::string_view kPreflightLines =
    "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
    "Access-Control-Allow-Headers: Authorization, Content-Type, Accept, X-Requested-With, "
    "Request-Source, x-iex-date, Signature, Signature-Input, Content-Digest\r\n"
    "Access-Control-Max-Age: 7200\r\n";

// A year (RFC 6797 §6.1.1).
constexpr std::string_view kHstsLine = "Strict-Transport-Security: max-age=31536000\r\n";

constexpr std::string_view kRequestIdName = "Latchkey-Request-Id: ";

// The fixed sentence, then the detail as one more.
std::string Sentences(std::string_view sentence, std::string_view detail) {
  std::string text(sentence);
  if (detail.empty()) return text;
  if (!text.ends_with('.')) text.push_back('.');
  text.push_back(' ');
  const std::size_t start = text.size();
  // A detail names parameters, and somebody will send a token as a name.
  AppendRedacted(text, detail);
  if (text[start] >= 'a' && text[start] <= 'z') text[start] = static_cast<char>(text[start] - 32);
  if (!text.ends_with('.')) text.push_back('.');
  return text;
}

void AppendReasonLines(std::string& lines, Reason reason, std::string_view content_type) {
  http::AppendField(lines, "Content-Type", content_type);
  http::AppendField(lines, "Latchkey-Reason", core::Describe(reason).name);
  // Never Basic: it would open a dialog in customers' pages.
  if (reason == Reason::kTokenRequired) http::AppendField(lines, "WWW-Authenticate", "Bearer");
}

Reason ReasonOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return Reason::kInvalidValues;
    case ErrorCode::kNotFound:
      return Reason::kNotFound;
    case ErrorCode::kConflict:
      return Reason::kConflict;
    case ErrorCode::kStale:
      return Reason::kPreconditionFailed;
    case ErrorCode::kLimit:
      return Reason::kPlanLimitReached;
    case ErrorCode::kUnavailable:
    case ErrorCode::kUnknown:  // the detail says that the outcome is not known
      return Reason::kUnavailable;
    case ErrorCode::kCorrupt:
    case ErrorCode::kNewer:
    case ErrorCode::kInternal:
      return Reason::kInternal;
  }
  return Reason::kInternal;
}

}  // namespace

core::Decision RefusalOf(const Error& error) {
  const Reason reason = ReasonOf(error.code);
  if (reason == Reason::kInternal) return core::Refuse(reason);
  std::string detail = error.public_text;
  if (detail.empty() && !error.fields.empty()) {
    // Not the name first: a sentence begins with a capital, and names are with case.
    detail = "At " + error.fields.front().field + ": " + error.fields.front().detail;
  }
  if (detail.empty() && error.code == ErrorCode::kUnknown) {
    detail = "Whether it was done is not known; look before you try again.";
  }
  return core::Refuse(reason, std::move(detail));
}

HeaderBlock::HeaderBlock(std::string lines) : lines_(std::move(lines)) {
  lines_.append(kRequestIdName);
  id_offset_ = lines_.size();
  lines_.append(kRequestIdBytes, '0').append("\r\n");
}

std::string_view HeaderBlock::With(std::string_view request_id) {
  std::memcpy(lines_.data() + id_offset_, request_id.data(), kRequestIdBytes);
  return lines_;
}

Responder::Responder(bool hsts) : security_lines_(kCommonLines) {
  if (hsts) security_lines_.append(kHstsLine);
  refusals_.resize(static_cast<std::size_t>(Reason::kCount));
  for (const core::ReasonInfo& info : core::AllReasons()) {
    Prepared& prepared = refusals_[static_cast<std::size_t>(info.reason)];
    prepared.body = Sentences(info.sentence, {});
    std::string lines;
    AppendReasonLines(lines, info.reason, kTextContentType);
    prepared.head = HeaderBlock(lines.append(security_lines_));
  }
}

HeaderBlock Responder::MakeHead(std::string_view content_type, const Cost& cost) const {
  std::string lines;
  lines.reserve(768);
  http::AppendField(lines, "Content-Type", content_type);
  const std::string core_cost = std::to_string(cost.core);
  const std::string premium_cost = std::to_string(cost.premium);
  http::AppendField(lines, "iexcloud-messages-used", core_cost);
  http::AppendField(lines, "iexcloud-credits-used", core_cost);
  http::AppendField(lines, "iexcloud-premium-messages-used", premium_cost);
  http::AppendField(lines, "iexcloud-premium-credits-used", premium_cost);
  return HeaderBlock(lines.append(security_lines_));
}

http::Response Responder::Refusal(const core::Decision& decision, std::string_view request_id,
                                  bool problem_json, const RefusalExtra& extra) {
  const core::ReasonInfo& info = core::Describe(decision.reason);
  http::Response response;
  response.status = info.status;
  const bool has_extra = !extra.allow.empty() || extra.retry_after != 0 || !extra.sentence.empty();
  if (!problem_json && !has_extra && decision.detail.empty()) {
    Prepared& prepared = refusals_[static_cast<std::size_t>(decision.reason)];
    response.header_lines = prepared.head.With(request_id);
    response.body = prepared.body;
    return response;
  }

  body_ = Sentences(extra.sentence.empty() ? info.sentence : extra.sentence, decision.detail);
  if (problem_json) {
    http::Problem problem;
    problem.status = info.status;
    problem.detail = body_;
    problem.reason = info.name;
    problem.request_id = request_id;
    body_ = http::ProblemJson(problem);
  }
  std::string lines;
  AppendReasonLines(lines, decision.reason,
                    problem_json ? http::kProblemContentType : kTextContentType);
  if (!extra.allow.empty()) {
    http::AppendField(lines, "Allow", std::string(extra.allow).append(", OPTIONS"));
  }
  if (extra.retry_after != 0) {
    http::AppendField(lines, "Retry-After", std::to_string(extra.retry_after));
  }
  head_ = HeaderBlock(lines.append(security_lines_));
  response.header_lines = head_.With(request_id);
  response.body = body_;
  return response;
}

http::Response Responder::Preflight(std::string_view request_id, std::string_view allow) {
  std::string lines;
  http::AppendField(lines, "Allow",
                    allow.empty() ? std::string(kMethods) : std::string(allow) + ", OPTIONS");
  head_ = HeaderBlock(lines.append(kPreflightLines).append(security_lines_));
  http::Response response;
  response.status = 204;
  response.header_lines = head_.With(request_id);
  return response;
}

}  // namespace latchkey::gateway
