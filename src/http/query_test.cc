#include "http/query.h"

#include <gtest/gtest.h>

namespace latchkey::http {
namespace {

TEST(QueryTest, WalksOverRawPairsAndTellsWhichNeedDecoding) {
  QueryIterator iterator("token=pk_1&&a%20b=c+d&flag&=x&e=f=g&");
  RawParameter p;
  ASSERT_TRUE(iterator.Next(p));
  EXPECT_EQ(p.name, "token");
  EXPECT_EQ(p.value, "pk_1");
  EXPECT_FALSE(p.name_encoded || p.value_encoded);
  ASSERT_TRUE(iterator.Next(p));
  EXPECT_EQ(p.name, "a%20b");
  EXPECT_EQ(p.value, "c+d");
  EXPECT_TRUE(p.name_encoded && p.value_encoded);
  ASSERT_TRUE(iterator.Next(p));
  EXPECT_EQ(p.name, "flag");
  EXPECT_EQ(p.value, "");
  ASSERT_TRUE(iterator.Next(p));
  EXPECT_EQ(p.name, "");
  EXPECT_EQ(p.value, "x");
  ASSERT_TRUE(iterator.Next(p));
  EXPECT_EQ(p.name, "e");
  EXPECT_EQ(p.value, "f=g");
  EXPECT_FALSE(iterator.Next(p));
  EXPECT_FALSE(iterator.Next(p));
}

TEST(QueryTest, DecodesPairsInOrder) {
  auto parsed = ParseQuery("a=1&b=x%2Cy+z&a=%C3%A9&c");
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed->size(), 4u);
  EXPECT_EQ((*parsed)[1].value, "x,y z");
  EXPECT_EQ((*parsed)[2].name, "a");
  EXPECT_EQ((*parsed)[2].value, "\xC3\xA9");
  EXPECT_EQ((*parsed)[3].name, "c");
  EXPECT_TRUE(ParseQuery("").ok());
}

TEST(QueryTest, RefusesIllFormedTextWithoutRepeatingIt) {
  for (std::string_view raw :
       {"k=%", "k=%4", "k=%zz", "k=%FF", "k=%ED%A0%80", "k=%00", "k=%C0%AF"}) {
    auto parsed = ParseQuery(raw);
    ASSERT_FALSE(parsed.ok()) << raw;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid);
    EXPECT_NE(parsed.error().public_text.find("'k'"), std::string::npos);
    EXPECT_EQ(parsed.error().public_text.find(raw.substr(2)), std::string::npos) << raw;
  }
  EXPECT_FALSE(ParseQuery("%FF=1").ok());
}

// The name goes into a plain text: it must not write lines of its own there, nor fill kilobytes.
TEST(QueryTest, ShowsNamesPrintableAndShort) {
  EXPECT_EQ(ShownName("limit"), "limit");
  EXPECT_EQ(ShownName("a\r\nb\x7f\xC3\xA9"), "a??b???");
  EXPECT_EQ(ShownName(std::string(1000, 'n')), std::string(64, 'n'));
  const std::string text =
      ParseQuery("a%0D%0Ab" + std::string(500, 'n') + "=%FF").error().public_text;
  EXPECT_NE(text.find("'a??bn"), std::string::npos) << text;
  EXPECT_LT(text.size(), 200u);
}

TEST(QueryTest, BoundsTheNumberOfParameters) {
  EXPECT_TRUE(ParseQuery("a=1&b=2", 2).ok());
  EXPECT_FALSE(ParseQuery("a=1&b=2&c=3", 2).ok());
}

}  // namespace
}  // namespace latchkey::http
