// Records as text: the JSON and CSV of the data API (wire.md §7). Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/dataset.h"
#include "core/record.h"

namespace latchkey::core {

// The elements of a compact JSON array as Record::values holds it, as views of their JSON text.
// nullopt if it is not such an array.
std::optional<std::vector<std::string_view>> SplitValues(std::string_view values);

// Appends one JSON array of all records, in the order given. A value that is missing at the end is
// null. Records of core and premium carry after their fields: id (the dataset's name as created),
// key and subkey (as written, "" for none), date (milliseconds; null in a dataset without a date)
// and updated (milliseconds); a field of exactly the same name gives way to them.
// kCorrupt if the values of a record are not what an import makes; `out` is then of no use.
Status AppendRecordsJson(std::string& out, const Dataset& dataset, std::span<const Record> records);

// Appends a header line and one line per record, CRLF (RFC 4180), quoted where it must be; the same
// columns in the same order as the JSON. Null is an empty cell, an empty text is "". Values are
// never altered (a text that starts with "=" stays one). kCorrupt as above.
Status AppendRecordsCsv(std::string& out, const Dataset& dataset, std::span<const Record> records);

}  // namespace latchkey::core
