#include "core/date_forms.h"

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

struct Good {
  const char* text;
  std::int64_t millis;
  const char* stored;
};

TEST(DateFormsTest, EachFormGivesItsMillisecondsAndWhatIsStored) {
  const Good cases[] = {
      {"2000-01-01", 946'684'800'000, "\"2000-01-01\""},
      {"2000-02-29", 951'782'400'000, "\"2000-02-29\""},
      {"2000-01-01T09:30:00Z", 946'719'000'000, "\"2000-01-01T09:30:00Z\""},
      {"2000-01-01T09:30:00.250+02:00", 946'711'800'250, "\"2000-01-01T09:30:00.250+02:00\""},
      {"Jan 1 2000", 946'684'800'000, "\"2000-01-01\""},
      {"jan 01 2000", 946'684'800'000, "\"2000-01-01\""},
      {"DEC 31, 1999", 946'598'400'000, "\"1999-12-31\""},
      {"Mar 1 2010", 1'267'401'600'000, "\"2010-03-01\""},
      {"946684800000", 946'684'800'000, "946684800000"},
      {"-1", -1, "-1"},
      {"0", 0, "0"},
      {"-0", 0, "0"},
      {"253402300799999", 253'402'300'799'999, "253402300799999"},
      {"0001-01-01", -62'135'596'800'000, "\"0001-01-01\""},
  };
  for (const Good& c : cases) {
    const auto value = ParseDateOrMillis(c.text);
    ASSERT_TRUE(value) << c.text;
    EXPECT_EQ(value->millis, c.millis) << c.text;
    std::string out;
    AppendDateJson(out, c.text, *value);
    EXPECT_EQ(out, c.stored);
  }
}

TEST(DateFormsTest, MillisecondsAreNoTextForm) {
  EXPECT_FALSE(ParseDateText("946684800000"));
  EXPECT_FALSE(ParseDateText("2000"));
}

TEST(DateFormsTest, EverythingElseIsNoDate) {
  for (const char* bad : {"",
                          "2000-1-1",
                          "2000-02-30",
                          "2001-02-29",
                          "20000101",
                          "2000/01/01",
                          "01-01-2000",
                          "Jan 1 00",
                          "Jan 32 2000",
                          "Feb 30 2000",
                          "January 1 2000",
                          "Jan  1 2000",
                          "Jan 1  2000",
                          "Jan 1 20000",
                          "Jan 0 2000",
                          "Jan 1 0000",
                          "Jan 001 2000",
                          "Jan -1 2000",
                          "Jan,1,2000",
                          "Jan 1 2000 ",
                          "1 Jan 2000",
                          "2000-01-01T25:00:00Z",
                          "2000-01-01T09:30",
                          "1.5",
                          "253402300800000",
                          "-62135596800001",
                          "99999999999999999999",
                          "today",
                          "Jan 1,, 2000"}) {
    EXPECT_FALSE(ParseDateOrMillis(bad)) << bad;
  }
}

}  // namespace
}  // namespace latchkey::core
