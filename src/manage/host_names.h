// The host names under which a plane answers. A page that lures a browser to a name of its own
// which it then points at this machine (DNS rebinding) is refused by its Host field.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace latchkey::manage {

// Immutable; read from any thread.
class HostNames {
 public:
  // localhost, 127.0.0.1, [::1], and these: hosts without a port, IPv6 in brackets or not.
  explicit HostNames(const std::vector<std::string>& names);
  // `host`: the Host field, with a port or without; any port passes. Without case; one dot at the
  // end is ignored.
  bool Contains(std::string_view host) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace latchkey::manage
