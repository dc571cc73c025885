// The head of a request: bytes in, a Request of views out. Stricter than it must be towards what
// RFC 9112 lets a server repair: whatever two parsers could read in two ways is refused.
// Pure; one per connection, reused for each message without allocating.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/server.h"

namespace latchkey::http {

// What the connection needs to know of a head beside the Request.
struct HeadInfo {
  std::size_t head_bytes = 0;  // with the empty line at its end, and a CRLF before it
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expect_continue = false;
};

class RequestParser {
 public:
  enum class Outcome : std::uint8_t { kNeedMore, kDone, kFailed };

  // Before each message.
  void Reset() { scanned_ = 0; }

  // `bytes` is everything received since the message's start, which may be more than the head; the
  // same bytes and more with each call, though they may have moved. What has been looked at once is
  // not looked at again until the head is complete. kDone fills `request` (but peer and tls) with
  // views into `bytes` and into this parser, which hold until the next Parse.
  Outcome Parse(std::string_view bytes, const Limits& limits, Request& request);

  // After kDone.
  const HeadInfo& info() const { return info_; }
  // After kFailed. The detail is a constant text.
  ProtocolError error() const { return error_; }
  std::string_view detail() const { return detail_; }

 private:
  class Grammar;

  Outcome Scan(std::string_view bytes, const Limits& limits);
  Outcome CheckUnfinished(std::string_view bytes, const Limits& limits);
  Outcome Fail(ProtocolError error, std::string_view detail);

  std::size_t scanned_ = 0;  // bytes known to hold no head's end and nothing forbidden
  HeadInfo info_;
  ProtocolError error_ = ProtocolError::kBadRequest;
  std::string_view detail_;
  std::vector<HeaderField> fields_;
  std::string path_buffer_;
};

}  // namespace latchkey::http
