// The definition of a dataset as JSON (wire.md §7), for schema=true and /v1/datasets. Pure.
#pragma once

#include <span>
#include <string>

#include "core/dataset.h"

namespace latchkey::core {

// Appends {"datasetId","title","source","schema":{"type":"object","properties":{…},"required":[…]},
// "columnMapping":{…}}. The properties are the fields in their order, each {"type":"…"};
// `required` is always there; columnMapping holds of key, subkey and date those that the dataset
// has, as names of fields. Title and source are "" when there is none.
void AppendSchemaJson(std::string& out, const Dataset& dataset);
std::string SchemaJson(const Dataset& dataset);
// A JSON array of them, in the order given.
std::string SchemaListJson(std::span<const Dataset* const> datasets);

}  // namespace latchkey::core
