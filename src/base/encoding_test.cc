#include "base/encoding.h"

#include <gtest/gtest.h>

namespace latchkey {
namespace {

TEST(EncodingTest, Base62KeepsOrderAndRoundTrips) {
  EXPECT_EQ(Base62Encode(0, 6), "000000");
  EXPECT_EQ(Base62Encode(61, 2), "0z");
  EXPECT_EQ(Base62Encode(62, 2), "10");
  EXPECT_EQ(Base62Decode(Base62Encode(0xFFFFFFFFU, 6)), 0xFFFFFFFFU);
  EXPECT_FALSE(Base62Decode(""));
  EXPECT_FALSE(Base62Decode("-"));
  EXPECT_EQ(Base62Decode("LygHa16AHYF"), UINT64_MAX);
  EXPECT_FALSE(Base62Decode("LygHa16AHYG"));
}

TEST(EncodingTest, PercentDecodingRefusesIllFormedEscapes) {
  EXPECT_EQ(PercentDecode("a%2Cb+c"), "a,b+c");
  EXPECT_EQ(FormDecode("a%2Cb+c"), "a,b c");
  for (const char* bad : {"%", "%4", "%zz", "a%2"}) EXPECT_FALSE(PercentDecode(bad)) << bad;
  EXPECT_EQ(PercentEncode("a b/ü"), "a%20b%2F%C3%BC");
}

TEST(EncodingTest, Base64TakesOnlyCanonicalText) {
  EXPECT_EQ(Base64Encode("sk_1:"), "c2tfMTo=");
  EXPECT_EQ(Base64Decode("c2tfMTo="), "sk_1:");
  EXPECT_EQ(Base64Decode(""), "");
  for (const char* bad : {"c2tfMTo", "c2tfMTp=", "=c2t", "c2=t", "a===", "c2tf\n"}) {
    EXPECT_FALSE(Base64Decode(bad)) << bad;
  }
}

TEST(EncodingTest, Utf8RefusesOverlongSurrogatesAndTruncation) {
  EXPECT_TRUE(IsValidUtf8("grüße \xF0\x9F\x94\x91"));
  for (const char* bad : {"\xC0\x80", "\xED\xA0\x80", "\xE2\x82", "\xF5\x80\x80\x80", "\x80"}) {
    EXPECT_FALSE(IsValidUtf8(bad));
  }
}

TEST(EncodingTest, JsonStringsEscapeControlsAndReplaceIllFormedBytes) {
  std::string out;
  AppendJsonString(out, std::string_view("a\"\\\n\x01ü\xFF", 8));
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\u0001ü\xEF\xBF\xBD\"");
}

TEST(EncodingTest, IntegersAreWholeTexts) {
  EXPECT_EQ(ParseUint64("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "18446744073709551616", "+1", "-1", " 1", "1 ", "1.0", "0x1"}) {
    EXPECT_FALSE(ParseUint64(bad)) << bad;
  }
  EXPECT_EQ(ParseInt64("-5"), -5);
}

}  // namespace
}  // namespace latchkey
