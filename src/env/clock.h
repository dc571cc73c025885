// Where the time comes from. Everything that needs it takes a Clock; only SystemClock asks the
// machine.
#pragma once

#include <atomic>
#include <chrono>

#include "base/time.h"

namespace latchkey {

class Clock {
 public:
  virtual ~Clock() = default;
  // UTC; may jump.
  virtual Timestamp Now() const = 0;
  // Never goes back; its zero means nothing.
  virtual std::chrono::nanoseconds Monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp Now() const override;
  std::chrono::nanoseconds Monotonic() const override;
};

// A clock that stands until it is moved. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp now) : now_millis_(ToUnixMillis(now)) {}
  Timestamp Now() const override { return FromUnixMillis(now_millis_.load()); }
  std::chrono::nanoseconds Monotonic() const override {
    return std::chrono::nanoseconds(monotonic_.load());
  }
  void Advance(std::chrono::milliseconds by) {
    now_millis_ += by.count();
    monotonic_ += std::chrono::nanoseconds(by).count();
  }
  // Moves the civil time alone, as an administrator would.
  void SetNow(Timestamp now) { now_millis_ = ToUnixMillis(now); }

 private:
  std::atomic<std::int64_t> now_millis_;
  std::atomic<std::int64_t> monotonic_{0};
};

}  // namespace latchkey
