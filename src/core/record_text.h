// Records as text: the JSON and CSV of the data API (wire.md §7). Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dataset.h"
#include "core/record.h"

namespace latchkey::core {

// The elements of a compact JSON array as Record::values holds it, as views of their JSON text.
// nullopt if it is not such an array.
std::optional<std::vector<std::string_view>> SplitValues(std::string_view values);

// Appends one JSON array of all records. Records of core and premium carry id, key, subkey, date,
// updated after their fields; a field of the same name gives way.
void AppendRecordsJson(std::string& out, const Dataset& dataset, std::span<const Record> records);

// Appends a header line and one line per record, CRLF (RFC 4180), quoted where it must be; the same
// columns in the same order as the JSON.
void AppendRecordsCsv(std::string& out, const Dataset& dataset, std::span<const Record> records);

}  // namespace latchkey::core
