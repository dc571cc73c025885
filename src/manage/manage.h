// The management plane and the internal plane: what answers on their listeners.
//
//   management  https, /manage/v1/…            Bearer secret token; people sign in later
//   internal    http on loopback, /operator/v1/… Bearer operator token; /healthz /readyz /metrics
//
// Both answer only under their own host names (421 misdirected for others), so that a page that
// lures a browser here by DNS rebinding gets nothing; neither ever sends a CORS header. Errors are
// problem+json (wire.md §9). The same token handlers stand on both planes.
//
// What may block runs on the worker pool and comes back through http::Deferred; nothing here waits
// on an I/O thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/ip_address.h"
#include "base/result.h"
#include "core/audit.h"
#include "env/access_log.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "env/log.h"
#include "env/metrics.h"
#include "env/worker_pool.h"
#include "http/server.h"

namespace latchkey::service {
class Accounts;
class Answers;
class Catalogue;
class DatasetDefinitions;
class Datasets;
class LegacyMaps;
class TokenIndex;
class Tokens;
class Uploads;
}  // namespace latchkey::service

namespace latchkey::manage {

// Borrowed; everything outlives the handlers and the pool's jobs.
struct Dependencies {
  service::TokenIndex& index;
  service::Tokens& tokens;
  service::Accounts& accounts;
  service::Answers& answers;
  service::Datasets& datasets;
  service::DatasetDefinitions& definitions;
  service::Uploads& uploads;
  service::Catalogue& catalogue;
  service::LegacyMaps& legacy_maps;
  WorkerPool& pool;
  const Clock& clock;
  Entropy& entropy;  // thread-safe
  AccessLog& access_log;
  Metrics& metrics;  // with the names of core::AllReasons() by the number of the reason
  Log& log;
};

struct ManageOptions {
  // Names besides localhost, 127.0.0.1 and [::1] under which the management listener answers:
  // hosts without a port, IPv6 in brackets; compared without case. Any port passes.
  std::vector<std::string> host_names;
  // Of JSON; never more than 64 KiB, but that a dataset's definition may have 256 KiB.
  std::size_t max_body_bytes = 64 * 1024;
  // Of one upload's body.
  std::uint64_t max_upload_bytes = std::uint64_t{4} << 30;
  // Uploads whose bytes may come in at once, from all accounts and from one; one more is refused
  // with 503. What is done with the file later is no part of it.
  int max_running_uploads = 16;
  int max_running_uploads_per_account = 4;
  // Whose X-Forwarded-For is believed (http/client_address.h).
  std::vector<IpNetwork> trusted_proxies;
};

// What the composition root gives the internal plane beyond the services.
struct InternalOptions {
  // As ManageOptions::host_names, for the internal listener.
  std::vector<std::string> host_names;
  // SHA-256 of the operator token's text; what is sent is digested and compared in constant time.
  Digest operator_token_digest{};
  std::size_t max_body_bytes = 64 * 1024;
  // Of one import's body.
  std::uint64_t max_import_bytes = std::uint64_t{4} << 30;
  // Imports that may run at once; one more is refused with 503. Each holds a thread of the pool
  // only while it has bytes to work on, but the last step of a large one takes long.
  int max_running_imports = 2;
  // Exports that may run at once; one more is refused with 503.
  int max_running_exports = 2;
  // Where exports are made before they are sent: a folder on a disk with room.
  std::string spool_directory;

  // The exposition text of /metrics (text/plain; version=0.0.4). Called on the worker pool.
  std::function<std::string()> metrics;
  // What keeps the server from being ready, one plain sentence each ("the store does not answer");
  // empty: ready. Called on the worker pool.
  std::function<std::vector<std::string>()> readiness;
  // Makes a backup and says which file holds it: complete, mode 0600, in a folder of the server's
  // own. Its name is taken away before it is streamed. Called on the worker pool.
  std::function<Result<std::string>(const core::Actor& actor)> backup;
  // Rotates the master key and gives the id of the new one. Called on the worker pool.
  std::function<Result<std::uint32_t>(const core::Actor& actor)> rotate_master_key;
};

class Shared;  // plane_handler.h

// What http::ListenerOptions::make_handler calls on each I/O thread. Handlers share what the plane
// needs once (limits of running imports), so one Planes stands for the whole process. Thread-safe.
class Planes {
 public:
  Planes(const Dependencies& dependencies, ManageOptions manage, InternalOptions internal);
  ~Planes();
  Planes(const Planes&) = delete;
  Planes& operator=(const Planes&) = delete;

  // For the management listener and the internal listener. `thread`: the I/O thread's number.
  std::unique_ptr<http::Handler> MakeManageHandler(int thread);
  std::unique_ptr<http::Handler> MakeInternalHandler(int thread);

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace latchkey::manage
