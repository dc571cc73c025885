// How SqliteDatasetStore reads: a connection, and on it one moment of a generation with its layers.
// Internal to it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "store/sqlite_dataset_store.h"
#include "store/sqlite_record_cursor.h"

namespace latchkey::store {

// A reading connection that goes back to the others when it goes.
class SqliteDatasetStore::Reader {
 public:
  Reader(SqliteDatasetStore& store, std::unique_ptr<SqliteDatabase> database)
      : store_(&store), database_(std::move(database)) {}
  Reader(Reader&&) noexcept = default;
  Reader& operator=(Reader&&) = delete;
  ~Reader();
  SqliteDatabase& database() { return *database_; }

 private:
  SqliteDatasetStore* store_;
  std::unique_ptr<SqliteDatabase> database_;
};

// One moment of a generation. The layers that count are known from memory; Open makes sure that
// they are those of the snapshot: a layer that was published before the snapshot was taken is in
// the list, or the list is taken anew. (One that is in the list and drained meanwhile has no rows
// left.) Used by one thread; holds its snapshot until it goes, so it must not live long.
class SqliteDatasetStore::View {
 public:
  // `interrupted` is borrowed and may be empty.
  View(SqliteDatasetStore& store, Reader reader, std::int64_t generation,
       const std::function<bool()>& interrupted);
  ~View();
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  // Once, or, with `also_look`, again and again at the same moment. `also_look`: Look or Open will
  // be called.
  Status Open(RecordScan scan, bool also_look = false);
  // False: the end.
  Result<bool> Next();
  const RowView& row() const { return rows_->row(); }
  // The record of an index that the view holds, by a search of its own.
  Result<core::Record> Look(const RowIndex& index);
  SqliteDatabase& database() { return reader_.database(); }

 private:
  void Close();

  SqliteDatasetStore& store_;
  Reader reader_;
  const std::int64_t generation_;
  std::vector<RecordSource> sources_;
  std::optional<MergedRows> rows_;
  bool in_transaction_ = false;
  bool started_ = false;  // the first row has been stepped to and not been given out
  bool has_first_ = false;
  const bool interruptible_;
};

}  // namespace latchkey::store
