// The records of datasets, in a database of their own. A generation is one whole set of records of
// a dataset; which one counts, the dataset's definition says (store.h), and a change of it is what
// makes an import visible, since no transaction spans the two databases.
//
// A generation that stands changes too: by Write and Delete, each one transaction, and by layers. A
// layer is staged over it, invisible, in small transactions; Publish makes all of it visible at
// once, and Drain then moves it down in small steps that no reader sees. So the store holds no
// transaction that is longer than a chunk, however large a change is.
//
// Changes of one generation (Write, Delete, Publish) take effect one after the other, in some order
// that is the same for every reader; each is seen whole or not at all, also after a crash: what
// returned ok is there, what was under way is there whole or not at all.
//
// A lane is on whose behalf something is written: an account's id, or 0 for the operator. Within a
// lane writers are served in the order they came, among lanes in turn, one chunk each (about 10 ms
// at most): so what one account writes delays another's write by one chunk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/record.h"
#include "core/record_query.h"
#include "core/upload_job.h"
#include "store/snapshot.h"

namespace latchkey::store {

// The most records of one Write, and what one Delete removes in one transaction.
inline constexpr std::size_t kMaxRecordsPerWrite = 1000;
// Records of more bytes (as GenerationSize) had better be a layer, although Write takes them: their
// transaction would keep others waiting. Delete makes one of them.
inline constexpr std::uint64_t kMaxBytesPerWrite = 1024 * 1024;

// Of a generation. `bytes`: per record its key, subkey and values, and 48.
struct GenerationSize {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const GenerationSize&, const GenerationSize&) = default;
};

struct Generation {
  std::int64_t number = 0;  // 1, 2, 3 …; never given twice
  bool finished = false;    // Finish returned ok, and no Drop has begun
  GenerationSize size;      // of a finished one, with its layers (see WriteResult::after)
};

// What becomes of a record whose key, subkey and date a standing record has, or an earlier one of
// the same request: it replaces it, or gives way.
enum class Duplicates : std::uint8_t { kReplace, kIgnore };

struct WriteResult {
  // Records of the request that were stored, equal ones counted once; with kIgnore those that were
  // new.
  std::uint64_t stored = 0;
  // The generation from then on: exact while it has no layer. While it has, what replaces is told
  // from what is new by how things stood when it was staged; draining makes it exact.
  GenerationSize after;
};

// Records of one key (folded, as in core::RecordQuery): all of them, or those of a subkey (empty:
// those without one), or of a range of time; from and to are inclusive.
struct DeleteRange {
  std::string key;
  std::optional<std::string> subkey;
  std::optional<std::int64_t> from_millis;
  std::optional<std::int64_t> to_millis;
};

struct DeleteResult {
  std::uint64_t deleted = 0;
  GenerationSize after;  // as in WriteResult
};

// Where a page of Scan ended.
struct ScanPosition {
  std::string key;
  std::string subkey;
  std::int64_t date_millis = 0;
};

// Writes one new generation. Not thread-safe; one at a time per writer. Destroyed without Finish,
// what it wrote is dropped; what a crash or a full disk kept from being dropped stands unfinished
// in ListGenerations, for the next start to drop.
class GenerationWriter {
 public:
  virtual ~GenerationWriter() = default;
  virtual std::int64_t generation() const = 0;
  // Records in the order of the file. In chunks, so that no other write waits long. kUnavailable on
  // a full disk: destroy the writer then. kInvalid for a record whose values are the empty text.
  virtual Status Append(std::span<const core::Record> records, Duplicates duplicates) = 0;
  // Makes all of it durable; the generation then outlives the writer.
  virtual Result<GenerationSize> Finish() = 0;
};

// Stages one layer. Not thread-safe. Destroyed without a Publish that returned ok, what it wrote is
// dropped; what could not be dropped stands unfinished in ListGenerations.
class LayerWriter {
 public:
  virtual ~LayerWriter() = default;
  // Any number of records, in the order of the file; of equal ones Duplicates decides. In chunks.
  // kUnavailable on a full disk, kNotFound once the generation was dropped, kInvalid as above:
  // destroy the writer then.
  virtual Status Append(std::span<const core::Record> records) = 0;
  // Makes all of it durable and visible, in one small transaction together with `job`'s row (as
  // PutJob), if there is one. Whoever publishes sees to it that Drain is called until nothing is
  // left. At most once. Errors as Append's; kUnknown as SqliteTransaction::Commit.
  virtual Result<WriteResult> Publish(const std::optional<core::UploadJob>& job) = 0;
};

class DatasetStore {
 public:
  virtual ~DatasetStore() = default;

  // Thread-safe, each of them. Errors: kUnavailable for a full disk or one that fails, kNotFound
  // for a generation that is not there, is not finished, or is being dropped (Query alone answers
  // with nothing then, since it looks at records only).

