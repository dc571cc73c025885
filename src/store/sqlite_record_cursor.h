// Rows of the table `records` in an order, of one generation or of one with the layers over it.
// Internal to SqliteDatasetStore.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/dataset_store.h"
#include "store/sqlite_database.h"
#include "store/sqlite_record_rows.h"

namespace latchkey::store {

// A generation, or a layer over it, of those that make a view. The lowest (the generation) comes
// first.
struct RecordSource {
  std::int64_t generation = 0;
  // A layer's: its records give way to what is below.
  bool keep_first = false;
  // A layer's place among those over the same generation; 0: it is none.
  std::int64_t sequence = 0;
};

enum class RowOrder : std::uint8_t { kNewestFirst, kOldestFirst, kTable };

struct RecordScan {
  RowOrder order = RowOrder::kNewestFirst;
  std::optional<std::string> key;     // folded
  std::optional<std::string> subkey;  // folded; only with a key
  std::int64_t from_millis = std::numeric_limits<std::int64_t>::min();
  std::int64_t to_millis = std::numeric_limits<std::int64_t>::max();
  // Rows behind this one; in the order of the table, or newest first of one key, which is the same.
  std::optional<ScanPosition> after;
};

// One statement of a scan; its parameters but the generation.
struct ScanStage {
  std::string_view sql;
  std::int64_t from_millis;
  std::int64_t to_millis;
  std::string_view key;
  std::string_view subkey;
};
// The statements that give the rows of a scan one after the other. Views point into `scan`. Each is
// one search in an index and sorts nothing.
std::vector<ScanStage> StagesOf(const RecordScan& scan);

struct RowView {
  RowIndex index;
  std::int64_t updated_millis = 0;
  std::string_view values;  // empty: a tombstone
  std::int64_t bytes() const { return RowBytes(index.key, index.subkey, values); }
  core::Record ToRecord() const;
};

// The rows that count: of equal ones the highest source's, unless it gives way; none that a
// tombstone hides. All its statements must see one snapshot: with more than one source or stage the
// connection must be in a transaction. The first Next opens the snapshot.
class MergedRows {
 public:
  // Copies what it needs.
  MergedRows(SqliteDatabase& database, RecordScan scan, std::span<const RecordSource> sources);
  MergedRows(const MergedRows&) = delete;
  MergedRows& operator=(const MergedRows&) = delete;

  // False: the end.
  Result<bool> Next();
  // Holds until the next Next.
  const RowView& row() const { return row_; }

 private:
  struct Cursor {
    RecordSource source;
    std::size_t stage = 0;
    std::optional<SqliteStatement> statement;
    bool ended = false;
    bool taken = true;  // its row has been looked at: step it first
    RowView row;
  };
  Status Advance(Cursor& cursor);
  // Marks the cursors that stand on the first row; false if all have ended.
  bool TakeFirst();
  bool Before(const RowIndex& a, const RowIndex& b) const;

  SqliteDatabase& database_;
  const RecordScan scan_;
  const std::vector<ScanStage> stages_;
  std::vector<Cursor> cursors_;
  RowView row_;
};

// What counts at one index, of sources that one snapshot holds.
class MergedLook {
 public:
  MergedLook(SqliteDatabase& database, std::span<const RecordSource> sources)
      : sources_(sources), rows_(database) {}

  struct Standing {
    bool visible = false;
    std::int64_t bytes = 0;  // of the one that is visible
    // By source: whether it has a row, and how the row alters the view of what is below.
    struct Part {
      bool exists = false;
      SizeChange change;
    };
    std::vector<Part> parts;
  };
  // Holds until the next At.
  Result<const Standing*> At(const RowIndex& index);
  RecordRows& rows() { return rows_; }

 private:
  const std::span<const RecordSource> sources_;
  RecordRows rows_;
  Standing standing_;
};

}  // namespace latchkey::store
