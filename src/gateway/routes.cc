#include "gateway/routes.h"

#include <array>
#include <initializer_list>
#include <string>

namespace latchkey::gateway {
namespace {

using http::Method;
using Part = std::string_view Destination::*;

// What the segments in braces of a route's pattern are, in their order.
std::initializer_list<Part> PartsOf(Route route) {
  using D = Destination;
  static constexpr std::initializer_list<Part> kRecord = {&D::workspace, &D::dataset, &D::key,
                                                          &D::subkey, &D::date};
  static constexpr std::initializer_list<Part> kRename = {&D::workspace, &D::dataset, &D::new_name};
  static constexpr std::initializer_list<Part> kJob = {&D::workspace, &D::job};
  static constexpr std::initializer_list<Part> kField = {&D::symbol, &D::field};
  static constexpr std::initializer_list<Part> kRange = {&D::symbol, &D::range};
  switch (route) {
    case Route::kRenameDataset:
      return kRename;
    case Route::kJobs:
    case Route::kJob:
    case Route::kRejectedLines:
      return kJob;
    case Route::kLegacyQuote:
    case Route::kLegacyField:
      return kField;
    case Route::kLegacyChart:
    case Route::kLegacyChartDate:
    case Route::kLegacyBatch:
    case Route::kLegacyMarketBatch:
      return kRange;
    default:
      return kRecord;
  }
}

}  // namespace

Routes::Routes() {
  for (const std::string_view prefix : {"/v1", "/stable", "/latest", "/beta"}) {
    auto add = [&](Method method, std::string_view pattern, Route route) {
      router_.Add(method, std::string(prefix).append(pattern), static_cast<int>(route));
    };
    add(Method::kGet, "/status", Route::kStatus);

    // {+name}: a key may hold a colon.
    add(Method::kGet, "/data", Route::kCatalogue);
    add(Method::kGet, "/data/{+workspace}", Route::kCatalogue);
    add(Method::kGet, "/data/{+workspace}/{+dataset}", Route::kRecords);
    add(Method::kGet, "/data/{+workspace}/{+dataset}/{+key}", Route::kRecords);
    add(Method::kGet, "/data/{+workspace}/{+dataset}/{+key}/{+subkey}", Route::kRecords);
    add(Method::kPost, "/data/{+workspace}/{+dataset}", Route::kUpload);
    add(Method::kPost, "/record/{+workspace}/{+dataset}", Route::kWriteRecords);
    add(Method::kDelete, "/data/{+workspace}/{+dataset}/{+key}", Route::kDeleteRecords);
    add(Method::kDelete, "/data/{+workspace}/{+dataset}/{+key}/{+subkey}", Route::kDeleteRecords);
    add(Method::kDelete, "/data/{+workspace}/{+dataset}/{+key}/{+subkey}/{+date}",
        Route::kDeleteRecords);

    add(Method::kGet, "/datasets", Route::kListDefinitions);
    add(Method::kGet, "/datasets/{+workspace}", Route::kListDefinitions);
    add(Method::kPost, "/datasets/{+workspace}", Route::kCreateDefinition);
    add(Method::kGet, "/datasets/{+workspace}/{+dataset}", Route::kShowDefinition);
    add(Method::kPatch, "/datasets/{+workspace}/{+dataset}", Route::kChangeDefinition);
    add(Method::kPut, "/datasets/{+workspace}/{+dataset}", Route::kChangeDefinition);
    add(Method::kPost, "/datasets/{+workspace}/{+dataset}", Route::kChangeDefinition);
    add(Method::kDelete, "/datasets/{+workspace}/{+dataset}", Route::kRemoveDefinition);
    add(Method::kPut, "/datasets/{+workspace}/{+dataset}/{+new_name}", Route::kRenameDataset);

    add(Method::kGet, "/jobs/{+workspace}/ingest", Route::kJobs);
    add(Method::kGet, "/jobs/{+workspace}/ingest/{+job}", Route::kJob);
    add(Method::kGet, "/jobs/{+workspace}/ingest/{+job}/rejected", Route::kRejectedLines);

    add(Method::kGet, "/stock/{+symbol}/quote", Route::kLegacyQuote);
    add(Method::kGet, "/stock/{+symbol}/quote/{+field}", Route::kLegacyField);
    add(Method::kGet, "/stock/{+symbol}/chart", Route::kLegacyChart);
    add(Method::kGet, "/stock/{+symbol}/chart/{+range}", Route::kLegacyChart);
    add(Method::kGet, "/stock/{+symbol}/chart/date/{+range}", Route::kLegacyChartDate);
    add(Method::kGet, "/stock/{+symbol}/batch", Route::kLegacyBatch);
    add(Method::kGet, "/stock/market/batch", Route::kLegacyMarketBatch);
  }
}

Destination Routes::Find(http::Method method, std::string_view path) const {
  const http::Router::Match match = router_.Find(method, path);
  Destination out;
  out.outcome = match.outcome;
  out.allow = match.allow;
  if (match.outcome != http::Router::Outcome::kFound) return out;
  out.route = static_cast<Route>(match.route);
  std::size_t i = 0;
  for (const Part part : PartsOf(out.route)) {
    if (i == match.capture_count) break;
    out.*part = match.captures[i++];
  }
  return out;
}

}  // namespace latchkey::gateway
