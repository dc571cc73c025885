#include "core/date_forms.h"

#include <array>
#include <chrono>

#include "base/encoding.h"
#include "base/time.h"
#include "core/json_text.h"

namespace latchkey::core {
namespace {

constexpr std::int64_t kFirstMillis = -62'135'596'800'000;  // 0001-01-01
constexpr std::int64_t kLastMillis = 253'402'300'799'999;   // 9999-12-31T23:59:59.999
constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};

unsigned MonthOf(std::string_view name) {
  for (unsigned i = 0; i < kMonths.size(); ++i) {
    if (EqualsIgnoreCase(name, kMonths[i])) return i + 1;
  }
  return 0;
}

// "Jan 1 2000" or "Jan 1, 2000", one blank between the parts.
std::optional<std::int64_t> ParseEnglish(std::string_view text) {
  if (text.size() < 10 || text[3] != ' ') return std::nullopt;
  const unsigned month = MonthOf(text.substr(0, 3));
  const std::size_t blank = text.find(' ', 4);
  if (month == 0 || blank == std::string_view::npos) return std::nullopt;
  std::string_view day_text = text.substr(4, blank - 4);
  if (day_text.ends_with(',')) day_text.remove_suffix(1);
  const std::string_view year_text = text.substr(blank + 1);
  const std::optional<std::uint64_t> day = ParseUint64(day_text);
  const std::optional<std::uint64_t> year = ParseUint64(year_text);
  if (day_text.size() > 2 || year_text.size() != 4 || !day || !year || *year == 0) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(month),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return ToUnixMillis(Timestamp(std::chrono::sys_days(date)));
}

constexpr std::size_t kBlankAt = 10;  // between date and time
constexpr std::size_t kSecondsEnd = 19;
constexpr std::size_t kMaxTimeBytes = 64;

// A date-time, with what RFC 3339 demands put in its place.
std::optional<DateValue> ParseDateTime(std::string_view text) {
  if (text.size() < kSecondsEnd || text.size() >= kMaxTimeBytes) return std::nullopt;
  std::array<char, kMaxTimeBytes> full;
  std::size_t size = text.copy(full.data(), text.size());
  const bool blank = full[kBlankAt] == ' ';
  if (blank) full[kBlankAt] = 'T';
  if (IsDigit(text.back()) && text.find_first_of("+-", kSecondsEnd) == std::string_view::npos) {
    full[size++] = 'Z';
  }
  const std::optional<Timestamp> time = ParseRfc3339(std::string_view(full.data(), size));
  if (!time) return std::nullopt;
  const std::int64_t millis = ToUnixMillis(*time);  // an offset may lead out of the years
  if (millis < kFirstMillis || millis > kLastMillis) return std::nullopt;
  return DateValue{millis, blank ? DateForm::kBlank : DateForm::kIso};
}

}  // namespace

std::optional<DateValue> ParseDateText(std::string_view text) {
  if (text.size() < 10) return std::nullopt;
  if (IsDigit(text[0])) {
    if (text.size() == 10) {
      const std::optional<Date> date = ParseDate(text);
      if (!date) return std::nullopt;
      return DateValue{ToUnixMillis(Timestamp(*date)), DateForm::kIso};
    }
    return ParseDateTime(text);
  }
  const std::optional<std::int64_t> english = ParseEnglish(text);
  if (!english) return std::nullopt;
  return DateValue{*english, DateForm::kEnglish};
}

std::optional<DateValue> ParseDateOrMillis(std::string_view text) {
  if (!IsJsonInteger(text)) return ParseDateText(text);
  const bool negative = text.starts_with('-');
  const std::optional<std::uint64_t> digits = ParseUint64(text.substr(negative ? 1 : 0));
  if (!digits || *digits > static_cast<std::uint64_t>(kLastMillis)) return std::nullopt;
  const std::int64_t millis =
      negative ? -static_cast<std::int64_t>(*digits) : static_cast<std::int64_t>(*digits);
  if (millis < kFirstMillis) return std::nullopt;
  if (text.size() == 8 && !negative) return std::nullopt;  // YYYYMMDD, not a time on 1970-01-01
  return DateValue{millis, DateForm::kMillis};
}

void AppendDateJson(std::string& out, std::string_view text, const DateValue& value) {
  switch (value.form) {
    case DateForm::kIso:
      out.append("\"").append(text).append("\"");  // digits and signs alone
      break;
    case DateForm::kBlank:
      out.append("\"").append(text.substr(0, kBlankAt)).append("T");
      out.append(text.substr(kBlankAt + 1)).append("\"");
      break;
    case DateForm::kEnglish:
      AppendJsonString(
          out, FormatDate(std::chrono::floor<std::chrono::days>(FromUnixMillis(value.millis))));
      break;
    case DateForm::kMillis:
      AppendShortNumber(out, text);
      break;
  }
}

}  // namespace latchkey::core
