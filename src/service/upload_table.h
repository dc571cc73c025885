// The uploads that have not ended, in memory: how far each is, and how many an account has.
// Internal to uploads. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/thread_annotations.h"
#include "core/upload_job.h"

namespace latchkey::service {

class UploadTable {
 public:
  // One more that is coming in. False: the account has `max` already.
  bool Open(core::AccountId account, std::optional<std::uint32_t> max) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    std::uint32_t& open = open_[account];
    if (max && open >= *max) return false;
    ++open;
    return true;
  }
  // It was given up, or has ended.
  void Close(core::AccountId account) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto open = open_.find(account);
    if (--open->second == 0) open_.erase(open);
  }

  void Put(const core::UploadJob& job) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    jobs_[job.id] = job;
  }
  void Remove(core::UploadJobId id) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    jobs_.erase(id);
  }
  std::optional<core::UploadJob> Find(core::UploadJobId id) const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return std::nullopt;
    return found->second;
  }

 private:
  mutable Mutex mutex_;
  std::unordered_map<core::UploadJobId, core::UploadJob> jobs_ GUARDED_BY(mutex_);
  std::unordered_map<core::AccountId, std::uint32_t> open_ GUARDED_BY(mutex_);
};

}  // namespace latchkey::service
