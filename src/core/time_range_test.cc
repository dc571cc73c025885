#include "core/time_range.h"

#include <string>

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

Date Day(std::string_view text) { return ParseDate(text).value(); }

std::string Shown(const std::optional<DayRange>& range) {
  if (!range) return "none";
  return FormatDate(range->first) + " " + FormatDate(range->last) +
         (range->relative ? " relative" : " fixed");
}

TEST(TimeRangeTest, RelativeRangesCrossMonthQuarterYearAndLeapDay) {
  struct Case {
    const char* today;
    const char* range;
    const char* first;
    const char* last;
  };
  const Case cases[] = {
      {"2026-11-24", "today", "2026-11-24", "2026-11-24"},
      {"2026-11-24", "yesterday", "2026-11-23", "2026-11-23"},
      {"2026-03-01", "yesterday", "2026-02-28", "2026-02-28"},
      {"2024-03-01", "yesterday", "2024-02-29", "2024-02-29"},
      {"2000-03-01", "yesterday", "2000-02-29", "2000-02-29"},
      {"1900-03-01", "yesterday", "1900-02-28", "1900-02-28"},
      {"2026-01-01", "yesterday", "2025-12-31", "2025-12-31"},
      {"2026-11-24", "ytd", "2026-01-01", "2026-11-24"},
      {"2026-01-01", "ytd", "2026-01-01", "2026-01-01"},
      {"2024-12-31", "ytd", "2024-01-01", "2024-12-31"},
      // 2026-11-24 is a Tuesday.
      {"2026-11-24", "last-week", "2026-11-16", "2026-11-22"},
      {"2026-11-23", "last-week", "2026-11-16", "2026-11-22"},
      {"2026-11-22", "last-week", "2026-11-09", "2026-11-15"},
      {"2026-01-01", "last-week", "2025-12-22", "2025-12-28"},
      {"2024-03-04", "last-week", "2024-02-26", "2024-03-03"},
      {"1969-12-31", "last-week", "1969-12-22", "1969-12-28"},
      {"2026-11-24", "last-month", "2026-10-01", "2026-10-31"},
      {"2026-01-31", "last-month", "2025-12-01", "2025-12-31"},
      {"2026-03-31", "last-month", "2026-02-01", "2026-02-28"},
      {"2024-03-31", "last-month", "2024-02-01", "2024-02-29"},
      {"2026-12-01", "last-month", "2026-11-01", "2026-11-30"},
      {"2026-11-24", "last-quarter", "2026-07-01", "2026-09-30"},
      {"2026-10-01", "last-quarter", "2026-07-01", "2026-09-30"},
      {"2026-09-30", "last-quarter", "2026-04-01", "2026-06-30"},
      {"2026-04-01", "last-quarter", "2026-01-01", "2026-03-31"},
      {"2026-03-31", "last-quarter", "2025-10-01", "2025-12-31"},
      {"2026-01-01", "last-quarter", "2025-10-01", "2025-12-31"},
      {"2026-11-24", "1d", "2026-11-23", "2026-11-24"},
      {"2026-11-24", "30d", "2026-10-25", "2026-11-24"},
      {"2024-03-01", "1d", "2024-02-29", "2024-03-01"},
      {"2026-11-24", "007d", "2026-11-17", "2026-11-24"},
      {"2026-11-24", "1w", "2026-11-17", "2026-11-24"},
      {"2026-01-03", "2w", "2025-12-20", "2026-01-03"},
      {"2026-11-24", "1m", "2026-10-24", "2026-11-24"},
      {"2026-03-31", "1m", "2026-02-28", "2026-03-31"},
      {"2024-03-31", "1m", "2024-02-29", "2024-03-31"},
      {"2026-12-31", "1m", "2026-11-30", "2026-12-31"},
      {"2026-01-15", "1m", "2025-12-15", "2026-01-15"},
      {"2026-01-15", "13m", "2024-12-15", "2026-01-15"},
      {"2026-11-30", "1q", "2026-08-30", "2026-11-30"},
      {"2026-05-31", "1q", "2026-02-28", "2026-05-31"},
      {"2026-02-28", "4q", "2025-02-28", "2026-02-28"},
      {"2026-11-24", "1y", "2025-11-24", "2026-11-24"},
      {"2024-02-29", "1y", "2023-02-28", "2024-02-29"},
      {"2024-02-29", "4y", "2020-02-29", "2024-02-29"},
      {"2100-02-28", "76y", "2024-02-28", "2100-02-28"},
      {"2026-11-24", "2025y", "0001-11-24", "2026-11-24"},
      {"2026-11-24", "99999d", "1753-02-09", "2026-11-24"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Shown(ParseDayRange(c.range, Day(c.today))),
              std::string(c.first) + " " + c.last + " relative")
        << c.range << " on " << c.today;
  }
}

