// One thread for long work that is cut into small steps: lanes (accounts) take turns, a step each;
// within a lane one task after the other. So a file of gigabytes holds up nobody.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <thread>

#include "base/thread_annotations.h"
#include "env/clock.h"

namespace latchkey::service {

// What a step says of its task.
enum class StepResult : std::uint8_t {
  kMore,  // call again
  kDone,  // the task has ended
  kWait,  // call again after a while (the disk is full, the store does not answer)
};

class JobRunner {
 public:
  using Step = std::function<StepResult()>;

  // `pause`: how long a lane rests after kWait. The clock is borrowed.
  explicit JobRunner(const Clock& clock,
                     std::chrono::milliseconds pause = std::chrono::milliseconds(1'000));
  // Stops.
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  // Any thread. A step takes about 10 ms at most, and must not wait for this. After Stop the task
  // is thrown away.
  void Add(std::int64_t lane, Step step) EXCLUDES(mutex_);
  void Start() EXCLUDES(mutex_);
  // Ends after the step that runs; the other tasks are thrown away, unfinished. Idempotent.
  void Stop() EXCLUDES(mutex_);

  // Without a thread (tests): runs one step of the lane whose turn it is. False: nothing to do, or
  // all that there is waits.
  bool RunOne() EXCLUDES(mutex_);

 private:
  struct Lane {
    std::deque<Step> tasks;
    std::chrono::nanoseconds rests_until{0};  // monotonic; after kWait
  };
  void Run() EXCLUDES(mutex_);

  const Clock& clock_;
  const std::chrono::milliseconds pause_;
  Mutex mutex_;
  CondVar wake_;
  std::map<std::int64_t, Lane> lanes_ GUARDED_BY(mutex_);
  std::int64_t last_ GUARDED_BY(mutex_) = INT64_MIN;  // the lane that had its turn
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_ GUARDED_BY(mutex_);
};

}  // namespace latchkey::service
