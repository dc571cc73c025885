#include "base/time.h"

#include <fmt/format.h>

#include "base/encoding.h"

namespace latchkey {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::milliseconds;

struct CivilTime {
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<milliseconds> time;
};

CivilTime Split(Timestamp time) {
  const Date day = floor<days>(time);
  return {std::chrono::year_month_day(day), std::chrono::hh_mm_ss<milliseconds>(time - day)};
}

// Exactly `width` digits at `position`, or -1.
int FixedDigits(std::string_view text, std::size_t position, std::size_t width) {
  if (position + width > text.size()) return -1;
  int value = 0;
  for (char c : text.substr(position, width)) {
    if (!IsDigit(c)) return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

std::string FormatRfc3339(Timestamp time) {
  const CivilTime civil = Split(time);
  std::string text = fmt::format(
      "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(civil.date.year()),
      static_cast<unsigned>(civil.date.month()), static_cast<unsigned>(civil.date.day()),
      civil.time.hours().count(), civil.time.minutes().count(), civil.time.seconds().count());
  if (civil.time.subseconds().count() != 0) {
    fmt::format_to(std::back_inserter(text), ".{:03}", civil.time.subseconds().count());
  }
  return text + "Z";
}

std::optional<Timestamp> ParseRfc3339(std::string_view text) {
  if (text.size() < 20) return std::nullopt;
  const std::optional<Date> date = ParseDate(text.substr(0, 10));
  if (!date || (text[10] != 'T' && text[10] != 't')) return std::nullopt;
  const int hour = FixedDigits(text, 11, 2);
  const int minute = FixedDigits(text, 14, 2);
  const int second = FixedDigits(text, 17, 2);
  if (hour < 0 || hour > 23 || text[13] != ':' || minute < 0 || minute > 59 || text[16] != ':' ||
      second < 0 || second > 60) {
    return std::nullopt;
  }
  std::size_t position = 19;
  int millis = 0;
  if (text[position] == '.') {
    int scale = 100;
    const std::size_t first = ++position;
    for (; position < text.size() && IsDigit(text[position]); ++position) {
      millis += (text[position] - '0') * scale;
      scale /= 10;
    }
    if (position == first) return std::nullopt;
  }
  const std::string_view zone = text.substr(position);
  int offset_minutes = 0;
  if (zone != "Z" && zone != "z") {
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') {
      return std::nullopt;
    }
    const int zone_hour = FixedDigits(zone, 1, 2);
    const int zone_minute = FixedDigits(zone, 4, 2);
    if (zone_hour < 0 || zone_hour > 23 || zone_minute < 0 || zone_minute > 59) return std::nullopt;
    offset_minutes = (zone_hour * 60 + zone_minute) * (zone[0] == '-' ? -1 : 1);
  }
  // A leap second is the first instant of the next minute.
  return Timestamp(*date + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                   std::chrono::seconds(second) + milliseconds(millis) -
                   std::chrono::minutes(offset_minutes));
}

std::string FormatDate(Date date) {
  const std::chrono::year_month_day civil(date);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(civil.year()),
                     static_cast<unsigned>(civil.month()), static_cast<unsigned>(civil.day()));
}

std::optional<Date> ParseDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const int year = FixedDigits(text, 0, 4);
  const int month = FixedDigits(text, 5, 2);
  const int day = FixedDigits(text, 8, 2);
  if (year < 1 || month < 0 || day < 0) return std::nullopt;
  const std::chrono::year_month_day civil{std::chrono::year(year),
                                          std::chrono::month(static_cast<unsigned>(month)),
                                          std::chrono::day(static_cast<unsigned>(day))};
  if (!civil.ok()) return std::nullopt;
  return Date(civil);
}

std::string FormatHttpDate(Timestamp time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const CivilTime civil = Split(time);
  const std::chrono::weekday weekday{Date(civil.date)};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday.c_encoding()],
                     static_cast<unsigned>(civil.date.day()),
                     kMonths[static_cast<unsigned>(civil.date.month()) - 1],
                     static_cast<int>(civil.date.year()), civil.time.hours().count(),
                     civil.time.minutes().count(), civil.time.seconds().count());
}

}  // namespace latchkey
