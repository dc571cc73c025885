// Rows of the table `records`: their order, and the statements that look at one and change one.
// Internal to SqliteDatasetStore.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/record.h"
#include "store/dataset_store.h"
#include "store/sqlite_database.h"

namespace latchkey::store {

// What a transaction may hold, so that none takes longer than about 10 ms: it ends with the record
// that reaches one of the two.
inline constexpr std::size_t kRecordsPerChunk = 500;
inline constexpr std::size_t kBytesPerChunk = 512 * 1024;

// The unique index of a record; views are borrowed.
struct RowIndex {
  std::string_view key;
  std::string_view subkey;
  std::int64_t date_millis = 0;
};
inline RowIndex IndexOf(const core::Record& record) {
  return {record.key, record.subkey, record.date_millis};
}

// As SQLite's NOCASE: ASCII folded, then bytes. Below 0: `a` stands first.
int CompareFolded(std::string_view a, std::string_view b);
// The order of the table: by key, then newest first, then subkey.
int CompareTableOrder(const RowIndex& a, const RowIndex& b);
// The order in which queries answer: newest first, then by key, then subkey.
int CompareNewestFirst(const RowIndex& a, const RowIndex& b);

// As GenerationSize counts it.
std::int64_t RowBytes(std::string_view key, std::string_view subkey, std::string_view values);
inline std::int64_t RowBytes(const core::Record& record) {
  return RowBytes(record.key, record.subkey, record.values);
}

// kInvalid if one of them has the empty text as values: that is what a tombstone has.
Status CheckValues(std::span<const core::Record> records);

// The positions of `records` in the table's order, which touches the fewest pages. Of equal ones
// only that which counts stays: the last with kReplace, the first with kIgnore.
void OrderDistinct(std::span<const core::Record> records, Duplicates duplicates,
                   std::vector<std::size_t>& order);

// How a change alters a size.
struct SizeChange {
  std::int64_t records = 0;
  std::int64_t bytes = 0;
  SizeChange& operator+=(const SizeChange& other) {
    records += other.records;
    bytes += other.bytes;
    return *this;
  }
  SizeChange& operator-=(const SizeChange& other) {
    records -= other.records;
    bytes -= other.bytes;
    return *this;
  }
};

// What stands at one index of one generation.
struct StandingRow {
  bool exists = false;
  bool tombstone = false;  // of a layer: hides what is below
  bool same_text = false;  // key and subkey have the same case as what was looked for
  std::int64_t bytes = 0;  // of a record
};

// The statements, prepared when first used. Used inside one transaction of the connection (those
// that only look: on any connection).
class RecordRows {
 public:
  explicit RecordRows(SqliteDatabase& database) : database_(database) {}

  Result<StandingRow> Look(std::int64_t generation, const RowIndex& index);
  // False, and nothing is done, if the index is taken.
  Result<bool> Insert(std::int64_t generation, const core::Record& record);
  // Inserts, or replaces what stands.
  Result<SizeChange> Put(std::int64_t generation, const core::Record& record);
  Status Remove(std::int64_t generation, const RowIndex& index);

 private:
  Result<SqliteStatement*> Ready(std::optional<SqliteStatement>& statement, std::string_view sql);

  SqliteDatabase& database_;
  std::optional<SqliteStatement> look_, insert_, update_, replace_, remove_;
};

}  // namespace latchkey::store
