// Use cases of datasets: creating, importing, querying. Everything here may block and runs on the
// worker pool. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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
#include "store/dataset_store.h"
#include "store/store.h"

namespace latchkey::service {

// What an import is to become. Absent: inferred from the file (types), taken from the standing
// dataset (everything else), or the default.
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

struct RejectedLine {
  std::uint64_t line = 0;  // 1 is the file's first line
  std::string reason;
};

struct ImportReport {
  core::Dataset dataset;  // as it stands after the import
  std::uint64_t imported = 0;
  std::uint64_t rejected = 0;
  std::vector<RejectedLine> first_rejected;  // at most 100
};

// One running import of a CSV stream, in bounded memory. Not thread-safe. Destroyed without Finish
// it leaves nothing.
class Import {
 public:
  virtual ~Import() = default;
  // kInvalid once too many lines are bad: the fields name line and reason.
  virtual Status Feed(std::string_view bytes) = 0;
  // Validates the rest and flips the dataset to the new records: all of them or none. When it
  // returns ok the import is on disk and in force.
  virtual Result<ImportReport> Finish() = 0;
};

class Datasets {
 public:
  // References are borrowed and must outlive this.
  Datasets(store::Store& store, store::DatasetStore& records, Catalogue& catalogue,
           const Clock& clock, Entropy& entropy);
  ~Datasets();

  // Loads the catalogue from the store and drops generations that a crash left behind.
  Status Load();

  // Creates the dataset if it is not there; replaces all its records. kInvalid for options that
  // can't hold, kNotFound for a workspace that is no account's.
  Result<std::unique_ptr<Import>> BeginImport(ImportOptions options, core::Actor actor);

  Result<std::vector<core::Record>> Query(const core::Dataset& dataset,
                                          const core::RecordQuery& query,
                                          const std::function<bool()>& interrupted);

  Status Remove(core::DatasetId id, core::Actor actor);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace latchkey::service
