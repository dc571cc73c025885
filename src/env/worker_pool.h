// The small bounded pool for all that may block: a cold read, a write, an import, a management
// change. I/O threads hand work in and never wait for it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/thread_annotations.h"

namespace latchkey {

class WorkerPool {
 public:
  // 1 to 64 threads; at most max_queued jobs wait.
  WorkerPool(int threads, std::size_t max_queued);
  // Runs what is queued, then joins.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, and the job not taken, when the queue is full or the pool stops: the caller refuses with
  // 503. From any thread.
  [[nodiscard]] bool Submit(std::function<void()> job) EXCLUDES(mutex_);
  std::size_t Queued() const EXCLUDES(mutex_);

 private:
  void Run() EXCLUDES(mutex_);

  const std::size_t max_queued_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> jobs_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace latchkey
