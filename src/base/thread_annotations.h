// Clang's thread-safety annotations (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html), and a
// mutex that carries them. They mean nothing to g++; `make tidy` checks them.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define LATCHKEY_ANNOTATE(x) __attribute__((x))
#else
#define LATCHKEY_ANNOTATE(x)
#endif

#define CAPABILITY(x) LATCHKEY_ANNOTATE(capability(x))
#define SCOPED_CAPABILITY LATCHKEY_ANNOTATE(scoped_lockable)
#define GUARDED_BY(x) LATCHKEY_ANNOTATE(guarded_by(x))
#define PT_GUARDED_BY(x) LATCHKEY_ANNOTATE(pt_guarded_by(x))
#define REQUIRES(...) LATCHKEY_ANNOTATE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) LATCHKEY_ANNOTATE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) LATCHKEY_ANNOTATE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) LATCHKEY_ANNOTATE(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) LATCHKEY_ANNOTATE(try_acquire_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS LATCHKEY_ANNOTATE(no_thread_safety_analysis)

namespace latchkey {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  bool try_lock() TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits on a Mutex that the caller holds.
class CondVar {
 public:
  void Wait(Mutex& mutex) REQUIRES(mutex) { condition_.wait(mutex); }
  template <typename Duration>
  bool WaitFor(Mutex& mutex, Duration duration) REQUIRES(mutex) {
    return condition_.wait_for(mutex, duration) == std::cv_status::no_timeout;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace latchkey
