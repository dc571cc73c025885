// The records of datasets, in a database of their own. A generation is one whole set of records of
// a dataset; which one counts, the dataset's definition says (store.h), and a change of it is what
// makes an import visible, since no transaction spans the two databases.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/record.h"
#include "core/record_query.h"
#include "store/snapshot.h"

namespace latchkey::store {

struct Generation {
  std::int64_t number = 0;    // 1, 2, 3 …; never given twice
  bool finished = false;      // Finish returned ok, and no Drop has begun
  std::uint64_t records = 0;  // of a finished one
};

// Writes one new generation. Not thread-safe; one at a time per writer. Destroyed without Finish,
// what it wrote is dropped; what a crash or a full disk kept from being dropped stands unfinished
// in ListGenerations, for the next start to drop.
class GenerationWriter {
 public:
  virtual ~GenerationWriter() = default;
  virtual std::int64_t generation() const = 0;
  // Records in the order of the file; a record with the same key, subkey and date as an earlier one
  // replaces it, with `keep_first` the earlier one stays. Transactions of at most about 1,000
  // records each, so that no other write waits long. kUnavailable on a full disk: destroy the
  // writer then.
  virtual Status Append(std::span<const core::Record> records, bool keep_first) = 0;
  // Makes all of it durable; the generation then outlives the writer. The number of records in it.
  virtual Result<std::uint64_t> Finish() = 0;
};

class DatasetStore {
 public:
  virtual ~DatasetStore() = default;

  // Thread-safe, each of them.
  virtual Result<std::unique_ptr<GenerationWriter>> BeginGeneration() = 0;
  // Newest first: by date, then key and subkey in folded order; oldest first is its reverse order.
  // `interrupted` is asked now and then; true ends the query with kUnavailable.
  virtual Result<std::vector<core::Record>> Query(std::int64_t generation,
                                                  const core::RecordQuery& query,
                                                  const std::function<bool()>& interrupted) = 0;
  // Removes a generation in chunks, so that no other write waits long. Queries that run already
  // still see all of it; later ones may see a part: ask no longer before calling this.
  virtual Status Drop(std::int64_t generation) = 0;
  // All there are, also those that a crash left unfinished or half dropped. By number.
  virtual Result<std::vector<Generation>> ListGenerations() = 0;

  // The engine's own check, and that every finished generation has the records it counted.
  virtual Status CheckIntegrity() = 0;
  // A fixed view for a backup (SqliteDatabase::TakeSnapshot does it). Never waits for a writer.
  virtual Result<std::unique_ptr<Snapshot>> TakeSnapshot() = 0;
};

}  // namespace latchkey::store
