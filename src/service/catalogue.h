// The definitions of all datasets, in memory. An immutable snapshot that each thread holds; one
// generation number, read per request, says when to take the new one.
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

// Immutable. Keys are "workspace/name" in lower case.
using DatasetMap = std::map<std::string, std::shared_ptr<const core::Dataset>, std::less<>>;

class Catalogue {
 public:
  Catalogue() : current_(std::make_shared<const DatasetMap>()) {}

  // Any thread; in force for every Reader::Get that begins after the return.
  void Put(core::Dataset dataset) EXCLUDES(mutex_);
  void Remove(core::DatasetId id) EXCLUDES(mutex_);
  std::shared_ptr<const DatasetMap> Snapshot() const EXCLUDES(mutex_);

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
