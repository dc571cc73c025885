#include "env/metrics.h"

#include <limits>
#include <map>
#include <sstream>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace latchkey {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily Family(std::string name, std::string help, MetricType type) {
  MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  return family;
}

ClientMetric Labelled(std::vector<std::pair<std::string, std::string>> labels) {
  ClientMetric metric;
  for (auto& [name, value] : labels) {
    metric.label.push_back({std::move(name), std::move(value)});
  }
  return metric;
}

void AddCounter(MetricFamily& family, std::vector<std::pair<std::string, std::string>> labels,
                std::uint64_t value) {
  ClientMetric metric = Labelled(std::move(labels));
  metric.counter.value = static_cast<double>(value);
  family.metric.push_back(std::move(metric));
}

}  // namespace

void ThreadMetrics::CountRequest(std::size_t reason, int status, std::uint64_t micros,
                                 std::uint64_t body_bytes) {
  Add(reasons_[reason < kMaxReasons ? reason : kMaxReasons - 1], 1);
  const int status_class = status / 100;
  Add(status_classes_[status_class >= 1 && status_class <= 5
                          ? static_cast<std::size_t>(status_class)
                          : 0],
      1);
  std::size_t bucket = 0;
  while (bucket < kLatencyBoundsMicros.size() && micros > kLatencyBoundsMicros[bucket]) ++bucket;
  Add(latency_[bucket], 1);
  Add(micros_, micros);
  Add(body_bytes_, body_bytes);
}

// The blocks of all threads, added up by plane at each scrape.
class Metrics::Requests final : public prometheus::Collectable {
 public:
  explicit Requests(const Metrics& metrics) : metrics_(metrics) {}

  std::vector<MetricFamily> Collect() const override {
    std::map<std::string, Sum> sums;
    {
      MutexLock lock(metrics_.mutex_);
      for (const ThreadMetrics& block : metrics_.blocks_) sums[block.plane_].Add(block);
    }
    MetricFamily requests =
        Family("latchkey_requests_total", "Requests by plane and reason.", MetricType::Counter);
    MetricFamily responses = Family("latchkey_responses_total",
                                    "Answers by plane and class of status.", MetricType::Counter);
    MetricFamily duration =
        Family("latchkey_request_duration_seconds",
               "From a request's last byte of the head to its answer.", MetricType::Histogram);
    MetricFamily bytes = Family("latchkey_response_body_bytes_total", "Bytes of answers' bodies.",
                                MetricType::Counter);
    MetricFamily cache =
        Family("latchkey_answer_cache_total", "Look-ups of prepared answers.", MetricType::Counter);
    MetricFamily records =
        Family("latchkey_records_total", "Records returned.", MetricType::Counter);
    for (const auto& [plane, sum] : sums) {
      for (std::size_t i = 0; i < metrics_.reason_names_.size() && i < kMaxReasons; ++i) {
        AddCounter(requests, {{"plane", plane}, {"reason", metrics_.reason_names_[i]}},
                   sum.reasons[i]);
      }
      for (std::size_t i = 1; i < sum.status_classes.size(); ++i) {
        AddCounter(responses, {{"plane", plane}, {"class", std::to_string(i) + "xx"}},
                   sum.status_classes[i]);
      }
      duration.metric.push_back(Histogram(plane, sum));
      AddCounter(bytes, {{"plane", plane}}, sum.body_bytes);
      AddCounter(cache, {{"plane", plane}, {"result", "hit"}}, sum.cache_hits);
      AddCounter(cache, {{"plane", plane}, {"result", "miss"}}, sum.cache_misses);
      AddCounter(records, {{"plane", plane}}, sum.records);
    }
    return {requests, responses, duration, bytes, cache, records};
  }

 private:
  struct Sum {
    std::array<std::uint64_t, kMaxReasons> reasons{};
    std::array<std::uint64_t, 6> status_classes{};
    std::array<std::uint64_t, kLatencyBoundsMicros.size() + 1> latency{};
    std::uint64_t micros = 0;
    std::uint64_t body_bytes = 0;
    std::uint64_t cache_hits = 0;
    std::uint64_t cache_misses = 0;
    std::uint64_t records = 0;

    void Add(const ThreadMetrics& block) {
      const auto read = [](const ThreadMetrics::Counter& counter) {
        return counter.load(std::memory_order_relaxed);
      };
      for (std::size_t i = 0; i < reasons.size(); ++i) reasons[i] += read(block.reasons_[i]);
      for (std::size_t i = 0; i < status_classes.size(); ++i) {
        status_classes[i] += read(block.status_classes_[i]);
      }
      for (std::size_t i = 0; i < latency.size(); ++i) latency[i] += read(block.latency_[i]);
      micros += read(block.micros_);
      body_bytes += read(block.body_bytes_);
      cache_hits += read(block.cache_hits_);
      cache_misses += read(block.cache_misses_);
      records += read(block.records_);
    }
  };

  static ClientMetric Histogram(const std::string& plane, const Sum& sum) {
    ClientMetric metric = Labelled({{"plane", plane}});
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < sum.latency.size(); ++i) {
      cumulative += sum.latency[i];
      ClientMetric::Bucket bucket;
      bucket.cumulative_count = cumulative;
      bucket.upper_bound = i < kLatencyBoundsMicros.size()
                               ? kLatencyBoundsMicros[i] / 1e6
                               : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back(bucket);
    }
    metric.histogram.sample_count = cumulative;
    metric.histogram.sample_sum = static_cast<double>(sum.micros) / 1e6;
    return metric;
  }

  const Metrics& metrics_;
};

Metrics::Metrics(std::vector<std::string> reason_names)
    : reason_names_([&] {
        if (!reason_names.empty()) reason_names[0] = "none";
        return std::move(reason_names);
      }()) {}

Metrics::~Metrics() = default;

ThreadMetrics& Metrics::MakeBlock(std::string_view plane) {
  MutexLock lock(mutex_);
  ThreadMetrics& block = blocks_.emplace_back();
  block.plane_ = plane;
  return block;
}

void Metrics::AddCollector(std::string name, std::string help, MetricKind kind,
                           std::function<std::vector<MetricSample>()> collect) {
  MutexLock lock(mutex_);
  collectors_.push_back({std::move(name), std::move(help), kind, std::move(collect)});
}

std::string Metrics::Expose() const {
  std::vector<MetricFamily> families = Requests(*this).Collect();
  std::vector<Collector> collectors;
  {
    MutexLock lock(mutex_);
    collectors = collectors_;
  }
  for (const Collector& collector : collectors) {
    const bool counter = collector.kind == MetricKind::kCounter;
    MetricFamily family =
        Family(collector.name, collector.help, counter ? MetricType::Counter : MetricType::Gauge);
    for (MetricSample& sample : collector.collect()) {
      ClientMetric metric = Labelled(std::move(sample.labels));
      (counter ? metric.counter.value : metric.gauge.value) = sample.value;
      family.metric.push_back(std::move(metric));
    }
    families.push_back(std::move(family));
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace latchkey
