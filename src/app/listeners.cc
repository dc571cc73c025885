#include "app/listeners.h"

#include <fmt/format.h>

#include "base/ip_address.h"

namespace latchkey::app {
namespace {

http::Limits LimitsOf(const Config& config) {
  http::Limits limits;
  limits.max_head_bytes = config.limits.head_bytes;
  limits.max_header_fields = config.limits.header_fields;
  limits.max_url_bytes = config.limits.url_bytes;
  limits.max_connections = config.limits.connections;
  limits.max_connections_per_address = config.limits.connections_per_address;
  limits.head_timeout = config.limits.head_timeout;
  limits.body_timeout = config.limits.body_timeout;
  limits.idle_timeout = config.limits.idle_timeout;
  limits.write_timeout = config.limits.write_timeout;
  return limits;
}

std::string Url(const http::ListenerOptions& options, std::uint16_t port) {
  const IpAddress any_v4 = IpAddress::FromV4({0, 0, 0, 0});
  std::string host = "127.0.0.1";
  if (options.address != IpAddress() && options.address != any_v4) {
    host = options.address.ToString();
    if (!options.address.is_v4()) host = "[" + host + "]";
  }
  return fmt::format("{}://{}:{}", options.tls != nullptr ? "https" : "http", host, port);
}

}  // namespace

Result<std::string> AddListener(http::Server& server, const Config& config,
                                ListenerRequest request) {
  http::ListenerOptions options;
  options.name = std::move(request.name);
  options.port = request.port;
  options.tls = request.tls;
  options.limits = LimitsOf(config);
  options.trusted_proxies = config.trusted_proxies;
  options.make_handler = std::move(request.make_handler);
  const bool all = request.address.empty();
  // The configuration was checked: what is not empty is an address.
  options.address = all ? IpAddress() : IpAddress::Parse(request.address).value_or(IpAddress());
  Result<std::uint16_t> port = server.Listen(options);
  if (!port.ok() && all) {
    const Error first = port.error();
    options.address = IpAddress::FromV4({0, 0, 0, 0});
    port = server.Listen(options);
    if (!port.ok()) return first;
  }
  if (!port.ok()) return std::move(port).error();
  return Url(options, *port);
}

}  // namespace latchkey::app
