// A request for tests, made by the real parser from the bytes of a head.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/request_parser.h"

namespace latchkey::test {

class ParsedRequest {
 public:
  // Lines end with "\n" here; each becomes CRLF, and an empty line ends the head.
  explicit ParsedRequest(std::string_view head, std::string_view peer = "127.0.0.1",
                         bool tls = true) {
    for (char c : head) {
      if (c == '\n') bytes_.push_back('\r');
      bytes_.push_back(c);
    }
    bytes_.append("\r\n");
    ok_ = parser_.Parse(bytes_, http::Limits{}, request_) == http::RequestParser::Outcome::kDone;
    request_.peer = IpAddress::Parse(peer).value_or(IpAddress());
    request_.tls = tls;
  }
  ParsedRequest(const ParsedRequest&) = delete;
  ParsedRequest& operator=(const ParsedRequest&) = delete;

  // Whether the bytes were a request at all.
  bool ok() const { return ok_; }
  http::Request& operator*() { return request_; }

 private:
  std::string bytes_;
  http::RequestParser parser_;
  http::Request request_;
  bool ok_ = false;
};

}  // namespace latchkey::test
