// Files of records on their way into a dataset (wire.md §7, POST /v1/data). An upload that was
// acknowledged is on disk: it goes on after kill -9 or a loss of power with the next start, and its
// records are seen all at once or never. A job runs in small steps on the thread of service/
// job_runner.h, in turns with those of other accounts. Memory is bounded whatever the file.
//
// Thread-safe but for Upload. All but the construction may block: call it on the worker pool.
// Whether the caller may do it was decided before.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/audit.h"
#include "core/ids.h"
#include "core/upload_job.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "service/datasets.h"
#include "service/job_runner.h"
#include "service/page.h"
#include "service/plan_limits.h"
#include "store/dataset_store.h"

namespace latchkey::service {

struct UploadOptions {
  std::string workspace;  // without case, as all names
  std::string dataset;
  bool overwrite = false;  // replace all its records; its definition stays
  store::Duplicates duplicates = store::Duplicates::kReplace;
  std::uint64_t max_errors = 0;  // more bad lines than this: nothing is stored
  bool create_on_demand = true;
};

// One file as it comes. Not thread-safe. Destroyed without Finish it leaves nothing.
class Upload {
 public:
  virtual ~Upload() = default;
  // kUnavailable when the disk is full.
  virtual Status Feed(std::string_view bytes) = 0;
  // When it returns ok the file and its job are on disk, and the job's turn comes by itself.
  virtual Result<core::UploadJob> Finish() = 0;
};

struct UploadsOptions {
  std::string directory;  // DIR/uploads: on the disk where the records are
  // Jobs that have ended are kept so long, and of each workspace so many, the last ones.
  std::chrono::hours keep_finished{7 * 24};
  std::size_t keep_finished_jobs = 500;
  // For the log: a job that failed and not because of its file. On the runner's thread.
  std::function<void(const core::UploadJob&, const Error&)> on_failure = {};
};

class Uploads {
 public:
  // Borrowed; must outlive this.
  Uploads(Datasets& datasets, PlanLimits& limits, JobRunner& runner, UploadsOptions options);
  ~Uploads();

  // Once, after Datasets::Load and before anything else: makes the directory, takes up what an
  // earlier run left unfinished and throws away files that nothing names.
  Status Resume();

  // kNotFound: no such dataset (and none may be made), or no such workspace. kInvalid for options
  // that can't hold. kLimit: the plan's jobs, storage or datasets.
  Result<std::unique_ptr<Upload>> Begin(const UploadOptions& options, core::Actor actor);

  // kNotFound also for one of another workspace. `lines`, `rejected` and `stored` move while it
  // runs.
  Result<core::UploadJob> Find(std::string_view workspace, core::UploadJobId id);
  // The last `count` of a workspace, the newest first.
  Result<std::vector<core::UploadJob>> Newest(std::string_view workspace, std::size_t count);
  // Oldest first, as all lists (wire.md §9).
  Result<Paged<core::UploadJob>> List(std::string_view workspace, const PageRequest& page);
  // The path of a CSV file with the columns line, reason, text: the lines of the upload that were
  // left out, or that made it fail, in their order; at most kMaxRejectedLines of them, and none any
  // more once the file has kMaxRejectedBytes; `text` cut at 1,024 bytes. kNotFound: no such job, or
  // none was rejected (yet: it is there from VALIDATED or FAILED on). The file goes when the job is
  // forgotten: open it at once.
  static constexpr std::uint64_t kMaxRejectedLines = 100'000;
  static constexpr std::uint64_t kMaxRejectedBytes = 8 * 1024 * 1024;
  Result<std::string> RejectedFile(std::string_view workspace, core::UploadJobId id);

  // Forgets jobs that ended long ago, with their files. Call it now and then, on the pool.
  Status Sweep();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace latchkey::service
