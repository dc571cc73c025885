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

}  // namespace
}  // namespace latchkey::core
