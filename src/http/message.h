// An HTTP/1.1 request as the connection layer hands it on, and the response it takes back.
// Nothing here knows of tokens, and nothing here includes Beast.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace latchkey::http {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };
std::string_view MethodName(Method method);

struct HeaderField {
  std::string_view name;   // as sent
  std::string_view value;  // without the blanks around it
};

// Fields that the request path asks for, found while parsing, so that nobody searches for them.
enum class KnownField : std::uint8_t {
  kHost,
  kAccept,
  kAuthorization,
  kConnection,
  kContentType,
  kExpect,
  kForwarded,
  kIfMatch,
  kIdempotencyKey,
  kOrigin,
  kReferer,
  kSecFetchSite,
  kXForwardedFor,
  kIexDate,
  kCount,
};

// Views into the connection's buffer. They hold until the request is answered: also across
// Exchange::Defer and while a body is read.
struct Request {
  Method method = Method::kOther;
  std::string_view method_text;
  // The request target as received, up to '?', and after it. An absolute-form target has been
  // reduced to its path (its authority has replaced `host`, RFC 9112 §3.2.2); "*" stands for
  // OPTIONS * alone.
  std::string_view raw_path;
  std::string_view raw_query;
  // The path percent-decoded once and freed of dot segments and empty segments, before any
  // decision. "/v1//data/%41/./x/" is "/v1/data/A/x". A path with an encoded NUL, an ill-formed
  // escape, ill-formed UTF-8, an encoded slash or backslash never gets here: it is refused with
  // 400.
  std::string_view path;
  std::string_view host;
  std::span<const HeaderField> fields;
  IpAddress peer;  // the TCP peer
  bool tls = false;
  bool has_body = false;  // Content-Length > 0 or Transfer-Encoding: chunked

  // The value of a known field, empty if it is absent (see Has to tell apart). A field sent twice
  // gives its first value, but fields of which only one may be sent (Host, Content-Length,
  // Authorization, Referer, Origin, Content-Type, If-Match, Idempotency-Key, x-iex-date) were
  // refused with 400.
  std::string_view Field(KnownField field) const { return known[static_cast<std::size_t>(field)]; }
  bool Has(KnownField field) const { return Field(field).data() != nullptr; }
  // Any field, by name without case; linear. nullptr data if absent.
  std::string_view Find(std::string_view name) const;

  std::string_view known[static_cast<std::size_t>(KnownField::kCount)] = {};
};

// What a body that is made while it is sent comes from. Called on the connection's I/O thread.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // Appends the next piece to `out` (64 KiB or so). False: that was the last one. It must not wait.
  virtual bool Next(std::string& out) = 0;
  // After the last piece: there should have been more. The connection is then closed without the
  // end of the body, so that nobody takes a part for the whole (RFC 9112 §8).
  virtual bool broken() const { return false; }
};

// A response. The server adds Date, Content-Length or Transfer-Encoding, and Connection.
struct Response {
  int status = 200;
  // Complete lines, each ended by CRLF, e.g. "Content-Type: text/plain\r\n". Whoever fills it
  // vouches that no value holds CR, LF or NUL (AppendField checks that).
  std::string_view header_lines;
  // The body: `shared_body` if it is set, else `body`; or `source`, sent chunked.
  std::string_view body;
  std::shared_ptr<const std::string> shared_body;
  std::unique_ptr<BodySource> source;
  // What is sent if there is no source.
  std::string_view Body() const { return shared_body ? std::string_view(*shared_body) : body; }
  // Close the connection after this answer.
  bool close = false;
};

// Appends "name: value\r\n", every CR, LF and NUL of the value replaced by a blank.
void AppendField(std::string& lines, std::string_view name, std::string_view value);

std::string_view ReasonPhrase(int status);

}  // namespace latchkey::http
