// The export route: all records of a dataset as one file that an import takes again.
//
// The worker pool writes it to a file without a name, some records a job, so that neither a slow
// receiver nor a large dataset holds a thread; then it is sent with its length. All of it is of
// the generation that counted at the beginning (service::RecordStream).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_annotations.h"
#include "env/worker_pool.h"
#include "http/server.h"
#include "manage/call.h"
#include "service/catalogue.h"
#include "service/datasets.h"

namespace latchkey::manage {

// Thread-safe.
class DatasetExports {
 public:
  // Called once per export, on its I/O thread, unless the connection is gone.
  using AnswerFunction = std::function<void(http::Exchange&, Reply&&)>;

  // Borrowed. `directory`: where the files are made, with room.
  DatasetExports(service::Datasets& datasets, service::Catalogue& catalogue, WorkerPool& pool,
                 std::string directory, int max_running)
      : datasets_(datasets),
        catalogue_(catalogue),
        pool_(pool),
        directory_(std::move(directory)),
        max_running_(max_running) {}
  ~DatasetExports();

  // On the exchange's I/O thread.
  void Start(http::Exchange& exchange, std::shared_ptr<const Call> call,
             const AnswerFunction& answer) EXCLUDES(mutex_);
  // Hands exports to the pool again that it had no room for. On any I/O thread's tick.
  void OnTick() EXCLUDES(mutex_);

 private:
  class Job;

  bool TakeSlot() EXCLUDES(mutex_);
  void GiveSlotBack() EXCLUDES(mutex_);
  void Stall(std::shared_ptr<Job> job) EXCLUDES(mutex_);

  service::Datasets& datasets_;
  service::Catalogue& catalogue_;
  WorkerPool& pool_;
  const std::string directory_;
  const int max_running_;
  Mutex mutex_;
  int running_ GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<Job>> stalled_ GUARDED_BY(mutex_);
};

}  // namespace latchkey::manage
