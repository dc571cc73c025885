// What a query asks of one dataset. Pure: `today` is passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "core/dataset.h"

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
// the parameter and what would be right (never a value).
//   - Without a parameter that asks for more: the newest record.
//   - on, from, to: YYYY-MM-DD, whole days in UTC, both ends inclusive; either end may be open.
//     `on` stands instead of the two. Newest first, all of them up to max_records.
//   - last=n: the n newest of what from, to or on leave, newest first. first=n: the n oldest,
//     oldest first. Not both.
//   - limit=n: at most n, in whatever order the others ask for; with last or first the smaller
//     number counts.
//   - Numbers are 1 to max_records, digits only.
Result<ParsedRecordQuery> ParseRecordQuery(std::optional<std::string_view> key,
                                           std::optional<std::string_view> subkey,
                                           std::span<const QueryParameter> parameters,
                                           std::uint64_t max_records);

// What a query can't ask of this dataset: days of one that has no date. kInvalid.
Status CheckRecordQuery(const RecordQuery& query, const Dataset& dataset);

// A text that is equal exactly for equal queries: what tests compare and show. (Prepared answers
// are known by what was asked, as received: gateway/answer_cache.h.)
std::string CanonicalText(const RecordQuery& query);

}  // namespace latchkey::core
