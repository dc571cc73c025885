#include "core/json_records.h"

#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json_text.h"

namespace latchkey::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

char Letter(JsonKind kind) { return "_bns{["[static_cast<std::size_t>(kind)]; }

// Each member as name=kind:value, or the fault.
std::vector<std::string> Members(std::string_view text, std::size_t max_members = kMaxFields) {
  JsonObjectParser parser(max_members);
  const JsonFault fault = parser.Parse(text);
  if (fault != JsonFault::kNone) return {"! " + std::string(ToString(fault))};
  std::vector<std::string> members;
  for (const JsonMember& member : parser.members()) {
    members.push_back(std::string(member.name) + "=" + Letter(member.kind) + ":" +
                      std::string(member.value));
  }
  return members;
}

TEST(JsonObjectParserTest, GivesMembersAsTheyAreWritten) {
  EXPECT_THAT(Members("{}"), IsEmpty());
  EXPECT_THAT(Members(" {\t} \r\n"), IsEmpty());
  EXPECT_THAT(Members(R"({"a":1.50,"b":"x\n","c":true,"d":null,"e":{ "f" : [1] },"g":[ ]})"),
              ElementsAre("a=n:1.50", R"(b=s:"x\n")", "c=b:true", "d=_:null",
                          R"(e={:{ "f" : [1] })", "g=[:[ ]"));
  EXPECT_THAT(Members(" { \"a\" : -0 , \"\" : false } "), ElementsAre("a=n:-0", "=b:false"));
  const std::string digits(2000, '9');
  EXPECT_THAT(Members("{\"a\":" + digits + "}"), ElementsAre("a=n:" + digits));
}

TEST(JsonObjectParserTest, DecodesNames) {
  EXPECT_THAT(Members(R"({"\u0061\"":1,"plain":2,"\ud83d\ude00":3,"\u00e4\/":4})"),
              ElementsAre("a\"=n:1", "plain=n:2", "\xF0\x9F\x98\x80=n:3", "\xC3\xA4/=n:4"));
  // Many of them: the first ones stay where they are.
  std::string text = "{";
  std::vector<std::string> expected;
  for (int i = 0; i < 400; ++i) {
    text += (i == 0 ? "\"\\u0041" : ",\"\\u0041") + std::to_string(i) + "\":1";
    expected.push_back("A" + std::to_string(i) + "=n:1");
  }
  EXPECT_EQ(Members(text + "}"), expected);
}

TEST(JsonObjectParserTest, TellsWhatIsNoRecord) {
  struct Case {
    std::string_view text;
    JsonFault fault;
  };
  using namespace std::literals;
  const Case cases[] = {
      {"", JsonFault::kNotJson},
      {"  ", JsonFault::kNotJson},
      {"{", JsonFault::kNotJson},
      {"{\"a\"", JsonFault::kNotJson},
      {"{\"a\":", JsonFault::kNotJson},
      {"{\"a\":1", JsonFault::kNotJson},
      {"{\"a\":1,", JsonFault::kNotJson},
      {"{\"a\":1,}", JsonFault::kNotJson},
      {"{,}", JsonFault::kNotJson},
      {"{\"a\" 1}", JsonFault::kNotJson},
      {"{a:1}", JsonFault::kNotJson},
      {"{'a':1}", JsonFault::kNotJson},
      {"{1:1}", JsonFault::kNotJson},
      {"{\"a\":1}}", JsonFault::kNotJson},
      {"{\"a\":1} {\"a\":1}", JsonFault::kNotJson},
      {"{\"a\":1}]", JsonFault::kNotJson},
      {"{\"a\":[}", JsonFault::kNotJson},
      {"{\"a\":[1,]}", JsonFault::kNotJson},
      {"{\"a\":01}", JsonFault::kNotJson},
      {"{\"a\":+1}", JsonFault::kNotJson},
      {"{\"a\":.5}", JsonFault::kNotJson},
      {"{\"a\":NaN}", JsonFault::kNotJson},
      {"{\"a\":Infinity}", JsonFault::kNotJson},
      {"{\"a\":True}", JsonFault::kNotJson},
      {"{\"a\":nulL}", JsonFault::kNotJson},
      {"{\"a\":1 2}", JsonFault::kNotJson},
      {"{\"a\":\"\n\"}", JsonFault::kNotJson},
      {"{\"a\":\"\t\"}", JsonFault::kNotJson},
      {"{\"a\":\"\0\"}"sv, JsonFault::kNotJson},
      {"{\"a\":1}\0"sv, JsonFault::kNotJson},
      {"{\"a\":\"\\x\"}", JsonFault::kNotJson},
      {"{\"a\":\"\\u12g4\"}", JsonFault::kNotJson},
      {"{\"a\":\"\\\"}", JsonFault::kNotJson},
      {"{/* */\"a\":1}", JsonFault::kNotJson},
      {"\xEF\xBB\xBF{\"a\":1}", JsonFault::kNotJson},
      {"{\"a\":1}\xC2\xA0", JsonFault::kNotJson},
      {"nul", JsonFault::kNotJson},
      {"[1", JsonFault::kNotJson},
      {"1 2", JsonFault::kNotJson},
      {"null", JsonFault::kNotObject},
      {" -1.5e3 ", JsonFault::kNotObject},
      {"\"{}\"", JsonFault::kNotObject},
      {"[{\"a\":1}]", JsonFault::kNotObject},
      {"{\"a\":\"\xC3\"}", JsonFault::kNotUtf8},
      {"{\"a\":\"\xED\xA0\x80\"}", JsonFault::kNotUtf8},  // a surrogate
      {"{\"a\":\"\xC0\x80\"}", JsonFault::kNotUtf8},      // an overlong NUL
      {"{\"\xFF\":1}", JsonFault::kNotUtf8},
      {"{\"a\":1,\"a\":1}", JsonFault::kDuplicate},
      {"{\"a\":1,\"b\":2,\"\\u0061\":3}", JsonFault::kDuplicate},
      {"{\"\":1,\"\":1}", JsonFault::kDuplicate},
      {"{\"a\":1,\"A\":1}", JsonFault::kNone},
      {"{\"a\":{\"b\":1,\"b\":2}}", JsonFault::kNone},
      {"{\"a\":\"\xC3\xA4\"}", JsonFault::kNone},
      {"{\"a\":\"\x7F\"}", JsonFault::kNone},
      {"{\"a\":\"\\u0000\"}", JsonFault::kNone},
      {"{\"a\":\"\\ud800\"}", JsonFault::kNone},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(JsonObjectParser().Parse(c.text), c.fault) << c.text;
    if (c.fault == JsonFault::kNone) continue;
    EXPECT_FALSE(ToString(c.fault).empty());
  }
}

