#include "core/json_text.h"

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

TEST(JsonTextTest, NumbersFollowTheGrammarOfRfc8259) {
  for (const char* good : {"0", "-0", "1", "-12", "0.5", "1469.250000", "1e5", "1E+05", "1.5e-10",
                           "123456789012345678901234567890"}) {
    EXPECT_TRUE(IsJsonNumber(good)) << good;
  }
  for (const char* bad : {"", "-", "+1", "01", "-01", ".5", "5.", "1e", "1e+", "NaN", "Infinity",
                          "0x1", "1 ", " 1", "1,000", "1.2.3"}) {
    EXPECT_FALSE(IsJsonNumber(bad)) << bad;
  }
  for (const char* good : {"0", "-1", "9007199254740993", "100"}) {
    EXPECT_TRUE(IsJsonInteger(good)) << good;
  }
  for (const char* bad : {"", "-", "00", "1.0", "1e5", "+1"}) {
    EXPECT_FALSE(IsJsonInteger(bad)) << bad;
  }
}

TEST(JsonTextTest, NumbersKeepEveryDigitThatCounts) {
  const std::pair<const char*, const char*> cases[] = {
      {"39.81", "39.81"},
      {"1469.250000", "1469.25"},
      {"5.0", "5"},
      {"0.0", "0"},
      {"-0.00", "0"},
      {"-0", "0"},
      {"100", "100"},
      {"-10.10", "-10.1"},
      {"0.10e3", "0.1e3"},
      {"1.0E-7", "1E-7"},
      {"0e5", "0"},
      {"9007199254740993", "9007199254740993"},
      {"0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"},
  };
  for (const auto& [from, to] : cases) {
    std::string out = "x";
    AppendShortNumber(out, from);
    EXPECT_EQ(out, std::string("x") + to);
  }
}

TEST(JsonTextTest, ValuesAreTakenWithoutTheirBlanksOrNotAtAll) {
  const std::pair<const char*, const char*> good[] = {
      {"null", "null"},
      {" true ", "true"},
      {"[ 1 , 2.50, \"a b\" ]", "[1,2.50,\"a b\"]"},
      {"{ \"a\" : { } , \"b\" : [ ] }", "{\"a\":{},\"b\":[]}"},
      {"\"\\u00e4\\n\"", "\"\\u00e4\\n\""},
  };
  for (const auto& [from, to] : good) {
    std::string out = "x";
    EXPECT_TRUE(AppendCompactJson(out, from)) << from;
    EXPECT_EQ(out, std::string("x") + to);
  }
  for (const char* bad :
       {"", "  ", "[1", "[1,]", "{\"a\"}", "{a:1}", "{\"a\":1,}", "\"a", "\"\\x\"", "\"\\u12g4\"",
        "tru", "[1] 2", "01", "\"a\nb\"", "\"\xC3\"", "[1,,2]", "}", "[}"}) {
    std::string out = "x";
    EXPECT_FALSE(AppendCompactJson(out, bad)) << bad;
    EXPECT_EQ(out, "x");
  }
}

TEST(JsonTextTest, DepthIsBounded) {
  std::string out;
  const std::string deep(kMaxJsonDepth, '[');
  EXPECT_TRUE(AppendCompactJson(out, deep + std::string(kMaxJsonDepth, ']')));
  EXPECT_FALSE(AppendCompactJson(out, "[" + deep + std::string(kMaxJsonDepth + 1, ']')));
}

TEST(JsonTextTest, StringsGiveTheirText) {
  const std::pair<const char*, const char*> good[] = {
      {R"("")", ""},
      {R"("a\"b\\c\/d")", "a\"b\\c/d"},
      {R"("\b\f\n\r\t")", "\b\f\n\r\t"},
      {R"("\u0041\u00e4\u20AC")", "A\xC3\xA4\xE2\x82\xAC"},
      {R"("\ud83d\ude00!")", "\xF0\x9F\x98\x80!"},
      {R"("\ud83dx")", "\xEF\xBF\xBDx"},
      {R"("\ud83d\u0041")",
       "\xEF\xBF\xBD"
       "A"},
      {R"("\ude00")", "\xEF\xBF\xBD"},
  };
  for (const auto& [from, to] : good) EXPECT_EQ(JsonStringText(from), to) << from;
  for (const char* bad : {"", "\"", "a", "\"a", "\"a\" ", "\"\\u12\""}) {
    EXPECT_FALSE(JsonStringText(bad)) << bad;
  }
}

}  // namespace
}  // namespace latchkey::core
