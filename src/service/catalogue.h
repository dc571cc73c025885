// The definitions of all datasets, in memory, each with what is known of its records. An immutable
// snapshot that each thread holds; one generation number, read per request, says when to take the
// new one.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_annotations.h"
#include "core/dataset.h"

namespace latchkey::service {

// What changes with the records of one dataset. It stays the same object for as long as the dataset
// stands, through every change of its definition. Thread-safe.
struct RecordsState {
  // One more with each change of the records, before it is acknowledged. An answer that was made of
  // a query is right as long as this is what it was before the query.
  std::atomic<std::uint64_t> version{1};
  // How many records there are, and their bytes as the store counts them. While a large upload is
  // being moved in they may tell a record twice that it replaces.
  std::atomic<std::uint64_t> records{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::int64_t> updated_millis{0};  // of the last change of the records or definition
  // Held by every change of this dataset from the look at its definition to the return, so that no
  // acknowledged write goes into records that are being replaced. Before any other lock here.
  Mutex write_mutex;
};

struct CatalogueEntry {
  core::Dataset dataset;
  std::shared_ptr<RecordsState> live;  // never null
};

// Immutable. Keys are "workspace/name" in lower case.
using DatasetMap = std::map<std::string, std::shared_ptr<const CatalogueEntry>, std::less<>>;

class Catalogue {
 public:
  Catalogue() : current_(std::make_shared<const DatasetMap>()) {}

  // Any thread; in force for every Reader::Get that begins after the return. A dataset whose id
  // stands keeps its RecordsState; a new name takes the place of the old one. What stands now.
  std::shared_ptr<const CatalogueEntry> Put(core::Dataset dataset) EXCLUDES(mutex_);
  void Remove(core::DatasetId id) EXCLUDES(mutex_);
  std::shared_ptr<const DatasetMap> Snapshot() const EXCLUDES(mutex_);
  // Null: there is none. Names compare without case.
  std::shared_ptr<const CatalogueEntry> Find(std::string_view workspace,
                                             std::string_view name) const EXCLUDES(mutex_);
  std::shared_ptr<const CatalogueEntry> Find(core::DatasetId id) const EXCLUDES(mutex_);

  // One per thread.
  class Reader {
   public:
    explicit Reader(const Catalogue& catalogue) : catalogue_(catalogue) {}
    // Holds until the next Get. No lock unless something changed.
    const DatasetMap& Get();

   private:
    const Catalogue& catalogue_;
    std::uint64_t generation_ = UINT64_MAX;
    std::shared_ptr<const DatasetMap> map_;
  };

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const DatasetMap> current_ GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> generation_{0};
};

}  // namespace latchkey::service
