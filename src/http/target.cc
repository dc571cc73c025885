#include "http/target.h"

#include <vector>

#include "base/encoding.h"
#include "base/ip_address.h"

namespace latchkey::http {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ToLower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool IsControl(unsigned char c) { return c < 0x20 || c == 0x7f; }

// True if the path is its own normal form, but perhaps for slashes at its end.
bool IsPlain(std::string_view path) {
  char before = '/';
  for (std::size_t i = 1; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '%' || c == '\\') return false;
    if (before == '/' && (c == '/' || c == '.')) return false;
    before = c;
  }
  return true;
}

// Appends one decoded segment.
bool DecodeSegment(std::string_view raw, std::string& out) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      if (i + 2 >= raw.size()) return false;
      const int high = HexValue(raw[i + 1]);
      const int low = HexValue(raw[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
      if (c == '/') return false;
    }
    if (c == '\\' || IsControl(static_cast<unsigned char>(c))) return false;
    out.push_back(c);
  }
  return true;
}

}  // namespace

std::optional<Target> SplitTarget(std::string_view target) {
  if (target.empty()) return std::nullopt;
  for (const char c : target) {
    if (c <= ' ' || c == 0x7f || c == '#') return std::nullopt;  // c < 0 is not ASCII
  }
  Target result;
  if (target == "*") {
    result.raw_path = target;
    return result;
  }
  std::string_view rest = target;
  if (rest.front() != '/') {
    const std::size_t colon = rest.find("://");
    if (colon == rest.npos) return std::nullopt;
    const std::string_view scheme = rest.substr(0, colon);
    if (!EqualsIgnoreCase(scheme, "http") && !EqualsIgnoreCase(scheme, "https")) {
      return std::nullopt;
    }
    rest.remove_prefix(colon + 3);
    const std::size_t end = rest.find_first_of("/?");
    result.authority = rest.substr(0, end);
    if (!IsValidHost(result.authority)) return std::nullopt;
    rest = end == rest.npos ? rest.substr(rest.size()) : rest.substr(end);
  }
  const std::size_t question = rest.find('?');
  result.raw_path = rest.substr(0, question);
  result.raw_query = question == rest.npos ? rest.substr(rest.size()) : rest.substr(question + 1);
  // RFC 9112 §3.2.2 with RFC 3986 §6.2.3: an absolute-form without a path means the root.
  if (result.raw_path.empty()) result.raw_path = "/";
  return result;
}

bool NormalisePath(std::string_view raw_path, std::string& buffer, std::string_view& path) {
  if (raw_path.empty() || raw_path.front() != '/') return false;
  if (raw_path.size() > 1 && raw_path.back() == '/') {
    std::string_view shorter = raw_path;
    while (shorter.size() > 1 && shorter.back() == '/') shorter.remove_suffix(1);
    if (IsPlain(shorter)) {
      path = shorter;
      return true;
    }
  } else if (IsPlain(raw_path)) {
    path = raw_path;
    return true;
  }
  buffer.clear();
  for (std::string_view rest = raw_path; !rest.empty();) {
    rest.remove_prefix(1);
    const std::size_t end = rest.find('/');
    const std::string_view raw = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view{} : rest.substr(end);
    const std::size_t start = buffer.size();
    buffer.push_back('/');
    if (!DecodeSegment(raw, buffer)) return false;
    const std::string_view segment = std::string_view(buffer).substr(start + 1);
    if (segment.empty() || segment == ".") {
      buffer.resize(start);
    } else if (segment == "..") {
      buffer.resize(start);
      const std::size_t parent = buffer.rfind('/');
      if (parent == buffer.npos) return false;
      buffer.resize(parent);
    }
  }
  if (buffer.empty()) buffer = "/";
  if (!IsValidUtf8(buffer)) return false;
  path = buffer;
  return true;
}

bool IsValidHost(std::string_view host) {
  if (host.empty() || host.size() > 255) return false;
  std::string_view port;
  if (host.front() == '[') {
    const std::size_t close = host.find(']');
    if (close == host.npos) return false;
    const std::string_view literal = host.substr(1, close - 1);
    if (literal.find(':') == literal.npos || !IpAddress::Parse(literal)) return false;
    port = host.substr(close + 1);
  } else {
    std::size_t i = 0;
    while (i < host.size() && (IsAlpha(host[i]) || IsDigit(host[i]) || host[i] == '-' ||
                               host[i] == '.' || host[i] == '_')) {
      ++i;
    }
    if (i == 0) return false;
    port = host.substr(i);
  }
  if (port.empty()) return true;
  if (port.front() != ':' || port.size() > 6) return false;
  unsigned value = 0;
  for (const char c : port.substr(1)) {
    if (!IsDigit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= 65535;
}

}  // namespace latchkey::http
