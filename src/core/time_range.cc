#include "core/time_range.h"

#include <algorithm>

#include "base/encoding.h"

namespace latchkey::core {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::month;
using std::chrono::months;
using std::chrono::year;
using std::chrono::year_month_day;
using std::chrono::year_month_day_last;

constexpr std::uint64_t kMaxUnits = 99'999;
constexpr std::size_t kLongestName = 12;  // "last-quarter"
constexpr Date kFirstDay{year{1} / 1 / 1};

// `count` months from the first of the month, as first and last day.
DayRange MonthsFrom(int a_year, unsigned a_month, unsigned count, bool relative) {
  const year_month_day first{year{a_year} / month{a_month} / 1};
  const year_month_day last = first + months{count - 1};
  return {Date(first), Date(year_month_day_last(last.year() / last.month() / std::chrono::last)),
          relative};
}

// Four digits, 0001 to 9999; 0 for anything else.
int Year(std::string_view text) {
  if (text.size() != 4) return 0;
  return static_cast<int>(ParseUint64(text).value_or(0));
}

// "2020", "q12020", "h22020".
std::optional<DayRange> PartOfAYear(std::string_view text) {
  if (const int whole = Year(text); whole > 0) return MonthsFrom(whole, 1, 12, false);
  if (text.size() != 6) return std::nullopt;
  const int a_year = Year(text.substr(2));
  const unsigned part = static_cast<unsigned char>(text[1]) - static_cast<unsigned char>('0');
  if (a_year == 0) return std::nullopt;
  if (text[0] == 'q' && part >= 1 && part <= 4) {
    return MonthsFrom(a_year, 3 * part - 2, 3, false);
  }
  if (text[0] == 'h' && part >= 1 && part <= 2) {
    return MonthsFrom(a_year, 6 * part - 5, 6, false);
  }
  return std::nullopt;
}

// The calendar month or quarter (`size` months) before the one of today.
std::optional<DayRange> PartBefore(Date today, unsigned size) {
  const year_month_day now(today);
  const unsigned before = (static_cast<unsigned>(now.month()) - 1) % size + size;
  const std::optional<Date> start = MonthsBefore(Date(now.year() / now.month() / 1), before);
  if (!start) return std::nullopt;
  const year_month_day first(*start);
  return MonthsFrom(static_cast<int>(first.year()), static_cast<unsigned>(first.month()), size,
                    true);
}

// "5d", "2w", "1m", "3q", "10y".
std::optional<DayRange> UnitsBack(std::string_view text, Date today) {
  if (text.size() < 2 || text.size() > 6) return std::nullopt;
  const std::optional<std::uint64_t> count = ParseUint64(text.substr(0, text.size() - 1));
  if (!count || *count < 1 || *count > kMaxUnits) return std::nullopt;
  std::optional<Date> first;
  switch (text.back()) {
    case 'd':
      first = today - days(*count);
      break;
    case 'w':
      first = today - days(7 * *count);
      break;
    case 'm':
      first = MonthsBefore(today, *count);
      break;
    case 'q':
      first = MonthsBefore(today, 3 * *count);
      break;
    case 'y':
      first = MonthsBefore(today, 12 * *count);
      break;
    default:
      break;
  }
  if (!first) return std::nullopt;
  return DayRange{*first, today, true};
}

std::optional<DayRange> Named(std::string_view text, Date today) {
  if (text == "today") return DayRange{today, today, true};
  if (text == "yesterday") return DayRange{today - days(1), today - days(1), true};
  if (text == "ytd") return DayRange{Date(year_month_day(today).year() / 1 / 1), today, true};
  if (text == "last-week") {
    const Date monday = today - (std::chrono::weekday(today) - std::chrono::Monday);
    return DayRange{monday - days(7), monday - days(1), true};
  }
  if (text == "last-month") return PartBefore(today, 1);
  if (text == "last-quarter") return PartBefore(today, 3);
  return std::nullopt;
}

}  // namespace

std::optional<Date> MonthsBefore(Date from, std::uint64_t count) {
  const year_month_day civil(from);
  const std::int64_t index =
      std::int64_t{static_cast<int>(civil.year())} * 12 + static_cast<unsigned>(civil.month()) - 1;
  // Year 1 begins at month 12.
  if (index < 12 || count > static_cast<std::uint64_t>(index - 12)) return std::nullopt;
  const auto wanted = index - static_cast<std::int64_t>(count);
  const year_month_day_last end(year{static_cast<int>(wanted / 12)} /
                                month{static_cast<unsigned>(wanted % 12) + 1} / std::chrono::last);
  return Date(end.year() / end.month() / std::min(civil.day(), end.day()));
}

std::optional<DayRange> ParseDayRange(std::string_view text, Date today) {
  if (text.size() > kLongestName) return std::nullopt;
  const std::string folded = ToLower(text);
  std::optional<DayRange> range = PartOfAYear(folded);
  if (!range) range = UnitsBack(folded, today);
  if (!range) range = Named(folded, today);
  if (range && range->first < kFirstDay) return std::nullopt;
  return range;
}

}  // namespace latchkey::core
