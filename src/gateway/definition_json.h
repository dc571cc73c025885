// The definition of a dataset as clients send it (wire.md §7, /v1/datasets). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/dataset.h"

namespace latchkey::gateway {

// What the body says; what it leaves out is absent.
struct DefinitionBody {
  std::optional<std::string> dataset_id;
  std::optional<std::string> title;
  std::optional<std::string> source;
  std::optional<std::vector<core::Field>> fields;  // of schema, in its order
  bool says_required = false;                      // schema has `required`
  // Of columnMapping; "" for null.
  std::optional<std::string> key;
  std::optional<std::string> subkey;
  std::optional<std::string> date;
};

// {"dataset": {"datasetId","title","source","schema":{"type":"object","properties":{NAME:
// {"type":…}},"required":[…]},"columnMapping":{"key","subkey","date"}}}, or the inner object alone.
// Beside `type` a property may hold what JSON Schema says of it else (description, format); it is
// passed over. null counts as left out. kInvalid, with the member named ("schema.properties.price",
// as in wire.md's object), for what is not well-formed, not known, or of another type.
Result<DefinitionBody> ParseDefinition(std::string_view body);

// The fields after a PATCH (RFC 7396: what is not sent stays): those that stand, with what was sent
// of them, then the new ones. Names without case.
std::vector<core::Field> MergeFields(std::vector<core::Field> standing, const DefinitionBody& body);

}  // namespace latchkey::gateway
