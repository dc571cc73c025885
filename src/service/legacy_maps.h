// Which core datasets the old forms of wire.md §7 stand over: the operator's choice, in memory as
// an immutable snapshot that each thread holds (as in catalogue.h), and the use cases that change
// it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/thread_annotations.h"
#include "core/audit.h"
#include "core/dataset.h"
#include "core/legacy_map.h"
#include "env/clock.h"
#include "store/store.h"

namespace latchkey::service {

// Immutable.
class LegacyMapSet {
 public:
  // Null: nothing is mapped.
  const core::LegacyMap* Find(core::LegacyKind kind) const {
    const std::optional<core::LegacyMap>& map = maps_[static_cast<std::size_t>(kind)];
    return map ? &*map : nullptr;
  }

 private:
  friend class LegacyMaps;
  std::array<std::optional<core::LegacyMap>, core::kLegacyKinds.size()> maps_;
};

// Thread-safe.
class LegacyMaps {
 public:
  // References are borrowed and must outlive this.
  LegacyMaps(store::Store& store, const Clock& clock)
      : store_(store), clock_(clock), current_(std::make_shared<const LegacyMapSet>()) {}

  // Reads all there is. Once, before anything else.
  Status Load() EXCLUDES(commit_mutex_, mutex_);

  // Maps a form, or maps it anew; in force for every Reader::Get that begins after the return.
  // `dataset` is the definition that map.dataset names; version and updated_at of `map` are not
  // read. `expected_version`: what If-Match named; absent: whatever stands, or nothing. Blocks on
  // the store. kInvalid (core::CheckLegacyMap), kStale, and as in tokens.h.
  Result<core::LegacyMap> Put(core::LegacyMap map, const core::Dataset& dataset,
                              std::optional<std::int64_t> expected_version, core::Actor actor)
      EXCLUDES(commit_mutex_, mutex_);
  // kNotFound, kStale.
  Status Remove(core::LegacyKind kind, std::optional<std::int64_t> expected_version,
                core::Actor actor) EXCLUDES(commit_mutex_, mutex_);

  std::shared_ptr<const LegacyMapSet> Snapshot() const EXCLUDES(mutex_);

  // One per thread.
  class Reader {
   public:
    explicit Reader(const LegacyMaps& maps) : maps_(maps) {}
    // Holds until the next Get. No lock unless something changed.
    const LegacyMapSet& Get();

   private:
    const LegacyMaps& maps_;
    std::uint64_t generation_ = UINT64_MAX;
    std::shared_ptr<const LegacyMapSet> set_;
  };

 private:
  void Apply(core::LegacyKind kind, std::optional<core::LegacyMap> map) EXCLUDES(mutex_);
  // After a commit of unknown outcome: as the store shows it.
  void ApplyWhatStands() REQUIRES(commit_mutex_) EXCLUDES(mutex_);

  store::Store& store_;
  const Clock& clock_;
  // Held from what a change reads to its being in force.
  Mutex commit_mutex_;
  mutable Mutex mutex_;
  std::shared_ptr<const LegacyMapSet> current_ GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> generation_{0};
};

}  // namespace latchkey::service
