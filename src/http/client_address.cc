#include "http/client_address.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/encoding.h"

namespace latchkey::http {
namespace {

std::optional<IpAddress> ParseNode(std::string_view text) {
  text = TrimBlanks(text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos) return std::nullopt;
    return IpAddress::Parse(text.substr(1, end - 1));
  }
  // One colon: IPv4 and a port. More: IPv6 without brackets, as X-Forwarded-For has it.
  const std::size_t colon = text.find(':');
  if (colon != text.npos && text.find(':', colon + 1) == text.npos) text = text.substr(0, colon);
  return IpAddress::Parse(text);
}

// The value of `for` in one element of Forwarded (RFC 7239 §4); empty if there is none.
std::string_view ForOf(std::string_view element) {
  while (!element.empty()) {
    const std::size_t end = std::min(element.find(';'), element.size());
    std::string_view pair = TrimBlanks(element.substr(0, end));
    element.remove_prefix(std::min(end + 1, element.size()));
    if (pair.size() > 4 && EqualsIgnoreCase(pair.substr(0, 4), "for=")) return pair.substr(4);
  }
  return {};
}

// Walks over the elements of all fields of one name, from the last to the first.
IpAddress Walk(const Request& request, std::string_view name, bool forwarded,
               std::span<const IpNetwork> trusted) {
  IpAddress address = request.peer;
  for (auto field = request.fields.rbegin(); field != request.fields.rend(); ++field) {
    if (!EqualsIgnoreCase(field->name, name)) continue;
    std::string_view list = field->value;
    while (!list.empty()) {
      const std::size_t comma = list.rfind(',');
      const std::string_view element = comma == list.npos ? list : list.substr(comma + 1);
      list = comma == list.npos ? std::string_view{} : list.substr(0, comma);
      const std::optional<IpAddress> node = ParseNode(forwarded ? ForOf(element) : element);
      if (!node) return address;
      address = *node;
      if (!IsTrusted(address, trusted)) return address;
    }
  }
  return address;
}

}  // namespace

bool IsTrusted(const IpAddress& address, std::span<const IpNetwork> trusted_proxies) {
  return std::any_of(trusted_proxies.begin(), trusted_proxies.end(),
                     [&](const IpNetwork& network) { return network.Contains(address); });
}

IpAddress ClientAddress(const Request& request, std::span<const IpNetwork> trusted_proxies) {
  if (trusted_proxies.empty() || !IsTrusted(request.peer, trusted_proxies)) return request.peer;
  const bool has_list = request.Has(KnownField::kXForwardedFor);
  const bool has_forwarded = request.Has(KnownField::kForwarded);
  if (!has_list && !has_forwarded) return request.peer;
  const IpAddress by_list = Walk(request, "X-Forwarded-For", false, trusted_proxies);
  const IpAddress by_forwarded = Walk(request, "Forwarded", true, trusted_proxies);
  if (has_list && has_forwarded) return by_list == by_forwarded ? by_list : request.peer;
  return has_list ? by_list : by_forwarded;
}

}  // namespace latchkey::http
