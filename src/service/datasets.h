// Use cases of datasets' records as a whole: importing, querying, exporting. Everything here may
// block and runs on the worker pool. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/audit.h"
#include "core/dataset.h"
#include "core/record.h"
#include "core/record_query.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "service/catalogue.h"
#include "service/dataset_changes.h"
#include "service/record_maker.h"
#include "store/dataset_store.h"
#include "store/store.h"

namespace latchkey::service {

// What an import is to become. Absent: the fields are inferred from the file (core/
// schema_inference.h), everything else is taken from the standing dataset, else the default: no
// subkey, weight 1, no test mark, the name as title. A new dataset needs a key field or a date
// field (or both): without either all its records would be one. An empty text clears a field.
struct ImportOptions {
  std::string workspace;  // "core", "premium", or an account's
  std::string name;
  std::optional<std::string> title;
  std::optional<std::vector<core::Field>> fields;
  std::optional<std::string> key_field;
  std::optional<std::string> subkey_field;
  std::optional<std::string> date_field;
  std::optional<std::uint32_t> weight;
  std::optional<bool> test;
  std::uint64_t max_errors = 0;  // more bad lines than this: nothing is imported
};

struct ImportReport {
  // As it stands after the import.
  std::shared_ptr<const CatalogueEntry> entry;
  std::uint64_t imported = 0;  // records that the dataset now has
  std::uint64_t replaced = 0;  // lines whose key, subkey and date a later line had again
  std::uint64_t rejected = 0;  // bad lines that were left out
  std::vector<RejectedLine> first_rejected;  // at most 100
};

// One running import of a stream of CSV, JSON or JSON Lines (core/record_reader.h), in bounded
// memory. Not thread-safe. Destroyed without Finish it leaves nothing. The bytes go to a spool file
// (0600, without a name, in the data folder): types are known only when the last line was seen, so
// Finish reads the file a second time to convert it.
class Import {
 public:
  virtual ~Import() = default;
  // kInvalid once too many lines are bad: each of `fields` names a line ("line 17") and the reason,
  // at most 100. kUnavailable when the disk is full.
  virtual Status Feed(std::string_view bytes) = 0;
  // Validates the rest and flips the dataset to the new records: all of them or none. When it
  // returns ok the import is on disk and in force. kConflict if the definition changed since
  // BeginImport: of two imports at once the first to finish wins, the other leaves nothing.
  virtual Result<ImportReport> Finish() = 0;
};

// All records of one dataset, page by page: by key, then newest first, then subkey. Each page is of
// its own moment, all are of the generation that counted at the beginning. Not thread-safe.
class RecordStream {
 public:
  virtual ~RecordStream() = default;
  // None: that was all.
  virtual Result<std::vector<core::Record>> Next() = 0;
};

struct DatasetsOptions {
  std::string spool_directory;  // the data folder: on the disk where the records will be
  // How long after an import the records before it stay, for requests that hold the old
  // definition. One that asks later still (it waited that long for a thread) gets kUnavailable,
  // never a part.
  std::chrono::milliseconds drop_grace{30'000};
};

class Datasets {
 public:
  // References are borrowed and must outlive this.
  Datasets(store::Store& store, store::DatasetStore& records, Catalogue& catalogue,
           const Clock& clock, Entropy& entropy, DatasetsOptions options);

  // Loads the catalogue from the store and drops generations that a crash left behind.
  Status Load() { return changes_.Load(); }

  // Creates the dataset if it is not there; replaces all its records. kInvalid for options that
  // can't hold, kNotFound for a workspace that is no account's.
  // The import must not outlive this.
  Result<std::unique_ptr<Import>> BeginImport(const ImportOptions& options, core::Actor actor);

  // kInvalid if the query asks for days of a dataset without a date, kUnavailable if interrupted,
  // kLimit once the records' bytes (key, subkey, values and 48 of each) exceed `max_bytes`.
  Result<std::vector<core::Record>> Query(const core::Dataset& dataset,
                                          const core::RecordQuery& query,
                                          const std::function<bool()>& interrupted,
                                          std::uint64_t max_bytes = UINT64_MAX);

  // Several at one moment, so that of what one request wrote an answer shows all or nothing: see
  // store::DatasetStore::QueryEach. Errors as Query's.
  Result<std::vector<std::vector<core::Record>>> QueryEach(
      const core::Dataset& dataset, std::span<const core::RecordQuery> queries,
      const std::function<bool()>& interrupted, std::uint64_t max_records, std::uint64_t max_bytes);

  // The stream must not outlive this. kUnavailable if the dataset was replaced meanwhile.
  Result<std::unique_ptr<RecordStream>> BeginExport(const core::Dataset& dataset);

  // Drops the records of before the last imports whose grace is over and that no query reads. Call
  // it every few seconds, on the pool. What a stop leaves behind, the next Load drops.
  Status Sweep() { return changes_.Sweep(); }

  // For the other use cases of datasets.
  DatasetChanges& changes() { return changes_; }

 private:
  DatasetChanges changes_;
  const DatasetsOptions options_;
};

}  // namespace latchkey::service
