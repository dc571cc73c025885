#include "gateway/routes.h"

#include <string>

#include <gtest/gtest.h>

namespace latchkey::gateway {
namespace {

using http::Method;
using Outcome = http::Router::Outcome;

TEST(RoutesTest, FindTheSameUnderEveryPrefix) {
  const Routes routes;
  const struct {
    std::string_view path;
    Route route;
    std::string_view workspace, dataset, key, subkey;
  } kCases[] = {
      {"/status", Route::kStatus, "", "", "", ""},
      {"/data", Route::kCatalogue, "", "", "", ""},
      {"/data/core", Route::kCatalogue, "core", "", "", ""},
      {"/data/core/STOCKS", Route::kRecords, "core", "STOCKS", "", ""},
      {"/data/core/STOCKS/AAPL", Route::kRecords, "core", "STOCKS", "AAPL", ""},
      {"/data/core/STOCKS/AAPL/x", Route::kRecords, "core", "STOCKS", "AAPL", "x"},
      // A key may look like a verb or a list of keys; what it means is decided later.
      {"/data/core/STOCKS/a:b", Route::kRecords, "core", "STOCKS", "a:b", ""},
      {"/data/core/STOCKS/:b/c:d:e", Route::kRecords, "core", "STOCKS", ":b", "c:d:e"},
      {"/data/core/STOCKS/AAPL,IBM", Route::kRecords, "core", "STOCKS", "AAPL,IBM", ""},
      {"/data/core/status", Route::kRecords, "core", "status", "", ""},
  };
  for (const std::string_view prefix : {"/v1", "/stable", "/latest", "/beta"}) {
    for (const auto& c : kCases) {
      for (const Method method : {Method::kGet, Method::kHead}) {
        const std::string path = std::string(prefix).append(c.path);
        const Destination to = routes.Find(method, path);
        ASSERT_EQ(to.outcome, Outcome::kFound) << path;
        EXPECT_EQ(to.route, c.route) << path;
        EXPECT_EQ(to.workspace, c.workspace) << path;
        EXPECT_EQ(to.dataset, c.dataset) << path;
        EXPECT_EQ(to.key, c.key) << path;
        EXPECT_EQ(to.subkey, c.subkey) << path;
        EXPECT_EQ(to.key.data() == nullptr, c.key.empty()) << path;
        EXPECT_EQ(to.subkey.data() == nullptr, c.subkey.empty()) << path;
      }
    }
  }
}

TEST(RoutesTest, TellAnUnknownPathFromAnUnknownMethod) {
  const Routes routes;
  for (const std::string_view path :
       {"/", "/v1", "/v2/status", "/V1/status", "/v1/Data", "/data", "/v1/data/a/b/c/d/e/f",
        "/v1/statuses", "/console", "/v1//"}) {
    EXPECT_EQ(routes.Find(Method::kGet, path).outcome, Outcome::kNotFound) << path;
    EXPECT_EQ(routes.Find(Method::kPost, path).outcome, Outcome::kNotFound) << path;
  }
  const struct {
    std::string_view path;
    std::string_view allow;
  } kCases[] = {
      {"/v1/status", "GET, HEAD"},
      {"/v1/data", "GET, HEAD"},
      {"/v1/data/core", "GET, HEAD"},
      {"/v1/data/core/STOCKS", "GET, HEAD, POST"},
      {"/v1/data/core/STOCKS/AAPL", "GET, HEAD, DELETE"},
      {"/v1/data/core/STOCKS/AAPL/x", "GET, HEAD, DELETE"},
      {"/v1/data/core/STOCKS/AAPL/x/2010-01-01", "DELETE"},
      {"/v1/record/acme/X", "POST"},
      {"/v1/datasets", "GET, HEAD"},
      {"/v1/datasets/acme", "GET, HEAD, POST"},
      {"/v1/datasets/acme/X", "GET, HEAD, POST, PUT, PATCH, DELETE"},
      {"/v1/datasets/acme/X/Y", "PUT"},
      {"/v1/jobs/acme/ingest", "GET, HEAD"},
      {"/v1/jobs/acme/ingest/job_1", "GET, HEAD"},
      {"/v1/jobs/acme/ingest/job_1/rejected", "GET, HEAD"},
      {"/stable/stock/AAPL/quote", "GET, HEAD"},
      {"/stable/stock/AAPL/quote/price", "GET, HEAD"},
      {"/stable/stock/AAPL/chart", "GET, HEAD"},
      {"/stable/stock/AAPL/chart/1m", "GET, HEAD"},
      {"/stable/stock/AAPL/chart/date/20100101", "GET, HEAD"},
      {"/stable/stock/AAPL/batch", "GET, HEAD"},
      {"/stable/stock/market/batch", "GET, HEAD"},
  };
  for (const auto& c : kCases) {
    for (const Method method :
         {Method::kGet, Method::kHead, Method::kPost, Method::kPut, Method::kPatch, Method::kDelete,
          Method::kOptions, Method::kOther}) {
      const Destination to = routes.Find(method, c.path);
      EXPECT_EQ(to.allow, c.allow) << c.path;
      const std::string_view name = http::MethodName(method);
      const bool known = method < Method::kOptions && c.allow.find(name) != c.allow.npos;
      EXPECT_EQ(to.outcome, known ? Outcome::kFound : Outcome::kMethodNotAllowed)
          << c.path << " " << name;
    }
  }
}

TEST(RoutesTest, CutEachPathIntoItsParts) {
  const Routes routes;
  const Destination deleted = routes.Find(Method::kDelete, "/v1/data/w/d/k/s/2010-01-01");
  EXPECT_EQ(deleted.route, Route::kDeleteRecords);
  EXPECT_EQ(deleted.key, "k");
  EXPECT_EQ(deleted.subkey, "s");
  EXPECT_EQ(deleted.date, "2010-01-01");
  EXPECT_EQ(routes.Find(Method::kDelete, "/v1/data/w/d/k").subkey.data(), nullptr);

  const Destination renamed = routes.Find(Method::kPut, "/v1/datasets/w/d/n");
  EXPECT_EQ(renamed.route, Route::kRenameDataset);
  EXPECT_EQ(renamed.workspace, "w");
  EXPECT_EQ(renamed.dataset, "d");
  EXPECT_EQ(renamed.new_name, "n");

  const Destination job = routes.Find(Method::kGet, "/v1/jobs/w/ingest/job_1/rejected");
  EXPECT_EQ(job.route, Route::kRejectedLines);
  EXPECT_EQ(job.workspace, "w");
  EXPECT_EQ(job.job, "job_1");
  EXPECT_EQ(routes.Find(Method::kGet, "/v1/jobs/w/ingest").job.data(), nullptr);
  EXPECT_EQ(routes.Find(Method::kGet, "/v1/jobs/w/other").outcome, Outcome::kNotFound);

  const Destination field = routes.Find(Method::kGet, "/stable/stock/a:b/quote/price");
  EXPECT_EQ(field.route, Route::kLegacyField);
  EXPECT_EQ(field.symbol, "a:b");
  EXPECT_EQ(field.field, "price");
  const Destination chart = routes.Find(Method::kGet, "/stable/stock/a/chart/1m");
  EXPECT_EQ(chart.route, Route::kLegacyChart);
  EXPECT_EQ(chart.range, "1m");
  const Destination day = routes.Find(Method::kGet, "/stable/stock/a/chart/date/20100101");
  EXPECT_EQ(day.route, Route::kLegacyChartDate);
  EXPECT_EQ(day.range, "20100101");
  EXPECT_EQ(routes.Find(Method::kGet, "/stable/stock/market/batch").route,
            Route::kLegacyMarketBatch);
  EXPECT_EQ(routes.Find(Method::kGet, "/stable/stock/markets/batch").route, Route::kLegacyBatch);
}

}  // namespace
}  // namespace latchkey::gateway
