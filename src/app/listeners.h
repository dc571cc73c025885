// From what the configuration says of addresses, ports and bounds to the server's listeners, and
// the URLs that lead to them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "env/config.h"
#include "http/server.h"

namespace latchkey::app {

struct ListenerRequest {
  std::string name;     // "data", "plain", "manage", "internal"
  std::string address;  // empty: all addresses
  std::uint16_t port = 0;
  http::TlsContext* tls = nullptr;
  std::function<std::unique_ptr<http::Handler>(int thread)> make_handler;
};

// Binds it; the URL that leads there from this machine, without a slash at its end. An empty
// address binds all addresses of both families, or of IPv4 alone where the machine has no IPv6.
Result<std::string> AddListener(http::Server& server, const Config& config,
                                ListenerRequest request);

}  // namespace latchkey::app
