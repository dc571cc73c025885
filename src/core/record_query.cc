#include "core/record_query.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "base/encoding.h"
#include "core/date_forms.h"
#include "core/json_text.h"
#include "core/record_text.h"
#include "core/time_range.h"

namespace latchkey::core {
namespace {

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

enum Parameter : std::size_t {
  kRange,
  kOn,
  kFrom,
  kTo,
  kLast,
  kFirst,
  kNext,
  kLimit,
  kOffset,
  kInterval,
  kSort,
  kDateField,
  kFilter,
  kFormat,
  kSchema,
  kIncludeSystem,
  kParameters
};
constexpr std::array<std::string_view, kParameters> kNames = {
    "range",  "on",       "from",   "to",
    "last",   "first",    "next",   "limit",
    "offset", "interval", "sort",   "dateField",
    "filter", "format",   "schema", "includeSystemRecordProperties"};
using Values = std::array<std::optional<std::string_view>, kParameters>;

std::string KnownNames() {
  std::string known;
  for (const std::string_view name : kNames) {
    if (!known.empty()) known += ", ";
    known += name;
  }
  return known;
}

Result<Values> Collect(std::span<const QueryParameter> parameters) {
  Values values;
  for (const QueryParameter& parameter : parameters) {
    if (parameter.name == "token" || parameter.name == "nonce") continue;
    const auto* known = std::find(kNames.begin(), kNames.end(), parameter.name);
    if (known == kNames.end()) {
      return Invalid(Shown(parameter.name), "is not known here; known are " + KnownNames());
    }
    std::optional<std::string_view>& value =
        values[static_cast<std::size_t>(known - kNames.begin())];
    if (value) return Invalid(parameter.name, "is given twice");
    value = parameter.value;
  }
  return values;
}

Result<std::optional<std::uint64_t>> Number(const Values& values, Parameter which,
                                            std::uint64_t least, std::uint64_t most) {
  if (!values[which]) return std::optional<std::uint64_t>();
  const std::optional<std::uint64_t> number = ParseUint64(*values[which]);
  if (!number || *number < least || *number > most) {
    return Invalid(kNames[which], "must be a whole number of " + std::to_string(least) + " to " +
                                      std::to_string(most));
  }
  return number;
}

// False when it is not given.
Result<bool> Truth(const Values& values, Parameter which) {
  if (!values[which] || EqualsIgnoreCase(*values[which], "false")) return false;
  if (EqualsIgnoreCase(*values[which], "true")) return true;
  return Invalid(kNames[which], "must be true or false");
}

// The first millisecond of the day.
Result<std::optional<std::int64_t>> Day(const Values& values, Parameter which) {
  if (!values[which]) return std::optional<std::int64_t>();
  const std::optional<Date> date = ParseDate(*values[which]);
  if (!date) return Invalid(kNames[which], "must be a date that exists, as YYYY-MM-DD");
  return std::optional<std::int64_t>(ToUnixMillis(Timestamp(*date)));
}

Status ReadRange(const Values& values, Timestamp now, RecordsRequest& request) {
  const Date today = std::chrono::floor<std::chrono::days>(now);
  const std::optional<DayRange> range = ParseDayRange(*values[kRange], today);
  if (!range) {
    return Invalid("range",
                   "must be today, yesterday, ytd, last-week, last-month, last-quarter, a number "
                   "with d, w, m, q or y (as 5d), a quarter or half of a year (as Q12020, H22020) "
                   "or a year");
  }
  request.days_parameter = kNames[kRange];
  request.query.from_millis = range->from_millis();
  request.query.to_millis = range->to_millis();
  if (range->relative) request.valid_until = Timestamp(today + std::chrono::days(1));
  return {};
}

Status ReadDays(const Values& values, Timestamp now, RecordsRequest& request) {
  RecordQuery& query = request.query;
  const auto on = Day(values, kOn);
  if (!on.ok()) return on.error();
  const auto from = Day(values, kFrom);
  if (!from.ok()) return from.error();
  const auto to = Day(values, kTo);
  if (!to.ok()) return to.error();
  if (values[kRange]) {
    if (*on || *from || *to) return Invalid("range", "can't stand beside on, from or to");
    return ReadRange(values, now, request);
  }
  if (*on) {
    if (*from || *to) return Invalid("on", "can't stand beside from or to");
    request.days_parameter = kNames[kOn];
    query.from_millis = *on;
    query.to_millis = **on + kMillisPerDay - 1;
    return {};
  }
  if (*to) {
    request.days_parameter = kNames[kTo];
    query.to_millis = **to + kMillisPerDay - 1;
  }
  if (*from) {
    request.days_parameter = kNames[kFrom];
    query.from_millis = *from;
  }
  if (*from && *to && **to < **from) return Invalid("to", "must not be before from");
  return {};
}

// The one of last, first and next that is given; kParameters: none.
Result<Parameter> Selector(const Values& values) {
  Parameter found = kParameters;
  for (const Parameter which : {kLast, kFirst, kNext}) {
    if (!values[which]) continue;
    if (found != kParameters) {
      return Invalid(kNames[found], "can't stand beside " + std::string(kNames[which]));
    }
    found = which;
  }
  return found;
}

// Whether the oldest shall stand first; absent: not said.
Result<std::optional<bool>> OldestFirst(const Values& values) {
  const std::optional<std::string_view>& sort = values[kSort];
  if (!sort) return std::optional<bool>();
  if (EqualsIgnoreCase(*sort, "ASC")) return std::optional<bool>(true);
  if (EqualsIgnoreCase(*sort, "DESC")) return std::optional<bool>(false);
  return Invalid("sort", "must be ASC or DESC");
}

void SelectFromNow(Timestamp now, RecordsRequest& request) {
  const std::int64_t millis = ToUnixMillis(now);
  if (request.days_parameter.empty()) request.days_parameter = kNames[kNext];
  request.query.from_millis = std::max(request.query.from_millis.value_or(millis), millis);
  request.valid_until = now;
}

Status ReadCounts(const Values& values, std::uint64_t max_records, Timestamp now,
                  RecordsRequest& request) {
  std::array<std::optional<std::uint64_t>, kParameters> numbers;
  for (const Parameter which : {kLast, kFirst, kNext, kLimit, kOffset, kInterval}) {
    const auto number = Number(values, which, which == kOffset ? 0 : 1,
                               which == kOffset ? kMaxOffset : max_records);
    if (!number.ok()) return number.error();
    numbers[which] = *number;
  }
  const Result<Parameter> selector = Selector(values);
  if (!selector.ok()) return selector.error();
  const auto oldest_first = OldestFirst(values);
  if (!oldest_first.ok()) return oldest_first.error();

  RecordQuery& query = request.query;
  query.offset = numbers[kOffset].value_or(0);
  query.interval = numbers[kInterval].value_or(1);
  const bool ranged = !request.days_parameter.empty();
  if (*selector != kParameters) {
    query.newest_first = *selector == kLast;
    query.limit = std::min(*numbers[*selector], numbers[kLimit].value_or(max_records));
    request.reverse_output = *oldest_first && **oldest_first == query.newest_first;
    if (*selector == kNext) SelectFromNow(now, request);
    return {};
  }
  request.whole_range = ranged && !numbers[kLimit];
  query.limit = numbers[kLimit].value_or(ranged ? max_records + 1 : 1);
  // Where nothing asks for more it is the newest record, in whatever order.
  if (ranged || numbers[kLimit]) query.newest_first = !oldest_first->value_or(false);
  return {};
}

// The names between the commas, each once. False if one is empty.
bool SplitNames(std::string_view list, std::vector<std::string>& names) {
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    if (name.empty()) return false;
    names.emplace_back(name);
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

// Those that stand a second time go; the order stays.
void KeepFirstOfEach(std::vector<std::string>& names) {
  std::unordered_map<std::string_view, std::size_t> seen;
  std::vector<std::string> kept;
  seen.reserve(names.size());
  kept.reserve(names.size());
  for (const std::string& name : names) {
    if (seen.emplace(name, seen.size()).second) kept.push_back(name);
  }
  names = std::move(kept);
}

Status ReadKeys(std::string_view list, std::vector<std::string>& keys) {
  while (true) {
    const std::size_t comma = list.find(',');
    if (comma != 0 && !list.empty()) keys.push_back(ToLower(list.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  // Otherwise nothing but commas would ask for the whole dataset.
  if (keys.empty()) return Invalid("key", "must name at least one key");
  KeepFirstOfEach(keys);
  return {};
}

Status ReadShape(const Values& values, RecordsRequest& request) {
  if (const auto& filter = values[kFilter]) {
    if (!SplitNames(*filter, request.filter)) {
      return Invalid("filter", "must be names of fields, with a comma between them");
    }
    KeepFirstOfEach(request.filter);
  }
  if (const auto& date_field = values[kDateField]) {
    if (date_field->empty()) return Invalid("dateField", "must be the name of a date field");
    request.date_field = *date_field;
  }
  if (const auto& format = values[kFormat]) {
    if (*format != "json" && *format != "csv") return Invalid("format", "must be json or csv");
    request.format = *format == "json" ? RecordFormat::kJson : RecordFormat::kCsv;
  }
  const Result<bool> schema = Truth(values, kSchema);
  if (!schema.ok()) return schema.error();
  const Result<bool> include_system = Truth(values, kIncludeSystem);
  if (!include_system.ok()) return include_system.error();
  request.schema = *schema;
  request.include_system = *include_system;
  if (*schema && request.format == RecordFormat::kCsv) {
    return Invalid("schema", "is answered as JSON: it can't stand beside format=csv");
  }
  return {};
}

Status CheckFilter(std::span<const std::string> filter, std::span<const Dataset* const> datasets) {
  // By field and not by name: many datasets of many fields and many names must not multiply.
  std::unordered_map<std::string_view, bool> found;
  found.reserve(filter.size());
  for (const std::string& name : filter) found.emplace(name, false);
  std::size_t missing = filter.size();
  const auto mark = [&found, &missing](std::string_view name) {
    const auto entry = found.find(name);
    if (entry == found.end() || std::exchange(entry->second, true)) return;
    --missing;
  };
  for (const Dataset* dataset : datasets) {
    if (missing == 0) break;
    for (const Field& field : dataset->fields) mark(field.name);
    for (const std::string_view name : SystemProperties(*dataset)) mark(name);
  }
  for (const std::string& name : filter) {
    if (!found[name]) return Invalid("filter", "names no field: " + Shown(name));
  }
  return {};
}

// -1: the record's own date.
Result<int> DateField(const RecordsRequest& request, const Dataset& dataset) {
  if (request.date_field.empty() || request.date_field == dataset.date_field) return -1;
  const int field = dataset.FieldIndex(request.date_field);
  if (field < 0) return Invalid("dateField", "names no field: " + Shown(request.date_field));
  if (dataset.fields[static_cast<std::size_t>(field)].type != FieldType::kDate) {
    return Invalid("dateField", "must name a field of the type date: " + Shown(request.date_field));
  }
  return field;
}

}  // namespace

Result<RecordsRequest> ParseRecordsRequest(std::optional<std::string_view> keys,
                                           std::optional<std::string_view> subkey,
                                           std::span<const QueryParameter> parameters,
                                           std::uint64_t max_records, Timestamp now) {
  const Result<Values> values = Collect(parameters);
  if (!values.ok()) return values.error();
  RecordsRequest request;
  if (keys) {
    if (Status status = ReadKeys(*keys, request.keys); !status.ok()) return status.error();
    if (subkey) request.query.subkey = ToLower(*subkey);
  }
  if (Status status = ReadDays(*values, now, request); !status.ok()) return status.error();
  if (Status status = ReadCounts(*values, max_records, now, request); !status.ok()) {
    return status.error();
  }
  if (Status status = ReadShape(*values, request); !status.ok()) return status.error();
  return request;
}

Result<std::vector<RecordQuery>> CheckRecordsRequest(const RecordsRequest& request,
                                                     std::span<const Dataset* const> datasets) {
  if (!request.filter.empty()) {
    if (Status status = CheckFilter(request.filter, datasets); !status.ok()) {
      return status.error();
    }
  }
  std::vector<RecordQuery> queries;
  queries.reserve(datasets.size());
  for (const Dataset* dataset : datasets) {
    const Result<int> date_field = DateField(request, *dataset);
    if (!date_field.ok()) return date_field.error();
    if (!request.days_parameter.empty() && *date_field < 0 && dataset->date_field.empty()) {
      return Invalid(request.days_parameter, "needs a dataset whose records have a date");
    }
    queries.push_back(request.query);
    queries.back().date_field = *date_field;
  }
  return queries;
}

Status CheckRecordQuery(const RecordQuery& query, const Dataset& dataset) {
  if (query.date_field >= 0) {
    const auto field = static_cast<std::size_t>(query.date_field);
    if (field < dataset.fields.size() && dataset.fields[field].type == FieldType::kDate) return {};
    return Invalid("dateField", "must name a field of the type date");
  }
  if (!dataset.date_field.empty()) return {};
  if (query.from_millis) return Invalid("from", "needs a dataset whose records have a date");
  if (query.to_millis) return Invalid("to", "needs a dataset whose records have a date");
  return {};
}

std::optional<std::int64_t> FieldMillis(std::string_view values, int field) {
  if (field < 0) return std::nullopt;
  const std::optional<std::string_view> json = ValueAt(values, static_cast<std::size_t>(field));
  if (!json) return std::nullopt;
  std::optional<DateValue> value;
  if (!json->starts_with('"')) {
    value = ParseDateOrMillis(*json);
  } else if (json->find('\\') == std::string_view::npos) {
    value = ParseDateOrMillis(json->substr(1, json->size() - 2));
  } else if (const std::optional<std::string> text = JsonStringText(*json)) {
    value = ParseDateOrMillis(*text);
  }
  if (!value) return std::nullopt;
  return value->millis;
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
  if (query.interval != 1) text.append("i").append(std::to_string(query.interval));
  if (query.offset != 0) text.append("+").append(std::to_string(query.offset));
  if (query.date_field >= 0) text.append("d").append(std::to_string(query.date_field));
  return text;
}

}  // namespace latchkey::core
