#include "http/request_parser.h"

#include <algorithm>
#include <cstring>

#include <boost/beast/http/basic_parser.hpp>

#include "base/encoding.h"
#include "http/target.h"

namespace latchkey::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::error_code;

// Longer than any method that is in use.
constexpr std::size_t kMaxMethodBytes = 32;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

Method ToMethod(beast_http::verb verb) {
  switch (verb) {
    case beast_http::verb::get:
      return Method::kGet;
    case beast_http::verb::head:
      return Method::kHead;
    case beast_http::verb::post:
      return Method::kPost;
    case beast_http::verb::put:
      return Method::kPut;
    case beast_http::verb::patch:
      return Method::kPatch;
    case beast_http::verb::delete_:
      return Method::kDelete;
    case beast_http::verb::options:
      return Method::kOptions;
    default:
      return Method::kOther;
  }
}

// kCount for a field that nobody asks for by number.
KnownField ToKnown(beast_http::field field, std::string_view name) {
  switch (field) {
    case beast_http::field::host:
      return KnownField::kHost;
    case beast_http::field::accept:
      return KnownField::kAccept;
    case beast_http::field::authorization:
      return KnownField::kAuthorization;
    case beast_http::field::connection:
      return KnownField::kConnection;
    case beast_http::field::content_type:
      return KnownField::kContentType;
    case beast_http::field::expect:
      return KnownField::kExpect;
    case beast_http::field::forwarded:
      return KnownField::kForwarded;
    case beast_http::field::if_match:
      return KnownField::kIfMatch;
    case beast_http::field::origin:
      return KnownField::kOrigin;
    case beast_http::field::referer:
      return KnownField::kReferer;
    case beast_http::field::sec_fetch_site:
      return KnownField::kSecFetchSite;
    case beast_http::field::unknown:
      break;
    default:
      return KnownField::kCount;
  }
  if (name.size() == 10 && EqualsIgnoreCase(name, "x-iex-date")) return KnownField::kIexDate;
  if (name.size() == 15) {
    if (EqualsIgnoreCase(name, "x-forwarded-for")) return KnownField::kXForwardedFor;
    if (EqualsIgnoreCase(name, "idempotency-key")) return KnownField::kIdempotencyKey;
  }
  return KnownField::kCount;
}

bool MayRepeat(KnownField known) {
  switch (known) {
    case KnownField::kHost:
    case KnownField::kAuthorization:
    case KnownField::kReferer:
    case KnownField::kOrigin:
    case KnownField::kContentType:
    case KnownField::kIfMatch:
    case KnownField::kIdempotencyKey:
    case KnownField::kIexDate:
      return false;
    default:
      return true;
  }
}

bool IsMethodChar(char c) {  // tchar, RFC 9110 §5.6.2
  return IsAlpha(c) || IsDigit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Whether one of eight bytes is below 0x20 or is 0x7f ("Bit Twiddling Hacks", haszero and hasless;
// exact about whether there is one).
bool HasControl(std::uint64_t word) {
  constexpr std::uint64_t kOnes = ~std::uint64_t{0} / 255;
  constexpr std::uint64_t kHigh = kOnes * 0x80;
  const std::uint64_t below = (word - kOnes * 0x20) & ~word & kHigh;
  const std::uint64_t no_del = word ^ (kOnes * 0x7f);
  const std::uint64_t del = (no_del - kOnes) & ~no_del & kHigh;
  return (below | del) != 0;
}

// Two blanks and "HTTP/" digit "." digit at the end: the request line is well-formed, so the
// version's number is at fault.
bool EndsInVersion(std::string_view head) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  if (line.size() < 9 || std::count(line.begin(), line.end(), ' ') != 2) return false;
  const std::string_view version = line.substr(line.size() - 9);
  return version.starts_with(" HTTP/") && IsDigit(version[6]) && version[7] == '.' &&
         IsDigit(version[8]);
}

}  // namespace