  virtual Result<std::unique_ptr<GenerationWriter>> BeginGeneration(std::int64_t lane) = 0;

  // At most kMaxRecordsPerWrite records (else kInvalid), whole or not at all, durable when it
  // returns. kInvalid for a record whose values are the empty text.
  virtual Result<WriteResult> Write(std::int64_t generation, std::int64_t lane,
                                    std::span<const core::Record> records,
                                    Duplicates duplicates) = 0;
  virtual Result<std::unique_ptr<LayerWriter>> BeginLayer(std::int64_t generation,
                                                          std::int64_t lane,
                                                          Duplicates duplicates) = 0;
  // Whole or not at all, durable when it returns. More than kMaxRecordsPerWrite, or than
  // kMaxBytesPerWrite, are staged as a layer, while other changes of this generation wait: drain it
  // then.
  virtual Result<DeleteResult> Delete(std::int64_t generation, std::int64_t lane,
                                      const DeleteRange& range) = 0;
  // Moves one chunk of the generation's oldest layer down. False: nothing is left to drain. Several
  // may drain at once. After an error call it again later; readers are none the worse.
  virtual Result<bool> Drain(std::int64_t generation, std::int64_t lane) = 0;
  // Those that Drain has work in, by number; at a start too.
  virtual std::vector<std::int64_t> GenerationsWithLayers() = 0;

  // Newest first: by date, then key and subkey in folded order; oldest first is its reverse order.
  // With `date_field` the date is that field's, equal ones by the record's own order; records that
  // have no date there are left out. `interrupted` is asked now and then; true ends the query with
  // kUnavailable. kLimit once the records' bytes (as GenerationSize) exceed `max_bytes`.
  virtual Result<std::vector<core::Record>> Query(std::int64_t generation,
                                                  const core::RecordQuery& query,
                                                  std::uint64_t max_bytes,
                                                  const std::function<bool()>& interrupted) = 0;
  // Several of them at one moment: no change comes between them. Their records in the queries'
  // order; `max_bytes` bounds all of them together. Once more than `max_records` are found in all,
  // the rest is left out.
  virtual Result<std::vector<std::vector<core::Record>>> QueryEach(
      std::int64_t generation, std::span<const core::RecordQuery> queries,
      std::uint64_t max_records, std::uint64_t max_bytes,
      const std::function<bool()>& interrupted) = 0;
  // A page of everything, by key, then newest first, then subkey: records behind `after`, until
  // `max_records` or `max_bytes` is reached (at least one, if there is one; none: the end). Each
  // page is of its own moment.
  virtual Result<std::vector<core::Record>> Scan(std::int64_t generation,
                                                 const std::optional<ScanPosition>& after,
                                                 std::size_t max_records, std::uint64_t max_bytes,
                                                 const std::function<bool()>& interrupted) = 0;

  // Removes a generation and its layers in chunks, so that no other write waits long. Queries that
  // run already still see all of it; later ones may see a part: ask no longer before calling this.
  virtual Status Drop(std::int64_t generation) = 0;
  // All there are, also those that a crash left unfinished or half dropped, and layers that were
  // never published (unfinished, too). By number.
  virtual Result<std::vector<Generation>> ListGenerations() = 0;

  // Jobs of uploads; see core/upload_job.h. Durable when they return.
  virtual Status PutJob(const core::UploadJob& job) = 0;  // inserts, or replaces the one of this id
  virtual Result<std::optional<core::UploadJob>> GetJob(core::UploadJobId id) = 0;
  // Of one workspace (in lower case), the last one put first: those put before the job `before`
  // (none if that is gone: older ones go first), at most `limit`.
  virtual Result<std::vector<core::UploadJob>> ListJobs(std::string_view workspace,
                                                        std::optional<core::UploadJobId> before,
                                                        std::size_t limit) = 0;
  // In the order in which they were first put.
  virtual Result<std::vector<core::UploadJob>> UnfinishedJobs() = 0;
  // Finished ones that were last updated before `time`, at most 1,000.
  virtual Result<std::vector<core::UploadJob>> FinishedJobsBefore(Timestamp time) = 0;
  // Of each workspace the finished ones but for the `keep` that were first put last, at most 1,000.
  virtual Result<std::vector<core::UploadJob>> FinishedJobsBeyond(std::size_t keep) = 0;
  virtual Status RemoveJob(core::UploadJobId id) = 0;

  // The engine's own check, that every finished generation has the records and bytes that were
  // counted, that layers lie over generations that stand, and that no record is of none.
  virtual Status CheckIntegrity() = 0;
  // A fixed view for a backup (SqliteDatabase::TakeSnapshot does it). Never waits for a writer.
  virtual Result<std::unique_ptr<Snapshot>> TakeSnapshot() = 0;
};

}  // namespace latchkey::store