TEST(JsonObjectParserTest, BoundsDepthAndMembers) {
  const auto nested = [](int arrays) {
    return "{\"a\":" + std::string(static_cast<std::size_t>(arrays), '[') +
           std::string(static_cast<std::size_t>(arrays), ']') + "}";
  };
  EXPECT_EQ(JsonObjectParser().Parse(nested(kMaxJsonDepth - 1)), JsonFault::kNone);
  EXPECT_EQ(JsonObjectParser().Parse(nested(kMaxJsonDepth)), JsonFault::kTooDeep);
  EXPECT_EQ(JsonObjectParser().Parse(std::string(200'000, '[')), JsonFault::kTooDeep);
  EXPECT_EQ(JsonObjectParser().Parse("{\"a\":" + std::string(200'000, '{')), JsonFault::kNotJson);

  EXPECT_THAT(Members(R"({"a":1,"b":2})", 2), ElementsAre("a=n:1", "b=n:2"));
  EXPECT_THAT(Members(R"({"a":1,"b":2,"c":3})", 2),
              ElementsAre("! it has more members than a dataset may have fields"));
}

// Names of many sizes, with beginnings and ends in common, few and many: exactly equal ones count.
TEST(JsonObjectParserTest, FindsEveryDuplicateAndNoOther) {
  std::mt19937 random(20260101);  // always the same names
  JsonObjectParser parser;
  for (int round = 0; round < 2000; ++round) {
    const std::size_t count = 1 + random() % (round % 2 == 0 ? 24 : 60);
    std::set<std::string> seen;
    bool duplicate = false;
    std::string text = "{";
    for (std::size_t i = 0; i < count; ++i) {
      std::string name(random() % 20, 'x');
      for (char& c : name) {
        if (random() % 8 == 0) c = static_cast<char>('a' + random() % 3);
      }
      duplicate |= !seen.insert(name).second;
      text.append(i == 0 ? "\"" : ",\"").append(name).append("\":1");
    }
    EXPECT_EQ(parser.Parse(text + "}"), duplicate ? JsonFault::kDuplicate : JsonFault::kNone)
        << text;
  }
}

TEST(JsonObjectParserTest, IsUsedAgain) {
  JsonObjectParser parser;
  EXPECT_EQ(parser.Parse("{\"a\":1,\"a\":2}"), JsonFault::kDuplicate);
  EXPECT_EQ(parser.Parse("{\"a\":1"), JsonFault::kNotJson);
  EXPECT_EQ(parser.Parse("{\"b\":1}"), JsonFault::kNone);
  ASSERT_EQ(parser.members().size(), 1U);
  EXPECT_EQ(parser.members()[0].name, "b");
}

}  // namespace
}  // namespace latchkey::core
