// The records of datasets, in a database of their own. A generation is one whole set of records of
// a dataset; which one counts, the dataset's definition says (store.h), and a change of it is what
// makes an import visible, since no transaction spans the two databases.
//
// A generation that stands changes too, by Write.
//
// Changes of one generation take effect one after the other, in some order
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
#include "store/snapshot.h"

namespace latchkey::store {

// The most records of one Write.
inline constexpr std::size_t kMaxRecordsPerWrite = 1000;

// Of a generation. `bytes`: per record its key, subkey and values, and 48.
struct GenerationSize {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const GenerationSize&, const GenerationSize&) = default;
};

struct Generation {
  std::int64_t number = 0;  // 1, 2, 3 …; never given twice
  bool finished = false;    // Finish returned ok, and no Drop has begun
  GenerationSize size;      // of a finished one
};

// What becomes of a record whose key, subkey and date a standing record has, or an earlier one of
// the same request: it replaces it, or gives way.
enum class Duplicates : std::uint8_t { kReplace, kIgnore };

struct WriteResult {
  // Records of the request that were stored, equal ones counted once; with kIgnore those that were
  // new.
  std::uint64_t stored = 0;
  GenerationSize after;  // the generation from then on
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

  // Newest first: by date, then key and subkey in folded order; oldest first is its reverse order.
  // With `date_field` the date is that field's, equal ones by the record's own order; records that
  // have no date there are left out. `interrupted` is asked now and then; true ends the query with
  // kUnavailable. kLimit once the records' bytes (as GenerationSize) exceed `max_bytes`.
  virtual Result<std::vector<core::Record>> Query(std::int64_t generation,
                                                  const core::RecordQuery& query,
                                                  std::uint64_t max_bytes,
                                                  const std::function<bool()>& interrupted) = 0;

  // Removes a generation in chunks, so that no other write waits long. Queries that
  // run already still see all of it; later ones may see a part: ask no longer before calling this.
  virtual Status Drop(std::int64_t generation) = 0;
  // All there are, also those that a crash left unfinished or half dropped. By
  // number.
  virtual Result<std::vector<Generation>> ListGenerations() = 0;

  // The engine's own check, that every finished generation has the records and bytes that were
  // counted.
  virtual Status CheckIntegrity() = 0;
  // A fixed view for a backup (SqliteDatabase::TakeSnapshot does it). Never waits for a writer.
  virtual Result<std::unique_ptr<Snapshot>> TakeSnapshot() = 0;
};

}  // namespace latchkey::store
