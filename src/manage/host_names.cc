#include "manage/host_names.h"

#include <algorithm>

#include "base/encoding.h"

namespace latchkey::manage {
namespace {

// Lower case, without port and the dot at the end; empty if it is no host.
std::string Normalise(std::string_view host) {
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return {};
    port = host.substr(end + 1);
    host = host.substr(0, end + 1);
  } else if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (!port.empty() &&
      (port.front() != ':' || !std::all_of(port.begin() + 1, port.end(), IsDigit))) {
    return {};
  }
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  return ToLower(host);
}

}  // namespace

HostNames::HostNames(const std::vector<std::string>& names)
    : names_({"localhost", "127.0.0.1", "[::1]"}) {
  for (const std::string& name : names) {
    const bool bare_ipv6 = !name.starts_with('[') && std::count(name.begin(), name.end(), ':') > 1;
    const std::string normalised = Normalise(bare_ipv6 ? "[" + name + "]" : name);
    if (!normalised.empty()) names_.push_back(normalised);
  }
}

bool HostNames::Contains(std::string_view host) const {
  const std::string name = Normalise(host);
  return !name.empty() && std::find(names_.begin(), names_.end(), name) != names_.end();
}

}  // namespace latchkey::manage
