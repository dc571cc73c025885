#include "env/worker_pool.h"

#include <algorithm>
#include <utility>

namespace latchkey {

WorkerPool::WorkerPool(int threads, std::size_t max_queued)
    : max_queued_(max_queued),
      max_queued_per_lane_(max_queued - max_queued / 4),
      max_running_per_lane_(std::max(1, threads - 1)) {
  threads_.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkerPool::~WorkerPool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::Submit(std::int64_t lane, std::function<void()> job) {
  {
    MutexLock lock(mutex_);
    if (stopping_ || queued_ >= max_queued_) return false;
    if (const auto found = lanes_.find(lane);
        found != lanes_.end() && found->second.jobs.size() >= max_queued_per_lane_) {
      return false;
    }
    Lane& mine = lanes_[lane];
    mine.jobs.push_back(std::move(job));
    ++queued_;
    QueueTurn(lane, mine);
  }
  wake_.NotifyOne();
  return true;
}

std::size_t WorkerPool::Queued() const {
  MutexLock lock(mutex_);
  return queued_;
}

void WorkerPool::QueueTurn(std::int64_t number, Lane& lane) {
  if (lane.waiting || lane.jobs.empty() || lane.running >= max_running_per_lane_) return;
  lane.waiting = true;
  turns_.push_back(number);
}

// A thread that ends a job looks for the next one itself, and that may be the one which its lane
// could not begin before; so only Submit wakes.
void WorkerPool::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (turns_.empty() && !(stopping_ && queued_ == 0)) wake_.Wait(mutex_);
    if (turns_.empty()) return;
    const std::int64_t number = turns_.front();
    turns_.pop_front();
    Lane& lane = lanes_.find(number)->second;
    lane.waiting = false;
    std::function<void()> job = std::move(lane.jobs.front());
    lane.jobs.pop_front();
    --queued_;
    ++lane.running;
    QueueTurn(number, lane);
    mutex_.unlock();
    job();
    job = nullptr;  // what it holds goes outside the lock, and before another job runs here
    mutex_.lock();
    --lane.running;
    QueueTurn(number, lane);
    if (lane.running == 0 && lane.jobs.empty()) lanes_.erase(number);
    // The last one lets those go that waited for it.
    if (stopping_ && queued_ == 0) wake_.NotifyAll();
  }
}

}  // namespace latchkey
