// The request target and the Host field: which forms there are, and the one place where a path is
// decoded and normalised. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace latchkey::http {

// Views into the target as received.
struct Target {
  std::string_view raw_path;   // at least "/"; "*" for the asterisk-form
  std::string_view raw_query;  // after the first '?'
  std::string_view authority;  // of the absolute-form; null data otherwise
};

// Takes the origin-form, the absolute-form with http or https and a valid authority, and "*"
// (RFC 9112 §3.2). nullopt for anything else: the authority-form, a fragment, a byte that is not
// visible ASCII.
std::optional<Target> SplitTarget(std::string_view target);

// Decodes every %XX of a raw path once, then drops empty and "." segments, resolves "..", and the
// slash at the end. False: an ill-formed escape, an encoded or plain backslash, an encoded slash,
// an encoded control character, ill-formed UTF-8, or ".." above the root. On true `path` is a view
// into raw_path where nothing had to change, else into `buffer`.
[[nodiscard]] bool NormalisePath(std::string_view raw_path, std::string& buffer,
                                 std::string_view& path);

// host [":" port] (RFC 3986 §3.2): a name of letters, digits, '-', '.', '_', an IPv4 address, or an
// IPv6 address in brackets; at most 255 bytes; the port at most 65535. No userinfo.
bool IsValidHost(std::string_view host);

}  // namespace latchkey::http
