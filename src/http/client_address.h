// The address of a client behind proxies. Pure.
#pragma once

#include <span>

#include "base/ip_address.h"
#include "http/message.h"

namespace latchkey::http {

// Who sent the request: the TCP peer; or, where that is a trusted proxy, the first address from the
// right of X-Forwarded-For or Forwarded (RFC 7239) that is not one, or the leftmost. What can't be
// read ends the walk at the last address that could. Where both fields are present and disagree,
// one of them was not written by the proxy: the peer then.
IpAddress ClientAddress(const Request& request, std::span<const IpNetwork> trusted_proxies);
bool IsTrusted(const IpAddress& address, std::span<const IpNetwork> trusted_proxies);

}  // namespace latchkey::http