// Beast's parser does the grammar; this adds what it leaves open and collects the views. It is fed
// a head that is complete and free of control characters, so it never has to keep bytes.
class RequestParser::Grammar final : public beast_http::basic_parser<true> {
 public:
  Grammar(RequestParser& owner, const Limits& limits, Request& request)
      : owner_(owner), limits_(limits), request_(request) {
    skip(true);  // the body is the connection's
    header_limit(
        static_cast<std::uint32_t>(std::min<std::size_t>(limits.max_head_bytes, UINT32_MAX)));
  }

  bool failed() const { return failed_; }

  Outcome Finish() {
    HeadInfo& info = owner_.info_;
    info.keep_alive = keep_alive();
    if (target_.authority.data() != nullptr) {
      request_.host = target_.authority;
    } else if (request_.Has(KnownField::kHost)) {
      request_.host = request_.Field(KnownField::kHost);
    }
    if (!info.http_1_0 && !request_.Has(KnownField::kHost)) {
      return owner_.Fail(ProtocolError::kBadRequest, "the Host field is missing");
    }
    if (request_.Has(KnownField::kHost) && !IsValidHost(request_.Field(KnownField::kHost))) {
      return owner_.Fail(ProtocolError::kBadRequest, "the Host field is not valid");
    }
    if (transfer_encodings_ > 0) {
      if (info.content_length) {
        return owner_.Fail(ProtocolError::kBadRequest,
                           "Content-Length and Transfer-Encoding stand together");
      }
      // RFC 9112 §6.1: the coding is of 1.1, the framing of such a message can't be trusted.
      if (info.http_1_0) {
        return owner_.Fail(ProtocolError::kBadRequest, "Transfer-Encoding in HTTP/1.0");
      }
      info.chunked = true;
    }
    if (info.http_1_0) info.expect_continue = false;
    request_.has_body = info.chunked || info.content_length.value_or(0) > 0;
    return Outcome::kDone;
  }

 private:
  void Refuse(ProtocolError error, std::string_view detail, error_code& ec) {
    failed_ = true;
    (void)owner_.Fail(error, detail);
    ec = beast_http::error::bad_field;
  }

  void on_request_impl(beast_http::verb verb, boost::beast::string_view method,
                       boost::beast::string_view target, int version, error_code& ec) override {
    owner_.info_.http_1_0 = version == 10;
    request_.method = ToMethod(verb);
    request_.method_text = View(method);
    if (method.size() > kMaxMethodBytes) {
      return Refuse(ProtocolError::kBadRequest, "the method is not valid", ec);
    }
    if (target.size() > limits_.max_url_bytes) {
      return Refuse(ProtocolError::kUrlTooLong, "the request target is too long", ec);
    }
    if (verb == beast_http::verb::connect) {
      return Refuse(ProtocolError::kBadRequest, "CONNECT is for proxies", ec);
    }
    const std::optional<Target> split = SplitTarget(View(target));
    if (!split) return Refuse(ProtocolError::kBadRequest, "the request target is not valid", ec);
    target_ = *split;
    request_.raw_path = target_.raw_path;
    request_.raw_query = target_.raw_query;
    if (target_.raw_path == "*") {
      if (request_.method != Method::kOptions) {
        return Refuse(ProtocolError::kBadRequest, "the target * is for OPTIONS alone", ec);
      }
      request_.path = target_.raw_path;
    } else if (!NormalisePath(target_.raw_path, owner_.path_buffer_, request_.path)) {
      Refuse(ProtocolError::kBadRequest, "the path is not valid", ec);
    }
  }

