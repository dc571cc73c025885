// What a path of the data plane asks for. /v1, /stable, /latest and /beta are the same API
// (wire.md §1).
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.h"
#include "http/router.h"

namespace latchkey::gateway {

enum class Route : std::uint8_t {
  kStatus,         // /v1/status
  kCatalogue,      // /v1/data and /v1/data/{workspace}
  kRecords,        // /v1/data/{workspace}/{dataset}[/{key}[/{subkey}]]
  kWriteRecords,   // POST /v1/record/{workspace}/{dataset}
  kUpload,         // POST /v1/data/{workspace}/{dataset}
  kDeleteRecords,  // DELETE /v1/data/{workspace}/{dataset}/{key}[/{subkey}[/{date}]]

  kListDefinitions,   // GET /v1/datasets[/{workspace}]
  kCreateDefinition,  // POST /v1/datasets/{workspace}
  kShowDefinition,    // GET /v1/datasets/{workspace}/{dataset}
  kChangeDefinition,  // PATCH, PUT or POST of the same
  kRemoveDefinition,  // DELETE of the same
  kRenameDataset,     // PUT /v1/datasets/{workspace}/{dataset}/{new_name}

  kJobs,           // /v1/jobs/{workspace}/ingest
  kJob,            // /v1/jobs/{workspace}/ingest/{job}
  kRejectedLines,  // /v1/jobs/{workspace}/ingest/{job}/rejected

  kLegacyQuote,        // /v1/stock/{symbol}/quote
  kLegacyField,        // /v1/stock/{symbol}/quote/{field}
  kLegacyChart,        // /v1/stock/{symbol}/chart[/{range}]
  kLegacyChartDate,    // /v1/stock/{symbol}/chart/date/{range}
  kLegacyBatch,        // /v1/stock/{symbol}/batch
  kLegacyMarketBatch,  // /v1/stock/market/batch
  kCount,
};

struct Destination {
  http::Router::Outcome outcome = http::Router::Outcome::kNotFound;
  Route route = Route::kStatus;
  // Views into the path given to Find. Absent parts have data() == nullptr.
  std::string_view workspace;
  std::string_view dataset;
  std::string_view key;
  std::string_view subkey;
  std::string_view date;
  std::string_view new_name;
  std::string_view job;
  std::string_view symbol;
  std::string_view field;
  std::string_view range;
  // The methods that the path knows, for Allow, without OPTIONS. Holds as long as the Routes.
  std::string_view allow;
};

// Built once, then read from any thread.
class Routes {
 public:
  Routes();
  // `path` is http::Request::path. HEAD is found where GET is.
  Destination Find(http::Method method, std::string_view path) const;

 private:
  http::Router router_;
};

}  // namespace latchkey::gateway
