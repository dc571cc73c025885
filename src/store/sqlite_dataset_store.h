// DatasetStore on SQLite: records.db, in WAL mode.
//
// One table holds the records of all generations, clustered by generation, key, date (newest first)
// and subkey, with an index by date over a whole generation and one by subkey of those records that
// have one. So the newest of a key, of a key's subkey and of everything are each the next row of a
// tree, however many records there are; no query sorts.
//
// Durability. What is staged commits with synchronous=NORMAL: after a crash of the machine the last
// of it may be gone, and nobody has counted on it, since a generation counts only when the state
// database names it, and that happens after Finish. Finish and Write commit with synchronous=FULL,
// which flushes the whole write-ahead log up to it: the records stand before it in that log, or
// were flushed when they were moved from there to the file.
//
// Threads: writers take turns (turns.h), for at most one transaction each; readers have connections
// of their own and wait for nobody.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_annotations.h"
#include "store/dataset_store.h"
#include "store/migrations.h"
#include "store/sqlite_database.h"
#include "store/sqlite_record_rows.h"
#include "store/turns.h"

namespace latchkey::store {

// Those of records.db.
std::span<const Migration> RecordsMigrations();

class SqliteDatasetStore final : public DatasetStore {
 public:
  // As SqliteDatabase::Open. `vfs` as there.
  static Result<std::unique_ptr<SqliteDatasetStore>> Open(const std::string& path,
                                                          const std::string& vfs = {});
  ~SqliteDatasetStore() override;

  Result<std::unique_ptr<GenerationWriter>> BeginGeneration(std::int64_t lane) override;
  Result<WriteResult> Write(std::int64_t generation, std::int64_t lane,
                            std::span<const core::Record> records, Duplicates duplicates) override;
  Result<std::vector<core::Record>> Query(std::int64_t generation, const core::RecordQuery& query,
                                          std::uint64_t max_bytes,
                                          const std::function<bool()>& interrupted) override;
  Status Drop(std::int64_t generation) override;
  Result<std::vector<Generation>> ListGenerations() override;
  Status CheckIntegrity() override;
  Result<std::unique_ptr<Snapshot>> TakeSnapshot() override;

  // The SQL of a query, for a test to ask SQLite how it would run it.
  static std::string_view QuerySql(const core::RecordQuery& query);

 private:
  class Writer;
  class Reader;

  explicit SqliteDatasetStore(SqliteDatabase::Options options) : options_(std::move(options)) {}
  Result<Reader> TakeReader() EXCLUDES(readers_mutex_);
  Result<std::int64_t> DropSome(std::int64_t generation) EXCLUDES(turns_);
  // Whether a commit waits until the disk has it.
  Status SetDurable(bool durable) REQUIRES(turns_);
  Result<WriteResult> WriteAll(std::int64_t generation, std::span<const core::Record> records,
                               std::span<const std::size_t> order, Duplicates duplicates)
      REQUIRES(turns_);
  // Adds to what was counted. kNotFound unless the generation stands.
  Result<GenerationSize> Count(std::int64_t generation, const SizeChange& change) REQUIRES(turns_);

  const SqliteDatabase::Options options_;
  Turns turns_;
  std::unique_ptr<SqliteDatabase> database_ GUARDED_BY(turns_);
  bool durable_ GUARDED_BY(turns_) = false;
  Mutex readers_mutex_;
  std::vector<std::unique_ptr<SqliteDatabase>> idle_readers_ GUARDED_BY(readers_mutex_);
};

}  // namespace latchkey::store
