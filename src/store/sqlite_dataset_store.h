// DatasetStore on SQLite: records.db, in WAL mode.
//
// One table holds the records of all generations, clustered by generation, key, date (newest first)
// and subkey, with an index by date over a whole generation and one by subkey of those records that
// have one. So the newest of a key, of a key's subkey and of everything are each the next row of a
// tree, however many records there are; no query sorts.
//
// A layer is a generation of its own that lies over another one (`base`). A row of it whose values
// are the empty text is a tombstone: it hides what is below. `published` says which layers count,
// and in which order: what was published later lies above. A query merges the rows of a generation
// and its layers, in one snapshot; while there is no layer, which is the rule, it is one search.
// Drain moves rows of the lowest layer down in transactions that leave the merged view as it is.
//   - A direct write goes into the generation itself and takes the row out of every layer, in the
//     same transaction; what of it counts is decided by the merged view.
//   - The list of layers is kept in memory. It is changed by who has the turn, after the commit;
//     nobody drains a layer that is not in it. So a reader that has taken the list, then its
//     snapshot, and finds that nothing was published in between, sees no part of a layer (View).
//   - Layers that were not published when the process ended are dropped at the next start (by who
//     reads ListGenerations), published ones are drained then.
//
// Counting. The row of a generation has what its own rows are, exactly; that of a layer what it
// adds to the generation, as the merged view was when each of its rows was staged. Each transaction
// that moves or removes a row moves what the row adds, so that the sum stays, and nothing but the
// exact count is left when the layer is gone.
//
// Durability. What is staged or drained commits with synchronous=NORMAL: after a crash of the
// machine the last of it may be gone, and nobody has counted on it, since it counts only from
// Finish or Publish on, and a row that is not yet drained still stands in its layer. Finish,
// Publish, Write and Delete commit with synchronous=FULL, which flushes the whole write-ahead log
// up to them: what was staged stands before in that log, or was flushed when it was moved from
// there to the file.
//
// Threads: writers take turns (turns.h), for at most one transaction each; readers have connections
// of their own and wait for nobody. Changes of one generation hold its mutex, before their turn.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_annotations.h"
#include "store/checkpointer.h"
#include "store/dataset_store.h"
#include "store/migrations.h"
#include "store/sqlite_database.h"
#include "store/sqlite_record_cursor.h"
#include "store/sqlite_record_rows.h"
#include "store/turns.h"

namespace latchkey::store {

// Those of records.db.
std::span<const Migration> RecordsMigrations();

class SqliteDatasetStore final : public DatasetStore {
 public:
  // As SqliteDatabase::Open. `vfs` as there.
  static Result<std::unique_ptr<SqliteDatasetStore>> Open(const std::string& path,
                                                          const std::string& vfs = {},
                                                          Checkpointer::Limits log = {});
  ~SqliteDatasetStore() override;

  Result<std::unique_ptr<GenerationWriter>> BeginGeneration(std::int64_t lane) override;
  Result<WriteResult> Write(std::int64_t generation, std::int64_t lane,
                            std::span<const core::Record> records, Duplicates duplicates) override;
  Result<std::unique_ptr<LayerWriter>> BeginLayer(std::int64_t generation, std::int64_t lane,
                                                  Duplicates duplicates) override;
  Result<DeleteResult> Delete(std::int64_t generation, std::int64_t lane,
                              const DeleteRange& range) override;
  Result<bool> Drain(std::int64_t generation, std::int64_t lane) override;
  std::vector<std::int64_t> GenerationsWithLayers() override;
  Result<std::vector<core::Record>> Query(std::int64_t generation, const core::RecordQuery& query,
                                          std::uint64_t max_bytes,
                                          const std::function<bool()>& interrupted) override;
  Result<std::vector<std::vector<core::Record>>> QueryEach(
      std::int64_t generation, std::span<const core::RecordQuery> queries,
      std::uint64_t max_records, std::uint64_t max_bytes,
      const std::function<bool()>& interrupted) override;
  Result<std::vector<core::Record>> Scan(std::int64_t generation,
                                         const std::optional<ScanPosition>& after,
                                         std::size_t max_records, std::uint64_t max_bytes,
                                         const std::function<bool()>& interrupted) override;
  Status Drop(std::int64_t generation) override;
  Result<std::vector<Generation>> ListGenerations() override;
  Status PutJob(const core::UploadJob& job) override;
  Result<std::optional<core::UploadJob>> GetJob(core::UploadJobId id) override;
  Result<std::vector<core::UploadJob>> ListJobs(std::string_view workspace,
                                                std::optional<core::UploadJobId> before,
                                                std::size_t limit) override;
  Result<std::vector<core::UploadJob>> UnfinishedJobs() override;
  Result<std::vector<core::UploadJob>> FinishedJobsBefore(Timestamp time) override;
  Result<std::vector<core::UploadJob>> FinishedJobsBeyond(std::size_t keep) override;
  Status RemoveJob(core::UploadJobId id) override;
  Status CheckIntegrity() override;
  Result<std::unique_ptr<Snapshot>> TakeSnapshot() override;

 private:
  class Writer;
  class Layer;
  class Reader;
  class View;

  // The lane of what is done for nobody: dropping.
  static constexpr std::int64_t kHousekeeping = -1;
  static constexpr std::size_t kMaxIdleReaders = 16;

  // Of one generation, shared by those that change it now.
  struct Changes {
    Mutex mutex;                             // held over a change: they are one after the other
    std::atomic<std::uint64_t> version = 0;  // one more after each change, before it is answered
  };

