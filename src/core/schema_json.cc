#include "core/schema_json.h"

#include <string_view>

#include "base/encoding.h"

namespace latchkey::core {
namespace {

void AppendMapping(std::string& out, std::string_view name, const std::string& field) {
  if (field.empty()) return;
  if (out.back() != '{') out += ',';
  out.append("\"").append(name).append("\":");
  AppendJsonString(out, field);
}

}  // namespace

void AppendSchemaJson(std::string& out, const Dataset& dataset) {
  out += "{\"datasetId\":";
  AppendJsonString(out, dataset.name);
  out += ",\"title\":";
  AppendJsonString(out, dataset.title);
  out += ",\"source\":";
  AppendJsonString(out, dataset.source);
  out += ",\"schema\":{\"type\":\"object\",\"properties\":{";
  bool first = true;
  for (const Field& field : dataset.fields) {
    if (!first) out += ',';
    first = false;
    AppendJsonString(out, field.name);
    out.append(":{\"type\":\"").append(ToString(field.type)).append("\"}");
  }
  out += "},\"required\":[";
  first = true;
  for (const Field& field : dataset.fields) {
    if (!field.required) continue;
    if (!first) out += ',';
    first = false;
    AppendJsonString(out, field.name);
  }
  out += "]},\"columnMapping\":{";
  AppendMapping(out, "key", dataset.key_field);
  AppendMapping(out, "subkey", dataset.subkey_field);
  AppendMapping(out, "date", dataset.date_field);
  out += "}}";
}

std::string SchemaJson(const Dataset& dataset) {
  std::string out;
  AppendSchemaJson(out, dataset);
  return out;
}

std::string SchemaListJson(std::span<const Dataset* const> datasets) {
  std::string out = "[";
  for (const Dataset* dataset : datasets) {
    if (out.size() > 1) out += ',';
    AppendSchemaJson(out, *dataset);
  }
  out += ']';
  return out;
}

}  // namespace latchkey::core
