// The forms in which a date stands in a file: "2000-01-01", an RFC 3339 date-time
// ("2000-01-01T09:30:00Z"; without an offset it is UTC), the same with a blank instead of the T,
// the English short form "Jan 1 2000" (also "Jan 1, 2000"), and where a field is said to be a date,
// milliseconds since 1970 as a whole number (not of eight digits: those are far more likely
// YYYYMMDD, which is refused rather than misread). All UTC, years 0001 to 9999. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace latchkey::core {

enum class DateForm : std::uint8_t { kIso, kBlank, kEnglish, kMillis };

struct DateValue {
  std::int64_t millis = 0;
  DateForm form = DateForm::kIso;
};

// One of the text forms; nullopt for anything else, for a day that does not exist too.
std::optional<DateValue> ParseDateText(std::string_view text);
// A text form or milliseconds.
std::optional<DateValue> ParseDateOrMillis(std::string_view text);
// Appends the JSON value that is stored (wire.md §7): a text that is ISO already and milliseconds
// as they are, a blank as T, the English form as "YYYY-MM-DD".
void AppendDateJson(std::string& out, std::string_view text, const DateValue& value);

}  // namespace latchkey::core
