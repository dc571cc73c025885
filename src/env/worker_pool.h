// The small bounded pool for all that may block: a cold read, a write, an import, a management
// change. I/O threads hand work in and never wait for it.
//
// Work comes in lanes (an account's; 0 is the operator's and the process's own). Within a lane jobs
// begin in the order they came; lanes with waiting jobs take turns; and one lane never has all
// threads at once, so that another lane's job finds one free as soon as any ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/thread_annotations.h"

namespace latchkey {

class WorkerPool {
 public:
  // 1 to 64 threads; at most max_queued jobs wait in all, and three quarters of them in one lane.
  WorkerPool(int threads, std::size_t max_queued);
  // Runs what is queued, then joins.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, and the job not taken, when the queue is full or the pool stops: the caller refuses with
  // 503. From any thread.
  [[nodiscard]] bool Submit(std::int64_t lane, std::function<void()> job) EXCLUDES(mutex_);
  std::size_t Queued() const EXCLUDES(mutex_);

 private:
  struct Lane {
    std::deque<std::function<void()>> jobs;
    int running = 0;
    bool waiting = false;  // it stands in turns_
  };

  void Run() EXCLUDES(mutex_);
  void QueueTurn(std::int64_t number, Lane& lane) REQUIRES(mutex_);

  const std::size_t max_queued_;
  const std::size_t max_queued_per_lane_;
  const int max_running_per_lane_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::unordered_map<std::int64_t, Lane> lanes_ GUARDED_BY(mutex_);  // that have work
  std::deque<std::int64_t> turns_ GUARDED_BY(mutex_);                // lanes that may begin a job
  std::size_t queued_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace latchkey
