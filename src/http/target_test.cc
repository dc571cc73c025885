#include "http/target.h"

#include <gtest/gtest.h>

namespace latchkey::http {
namespace {

TEST(TargetTest, NormalisesAPathOnce) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/", "/"},
      {"/v1/data/core/quote", "/v1/data/core/quote"},
      {"/v1//data/%41/./x/", "/v1/data/A/x"},
      {"/v1/data/", "/v1/data"},
      {"/v1/data///", "/v1/data"},
      {"//", "/"},
      {"///a", "/a"},
      {"/a/../b", "/b"},
      {"/a/b/../../c", "/c"},
      {"/a/..", "/"},
      {"/a/.", "/a"},
      {"/.", "/"},
      {"/a/%2e%2E/b", "/b"},
      {"/a/%2e/b", "/a/b"},
      {"/.hidden/a.b/...", "/.hidden/a.b/..."},
      {"/a%252fb", "/a%2fb"},
      {"/%c3%a9", "/\xC3\xA9"},
      {"/a%20b+c", "/a b+c"},
      {"/a%2Cb,c", "/a,b,c"},
      {"/a;b=c/d", "/a;b=c/d"},
      {"/%3F%23", "/?#"},
  };
  for (const auto& [raw, expected] : cases) {
    std::string buffer;
    std::string_view path;
    ASSERT_TRUE(NormalisePath(raw, buffer, path)) << raw;
    EXPECT_EQ(path, expected) << raw;
  }
}

TEST(TargetTest, NormalisingIsIdempotentWhereNothingIsEncoded) {
  for (std::string_view raw : {"/a/b/./c/../d//", "/x", "/", "/.a/..b/c."}) {
    std::string first_buffer, second_buffer;
    std::string_view first, second;
    ASSERT_TRUE(NormalisePath(raw, first_buffer, first));
    ASSERT_TRUE(NormalisePath(first, second_buffer, second));
    EXPECT_EQ(first, second);
  }
}

TEST(TargetTest, RefusesPathsThatCouldBeReadInTwoWays) {
  for (std::string_view raw :
       {"",        "a",    "*",    "/..",    "/a/../..", "/%2e%2e",    "/a/%2E./..",   "/%",
        "/%4",     "/%4g", "/%zz", "/a%2fb", "/a%2Fb",   "/a%5cb",     "/a\\b",        "/a%00",
        "/%0d%0a", "/%7f", "/%1f", "/%ff",   "/%c0%af",  "/%ed%a0%80", "/%f4%90%80%80"}) {
    std::string buffer;
    std::string_view path;
    EXPECT_FALSE(NormalisePath(raw, buffer, path)) << raw;
  }
}

TEST(TargetTest, SplitsTheFormsOfATarget) {
  struct Case {
    std::string_view target, path, query, authority;
  };
  const Case cases[] = {
      {"/", "/", "", ""},
      {"/a?b=c", "/a", "b=c", ""},
      {"/a?b?c", "/a", "b?c", ""},
      {"/?", "/", "", ""},
      {"*", "*", "", ""},
      {"http://example.com/a?b", "/a", "b", "example.com"},
      {"HTTPS://example.com:8443/a", "/a", "", "example.com:8443"},
      {"http://example.com", "/", "", "example.com"},
      {"http://example.com?a=b", "/", "a=b", "example.com"},
      {"http://[::1]:80/", "/", "", "[::1]:80"},
      {"/http://x/", "/http://x/", "", ""},
  };
  for (const Case& c : cases) {
    const auto target = SplitTarget(c.target);
    ASSERT_TRUE(target) << c.target;
    EXPECT_EQ(target->raw_path, c.path) << c.target;
    EXPECT_EQ(target->raw_query, c.query) << c.target;
    EXPECT_EQ(target->authority, c.authority) << c.target;
  }
}

TEST(TargetTest, RefusesOtherForms) {
  for (std::string_view target : {"",
                                  "example.com:443",
                                  "example.com",
                                  "a/b",
                                  "?a",
                                  "/a#b",
                                  "/a b",
                                  "/\xC3\xA9",
                                  "/a\x7f",
                                  "ftp://example.com/",
                                  "http:///a",
                                  "http://",
                                  "http://user@example.com/",
                                  "http://user:pw@example.com/",
                                  "http://exa mple.com/",
                                  "http:/a",
                                  "://a/",
                                  "**",
                                  "*?a",
                                  "http://a:99999/",
                                  "//example.com\t/"}) {
    EXPECT_FALSE(SplitTarget(target)) << target;
  }
}

TEST(TargetTest, KnowsAValidHost) {
  for (std::string_view host : {"a", "localhost", "example.com", "example.com.", "a_b-c.example",
                                "127.0.0.1", "127.0.0.1:8443", "[::1]", "[::1]:8443",
                                "[2001:db8::1]", "example.com:", "example.com:65535"}) {
    EXPECT_TRUE(IsValidHost(host)) << host;
  }
  for (std::string_view host : {"",
                                ":80",
                                "a:b",
                                "a:65536",
                                "a:123456",
                                "a:-1",
                                "a:8 0",
                                "a b",
                                "a/b",
                                "a,b",
                                "a@b",
                                "[::1",
                                "::1",
                                "[]",
                                "[::1]x",
                                "[127.0.0.1]",
                                "[fe80::1%25eth0]",
                                "a\\b",
                                "a%20b",
                                "\xC3\xA9"}) {
    EXPECT_FALSE(IsValidHost(host)) << host;
  }
  EXPECT_FALSE(IsValidHost(std::string(256, 'a')));
}

}  // namespace
}  // namespace latchkey::http
