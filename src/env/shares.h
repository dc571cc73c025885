// How much of something scarce (bytes of memory, places) is held at the moment, in all and in each
// lane (an account's; 0 is of who has none). A lane never gets more than its share, so that one
// account can't take what the others need. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/thread_annotations.h"

namespace latchkey {

class Shares {
 public:
  // At most `most` in all, and `most_of_lane` in one lane.
  Shares(std::uint64_t most, std::uint64_t most_of_lane)
      : most_(most), most_of_lane_(most_of_lane) {}

  // What was taken; it is given back when the last copy goes, on whatever thread. The Shares must
  // outlive it.
  using Held = std::shared_ptr<const void>;
  // Null: there is not so much left. Nothing at all always fits, and is not null.
  Held Take(std::int64_t lane, std::uint64_t amount) EXCLUDES(mutex_);

  std::uint64_t held() const EXCLUDES(mutex_);

 private:
  void GiveBack(std::int64_t lane, std::uint64_t amount) EXCLUDES(mutex_);

  const std::uint64_t most_;
  const std::uint64_t most_of_lane_;
  mutable Mutex mutex_;
  std::uint64_t held_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::int64_t, std::uint64_t> lanes_ GUARDED_BY(mutex_);  // that hold something
};

}  // namespace latchkey
