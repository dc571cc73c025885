// Bytes of a request's head, as a peer may send them: whatever they are, the parser decides the
// same however they are split, and what it lets through keeps what message.h promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "http/chunked.h"
#include "http/query.h"
#include "http/request_parser.h"

namespace {

using namespace latchkey;
using Outcome = http::RequestParser::Outcome;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckRequest(const http::Request& request, const http::RequestParser& parser,
                  std::string_view bytes) {
  const http::HeadInfo& info = parser.info();
  Require(info.head_bytes <= bytes.size());
  Require(!(info.chunked && info.content_length));
  Require(request.path == "*" || request.path.starts_with('/'));
  Require(request.path == "/" || !request.path.ends_with('/'));
  Require(IsValidUtf8(request.path));
  const std::string closed = request.path == "/" ? "/" : std::string(request.path) + "/";
  for (const std::string_view forbidden : {"//", "/./", "/../", "\\", "\r", "\n"}) {
    Require(closed.find(forbidden) == closed.npos);
  }
  Require(request.path.find('\0') == request.path.npos);
  for (const http::HeaderField& field : request.fields) {
    Require(field.value.find_first_of("\r\n") == field.value.npos);
    Require(field.value.find('\0') == field.value.npos);
    Require(!field.name.empty());
  }
  (void)http::ParseQuery(request.raw_query);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  http::Limits limits;
  limits.max_head_bytes = 2048;
  limits.max_url_bytes = 512;
  limits.max_header_fields = 20;

  http::RequestParser whole;
  http::Request request;
  const Outcome outcome = whole.Parse(bytes, limits, request);
  if (outcome == Outcome::kDone) CheckRequest(request, whole, bytes);

  // Byte by byte. Only the number of fields and the like is told later than it could be.
  http::RequestParser split;
  http::Request split_request;
  Outcome split_outcome = Outcome::kNeedMore;
  for (std::size_t i = 1; i <= size && split_outcome == Outcome::kNeedMore; ++i) {
    split_outcome = split.Parse(bytes.substr(0, i), limits, split_request);
  }
  if (size > 0) {
    Require((outcome == Outcome::kDone) == (split_outcome == Outcome::kDone));
    Require((outcome == Outcome::kNeedMore) == (split_outcome == Outcome::kNeedMore));
  }
  if (outcome == Outcome::kDone) {
    Require(split.info().head_bytes == whole.info().head_bytes);
    Require(split_request.path == request.path);
    // What follows, as a chunked body.
    http::ChunkedDecoder decoder;
    std::string_view rest = bytes.substr(whole.info().head_bytes);
    std::string_view piece;
    while (decoder.Next(rest, piece) == http::ChunkedDecoder::Outcome::kData) {
    }
  }
  return 0;
}
