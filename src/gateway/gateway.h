// The data plane: what answers on the data listeners. docs/life-of-a-request.md follows one request
// through it, docs/wire.md says what goes over the wire.
//
// A DataPlane stands for one listener and makes a handler for each of its I/O threads. A handler
// keeps everything it needs per thread (its reader of the token index, its prepared answers, its
// buffers), so that an answer from memory takes no lock, no shared counter and no allocation.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "env/access_log.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "env/log.h"
#include "env/metrics.h"
#include "env/worker_pool.h"
#include "http/server.h"
#include "service/catalogue.h"
#include "service/dataset_definitions.h"
#include "service/datasets.h"
#include "service/legacy_maps.h"
#include "service/record_writes.h"
#include "service/token_index.h"
#include "service/uploads.h"

namespace latchkey::gateway {

// Borrowed: all of it must outlive the handlers and the pool's jobs. The pool must be stopped, or
// idle, before the handlers' listeners are destroyed.
struct Dependencies {
  service::TokenIndex& index;
  service::Catalogue& catalogue;
  service::Datasets& datasets;
  service::RecordWrites& record_writes;
  service::DatasetDefinitions& definitions;
  service::Uploads& uploads;
  service::LegacyMaps& legacy_maps;
  WorkerPool& pool;
  const Clock& clock;
  Entropy& entropy;  // thread-safe: handlers are made on their threads
  AccessLog& access_log;
  Metrics& metrics;  // with the names of core::AllReasons() by the number of the reason
  Log& log;
};

struct DataPlaneOptions {
  std::string plane = "data";  // in the access log and the metrics: "data", "plain"
  std::string version = {};    // what GET /v1/status says
  // Records of one answer; a query that asks for more is 400.
  std::uint64_t max_records = 10'000;
  // Bytes of one answer's text; what would be larger is 400.
  std::uint64_t max_answer_bytes = 32 * 1024 * 1024;
  // Bytes of the body of POST /v1/record, and of POST /v1/data; 413 beyond.
  std::size_t max_record_body_bytes = 16 * 1024 * 1024;
  std::uint64_t max_upload_bytes = 4ULL * 1024 * 1024 * 1024;
  // Bytes of all bodies that are held in memory at the same time, from their announcement to the
  // answer, and of those of one account (of all without one yet: old POSTs, whose token stands in
  // the body); 503 beyond. Neither is less than one body of the largest size.
  std::uint64_t max_held_body_bytes = 256 * 1024 * 1024;
  std::uint64_t max_held_body_bytes_of_account = 64 * 1024 * 1024;
  // Bytes of all large answers that are held until their readers have taken them, or in the cache,
  // and of those that one account asked for; 503 beyond. Neither is less than one answer of the
  // largest size.
  std::uint64_t max_held_answer_bytes = 512 * 1024 * 1024;
  std::uint64_t max_held_answer_bytes_of_account = 128 * 1024 * 1024;
  // Files of POST /v1/data that are being received at the same time, and those of one account; 503
  // beyond. Each may hold 1 MiB or so.
  std::uint64_t max_uploads_at_once = 64;
  std::uint64_t max_uploads_at_once_of_account = 16;
  // Prepared answers kept by each handler, with all that belongs to them. 0: none are kept.
  std::size_t answer_cache_bytes = 32 * 1024 * 1024;
  // From the head's last byte to the end of the query; 503 after that.
  std::chrono::milliseconds query_timeout{5'000};
  // Whose X-Forwarded-For is believed.
  std::vector<IpNetwork> trusted_proxies = {};
  // A secret token that comes without TLS from a peer that is neither loopback nor a trusted proxy
  // is refused with not_permitted.
  bool refuse_secret_tokens_over_http = true;
  // Strict-Transport-Security on answers over TLS: only with real certificates (wire.md §2).
  bool hsts = false;
};

class DataPlane {
 public:
  DataPlane(const Dependencies& dependencies, DataPlaneOptions options);
  ~DataPlane();
  DataPlane(const DataPlane&) = delete;
  DataPlane& operator=(const DataPlane&) = delete;

  // For http::ListenerOptions::make_handler; called on each I/O thread, the handler is used and
  // destroyed there. Must not outlive the DataPlane.
  std::unique_ptr<http::Handler> MakeHandler(int thread);

 private:
  struct Shared;  // by all handlers of the listener; thread-safe
  const Dependencies dependencies_;
  const DataPlaneOptions options_;
  const std::unique_ptr<Shared> shared_;
};

}  // namespace latchkey::gateway
