// What a query asks of one dataset. Pure: `today` is passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace latchkey::core {

struct RecordQuery {
  std::optional<std::string> key;           // folded to lower case; absent: the whole dataset
  std::optional<std::string> subkey;        // only with a key
  std::optional<std::int64_t> from_millis;  // inclusive
  std::optional<std::int64_t> to_millis;    // inclusive
  bool newest_first = true;
  std::uint64_t limit = 1;

  friend bool operator==(const RecordQuery&, const RecordQuery&) = default;
};

enum class RecordFormat : std::uint8_t { kJson, kCsv };

// One parameter of a query string, decoded.
struct QueryParameter {
  std::string_view name;
  std::string_view value;
};

struct ParsedRecordQuery {
  RecordQuery query;
  std::optional<RecordFormat> format;  // what `format` says; absent: Accept decides
};

// Reads limit, last, first, from, to, on and format (wire.md §7); token and nonce are skipped. Any
// other name, a name twice, and any value that is not allowed is kInvalid; the public text names
// the parameter and what would be right. At most one record unless a parameter asks for more; a
// range without limit gives up to max_records; more than max_records is kInvalid.
Result<ParsedRecordQuery> ParseRecordQuery(std::optional<std::string_view> key,
                                           std::optional<std::string_view> subkey,
                                           std::span<const QueryParameter> parameters,
                                           std::uint64_t max_records);

// A text that is equal exactly for equal queries: the key of prepared answers.
std::string CanonicalText(const RecordQuery& query);

}  // namespace latchkey::core
