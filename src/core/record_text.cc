#include "core/record_text.h"

#include <array>
#include <cstdint>

#include "base/encoding.h"
#include "core/json_text.h"

namespace latchkey::core {
namespace {

constexpr std::array<std::string_view, 5> kSystemNames = {"id", "key", "subkey", "date", "updated"};

// The end of the string whose opening quote stands at `at`, or npos.
std::size_t StringEnd(std::string_view text, std::size_t at) {
  for (++at; (at = text.find_first_of("\"\\", at)) != std::string_view::npos; at += 2) {
    if (text[at] == '"') return at + 1;
  }
  return std::string_view::npos;
}

// The end of the value that begins at `at`, or npos. Trusts that what is inside is JSON.
std::size_t ValueEnd(std::string_view text, std::size_t at) {
  if (text[at] == '"') return StringEnd(text, at);
  if (text[at] != '[' && text[at] != '{') {
    const std::size_t end = text.find_first_of(",]", at);
    return end == at ? std::string_view::npos : end;
  }
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = StringEnd(text, at);
      if (at == std::string_view::npos) return at;
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    ++at;
    if ((c == ']' || c == '}') && --depth == 0) return at;
  }
  return std::string_view::npos;
}

bool Split(std::string_view values, std::vector<std::string_view>& out) {
  out.clear();
  if (values.size() < 2 || values.front() != '[' || values.back() != ']') return false;
  if (values.size() == 2) return true;
  std::size_t at = 1;
  while (at < values.size()) {
    const std::size_t end = ValueEnd(values, at);
    if (end >= values.size()) return false;  // npos too
    out.push_back(values.substr(at, end - at));
    if (values[end] == ']') return end + 1 == values.size();
    if (values[end] != ',') return false;
    at = end + 1;
  }
  return false;
}

// Which fields of a dataset stand in its answers, and whether the system's follow.
struct Columns {
  explicit Columns(const Dataset& dataset)
      : system(dataset.dataset_class != DatasetClass::kWorkspace),
        has_date(!dataset.date_field.empty()) {
    for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
      bool gives_way = false;
      for (const std::string_view name : kSystemNames) {
        gives_way = gives_way || (system && dataset.fields[i].name == name);
      }
      if (!gives_way) fields.push_back(i);
    }
  }
  bool system;
  bool has_date;
  std::vector<std::size_t> fields;
};

Error Corrupt(const Dataset& dataset) {
  return MakeError(ErrorCode::kCorrupt, "A stored record can't be read",
                   "a record of dataset " + dataset.id.ToString() +
                       " holds something else than an array of values");
}

void AppendNumber(std::string& out, std::int64_t number) { out += std::to_string(number); }

void AppendCsvText(std::string& out, std::string_view text) {
  if (!text.empty() && text.find_first_of("\",\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

bool AppendCsvValue(std::string& out, std::string_view json) {
  if (json == "null") return true;
  if (json.front() == '"') {
    const std::optional<std::string> text = JsonStringText(json);
    if (!text) return false;
    AppendCsvText(out, *text);
    return true;
  }
  AppendCsvText(out, json);
  return true;
}

// `"name":` of each field that stands in the answer, escaped once for all records.
std::vector<std::string> JsonLabels(const Dataset& dataset, const Columns& columns) {
  std::vector<std::string> labels;
  labels.reserve(columns.fields.size());
  for (const std::size_t field : columns.fields) {
    std::string label;
    AppendJsonString(label, dataset.fields[field].name);
    labels.push_back(label + ':');
  }
  return labels;
}

void AppendSystemJson(std::string& out, std::string_view id_json, const Record& record,
                      bool has_date) {
  out += "\"id\":";
  out += id_json;
  out += ",\"key\":";
  AppendJsonString(out, record.key);
  out += ",\"subkey\":";
  AppendJsonString(out, record.subkey);
  out += ",\"date\":";
  if (has_date) {
    AppendNumber(out, record.date_millis);
  } else {
    out += "null";
  }
  out += ",\"updated\":";
  AppendNumber(out, record.updated_millis);
}

void AppendSystemCsv(std::string& out, const Dataset& dataset, const Record& record,
                     bool has_date) {
  AppendCsvText(out, dataset.name);
  out += ',';
  AppendCsvText(out, record.key);
  out += ',';
  AppendCsvText(out, record.subkey);
  out += ',';
  if (has_date) AppendNumber(out, record.date_millis);
  out += ',';
  AppendNumber(out, record.updated_millis);
}

}  // namespace

std::optional<std::vector<std::string_view>> SplitValues(std::string_view values) {
  std::vector<std::string_view> parts;
  if (!Split(values, parts)) return std::nullopt;
  return parts;
}

Status AppendRecordsJson(std::string& out, const Dataset& dataset,
                         std::span<const Record> records) {
  const Columns columns(dataset);
  const std::vector<std::string> labels = JsonLabels(dataset, columns);
  std::string id_json;
  AppendJsonString(id_json, dataset.name);
  std::vector<std::string_view> values;
  out += '[';
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!Split(records[i].values, values)) return Corrupt(dataset);
    out += i == 0 ? "{" : ",{";
    for (std::size_t c = 0; c < labels.size(); ++c) {
      if (c > 0) out += ',';
      out += labels[c];
      const std::size_t field = columns.fields[c];
      out += field < values.size() ? values[field] : std::string_view("null");
    }
    if (columns.system) {
      if (!labels.empty()) out += ',';
      AppendSystemJson(out, id_json, records[i], columns.has_date);
    }
    out += '}';
  }
  out += ']';
  return {};
}

Status AppendRecordsCsv(std::string& out, const Dataset& dataset, std::span<const Record> records) {
  const Columns columns(dataset);
  for (std::size_t c = 0; c < columns.fields.size(); ++c) {
    if (c > 0) out += ',';
    AppendCsvText(out, dataset.fields[columns.fields[c]].name);
  }
  if (columns.system) {
    for (const std::string_view name : kSystemNames) {
      if (name != kSystemNames.front() || !columns.fields.empty()) out += ',';
      out += name;
    }
  }
  out += "\r\n";
  std::vector<std::string_view> values;
  for (const Record& record : records) {
    if (!Split(record.values, values)) return Corrupt(dataset);
    for (std::size_t c = 0; c < columns.fields.size(); ++c) {
      if (c > 0) out += ',';
      const std::size_t field = columns.fields[c];
      if (field < values.size() && !AppendCsvValue(out, values[field])) return Corrupt(dataset);
    }
    if (columns.system) {
      if (!columns.fields.empty()) out += ',';
      AppendSystemCsv(out, dataset, record, columns.has_date);
    }
    out += "\r\n";
  }
  return {};
}

}  // namespace latchkey::core
