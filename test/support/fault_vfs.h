// An SQLite VFS that hands everything on to the system's, until it is told to fail: a disk that is
// full or broken from a chosen write or flush on.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/thread_annotations.h"

namespace latchkey::test {

// Registered under its name while it lives; every file opened through it must be closed by then.
// Thread-safe.
class FaultVfs {
 public:
  explicit FaultVfs(std::string name);
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  const std::string& name() const { return name_; }

  // After so many more writes each one fails: half of its bytes are written and the disk is full.
  void FillUpAfterWrites(std::int64_t writes);
  // After so many more writes each one fails with an I/O error and writes nothing.
  void BreakAfterWrites(std::int64_t writes);
  // After so many more flushes each one fails. What was written stays written.
  void BreakAfterFlushes(std::int64_t flushes);
  void Heal();

  // From here on what was written and not flushed is remembered, so that it can be lost.
  void RememberUnflushed() { remembering_ = true; }
  // After so many more writes each write, flush, truncation and removal fails and does nothing.
  void PowerOffAfterWrites(std::int64_t writes);
  // When every file is closed: of what was not flushed, in each file, that stays for which `keeps`
  // says so, asked in the order of the writes. Heals.
  void LoseUnflushed(const std::function<bool()>& keeps);

  // Called with the file of each write from here on, on the thread that writes. Before any thread
  // does.
  void WatchWrites(std::function<void(std::string_view path)> watch) { watch_ = std::move(watch); }
  void Watch(const char* path) const {
    if (watch_ && path != nullptr) watch_(path);
  }

  // Since the start.
  std::int64_t writes() const { return writes_; }
  std::int64_t flushes() const { return flushes_; }

  // For the VFS itself: the outcome of the next write or flush.
  enum class Outcome { kDone, kFull, kBroken };
  Outcome NextWrite();
  Outcome NextFlush();
  bool IsOff() const { return writes_ >= off_from_write_; }

  // For the VFS itself: a write to be remembered, and how the file was there before.
  struct Unflushed {
    std::int64_t offset = 0;
    std::string written;
    std::string before;  // shorter where the file ended
    std::int64_t size_before = 0;
    bool truncates = false;  // to `offset`
  };
  bool remembering() const { return remembering_; }
  void Remember(const std::string& path, Unflushed write) EXCLUDES(mutex_);
  void Forget(const std::string& path) EXCLUDES(mutex_);

 private:
  struct Registration;

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  std::string name_;
  std::atomic<std::int64_t> writes_ = 0;
  std::atomic<std::int64_t> flushes_ = 0;
  std::atomic<std::int64_t> full_from_write_ = kNever;
  std::atomic<std::int64_t> broken_from_write_ = kNever;
  std::atomic<std::int64_t> broken_from_flush_ = kNever;
  std::atomic<std::int64_t> off_from_write_ = kNever;
  std::atomic<bool> remembering_ = false;
  std::function<void(std::string_view path)> watch_;
  Mutex mutex_;
  std::map<std::string, std::vector<Unflushed>> unflushed_ GUARDED_BY(mutex_);
  std::unique_ptr<Registration> registration_;
};

}  // namespace latchkey::test
