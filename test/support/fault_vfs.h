// An SQLite VFS that hands everything on to the system's, until it is told to fail: a disk that is
// full or broken from a chosen write or flush on.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

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

  // Since the start.
  std::int64_t writes() const { return writes_; }
  std::int64_t flushes() const { return flushes_; }

  // For the VFS itself: the outcome of the next write or flush.
  enum class Outcome { kDone, kFull, kBroken };
  Outcome NextWrite();
  Outcome NextFlush();

 private:
  struct Registration;

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  std::string name_;
  std::atomic<std::int64_t> writes_ = 0;
  std::atomic<std::int64_t> flushes_ = 0;
  std::atomic<std::int64_t> full_from_write_ = kNever;
  std::atomic<std::int64_t> broken_from_write_ = kNever;
  std::atomic<std::int64_t> broken_from_flush_ = kNever;
  std::unique_ptr<Registration> registration_;
};

}  // namespace latchkey::test
