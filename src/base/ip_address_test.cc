#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace latchkey {
namespace {

TEST(IpAddressTest, MappedIpv6IsIpv4) {
  EXPECT_EQ(IpAddress::Parse("::ffff:198.51.100.7"), IpAddress::Parse("198.51.100.7"));
  EXPECT_EQ(IpAddress::Parse("::ffff:198.51.100.7")->ToString(), "198.51.100.7");
}

TEST(IpAddressTest, RefusesWhatIsNotAnAddress) {
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "[::1]",
                          "fe80::1%eth0", "1.2.3.4 ", "localhost", ":::"}) {
    EXPECT_FALSE(IpAddress::Parse(bad)) << bad;
  }
}

TEST(IpNetworkTest, ContainsByPrefix) {
  struct {
    const char* network;
    const char* address;
    bool contains;
  } const cases[] = {
      {"198.51.100.0/24", "198.51.100.255", true},
      {"198.51.100.0/24", "198.51.101.0", false},
      {"198.51.100.7", "198.51.100.7", true},
      {"198.51.100.7", "198.51.100.8", false},
      {"10.0.0.0/9", "10.127.1.1", true},
      {"10.0.0.0/9", "10.128.0.0", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"::/0", "203.0.113.9", true},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(IpNetwork::Parse(test.network)->Contains(*IpAddress::Parse(test.address)),
              test.contains)
        << test.network << " " << test.address;
  }
}

TEST(IpNetworkTest, RefusesBitsBehindThePrefixAndOddPrefixes) {
  for (const char* bad : {"198.51.100.7/24", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "::/129",
                          "10.0.0.0/-1", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(IpNetwork::Parse(bad)) << bad;
  }
  EXPECT_EQ(IpNetwork::Parse("10.0.0.0/8")->ToString(), "10.0.0.0/8");
}

}  // namespace
}  // namespace latchkey
