#include "gateway/definition_json.h"

#include <algorithm>
#include <set>
#include <utility>

#include <boost/json.hpp>

#include "base/encoding.h"
#include "http/query.h"

namespace latchkey::gateway {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 16;
constexpr std::string_view kTypes = "date, number, integer, string, object, array, boolean or any";

std::string_view View(json::string_view text) { return {text.data(), text.size()}; }

Error Wrong(std::string_view member, std::string_view what) {
  // Names are with case; a sentence that began with one would be given a capital.
  Error error =
      MakeError(ErrorCode::kInvalid, "The member " + std::string(member) + " " + std::string(what));
  error.fields.push_back({std::string(member), std::string(what)});
  return error;
}

Status ReadText(std::string_view member, const json::value& value,
                std::optional<std::string>& out) {
  if (value.is_null()) return {};
  const json::string* text = value.if_string();
  if (text == nullptr) return Wrong(member, "must be a text");
  out = std::string(View(*text));
  return {};
}

Result<core::FieldType> ReadType(const std::string& member, const json::value& property) {
  const json::object* object = property.if_object();
  const json::value* type = object == nullptr ? nullptr : object->if_contains("type");
  const json::string* text = type == nullptr ? nullptr : type->if_string();
  const std::optional<core::FieldType> known =
      text == nullptr ? std::nullopt : core::ParseFieldType(View(*text));
  if (!known) {
    return Wrong(member, "must be an object with a type: " + std::string(kTypes));
  }
  return *known;
}

Status ReadSchema(const json::value& value, DefinitionBody& out) {
  const json::object* schema = value.if_object();
  if (schema == nullptr) return Wrong("schema", "must be an object");
  std::vector<core::Field> fields;
  const json::object* properties = nullptr;
  const json::array* required = nullptr;
  for (const auto& [raw_name, member] : *schema) {
    const std::string_view name = View(raw_name);
    if (name == "type") {
      const json::string* type = member.if_string();
      if (type == nullptr || *type != "object") return Wrong("schema.type", "must be \"object\"");
    } else if (name == "properties") {
      properties = member.if_object();
      if (properties == nullptr) return Wrong("schema.properties", "must be an object");
    } else if (name == "required") {
      required = member.if_array();
      if (required == nullptr && !member.is_null()) {
        return Wrong("schema.required", "must be an array of names");
      }
    } else if (name != "$schema" && name != "title" && name != "description" &&
               name != "additionalProperties") {
      return Wrong("schema." + http::ShownName(name), "is not known here");
    }
  }
  if (properties == nullptr) return Wrong("schema.properties", "is missing");
  if (properties->size() > core::kMaxFields) {
    return Wrong("schema.properties",
                 "may hold at most " + std::to_string(core::kMaxFields) + " fields");
  }
  for (const auto& [name, property] : *properties) {
    Result<core::FieldType> type =
        ReadType("schema.properties." + http::ShownName(View(name)), property);
    if (!type.ok()) return std::move(type).error();
    fields.push_back({std::string(View(name)), *type, false});
  }
  if (required != nullptr) {
    std::set<std::string_view> names;
    for (const json::value& name : *required) {
      const json::string* text = name.if_string();
      if (text == nullptr) return Wrong("schema.required", "must be an array of names");
      if (!properties->contains(*text)) {
        return Wrong("schema.required",
                     "names " + http::ShownName(View(*text)) + ", which is no property");
      }
      names.insert(View(*text));
    }
    for (core::Field& field : fields) field.required = names.contains(field.name);
    out.says_required = true;
  }
  out.fields = std::move(fields);
  return {};
}

Status ReadMapping(const json::value& value, DefinitionBody& out) {
  const json::object* mapping = value.if_object();
  if (mapping == nullptr) return Wrong("columnMapping", "must be an object");
  for (const auto& [raw_name, member] : *mapping) {
    const std::string_view name = View(raw_name);
    std::optional<std::string>* target = name == "key"      ? &out.key
                                         : name == "subkey" ? &out.subkey
                                         : name == "date"   ? &out.date
                                                            : nullptr;
    const std::string full = "columnMapping." + http::ShownName(name);
    if (target == nullptr) return Wrong(full, "is not known here");
    if (member.is_null()) {
      *target = "";
      continue;
    }
    if (Status read = ReadText(full, member, *target); !read.ok()) return read;
  }
  return {};
}

Status ReadMember(std::string_view name, const json::value& value, DefinitionBody& out) {
  if (name == "datasetId") return ReadText(name, value, out.dataset_id);
  if (name == "title") return ReadText(name, value, out.title);
  if (name == "source") return ReadText(name, value, out.source);
  if (name != "schema" && name != "columnMapping") {
    return Wrong(http::ShownName(name), "is not known here");
  }
  if (value.is_null()) return {};
  return name == "schema" ? ReadSchema(value, out) : ReadMapping(value, out);
}

}  // namespace

Result<DefinitionBody> ParseDefinition(std::string_view body) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code error;
  const json::value value =
      json::parse(json::string_view(body.data(), body.size()), error, {}, options);
  const json::object* object = error ? nullptr : value.if_object();
  if (object == nullptr) {
    return MakeError(ErrorCode::kInvalid, "The body must be a JSON object: {\"dataset\": {…}}");
  }
  if (const json::value* inner = object->if_contains("dataset")) {
    if (object->size() != 1) {
      for (const auto& [name, member] : *object) {
        if (name != "dataset") {
          return Wrong(http::ShownName(View(name)), "is not known here, beside dataset");
        }
      }
    }
    object = inner->if_object();
    if (object == nullptr) return Wrong("dataset", "must be an object");
  }
  DefinitionBody out;
  for (const auto& [name, member] : *object) {
    if (Status read = ReadMember(View(name), member, out); !read.ok()) {
      return std::move(read).error();
    }
  }
  return out;
}

std::vector<core::Field> MergeFields(std::vector<core::Field> standing,
                                     const DefinitionBody& body) {
  if (!body.fields) return standing;
  for (const core::Field& sent : *body.fields) {
    const auto field = std::find_if(standing.begin(), standing.end(), [&](const core::Field& each) {
      return EqualsIgnoreCase(each.name, sent.name);
    });
    if (field == standing.end()) {
      standing.push_back(sent);
      continue;
    }
    field->type = sent.type;
    if (body.says_required) field->required = sent.required;
  }
  return standing;
}

}  // namespace latchkey::gateway
