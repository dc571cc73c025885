#include "gateway/body_token.h"

#include <gtest/gtest.h>

namespace latchkey::gateway {
namespace {

TEST(BodyTokenTest, IsTakenOutOfTheOutermostObject) {
  const struct {
    std::string_view body;
    std::string_view token;
    std::string_view rest;
  } kCases[] = {
      {R"({"token":"sk_1"})", "sk_1", "{}"},
      {R"( { "token" : "sk_1" , "a" : [1, {"token":"x"}] } )", "sk_1",
       R"({"a" : [1, {"token":"x"}]} )"},
      {R"({"a":"}\"token\":","token":"sk_1","b":-1.5e3})", "sk_1",
       R"({"a":"}\"token\":","b":-1.5e3})"},
      {R"({"token":"sk_1","token":"sk_1","b":null})", "sk_1", R"({"b":null})"},
      {R"({"a":{"b":[]},"token":""})", "", R"({"a":{"b":[]}})"},
  };
  for (const auto& c : kCases) {
    const std::optional<BodyToken> found = FindBodyToken(c.body, false);
    ASSERT_TRUE(found) << c.body;
    EXPECT_EQ(found->text, c.token);
    EXPECT_EQ(found->rest, c.rest);
    EXPECT_FALSE(found->another);
  }
  for (const std::string_view broken : {R"({"token":"sk_1" "a":1})", R"({"token":"sk_1","a":"\)",
                                        R"({"token":"sk_1",)", R"({"token":"sk_1")"}) {
    EXPECT_EQ(FindBodyToken(broken, false)->rest, broken);
  }
  EXPECT_TRUE(FindBodyToken(R"({"token":"sk_1","token":"sk_2"})", false)->another);
}

TEST(BodyTokenTest, IsNotFoundElsewhere) {
  for (const std::string_view body :
       {"", "[]", "null", R"([{"token":"sk_1"}])", R"({"a":{"token":"sk_1"}})", R"({"token":1})",
        R"({"token":["sk_1"]})", R"({"Token":"sk_1"})", R"({"token":"sk_1)", "[object Object]",
        R"({"a":]"token":"sk_1"})"}) {
    EXPECT_FALSE(FindBodyToken(body, false)) << body;
  }
  EXPECT_FALSE(
      FindBodyToken(R"({"token":"sk_1","a":")" + std::string(64 * 1024, 'x') + "\"}", false));
}

TEST(BodyTokenTest, DataNamedTokenStays) {
  EXPECT_FALSE(FindBodyToken(R"({"token":"BTC","price":1})", true));
  EXPECT_EQ(FindBodyToken(R"({"token":"Tsk_1","price":1})", true)->rest, R"({"price":1})");
}

}  // namespace
}  // namespace latchkey::gateway