  explicit SqliteDatasetStore(SqliteDatabase::Options options) : options_(std::move(options)) {}
  Result<Reader> TakeReader() EXCLUDES(readers_mutex_);
  std::shared_ptr<Changes> ChangesOf(std::int64_t generation) EXCLUDES(changes_mutex_);

  // Which layers count, in memory: the generation, and over it its layers, the lowest first.
  std::vector<RecordSource> SourcesOf(std::int64_t generation) EXCLUDES(layers_mutex_);
  void AddLayer(std::int64_t generation, const RecordSource& layer) EXCLUDES(layers_mutex_);
  // All of them, or one.
  void ForgetLayers(std::int64_t generation) EXCLUDES(layers_mutex_);
  void ForgetLayer(std::int64_t generation, std::int64_t layer) EXCLUDES(layers_mutex_);
  Status LoadLayers() REQUIRES(turns_);

  // Whether a commit waits until the disk has it.
  Status SetDurable(bool durable) REQUIRES(turns_);
  // Adds to what was counted of a generation that stands (else kNotFound) and of the layers over
  // it; one change for each source. What it then has, with its layers.
  Result<GenerationSize> Count(std::span<const RecordSource> sources,
                               std::span<const SizeChange> changes) REQUIRES(turns_);
  static Result<GenerationSize> SizeOf(SqliteDatabase& database,
                                       std::span<const RecordSource> sources);
  Result<WriteResult> WriteAll(std::int64_t generation, std::span<const core::Record> records,
                               std::span<const std::size_t> order, Duplicates duplicates)
      REQUIRES(turns_);

  struct Doomed;
  Result<std::unique_ptr<Layer>> MakeLayer(std::int64_t generation, std::int64_t lane,
                                           Duplicates duplicates, std::shared_ptr<Changes> changes)
      EXCLUDES(turns_);
  // At most `limit` records of the range, behind `after`.
  Result<std::vector<Doomed>> FindDoomed(std::int64_t generation, const DeleteRange& range,
                                         const Doomed* after, std::size_t limit);
  Result<DeleteResult> DeleteFew(std::int64_t generation, std::int64_t lane,
                                 std::span<const Doomed> doomed) EXCLUDES(turns_);
  Result<DeleteResult> DeleteMany(std::int64_t generation, std::int64_t lane,
                                  const DeleteRange& range, std::vector<Doomed> doomed,
                                  const std::shared_ptr<Changes>& changes) EXCLUDES(turns_);
  Result<DeleteResult> DeleteAll(std::int64_t generation, std::span<const Doomed> doomed)
      REQUIRES(turns_);
  // The first rows of one generation or layer, as many as one transaction may move or remove;
  // false: all there are.
  Result<bool> FirstChunk(std::int64_t generation, std::vector<core::Record>& chunk)
      REQUIRES(turns_);
  // Puts a layer's row where it belongs in the generation: what that changes there.
  static Result<SizeChange> MoveDown(RecordRows& rows, std::int64_t generation, bool keep_first,
                                     const core::Record& record);
  // Drains a chunk if many layers lie over the generation.
  void HelpDrain(std::int64_t generation, std::int64_t lane) EXCLUDES(turns_);
  // Moves a chunk; true: the layer is empty and gone.
  Result<bool> DrainChunk(std::int64_t generation, const RecordSource& layer) REQUIRES(turns_);

  // Marks the generation and its layers as being dropped; the numbers of all of them, the
  // generation last.
  Result<std::vector<std::int64_t>> MarkDropped(std::int64_t generation) EXCLUDES(turns_);
  Result<bool> DropSome(std::int64_t generation) EXCLUDES(turns_);

  static RecordScan ScanOf(const core::RecordQuery& query);
  static Result<std::vector<core::Record>> QueryByDate(View& view, const core::RecordQuery& query,
                                                       std::uint64_t max_bytes, bool of_several);
  static Result<std::vector<core::Record>> QueryByField(View& view, const core::RecordQuery& query,
                                                        std::uint64_t max_bytes);

  static Status PutJobRow(SqliteDatabase& database, const core::UploadJob& job);
  Status ChangeJobs(std::int64_t lane, const std::function<Status(SqliteDatabase&)>& change)
      EXCLUDES(turns_);
  Result<std::vector<core::UploadJob>> ReadJobs(std::string_view where,
                                                const std::function<void(SqliteStatement&)>& bind);

  const SqliteDatabase::Options options_;
  Turns turns_;
  std::unique_ptr<SqliteDatabase> database_ GUARDED_BY(turns_);
  bool durable_ GUARDED_BY(turns_) = false;
  std::unique_ptr<Checkpointer> checkpointer_;

  // Changed only by who has the turn, so that it agrees with what is committed.
  Mutex layers_mutex_;
  std::map<std::int64_t, std::vector<RecordSource>> layers_ GUARDED_BY(layers_mutex_);
  std::atomic<std::size_t> layered_ = 0;  // layers_.size()
  // One more with each layer that is published; see View.
  std::atomic<std::uint64_t> layers_version_ = 0;

  Mutex changes_mutex_;
  std::map<std::int64_t, std::weak_ptr<Changes>> changes_ GUARDED_BY(changes_mutex_);

  Mutex readers_mutex_;
  std::vector<std::unique_ptr<SqliteDatabase>> idle_readers_ GUARDED_BY(readers_mutex_);
};

}  // namespace latchkey::store
