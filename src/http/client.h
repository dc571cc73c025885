// A small blocking HTTP/1.1 client for the latchkey commands and for tests: one connection per
// request, http or https.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace latchkey::http {

struct ClientOptions {
  std::string base_url;  // "https://127.0.0.1:8444", "http://localhost:8445"; no path but "/"
  std::string ca_file;   // PEM; https trusts these alone. Empty: the system's store.
  std::chrono::milliseconds connect_timeout{5'000};  // name, TCP and TLS, each
  std::chrono::milliseconds io_timeout{60'000};      // without a byte going either way
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, already encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Instead of `body`: this file, streamed; its length is sent as Content-Length.
  std::string body_file;
  // Called as the body goes out, with bytes sent and bytes in all.
  std::function<void(std::uint64_t sent, std::uint64_t total)> on_progress;
  // A 2xx answer's body goes to this file (made 0600, replaced whole when complete), not into
  // ClientResponse::body. It is complete with as many bytes as Latchkey-Content-Bytes says, if the
  // answer has that; kUnknown otherwise, and what stood there stays.
  std::string answer_file;
};

struct ClientResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // The first such field, without case; empty if absent.
  std::string_view Header(std::string_view name) const;
};

class Client {
 public:
  explicit Client(ClientOptions options) : options_(std::move(options)) {}

  // Any status is an answer. kInvalid: the URL, the CA file or the body file is unusable.
  // kUnavailable: no connection, an untrusted certificate or another host's, or nothing was sent.
  // kUnknown: it broke off after the request began to go out. A body in memory is at most 256 MiB.
  // Blocks; a Client may be used by one thread at a time.
  Result<ClientResponse> Send(const ClientRequest& request) const;

 private:
  ClientOptions options_;
};

}  // namespace latchkey::http
