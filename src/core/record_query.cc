#include "core/record_query.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"

namespace latchkey::core {
namespace {

constexpr std::int64_t kMillisPerDay = 86'400'000;

Error Invalid(std::string_view parameter, std::string detail) {
  Error error =
      MakeError(ErrorCode::kInvalid, "The parameter " + std::string(parameter) + " " + detail);
  error.fields.push_back({std::string(parameter), std::move(detail)});
  return error;
}

// A name that nobody knows is shown, since it is the caller's way to find the slip, but bounded and
// printable: it goes into a plain text and into logs.
std::string Shown(std::string_view name) {
  std::string shown;
  for (const char c : name.substr(0, 64)) {
    shown +=
        static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F ? '?' : c;
  }
  if (name.size() > 64) shown += "...";
  return shown;
}

enum Parameter : std::size_t { kLimit, kLast, kFirst, kFrom, kTo, kOn, kFormat, kCount };
constexpr std::array<std::string_view, kCount> kNames = {"limit", "last", "first", "from",
                                                         "to",    "on",   "format"};
using Values = std::array<std::optional<std::string_view>, kCount>;

Result<Values> Collect(std::span<const QueryParameter> parameters) {
  Values values;
  for (const QueryParameter& parameter : parameters) {
    if (parameter.name == "token" || parameter.name == "nonce") continue;
    const auto* known = std::find(kNames.begin(), kNames.end(), parameter.name);
    if (known == kNames.end()) {
      return Invalid(Shown(parameter.name),
                     "is not known here; known are limit, last, first, from, to, on, format");
    }
    std::optional<std::string_view>& value =
        values[static_cast<std::size_t>(known - kNames.begin())];
    if (value) return Invalid(parameter.name, "is given twice");
    value = parameter.value;
  }
  return values;
}

Result<std::optional<std::uint64_t>> Number(const Values& values, Parameter which,
                                            std::uint64_t max_records) {
  if (!values[which]) return std::optional<std::uint64_t>();
  const std::optional<std::uint64_t> number = ParseUint64(*values[which]);
  if (!number || *number < 1 || *number > max_records) {
    return Invalid(kNames[which], "must be a whole number of 1 to " + std::to_string(max_records));
  }
  return number;
}

// The first millisecond of the day.
Result<std::optional<std::int64_t>> Day(const Values& values, Parameter which) {
  if (!values[which]) return std::optional<std::int64_t>();
  const std::optional<Date> date = ParseDate(*values[which]);
  if (!date) return Invalid(kNames[which], "must be a date that exists, as YYYY-MM-DD");
  return std::optional<std::int64_t>(ToUnixMillis(Timestamp(*date)));
}

Status ReadDays(const Values& values, RecordQuery& query) {
  const auto on = Day(values, kOn);
  if (!on.ok()) return on.error();
  const auto from = Day(values, kFrom);
  if (!from.ok()) return from.error();
  const auto to = Day(values, kTo);
  if (!to.ok()) return to.error();
  if (*on) {
    if (*from || *to) return Invalid("on", "can't stand beside from or to");
    query.from_millis = *on;
    query.to_millis = **on + kMillisPerDay - 1;
    return {};
  }
  query.from_millis = *from;
  if (*to) query.to_millis = **to + kMillisPerDay - 1;
  if (*from && *to && **to < **from) return Invalid("to", "must not be before from");
  return {};
}

Status ReadCounts(const Values& values, std::uint64_t max_records, RecordQuery& query) {
  const auto limit = Number(values, kLimit, max_records);
  if (!limit.ok()) return limit.error();
  const auto last = Number(values, kLast, max_records);
  if (!last.ok()) return last.error();
  const auto first = Number(values, kFirst, max_records);
  if (!first.ok()) return first.error();
  if (*last && *first) return Invalid("last", "can't stand beside first");
  const bool range = query.from_millis || query.to_millis;
  query.newest_first = !*first;
  query.limit = *last ? **last : *first ? **first : *limit ? **limit : range ? max_records : 1;
  if (*limit) query.limit = std::min(query.limit, **limit);
  return {};
}

}  // namespace

Result<ParsedRecordQuery> ParseRecordQuery(std::optional<std::string_view> key,
                                           std::optional<std::string_view> subkey,
                                           std::span<const QueryParameter> parameters,
                                           std::uint64_t max_records) {
  const Result<Values> values = Collect(parameters);
  if (!values.ok()) return values.error();
  ParsedRecordQuery parsed;
  if (key) parsed.query.key = ToLower(*key);
  if (key && subkey) parsed.query.subkey = ToLower(*subkey);
  if (Status status = ReadDays(*values, parsed.query); !status.ok()) return status.error();
  if (Status status = ReadCounts(*values, max_records, parsed.query); !status.ok()) {
    return status.error();
  }
  if (const auto& format = (*values)[kFormat]) {
    if (*format == "json") {
      parsed.format = RecordFormat::kJson;
    } else if (*format == "csv") {
      parsed.format = RecordFormat::kCsv;
    } else {
      return Invalid("format", "must be json or csv");
    }
  }
  return parsed;
}

Status CheckRecordQuery(const RecordQuery& query, const Dataset& dataset) {
  if (!dataset.date_field.empty()) return {};
  if (query.from_millis) return Invalid("from", "needs a dataset whose records have a date");
  if (query.to_millis) return Invalid("to", "needs a dataset whose records have a date");
  return {};
}

std::string CanonicalText(const RecordQuery& query) {
  // The texts come with their length, so that no key can look like another part.
  std::string text;
  const auto add_text = [&text](char tag, const std::optional<std::string>& value) {
    if (!value) return;
    text += tag;
    text += std::to_string(value->size());
    text += ':';
    text += *value;
  };
  add_text('k', query.key);
  add_text('s', query.subkey);
  if (query.from_millis) text.append("f").append(std::to_string(*query.from_millis));
  if (query.to_millis) text.append("t").append(std::to_string(*query.to_millis));
  text += query.newest_first ? 'n' : 'o';
  text += std::to_string(query.limit);
  return text;
}

}  // namespace latchkey::core
