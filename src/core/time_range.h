// The ranges of days that `range=` names (wire.md §7), and the calendar arithmetic under them. All
// days are UTC, years 0001 to 9999. Pure: `today` is passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace latchkey::core {

inline constexpr std::int64_t kMillisPerDay = 86'400'000;

struct DayRange {
  Date first;  // both inclusive
  Date last;
  bool relative = false;  // it means other days tomorrow

  std::int64_t from_millis() const { return ToUnixMillis(Timestamp(first)); }
  std::int64_t to_millis() const { return ToUnixMillis(Timestamp(last)) + kMillisPerDay - 1; }
  friend bool operator==(const DayRange&, const DayRange&) = default;
};

// Without case:
//   today, yesterday
//   ytd                     from January 1st of this year through today
//   last-week               the calendar week, Monday to Sunday, before this one
//   last-month, last-quarter  the calendar month or quarter before this one
//   Nd Nw Nm Nq Ny          from the day that many days, weeks, months, quarters or years back
//                           through today; where that month is too short, from its last day. N is
//                           1 to 99999, digits only
//   Q1YYYY … Q4YYYY, H1YYYY, H2YYYY, YYYY   that quarter, half or year, all of it
// nullopt for anything else, and for a day before 0001-01-01.
std::optional<DayRange> ParseDayRange(std::string_view text, Date today);

// The same day of the month that many months before, or the last day of that month if it is
// shorter. nullopt before 0001-01-01.
std::optional<Date> MonthsBefore(Date day, std::uint64_t months);

}  // namespace latchkey::core
