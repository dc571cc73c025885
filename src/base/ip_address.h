// IP addresses and CIDR blocks as values. IPv4-mapped IPv6 is IPv4 (wire.md §4).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace latchkey {

class IpAddress {
 public:
  // The unspecified IPv6 address, "::".
  constexpr IpAddress() = default;
  // From 4 or 16 bytes in network order.
  static IpAddress FromV4(const std::array<std::uint8_t, 4>& bytes);
  static IpAddress FromV6(const std::array<std::uint8_t, 16>& bytes);
  // Dotted quad (four decimals without leading zeros), or RFC 4291 text without brackets or zone.
  static std::optional<IpAddress> Parse(std::string_view text);

  bool is_v4() const;
  bool is_loopback() const;
  // 16 bytes; an IPv4 address as ::ffff:a.b.c.d.
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  // RFC 5952; IPv4 as a dotted quad.
  std::string ToString() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

struct IpAddressHash {
  std::size_t operator()(const IpAddress& address) const;
};

// A CIDR block; one address is a block of its whole length.
class IpNetwork {
 public:
  // "198.51.100.0/24", "2001:db8::/32", or one address. Bits behind the prefix must be zero.
  static std::optional<IpNetwork> Parse(std::string_view text);
  bool Contains(const IpAddress& address) const;
  std::string ToString() const;
  friend bool operator==(const IpNetwork&, const IpNetwork&) = default;

 private:
  IpAddress base_;
  int prefix_bits_ = 128;  // of the 16-byte form
};

}  // namespace latchkey
