// A mutex whose waiters are served fairly: within a lane in the order they came, among lanes in
// turn. A plain mutex lets the thread that writes chunk after chunk take it again before any waiter
// has woken; one queue for all lets a lane with many writers wait in front of one with few.
#pragma once

#include <cstdint>
#include <deque>
#include <map>

#include "base/thread_annotations.h"

namespace latchkey::store {

class CAPABILITY("mutex") Turns {
 public:
  void lock(std::int64_t lane) ACQUIRE() {
    MutexLock lock(mutex_);
    if (!taken_) {
      taken_ = true;
      return;
    }
    Waiter me;
    std::deque<Waiter*>& waiting = waiting_[lane];
    if (waiting.empty()) order_.push_back(lane);
    waiting.push_back(&me);
    while (!me.served) me.became_served.Wait(mutex_);
  }

  // Hands over to the first of the lane whose turn it is; there is no moment in which somebody new
  // could step in.
  void unlock() RELEASE() {
    MutexLock lock(mutex_);
    if (order_.empty()) {
      taken_ = false;
      return;
    }
    const auto lane = waiting_.find(order_.front());
    order_.pop_front();
    Waiter& next = *lane->second.front();
    lane->second.pop_front();
    if (lane->second.empty()) {
      waiting_.erase(lane);
    } else {
      order_.push_back(lane->first);
    }
    next.served = true;
    next.became_served.NotifyOne();
  }

  // How many wait, for tests.
  std::size_t waiting() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    std::size_t count = 0;
    for (const auto& [lane, waiters] : waiting_) count += waiters.size();
    return count;
  }

 private:
  struct Waiter {
    bool served = false;  // guarded by mutex_
    CondVar became_served;
  };

  Mutex mutex_;
  bool taken_ GUARDED_BY(mutex_) = false;
  std::map<std::int64_t, std::deque<Waiter*>> waiting_ GUARDED_BY(mutex_);  // none is empty
  std::deque<std::int64_t> order_ GUARDED_BY(mutex_);  // the lanes of waiting_, by turn
};

class SCOPED_CAPABILITY Turn {
 public:
  Turn(Turns& turns, std::int64_t lane) ACQUIRE(turns) : turns_(turns) { turns_.lock(lane); }
  ~Turn() RELEASE() { turns_.unlock(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Turns& turns_;
};

}  // namespace latchkey::store
