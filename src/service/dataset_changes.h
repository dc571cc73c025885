// The one way by which definitions of datasets change and generations of records come and go.
// Internal to the use cases of datasets. Thread-safe; everything but Find may block.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/thread_annotations.h"
#include "core/audit.h"
#include "core/dataset.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "service/catalogue.h"
#include "store/dataset_store.h"
#include "store/store.h"

namespace latchkey::service {

using EntryPointer = std::shared_ptr<const CatalogueEntry>;

// "workspace/name", for people.
std::string NameOf(const core::Dataset& dataset);
// kNotFound and kStale.
Error NoSuchDataset();
Error StaleDataset();
// kInvalid with one field.
Error InvalidField(std::string field, std::string detail);
// The index fields as the fields spell them, so that `--key Symbol` finds the column "symbol".
// kInvalid: there is no such field.
Status ResolveIndex(core::Dataset& dataset);
// The date is one because it was said to be: milliseconds look like integers.
void MarkDate(core::Dataset& dataset);
// Fields and index of a dataset that is made on demand (core::InferIndex); no field of it is an
// integer. kInvalid.
Status InferDefinition(core::Dataset& dataset, std::vector<core::Field> fields);
// Records that were made for one of them are right for the other one.
bool SameFields(const core::Dataset& a, const core::Dataset& b);
// What the store says of the records, for everyone to see.
void SetSize(RecordsState& live, const store::GenerationSize& size);

// A definition that is to stand.
struct DefinitionChange {
  core::Dataset dataset;                      // its version is set by the commit
  std::optional<core::Dataset> standing;      // absent: it is made
  std::optional<store::GenerationSize> size;  // of the generation, where that is a new one
  std::string action;                         // for the audit log: "dataset.import" …
  core::Actor actor;
  std::optional<std::uint32_t> max_datasets = std::nullopt;  // of a creation
  std::optional<store::IdempotentAnswer> answer = std::nullopt;
  bool unconditional = false;  // `If-Match: *`, which the audit log marks
};

class DatasetChanges {
 public:
  // References are borrowed and must outlive this.
  DatasetChanges(store::Store& store, store::DatasetStore& records, Catalogue& catalogue,
                 const Clock& clock, Entropy& entropy, std::chrono::nanoseconds drop_grace);

  store::DatasetStore& records() { return records_; }
  const Catalogue& catalogue() const { return catalogue_; }
  const Clock& clock() const { return clock_; }

  // A definition without fields in this workspace, with an id of its own. kNotFound for a workspace
  // that is no account's.
  Result<core::Dataset> NewDataset(std::string_view workspace, std::string_view name)
      EXCLUDES(commit_mutex_);
  // A number of 63 bits that nobody can guess, for ids.
  std::int64_t NewId() EXCLUDES(commit_mutex_);

  // On disk and in force when it returns. Whoever changes a standing dataset holds its write_mutex.
  // Errors as store::Store::Commit, kUnknown only where the store does not tell what it has come
  // to. A new generation that did not come to stand is thrown away.
  Result<EntryPointer> Commit(DefinitionChange change) EXCLUDES(commit_mutex_, generations_mutex_);
  // Takes the write_mutex itself. Errors as DatasetDefinitions::Remove.
  Status Remove(core::DatasetId id, std::optional<std::int64_t> expected_version, core::Actor actor)
      EXCLUDES(commit_mutex_, generations_mutex_);

  // Reads the catalogue. kCorrupt if the two databases don't belong together.
  Status Load() EXCLUDES(generations_mutex_);

  // Keeps a generation from being dropped while it is read.
  class Reading {
   public:
    Reading(Reading&& other) noexcept;
    Reading& operator=(Reading&&) = delete;
    ~Reading();

   private:
    friend class DatasetChanges;
    Reading(DatasetChanges* changes, std::int64_t generation)
        : changes_(changes), generation_(generation) {}
    DatasetChanges* changes_;
    std::int64_t generation_;
  };
  // kUnavailable if the dataset's records were replaced and the old ones are gone.
  Result<Reading> Read(const core::Dataset& dataset) EXCLUDES(generations_mutex_);

  void Retire(std::int64_t generation, std::chrono::nanoseconds grace) EXCLUDES(generations_mutex_);
  // Drops what is retired and no longer read.
  Status Sweep() EXCLUDES(generations_mutex_);

 private:
  struct Retired {
    std::int64_t generation;
    std::chrono::nanoseconds due;  // monotonic
  };
  void EndReading(std::int64_t generation) EXCLUDES(generations_mutex_);

  store::Store& store_;
  store::DatasetStore& records_;
  Catalogue& catalogue_;
  const Clock& clock_;
  Entropy& entropy_;
  const std::chrono::nanoseconds drop_grace_;

  // Held from a commit to the catalogue's change, so that the catalogue follows in their order; and
  // while chance is asked, whose source need not be thread-safe.
  Mutex commit_mutex_;
  Mutex generations_mutex_;
  // What may be read, and how many do now.
  std::unordered_map<std::int64_t, int> readable_ GUARDED_BY(generations_mutex_);
  std::vector<Retired> retired_ GUARDED_BY(generations_mutex_);
};

}  // namespace latchkey::service
