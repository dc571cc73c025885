// Points in time and civil dates, all UTC, and their text forms. Pure: nothing here reads a clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace latchkey {

// Milliseconds since 1970-01-01T00:00:00Z.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;
using Date = std::chrono::sys_days;

inline constexpr std::int64_t ToUnixMillis(Timestamp time) {
  return time.time_since_epoch().count();
}
inline constexpr Timestamp FromUnixMillis(std::int64_t millis) {
  return Timestamp(std::chrono::milliseconds(millis));
}

// "2026-11-24T19:46:01Z", or with ".123" when the milliseconds are not zero (RFC 3339).
std::string FormatRfc3339(Timestamp time);
// Takes any RFC 3339 date-time of the years 0001 to 9999, with an offset too; fractions beyond
// milliseconds are cut. Nothing else: nullopt.
std::optional<Timestamp> ParseRfc3339(std::string_view text);

// "2026-11-24".
std::string FormatDate(Date date);
// YYYY-MM-DD exactly, a day that exists, years 0001 to 9999.
std::optional<Date> ParseDate(std::string_view text);

// "Tue, 24 Nov 2026 19:46:01 GMT" (RFC 9110 §5.6.7).
std::string FormatHttpDate(Timestamp time);

}  // namespace latchkey
