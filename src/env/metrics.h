// What the server counts, and its text for Prometheus. Requests are counted in a block per thread
// with one writer, so that counting costs a few plain stores and shares nothing; a scrape adds the
// blocks up. Labels are bounded: planes, reasons, status classes and listeners are closed lists.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/thread_annotations.h"

namespace latchkey {

inline constexpr std::size_t kMaxReasons = 64;

// Upper bounds in microseconds; what is slower falls into +Inf.
inline constexpr std::array<std::uint32_t, 14> kLatencyBoundsMicros = {
    50,     100,    250,    500,     1'000,   2'500,     5'000,
    10'000, 25'000, 50'000, 100'000, 500'000, 2'500'000, 10'000'000};

// The counters of one handler on one thread. That thread alone writes; any thread reads.
class alignas(64) ThreadMetrics {
 public:
  // `reason` is an index into the names given to Metrics; 0 stands for "allowed".
  void CountRequest(std::size_t reason, int status, std::uint64_t micros, std::uint64_t body_bytes);
  // Prepared answers.
  void CountCache(bool hit) { Add(hit ? cache_hits_ : cache_misses_, 1); }
  void CountRecords(std::uint64_t records) { Add(records_, records); }

 private:
  friend class Metrics;
  using Counter = std::atomic<std::uint64_t>;
  // One writer: no read-modify-write is needed.
  static void Add(Counter& counter, std::uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::string plane_;
  std::array<Counter, kMaxReasons> reasons_{};
  std::array<Counter, 6> status_classes_{};  // [n]: n00 to n99
  std::array<Counter, kLatencyBoundsMicros.size() + 1> latency_{};
  Counter micros_{0};
  Counter body_bytes_{0};
  Counter cache_hits_{0};
  Counter cache_misses_{0};
  Counter records_{0};
};

// One sample that a collector gives at a scrape.
struct MetricSample {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};
enum class MetricKind : std::uint8_t { kCounter, kGauge };

class Metrics {
 public:
  // The names of reasons by index; [0] stands for "allowed" and is written as "none".
  explicit Metrics(std::vector<std::string> reason_names);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A block for one handler of a plane ("data", "plain", "manage", "internal") on one thread; lives
  // as long as this. Any thread.
  ThreadMetrics& MakeBlock(std::string_view plane) EXCLUDES(mutex_);

  // `collect` is called at each scrape, maybe from several threads. What it reads must outlive the
  // last scrape.
  void AddCollector(std::string name, std::string help, MetricKind kind,
                    std::function<std::vector<MetricSample>()> collect) EXCLUDES(mutex_);

  // The exposition text, version 0.0.4. Any thread; may take a millisecond.
  std::string Expose() const EXCLUDES(mutex_);

 private:
  class Requests;
  struct Collector {
    std::string name;
    std::string help;
    MetricKind kind;
    std::function<std::vector<MetricSample>()> collect;
  };

  const std::vector<std::string> reason_names_;
  mutable Mutex mutex_;
  std::deque<ThreadMetrics> blocks_ GUARDED_BY(mutex_);
  std::vector<Collector> collectors_ GUARDED_BY(mutex_);
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace latchkey
