// What the metrics tell beside requests: connections, the index, the pool, certificates, the disk.
#pragma once

#include <string>
#include <vector>

#include "app/certificates.h"
#include "env/access_log.h"
#include "env/metrics.h"
#include "env/worker_pool.h"
#include "http/server.h"
#include "service/catalogue.h"
#include "service/token_index.h"

namespace latchkey::app {

struct Observed {
  const http::Server& server;
  std::vector<std::string> listeners;
  const service::TokenIndex& index;
  const service::Catalogue& catalogue;
  const WorkerPool& pool;
  const Certificates& certificates;
  const AccessLog& access_log;
  std::string data_folder;
};

// What `observed` refers to must outlive the last scrape.
void ObserveProcess(Metrics& metrics, const Observed& observed);

// Bytes that this process may still write where `path` is; negative if that can't be told.
double FreeBytes(const std::string& path);

}  // namespace latchkey::app
