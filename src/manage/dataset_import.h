// The import route: a CSV of any size, streamed from the connection into service::Import.
//
// The body goes into a queue of at most 1 MiB, and the connection is read no further while it is
// full. The worker pool empties it, one job at a time per import; an import that waits for bytes
// holds no thread. An upload that breaks off leaves nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_annotations.h"
#include "env/worker_pool.h"
#include "http/server.h"
#include "manage/call.h"
#include "service/catalogue.h"
#include "service/datasets.h"

namespace latchkey::manage {

// From the path and the query of the call. kInvalid names the parameter.
Result<service::ImportOptions> ParseImportOptions(const Call& call);

// Thread-safe.
class DatasetImports {
 public:
  // Called once per import, on its I/O thread, unless the connection is gone.
  using AnswerFunction = std::function<void(http::Exchange&, Reply&&)>;

  // Borrowed.
  DatasetImports(service::Datasets& datasets, service::Catalogue& catalogue, WorkerPool& pool,
                 int max_running, std::uint64_t max_bytes);
  ~DatasetImports();

  // On the exchange's I/O thread.
  void Start(http::Exchange& exchange, std::shared_ptr<const Call> call,
             const AnswerFunction& answer) EXCLUDES(mutex_);
  // Hands imports to the pool again that it had no room for. On any I/O thread's tick.
  void OnTick() EXCLUDES(mutex_);

 private:
  class Stream;
  class Sink;

  bool TakeSlot() EXCLUDES(mutex_);
  void GiveSlotBack() EXCLUDES(mutex_);
  void Stall(std::shared_ptr<Stream> stream) EXCLUDES(mutex_);

  service::Datasets& datasets_;
  service::Catalogue& catalogue_;
  WorkerPool& pool_;
  const int max_running_;
  const std::uint64_t max_bytes_;
  Mutex mutex_;
  int running_ GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<Stream>> stalled_ GUARDED_BY(mutex_);
};

}  // namespace latchkey::manage
