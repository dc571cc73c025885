// From the domain to HTTP: the head of an answer, and every refusal of the data plane. Refusal() is
// the only way to refuse there.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/decision.h"
#include "core/record_query.h"
#include "http/message.h"

namespace latchkey::gateway {

inline constexpr std::string_view kJsonContentType = "application/json; charset=utf-8";
inline constexpr std::string_view kCsvContentType = "text/csv; charset=utf-8";
inline constexpr std::string_view kTextContentType = "text/plain; charset=utf-8";

inline constexpr std::size_t kRequestIdBytes = 16;

// Header lines with a place for a request's id, so that a prepared block serves request after
// request without a copy.
class HeaderBlock {
 public:
  HeaderBlock() = default;
  // `lines` are whole header lines; Latchkey-Request-Id is put after them.
  explicit HeaderBlock(std::string lines);
  // The lines with this id in its place (kRequestIdBytes); a view until the next call.
  std::string_view With(std::string_view request_id);
  std::size_t bytes() const { return lines_.capacity(); }

 private:
  std::string lines_;
  std::size_t id_offset_ = 0;
};

// What one answer costs in credits.
struct Cost {
  std::uint64_t core = 0;
  std::uint64_t premium = 0;
};

// What a refusal needs beside its reason.
struct RefusalExtra {
  std::string_view allow = {};    // of method_not_allowed: the methods that the path knows
  std::uint32_t retry_after = 0;  // seconds; 0: no such field
  // Instead of the reason's own, where old clients compare another one (wire.md §2).
  std::string_view sentence = {};
};

// What is said of an error: the one place where codes become reasons. Its public text is the
// detail, or its first field's, but for faults of our own.
core::Decision RefusalOf(const Error& error);

// One per handler; used on its thread alone.
class Responder {
 public:
  // `hsts`: add Strict-Transport-Security.
  explicit Responder(bool hsts);

  // Every answer tells its cost, a free one that it is 0 (wire.md §2).
  HeaderBlock MakeHead(std::string_view content_type, const Cost& cost) const;

  // Status, header lines and body of a refusal. The views hold until the next call. Text, or
  // problem+json (RFC 9457); the fixed sentence of the reason, then the decision's detail, in which
  // what looks like a token is masked.
  http::Response Refusal(const core::Decision& decision, std::string_view request_id,
                         bool problem_json, const RefusalExtra& extra = {});

  // 204, with what a browser wants to know before it sends the request itself. The views hold until
  // the next call.
  http::Response Preflight(std::string_view request_id, std::string_view allow);

 private:
  struct Prepared {
    HeaderBlock head;
    std::string body;
  };

  std::string security_lines_;      // on every answer
  std::vector<Prepared> refusals_;  // by reason: without detail or extra, as text
  HeaderBlock head_;                // of what is not prepared
  std::string body_;
};

}  // namespace latchkey::gateway
