#include "http/client_address.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "test/support/parsed_request.h"

namespace latchkey::http {
namespace {

using test::ParsedRequest;

std::string Get(std::string_view target, std::string_view fields = {}) {
  return std::string("GET ").append(target).append(" HTTP/1.1\nHost: x\n").append(fields);
}

std::vector<IpNetwork> Networks(std::vector<std::string> texts) {
  std::vector<IpNetwork> out;
  for (const std::string& text : texts) out.push_back(*IpNetwork::Parse(text));
  return out;
}

TEST(ClientAddressTest, BelievesTrustedProxiesOnly) {
  const std::vector<IpNetwork> trusted = Networks({"10.0.0.0/8", "fd00::/8"});
  const struct {
    std::string_view peer;
    std::string_view fields;
    std::string_view client;
  } kCases[] = {
      {"203.0.113.9", "X-Forwarded-For: 198.51.100.7\n", "203.0.113.9"},
      {"203.0.113.9", "Forwarded: for=198.51.100.7\n", "203.0.113.9"},
      {"10.0.0.1", "", "10.0.0.1"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7\n", "198.51.100.7"},
      {"::ffff:10.0.0.1", "X-Forwarded-For: 198.51.100.7\n", "198.51.100.7"},
      // What stands left of the first untrusted address is the client's own invention.
      {"10.0.0.1", "X-Forwarded-For: 1.1.1.1, 198.51.100.7\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 1.1.1.1, 198.51.100.7, 10.0.0.2\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 1.1.1.1\nX-Forwarded-For: 198.51.100.7\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7:4711\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 2001:db8::7\n", "2001:db8::7"},
      {"10.0.0.1", "X-Forwarded-For: [2001:db8::7]:4711\n", "2001:db8::7"},
      {"fd00::1", "X-Forwarded-For: 2001:db8::7, fd00::2\n", "2001:db8::7"},
      // All trusted: the leftmost.
      {"10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\n", "10.0.0.3"},
      // What can't be read ends the walk.
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7, unknown\n", "10.0.0.1"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7, unknown, 10.0.0.2\n", "10.0.0.2"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7,\n", "10.0.0.1"},
      {"10.0.0.1", "X-Forwarded-For: \n", "10.0.0.1"},
      {"10.0.0.1", "Forwarded: for=198.51.100.7\n", "198.51.100.7"},
      {"10.0.0.1", "Forwarded: proto=https;For=\"198.51.100.7:80\";by=10.0.0.1\n", "198.51.100.7"},
      {"10.0.0.1", "Forwarded: for=1.1.1.1, for=\"[2001:db8::7]:4711\"\n", "2001:db8::7"},
      {"10.0.0.1", "Forwarded: for=198.51.100.7, for=_hidden\n", "10.0.0.1"},
      {"10.0.0.1", "Forwarded: for=198.51.100.7, proto=https\n", "10.0.0.1"},
      // Both fields: they must agree, or one of them is not the proxy's.
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7\nForwarded: for=198.51.100.7\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7\nForwarded: for=1.1.1.1\n", "10.0.0.1"},
  };
  for (const auto& c : kCases) {
    ParsedRequest request(Get("/", c.fields), c.peer);
    ASSERT_TRUE(request.ok()) << c.fields;
    EXPECT_EQ(ClientAddress(*request, trusted).ToString(), c.client) << c.peer << " " << c.fields;
  }
}

TEST(ClientAddressTest, IsThePeerWithoutTrustedProxies) {
  ParsedRequest request(Get("/", "X-Forwarded-For: 198.51.100.7\n"), "203.0.113.9");
  EXPECT_EQ(ClientAddress(*request, {}).ToString(), "203.0.113.9");
}

}  // namespace
}  // namespace latchkey::http