  void on_field_impl(beast_http::field field, boost::beast::string_view name_text,
                     boost::beast::string_view value_text, error_code& ec) override {
    if (owner_.fields_.size() == limits_.max_header_fields) {
      return Refuse(ProtocolError::kHeadTooLarge, "too many header fields", ec);
    }
    const std::string_view name = View(name_text);
    // Present is told by a pointer that is not null, also where the value is empty.
    const std::string_view value = value_text.empty() ? std::string_view("") : View(value_text);
    owner_.fields_.push_back({name, value});
    if (field == beast_http::field::content_length) return OnContentLength(value, ec);
    if (field == beast_http::field::transfer_encoding) return OnTransferEncoding(value, ec);
    const KnownField known = ToKnown(field, name);
    if (known == KnownField::kCount) return;
    std::string_view& slot = request_.known[static_cast<std::size_t>(known)];
    if (slot.data() == nullptr) {
      slot = value;
    } else if (!MayRepeat(known)) {
      return Refuse(ProtocolError::kBadRequest, "a field that may stand once is repeated", ec);
    }
    if (known == KnownField::kExpect) {
      // RFC 9110 §10.1.1: no other expectation is defined.
      if (!EqualsIgnoreCase(value, "100-continue")) {
        return Refuse(ProtocolError::kExpectationFailed, "the expectation is not known", ec);
      }
      owner_.info_.expect_continue = true;
    }
  }

  void OnContentLength(std::string_view value, error_code& ec) {
    if (owner_.info_.content_length) {
      return Refuse(ProtocolError::kBadRequest, "Content-Length is repeated", ec);
    }
    const std::optional<std::uint64_t> length = ParseUint64(value);
    if (!length || value.size() > 19) {
      return Refuse(ProtocolError::kBadRequest, "Content-Length is not a number", ec);
    }
    owner_.info_.content_length = length;
  }

  void OnTransferEncoding(std::string_view value, error_code& ec) {
    if (transfer_encodings_++ > 0) {
      return Refuse(ProtocolError::kBadRequest, "Transfer-Encoding is repeated", ec);
    }
    if (EqualsIgnoreCase(value, "chunked")) return;
    const std::string_view last = TrimBlanks(value.substr(value.rfind(',') + 1));
    const std::string_view first = TrimBlanks(value.substr(0, value.find(',')));
    if (EqualsIgnoreCase(first, "chunked")) {
      return Refuse(ProtocolError::kBadRequest, "chunked must be the last transfer coding", ec);
    }
    for (const std::string_view known : {"gzip", "x-gzip", "deflate", "compress", "x-compress"}) {
      // RFC 9112 §6.3: the body's end can't be told.
      if (EqualsIgnoreCase(last, known)) {
        return Refuse(ProtocolError::kBadRequest, "chunked must be the last transfer coding", ec);
      }
    }
    Refuse(ProtocolError::kNotImplemented, "the transfer coding is not known", ec);
  }

  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view, error_code&) override {
    return 0;
  }
  void on_finish_impl(error_code&) override {}

  RequestParser& owner_;
  const Limits& limits_;
  Request& request_;
  Target target_;
  int transfer_encodings_ = 0;
  bool failed_ = false;
};

RequestParser::Outcome RequestParser::Fail(ProtocolError error, std::string_view detail) {
  error_ = error;
  detail_ = detail;
  return Outcome::kFailed;
}

