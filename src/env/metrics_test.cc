#include "env/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace latchkey {
namespace {

using testing::HasSubstr;

TEST(MetricsTest, AddsUpTheBlocksOfAllThreads) {
  Metrics metrics({"", "bad_request"});
  ThreadMetrics& first = metrics.MakeBlock("data");
  ThreadMetrics& second = metrics.MakeBlock("data");
  ThreadMetrics& other = metrics.MakeBlock("manage");
  first.CountRequest(0, 200, 40, 100);
  second.CountRequest(0, 200, 60, 50);
  second.CountRequest(1, 400, 60'000'000, 0);
  other.CountRequest(1, 400, 1, 1);
  first.CountCache(true);
  second.CountCache(false);
  second.CountRecords(7);
  const std::string text = metrics.Expose();
  for (const char* line : {
           "latchkey_requests_total{plane=\"data\",reason=\"none\"} 2\n",
           "latchkey_requests_total{plane=\"data\",reason=\"bad_request\"} 1\n",
           "latchkey_requests_total{plane=\"manage\",reason=\"bad_request\"} 1\n",
           "latchkey_responses_total{plane=\"data\",class=\"2xx\"} 2\n",
           "latchkey_responses_total{plane=\"data\",class=\"4xx\"} 1\n",
           "latchkey_request_duration_seconds_bucket{plane=\"data\",le=\"5e-05\"} 1\n",
           "latchkey_request_duration_seconds_bucket{plane=\"data\",le=\"0.0001\"} 2\n",
           "latchkey_request_duration_seconds_bucket{plane=\"data\",le=\"+Inf\"} 3\n",
           "latchkey_request_duration_seconds_count{plane=\"data\"} 3\n",
           "latchkey_response_body_bytes_total{plane=\"data\"} 150\n",
           "latchkey_answer_cache_total{plane=\"data\",result=\"hit\"} 1\n",
           "latchkey_answer_cache_total{plane=\"data\",result=\"miss\"} 1\n",
           "latchkey_records_total{plane=\"data\"} 7\n",
           "# TYPE latchkey_requests_total counter\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MetricsTest, AsksCollectorsAtEachScrape) {
  Metrics metrics({""});
  double days = 30;
  metrics.AddCollector("latchkey_certificate_expiry_days", "Days.", MetricKind::kGauge, [&] {
    return std::vector<MetricSample>{{{{"certificate", "a.example"}}, days}};
  });
  EXPECT_THAT(metrics.Expose(),
              HasSubstr("latchkey_certificate_expiry_days{certificate=\"a.example\"} 30\n"));
  days = 29;
  EXPECT_THAT(metrics.Expose(),
              HasSubstr("latchkey_certificate_expiry_days{certificate=\"a.example\"} 29\n"));
}

TEST(MetricsTest, AnOddReasonOrStatusIsCountedAndBreaksNothing) {
  Metrics metrics({"", "bad_request"});
  ThreadMetrics& block = metrics.MakeBlock("data");
  block.CountRequest(100'000, 0, 0, 0);
  block.CountRequest(0, 99'999, 0, 0);
  EXPECT_THAT(metrics.Expose(),
              HasSubstr("latchkey_request_duration_seconds_count{plane=\"data\"} 2\n"));
}

}  // namespace
}  // namespace latchkey
