#include "base/time.h"

#include <gtest/gtest.h>

namespace latchkey {
namespace {

TEST(TimeTest, Rfc3339RoundTrips) {
  for (const char* text : {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59.123Z",
                           "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"}) {
    ASSERT_TRUE(ParseRfc3339(text)) << text;
    EXPECT_EQ(FormatRfc3339(*ParseRfc3339(text)), text);
  }
  EXPECT_EQ(ParseRfc3339("2024-01-02T03:04:05+01:30"), ParseRfc3339("2024-01-02T01:34:05Z"));
  EXPECT_EQ(ParseRfc3339("2024-01-02T03:04:05.12399Z"), ParseRfc3339("2024-01-02T03:04:05.123Z"));
}

TEST(TimeTest, RefusesWhatIsNotRfc3339) {
  for (const char* bad :
       {"", "2024-01-02", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-02T24:00:00Z",
        "2024-01-02T03:04:05", "2024-01-02 03:04:05Z", "2024-01-02T03:04:05.Z",
        "2024-01-02T03:04:05+0130", "2024-01-02T03:04:05Zx"}) {
    EXPECT_FALSE(ParseRfc3339(bad)) << bad;
  }
}

TEST(TimeTest, DatesExist) {
  EXPECT_EQ(FormatDate(*ParseDate("2024-02-29")), "2024-02-29");
  for (const char* bad : {"2023-02-29", "2024-2-29", "0000-01-01", "2024-04-31", "20240101"}) {
    EXPECT_FALSE(ParseDate(bad)) << bad;
  }
}

// RFC 9110 §5.6.7.
TEST(TimeTest, HttpDate) {
  EXPECT_EQ(FormatHttpDate(*ParseRfc3339("1994-11-06T08:49:37Z")), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace latchkey
