#include "core/text.h"

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

TEST(TextTest, TakesWhatPeopleWrite) {
  for (const char* text :
       {"", "a", "Meine App (Zürich)", "株価", "\xC2\xA0", "👩‍💻", "a\\b\"c"}) {
    EXPECT_FALSE(CheckLine(text, 64)) << text;
  }
}

TEST(TextTest, CountsBytesNotCharacters) {
  EXPECT_FALSE(CheckLine("ééé", 6));
  EXPECT_EQ(CheckLine("ééé", 5), "is longer than 5 bytes");
}

TEST(TextTest, RefusesControlCharacters) {
  for (std::string_view text :
       {std::string_view("\0", 1), std::string_view("a\nb"), std::string_view("\t"),
        std::string_view("\x1B[31m"), std::string_view("\x7F"), std::string_view("a\xC2\x80"),
        std::string_view("\xC2\x9F"), std::string_view("\u2028"), std::string_view("x\u2029y")}) {
    EXPECT_EQ(CheckLine(text, 64), "holds a control character");
  }
}

TEST(TextTest, RefusesIllFormedUtf8) {
  for (const char* text : {"\xFF", "\xC2", "a\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
    EXPECT_EQ(CheckLine(text, 64), "is not valid UTF-8");
  }
}

TEST(TextTest, ShownTextsAreWellFormedAndBounded) {
  EXPECT_EQ(ShownText("", 10), "");
  EXPECT_EQ(ShownText("abc", 3), "abc");
  EXPECT_EQ(ShownText("abc", 2), "ab");
  EXPECT_EQ(ShownText("abc", 0), "");
  EXPECT_EQ(ShownText("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 9),
            "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(ShownText("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 8), "\xC3\xA4\xE2\x82\xAC");
  EXPECT_EQ(ShownText("a\x80\xFF\xC3", 100), "a\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(ShownText("\xC3(\xE2\x82(\xED\xA0\x80", 100), "\uFFFD(\uFFFD\uFFFD(\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(ShownText("\xFF\xFF", 5), "\uFFFD");
}

}  // namespace
}  // namespace latchkey::core
