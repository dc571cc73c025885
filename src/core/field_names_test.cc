#include "core/field_names.h"

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

TEST(FieldNamesTest, FindsNamesWithoutCaseWhateverTheGuess) {
  FieldNames names;
  EXPECT_EQ(names.Find("a", 0), -1);
  names.Add("Symbol");
  names.Add("date");
  for (const std::size_t guess : {0, 1, 2, 100}) {
    EXPECT_EQ(names.Find("Symbol", guess), 0);
    EXPECT_EQ(names.Find("sYMBOL", guess), 0);
    EXPECT_EQ(names.Find("DATE", guess), 1);
    EXPECT_EQ(names.Find("symbo", guess), -1);
    EXPECT_EQ(names.Find("", guess), -1);
  }
  // Only ASCII folds.
  names.Add("\xC3\x84");
  EXPECT_EQ(names.Find("\xC3\xA4", 0), -1);
}

TEST(FieldNamesTest, GrowsAndForgets) {
  FieldNames names;
  for (int i = 0; i < 512; ++i) names.Add("Field" + std::to_string(i));
  for (int i = 0; i < 512; ++i) EXPECT_EQ(names.Find("fIELD" + std::to_string(i), 0), i);
  names.Truncate(600);
  EXPECT_EQ(names.size(), 512U);
  names.Truncate(10);
  EXPECT_EQ(names.size(), 10U);
  for (int i = 0; i < 512; ++i) {
    EXPECT_EQ(names.Find("field" + std::to_string(i), 0), i < 10 ? i : -1);
  }
  names.Add("field11");
  EXPECT_EQ(names.Find("FIELD11", 0), 10);
}

}  // namespace
}  // namespace latchkey::core
