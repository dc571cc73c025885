// A mutex whose waiters are served in the order they came. A plain mutex lets the thread that
// writes chunk after chunk take it again before any waiter has woken.
#pragma once

#include <cstdint>

#include "base/thread_annotations.h"

namespace latchkey::store {

class CAPABILITY("mutex") Turns {
 public:
  void lock() ACQUIRE() {
    MutexLock lock(mutex_);
    const std::uint64_t mine = next_++;
    while (mine != serving_) changed_.Wait(mutex_);
  }
  void unlock() RELEASE() {
    MutexLock lock(mutex_);
    ++serving_;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::uint64_t next_ GUARDED_BY(mutex_) = 0;
  std::uint64_t serving_ GUARDED_BY(mutex_) = 0;
};

class SCOPED_CAPABILITY Turn {
 public:
  explicit Turn(Turns& turns) ACQUIRE(turns) : turns_(turns) { turns_.lock(); }
  ~Turn() RELEASE() { turns_.unlock(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Turns& turns_;
};

}  // namespace latchkey::store
