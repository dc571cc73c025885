// A name of a range on any day: what passes is a range in order, within the years that dates have,
// the same whatever the case, today's where it is relative, and on the calendar's bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "core/time_range.h"

namespace {

using latchkey::Date;
namespace core = latchkey::core;
using std::chrono::year_month_day;

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string Swapped(std::string_view text) {
  std::string swapped(text);
  for (char& c : swapped) {
    if (latchkey::IsAlpha(c)) c = static_cast<char>(c ^ 0x20);
  }
  return swapped;
}

void CheckMonths(Date today, std::uint64_t count) {
  const auto before = core::MonthsBefore(today, count);
  if (!before) return;
  const year_month_day now(today);
  const year_month_day then(*before);
  const auto months = [](const year_month_day& day) {
    return static_cast<int>(day.year()) * 12 + static_cast<int>(static_cast<unsigned>(day.month()));
  };
  Require(then.ok() && *before <= today);
  Require(static_cast<std::uint64_t>(months(now) - months(then)) == count);
  // The same day of the month, or the month ends before it.
  const year_month_day next(*before + std::chrono::days(1));
  Require(then.day() == now.day() || (then.day() < now.day() && next.month() != then.month()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  // From 0001-01-01 to 9999-12-31.
  const auto number =
      (static_cast<std::uint32_t>(data[0]) << 16 | data[1] << 8 | data[2]) % 3652059;
  const Date first = *latchkey::ParseDate("0001-01-01");
  const Date last = *latchkey::ParseDate("9999-12-31");
  const Date today = first + std::chrono::days(number);
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto range = core::ParseDayRange(text, today);
  Require(range == core::ParseDayRange(Swapped(text), today));
  CheckMonths(today, size > 4 ? data[3] * 256U + data[4] : 0);
  if (!range) return 0;
  Require(first <= range->first && range->first <= range->last && range->last <= last);
  Require(range->from_millis() < range->to_millis());
  Require((range->to_millis() + 1 - range->from_millis()) % core::kMillisPerDay == 0);
  Require(!range->relative || range->last <= today);
  if (!range->relative) {
    // Whole months, the same on any other day.
    Require(core::ParseDayRange(text, first) == range);
    Require(year_month_day(range->first).day() == std::chrono::day{1});
    Require(year_month_day(range->last + std::chrono::days(1)).day() == std::chrono::day{1});
  }
  return 0;
}
