// What a request asks of the records of datasets (wire.md §7). Pure: `now` is passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/dataset.h"

namespace latchkey::core {

// What the store is asked: one dataset, one key or all of it. In this order:
//   range     the records of the key (and subkey) dated from from_millis to to_millis
//   order     by date, newest first, equal dates by key and then subkey in folded order; oldest
//             first is exactly the reverse
//   interval  of these the 1st, the (interval + 1)-th, the (2 × interval + 1)-th …
//   offset    without that many of them
//   limit     at most that many
// With date_field, the value of that field stands for the record's date in range and order; a
// record that has no date there (absent, null, another value) takes no part; equal ones are
// ordered by key, subkey and then by the record's own date, the newest first.
struct RecordQuery {
  std::optional<std::string> key;           // folded to lower case; absent: the whole dataset
  std::optional<std::string> subkey;        // folded; only with a key; "": records without one
  std::optional<std::int64_t> from_millis;  // inclusive; may lie after to_millis: no record then
  std::optional<std::int64_t> to_millis;    // inclusive
  bool newest_first = true;                 // the order in which interval, offset and limit count
  std::uint64_t interval = 1;               // 1 to max_records
  std::uint64_t offset = 0;                 // 0 to kMaxOffset
  std::uint64_t limit = 1;                  // 1 to max_records + 1
  int date_field = -1;  // the index of a date field of the dataset; -1: the record's own date

  friend bool operator==(const RecordQuery&, const RecordQuery&) = default;
};

inline constexpr std::uint64_t kMaxOffset = 1'000'000'000'000;

enum class RecordFormat : std::uint8_t { kJson, kCsv };

// One parameter of a query string, decoded.
struct QueryParameter {
  std::string_view name;
  std::string_view value;
};

// What one request asks of all datasets and keys that it names.
struct RecordsRequest {
  std::vector<std::string> keys;  // folded, in the order asked, each once; none: the whole dataset
  RecordQuery query;              // of each dataset × key; without key; date_field is not set
  // The records of each dataset × key stand in the answer in the other order than the one that
  // chose them (`sort` beside last, first or next).
  bool reverse_output = false;
  // All that a range holds is asked for: query.limit is max_records + 1, so that the one too many
  // is seen, which is 400 and not a part.
  bool whole_range = false;
  std::vector<std::string> filter;     // names with case, in the order asked, each once; none: all
  std::string date_field;              // with case; empty: the record's own date
  bool schema = false;                 // the definitions are asked for, not the records
  bool include_system = false;         // includeSystemRecordProperties=true
  std::optional<RecordFormat> format;  // what `format` says; absent: Accept decides
  // Which parameter asked for days ("range", "on", "from", "to", "next"), for errors; else empty.
  std::string_view days_parameter;
  // The same parameters mean the same until then, exclusive: the end of the UTC day for a relative
  // range, `now` itself (so: not at all) with `next`, else Timestamp::max().
  Timestamp valid_until = Timestamp::max();

  friend bool operator==(const RecordsRequest&, const RecordsRequest&) = default;
};

// Reads the parameters of wire.md §7; token and nonce are skipped. Any other name, a name twice,
// and any value that is not allowed is kInvalid; the public text names the parameter and what would
// be right (never a value).
//   - `keys`: as in the path, decoded; a list at commas. An empty key between commas is a miss like
//     any other; commas alone are refused, naming `key`.
//   - Without range, on, from, to, last, first, next and limit: the newest record of each dataset ×
//     key, or, with offset or interval, the one that they leave first, counted from the newest.
//   - on, from, to: YYYY-MM-DD, whole days in UTC, both ends inclusive, either may be open; `range`
//     as core/time_range.h says. Only one of range, on, and from/to. to must not be before from.
//   - last=n: the n newest, newest first. first=n: the n oldest, oldest first. next=n: of those
//     dated from now on the n oldest, oldest first; beside a range from the later of both starts.
//     Only one of the three. limit=n beside one of them: the smaller number counts.
//   - sort=ASC or DESC (case does not matter): beside last, first and next the order in the answer;
//     else the order in which interval, offset and limit count as well (default DESC); one that
//     changes nothing where only the newest record is asked for.
//   - limit, last, first, next, interval: 1 to max_records; offset: 0 to kMaxOffset; digits only.
//   - schema, includeSystemRecordProperties: true or false (case does not matter). schema=true
//     can't stand beside format=csv.
//   - filter: names at commas, none empty. dateField: one name.
Result<RecordsRequest> ParseRecordsRequest(std::optional<std::string_view> keys,
                                           std::optional<std::string_view> subkey,
                                           std::span<const QueryParameter> parameters,
                                           std::uint64_t max_records, Timestamp now);

// The query of each dataset, in their order, without key. kInvalid, naming the parameter:
//   - a filter's name that is neither a field nor a system property (core/record_text.h) of any of
//     them;
//   - a dateField that is not a field of the type date in each of them (naming a dataset's own date
//     is the same as leaving it out);
//   - days of a dataset that has no date, without dateField.
Result<std::vector<RecordQuery>> CheckRecordsRequest(const RecordsRequest& request,
                                                     std::span<const Dataset* const> datasets);

// What a query can't ask of this dataset: days of one that has no date, a date_field that is not a
// date field of it. kInvalid.
Status CheckRecordQuery(const RecordQuery& query, const Dataset& dataset);

// The time (milliseconds) of the field in a record's values, as date_field takes it; nullopt if
// there is no date there. `values` as Record::values.
std::optional<std::int64_t> FieldMillis(std::string_view values, int field);

// A text that is equal exactly for equal queries: what tests compare and show. (Prepared answers
// are known by what was asked, as received: gateway/answer_cache.h.)
std::string CanonicalText(const RecordQuery& query);

}  // namespace latchkey::core