// Looks for the head's end and refuses, on the way, what must not stand in a head. It looks at raw
// bytes so that a grammar's leniency never comes into play: CR and LF only as a pair, no line that
// begins with a blank (obs-fold), no other control character but the tab.
RequestParser::Outcome RequestParser::Scan(std::string_view bytes, const Limits& limits) {
  const char* const data = bytes.data();
  const std::size_t size = bytes.size();
  std::size_t i = scanned_;
  auto stay = [&](std::size_t at) {
    scanned_ = at;
    return CheckUnfinished(bytes, limits);
  };
  if (i == 0) {
    // RFC 9112 §2.2: one empty line before the request line is passed over.
    if (size < 2) {
      if (size == 1 && data[0] != '\r' && !IsMethodChar(data[0])) {
        return Fail(ProtocolError::kBadRequest, "this is not an HTTP request");
      }
      return stay(0);
    }
    if (data[0] == '\r' && data[1] == '\n') i = 2;
    if (i == size) return stay(0);
    if (!IsMethodChar(data[i])) {
      return Fail(ProtocolError::kBadRequest, "this is not an HTTP request");
    }
  }
  for (;;) {
    while (size - i >= 8) {
      std::uint64_t word;
      std::memcpy(&word, data + i, 8);
      if (HasControl(word)) break;
      i += 8;
    }
    for (; i < size; ++i) {
      const auto c = static_cast<unsigned char>(data[i]);
      if (c >= 0x20 ? c == 0x7f : c != '\t') break;
    }
    if (i == size) return stay(i);
    if (data[i] != '\r') {
      return Fail(ProtocolError::kBadRequest, "a control character in the head");
    }
    if (size - i < 3) {
      if (size - i == 2 && data[i + 1] != '\n') {
        return Fail(ProtocolError::kBadRequest, "a bare CR in the head");
      }
      return stay(i);
    }
    if (data[i + 1] != '\n') return Fail(ProtocolError::kBadRequest, "a bare CR in the head");
    const char next = data[i + 2];
    if (next == ' ' || next == '\t') {
      return Fail(ProtocolError::kBadRequest, "a folded line in the head");
    }
    if (next == '\r') {
      if (size - i < 4) return stay(i);
      if (data[i + 3] != '\n') return Fail(ProtocolError::kBadRequest, "a bare CR in the head");
      info_.head_bytes = i + 4;
      if (info_.head_bytes > limits.max_head_bytes) {
        return CheckUnfinished(bytes.substr(0, info_.head_bytes), limits);
      }
      return Outcome::kDone;
    }
    i += 2;
  }
}

// A head that is not complete, or longer than its bound: refuse it as soon as that is sure.
RequestParser::Outcome RequestParser::CheckUnfinished(std::string_view bytes,
                                                      const Limits& limits) {
  // What the parser will be fed is bounded by its length in bytes alone; a request line that is too
  // long is said to be that, not a head too large.
  std::string_view line = bytes;
  if (line.starts_with("\r\n")) line.remove_prefix(2);
  if (line.size() > kMaxMethodBytes) {
    const std::size_t blank = line.substr(0, kMaxMethodBytes + 1).find(' ');
    if (blank == line.npos) {
      return Fail(ProtocolError::kBadRequest, "the method is not valid");
    }
    if (line.size() - blank > limits.max_url_bytes) {
      const std::size_t end = line.substr(blank + 1, limits.max_url_bytes + 1).find_first_of(" \r");
      if (end == line.npos && line.size() - blank - 1 > limits.max_url_bytes) {
        return Fail(ProtocolError::kUrlTooLong, "the request target is too long");
      }
    }
  }
  if (bytes.size() >= limits.max_head_bytes) {
    return Fail(ProtocolError::kHeadTooLarge, "the head is too large");
  }
  return Outcome::kNeedMore;
}

RequestParser::Outcome RequestParser::Parse(std::string_view bytes, const Limits& limits,
                                            Request& request) {
  if (const Outcome outcome = Scan(bytes, limits); outcome != Outcome::kDone) return outcome;

  const std::size_t head_bytes = info_.head_bytes;
  info_ = HeadInfo{};
  info_.head_bytes = head_bytes;
  fields_.clear();
  for (std::string_view& known : request.known) known = {};
  request.host = {};

  std::string_view head = bytes.substr(0, head_bytes);
  if (head.starts_with("\r\n")) head.remove_prefix(2);
  Grammar grammar(*this, limits, request);
  error_code ec;
  grammar.put(boost::asio::const_buffer(head.data(), head.size()), ec);
  if (grammar.failed()) return Outcome::kFailed;
  if (ec == beast_http::error::bad_version && EndsInVersion(head)) {
    return Fail(ProtocolError::kVersion, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  }
  if (ec || !grammar.is_done()) {
    return Fail(ProtocolError::kBadRequest, "the head is malformed");
  }
  const Outcome outcome = grammar.Finish();
  request.fields = fields_;
  return outcome;
}

}  // namespace latchkey::http