TEST(TimeRangeTest, PartsOfAYearAreFixed) {
  struct Case {
    const char* range;
    const char* first;
    const char* last;
  };
  const Case cases[] = {
      {"Q12026", "2026-01-01", "2026-03-31"}, {"Q22026", "2026-04-01", "2026-06-30"},
      {"Q32026", "2026-07-01", "2026-09-30"}, {"Q42026", "2026-10-01", "2026-12-31"},
      {"H12026", "2026-01-01", "2026-06-30"}, {"H22026", "2026-07-01", "2026-12-31"},
      {"2026", "2026-01-01", "2026-12-31"},   {"2024", "2024-01-01", "2024-12-31"},
      {"0001", "0001-01-01", "0001-12-31"},   {"9999", "9999-01-01", "9999-12-31"},
      {"Q49999", "9999-10-01", "9999-12-31"}, {"Q10001", "0001-01-01", "0001-03-31"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Shown(ParseDayRange(c.range, Day("2026-11-24"))),
              std::string(c.first) + " " + c.last + " fixed")
        << c.range;
  }
}

TEST(TimeRangeTest, CaseDoesNotMatter) {
  const Date today = Day("2026-11-24");
  for (const auto& [one, other] : {std::pair{"TODAY", "today"},
                                   {"Last-Week", "last-week"},
                                   {"YTD", "ytd"},
                                   {"5D", "5d"},
                                   {"2W", "2w"},
                                   {"1M", "1m"},
                                   {"1Q", "1q"},
                                   {"1Y", "1y"},
                                   {"q12026", "Q12026"},
                                   {"h22026", "H22026"}}) {
    ASSERT_TRUE(ParseDayRange(one, today)) << one;
    EXPECT_EQ(ParseDayRange(one, today), ParseDayRange(other, today)) << one;
  }
}

TEST(TimeRangeTest, AnythingElseIsNoRange) {
  for (const char* text : {"",
                           " ",
                           "d",
                           "0d",
                           "00y",
                           "-1d",
                           "+1d",
                           "1.5d",
                           "1",
                           "12",
                           "123",
                           "12345",
                           "1 d",
                           "d1",
                           "100000d",
                           "1x",
                           "1dd",
                           "5dm",
                           "max",
                           "tomorrow",
                           "last_week",
                           "lastweek",
                           "last-year",
                           "last-day",
                           "Q02026",
                           "Q52026",
                           "H02026",
                           "H32026",
                           "Q1",
                           "Q12",
                           "Q1 2026",
                           "Q1-2026",
                           "2026Q1",
                           "Q120260",
                           "Q1202",
                           "H1206",
                           "0000",
                           "Q10000",
                           "H10000",
                           "02026",
                           "2026y ",
                           "2026y",
                           "24315m",
                           "8106q",
                           "today ",
                           "20 6",
                           "+206",
                           "-206",
                           "18446744073709551617d",
                           "999999999999999999999999",
                           "last-quarterly"}) {
    EXPECT_EQ(Shown(ParseDayRange(text, Day("2026-11-24"))), "none") << text;
  }
  EXPECT_EQ(Shown(ParseDayRange(std::string_view("1d\0", 3), Day("2026-11-24"))), "none");
}

TEST(TimeRangeTest, NothingReachesBeforeTheFirstDay) {
  const Date first = Day("0001-01-01");
  EXPECT_TRUE(ParseDayRange("today", first));
  EXPECT_TRUE(ParseDayRange("ytd", first));
  for (const char* text : {"yesterday", "last-week", "last-month", "last-quarter", "1d", "1w", "1m",
                           "1q", "1y", "99999y", "99999d"}) {
    EXPECT_FALSE(ParseDayRange(text, first)) << text;
  }
  EXPECT_EQ(Shown(ParseDayRange("24310m", Day("2026-11-24"))), "0001-01-24 2026-11-24 relative");
  EXPECT_FALSE(ParseDayRange("24311m", Day("2026-11-24")));
}

TEST(TimeRangeTest, ARangeInMillisecondsHoldsItsLastDayWhole) {
  const auto range = ParseDayRange("2000", Day("2026-11-24"));
  ASSERT_TRUE(range);
  EXPECT_EQ(range->from_millis(), 946'684'800'000);
  EXPECT_EQ(range->to_millis(), 946'684'800'000 + 366 * kMillisPerDay - 1);
}

}  // namespace
}  // namespace latchkey::core
