#include "service/job_runner.h"

#include <utility>

namespace latchkey::service {

JobRunner::JobRunner(const Clock& clock, std::chrono::milliseconds pause)
    : clock_(clock), pause_(pause) {}

JobRunner::~JobRunner() { Stop(); }

void JobRunner::Add(std::int64_t lane, Step step) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    lanes_[lane].tasks.push_back(std::move(step));
  }
  wake_.NotifyAll();
}

void JobRunner::Start() {
  MutexLock lock(mutex_);
  if (stopping_ || thread_.joinable()) return;
  thread_ = std::thread([this] { Run(); });
}

void JobRunner::Stop() {
  std::thread running;
  std::map<std::int64_t, Lane> thrown_away;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    running.swap(thread_);
  }
  wake_.NotifyAll();
  if (running.joinable()) running.join();
  // What tasks hold goes outside the lock.
  MutexLock lock(mutex_);
  thrown_away.swap(lanes_);
}

bool JobRunner::RunOne() {
  Step step;
  std::int64_t number = 0;
  const std::chrono::nanoseconds now = clock_.Monotonic();
  {
    MutexLock lock(mutex_);
    // Round from the lane behind the last one, so that each has its turn.
    auto lane = lanes_.upper_bound(last_);
    std::size_t left = lanes_.size();
    while (left > 0) {
      if (lane == lanes_.end()) lane = lanes_.begin();
      if (lane->second.rests_until <= now && !lane->second.tasks.empty()) break;
      ++lane;
      --left;
    }
    if (left == 0) return false;
    number = last_ = lane->first;
    step = std::move(lane->second.tasks.front());
    lane->second.tasks.pop_front();
  }
  const StepResult result = step();
  MutexLock lock(mutex_);
  const auto lane = lanes_.find(number);
  if (lane == lanes_.end()) return true;
  if (result != StepResult::kDone) {
    lane->second.tasks.push_front(std::move(step));
    if (result == StepResult::kWait) lane->second.rests_until = clock_.Monotonic() + pause_;
  } else if (lane->second.tasks.empty()) {
    lanes_.erase(lane);
  }
  return true;
}

void JobRunner::Run() {
  for (;;) {
    if (RunOne()) {
      MutexLock lock(mutex_);
      if (stopping_) return;
      continue;
    }
    MutexLock lock(mutex_);
    if (stopping_) return;
    // A task that came after RunOne looked waits for nothing longer than a pause.
    if (lanes_.empty()) {
      wake_.Wait(mutex_);
    } else {
      wake_.WaitFor(mutex_, pause_);
    }
  }
}

}  // namespace latchkey::service
