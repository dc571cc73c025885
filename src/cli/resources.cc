#include "cli/resources.h"

#include <algorithm>

#include <boost/json.hpp>

#include "base/encoding.h"
#include "cli/cli.h"
#include "cli/print.h"

namespace latchkey::cli {
namespace {

namespace json = boost::json;

std::string Shown(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string:
      return std::string(value.get_string().data(), value.get_string().size());
    case json::kind::null:
      return "-";
    case json::kind::bool_:
      return value.get_bool() ? "yes" : "no";
    case json::kind::object: {
      const json::object& members = value.get_object();
      if (members.contains("name") && members.contains("type")) {  // a dataset's field
        const json::value* required = members.if_contains("required");
        const bool must = required != nullptr && required->is_bool() && required->get_bool();
        return Shown(members.at("name")) + " " + Shown(members.at("type")) +
               (must ? " required" : "");
      }
      std::string out;
      for (const json::key_value_pair& pair : members) {
        if (!out.empty()) out += ", ";
        out += std::string(pair.key().data(), pair.key().size()) + "=" + Shown(pair.value());
      }
      return out;
    }
    case json::kind::array: {
      std::string out;
      for (const json::value& item : value.get_array()) {
        if (!out.empty()) out += ", ";
        out += Shown(item);
      }
      return out;
    }
    default:
      return json::serialize(value);
  }
}

Result<json::value> Parse(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error) return MakeError(ErrorCode::kInternal, "the server's answer is no JSON");
  return value;
}

const json::value* Find(const json::value& value, std::string_view path) {
  const json::value* at = &value;
  while (at != nullptr && !path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    const std::string_view name = path.substr(0, dot);
    path.remove_prefix(std::min(dot + 1, path.size()));
    at = at->is_object() ? at->get_object().if_contains({name.data(), name.size()}) : nullptr;
  }
  return at;
}

std::vector<std::string> Cells(const json::value& object, const std::vector<Column>& columns) {
  std::vector<std::string> cells;
  for (const Column& column : columns) {
    const json::value* value = Find(object, column.member);
    cells.push_back(value == nullptr ? "" : Shown(*value));
  }
  return cells;
}

}  // namespace

void JsonBody::Name(std::string_view name) {
  if (!members_.empty()) members_.push_back(',');
  AppendJsonString(members_, name);
  members_.push_back(':');
}

void JsonBody::Text(std::string_view name, const std::string& value) {
  Name(name);
  AppendJsonString(members_, value);
}

void JsonBody::Number(std::string_view name, std::uint64_t value) {
  Name(name);
  members_ += std::to_string(value);
}

void JsonBody::Flag(std::string_view name, bool value) {
  Name(name);
  members_ += value ? "true" : "false";
}

void JsonBody::Null(std::string_view name) {
  Name(name);
  members_ += "null";
}

void JsonBody::Json(std::string_view name, std::string_view json) {
  Name(name);
  members_ += json;
}

void JsonBody::Labels(std::string_view name,
                      const std::vector<std::pair<std::string, std::string>>& labels) {
  JsonBody inner;
  for (const auto& [label, value] : labels) {
    if (value.empty()) {
      inner.Null(label);
    } else {
      inner.Text(label, value);
    }
  }
  Name(name);
  members_ += inner.Finish();
}

Result<int> PrintList(const std::vector<std::string>& items, const std::vector<Column>& columns,
                      bool as_json) {
  if (as_json) {
    std::string all = "{\"items\":[";
    for (std::size_t i = 0; i < items.size(); ++i) all += (i == 0 ? "" : ",") + items[i];
    PrintJson(all + "]}");
    return kDone;
  }
  std::vector<std::string> header;
  for (const Column& column : columns) header.push_back(column.title);
  std::vector<std::vector<std::string>> rows;
  for (const std::string& item : items) {
    const Result<json::value> object = Parse(item);
    if (!object.ok()) return object.error();
    rows.push_back(Cells(*object, columns));
  }
  PrintTable(header, rows);
  return kDone;
}

Result<int> PrintObject(const std::string& object, const std::vector<Column>& columns,
                        bool as_json) {
  if (as_json) {
    PrintJson(object);
    return kDone;
  }
  const Result<json::value> parsed = Parse(object);
  if (!parsed.ok()) return parsed.error();
  const std::vector<std::string> cells = Cells(*parsed, columns);
  std::vector<std::pair<std::string, std::string>> values;
  for (std::size_t i = 0; i < columns.size(); ++i) values.emplace_back(columns[i].title, cells[i]);
  PrintValues(values);
  return kDone;
}

Result<std::string> Member(const std::string& object, std::string_view path) {
  const Result<json::value> parsed = Parse(object);
  if (!parsed.ok()) return parsed.error();
  const json::value* value = Find(*parsed, path);
  return value == nullptr ? std::string() : Shown(*value);
}

Result<std::vector<std::string>> Elements(const std::string& object, std::string_view member) {
  const Result<json::value> parsed = Parse(object);
  if (!parsed.ok()) return parsed.error();
  std::vector<std::string> out;
  const json::value* list = Find(*parsed, member);
  if (list == nullptr || !list->is_array()) return out;
  for (const json::value& item : list->get_array()) out.push_back(json::serialize(item));
  return out;
}

}  // namespace latchkey::cli
