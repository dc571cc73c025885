// POST /v1/data/…: files of records, streamed from the connection into service::Upload; and
// /v1/jobs/…, which tells what became of them (wire.md §7).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_annotations.h"
#include "core/token.h"
#include "env/shares.h"
#include "env/worker_pool.h"
#include "gateway/chain.h"
#include "http/server.h"
#include "service/uploads.h"

namespace latchkey::gateway {

// Files that are being received, of all handlers of a listener. Each has a queue of at most 1 MiB,
// and its connection is read no further while that is full. The worker pool empties it, one job at
// a time per file; one that waits for bytes holds no thread. Thread-safe.
class UploadStreams {
 public:
  // More at once are refused: of all, and of one account, so that none takes all places with files
  // that it sends slowly.
  UploadStreams(WorkerPool& pool, std::uint64_t max_running, std::uint64_t max_running_of_account)
      : pool_(pool), places_(max_running, max_running_of_account) {}
  ~UploadStreams();

  // Hands those to the pool again that it had no room for. On any I/O thread's tick.
  void OnTick() EXCLUDES(mutex_);

 private:
  friend class UploadsApi;
  class Stream;
  class Sink;

  void Stall(std::shared_ptr<Stream> stream) EXCLUDES(mutex_);

  WorkerPool& pool_;
  Shares places_;
  Mutex mutex_;
  std::vector<std::shared_ptr<Stream>> stalled_ GUARDED_BY(mutex_);
};

// One per handler, on its thread.
class UploadsApi {
 public:
  UploadsApi(Chain& chain, UploadStreams& streams) : chain_(chain), streams_(streams) {}

  // `parameters` as ReadCredential leaves them.
  void Upload(http::Exchange& exchange, Call& call, const Destination& to,
              std::string_view parameters);
  void Job(http::Exchange& exchange, Call& call, const Destination& to,
           std::string_view parameters);
  void Jobs(http::Exchange& exchange, Call& call, const Destination& to,
            std::string_view parameters);
  void Rejected(http::Exchange& exchange, Call& call, const Destination& to,
                std::string_view parameters);

 private:
  // False: refused.
  bool VerifyWorkspace(http::Exchange& exchange, Call& call, const Destination& to);
  // The environment of the token, or nothing: refused.
  std::optional<core::Environment> VerifyWorkspaceAgain(http::Exchange& exchange, Call& call,
                                                        const std::string& workspace);
  // A job tells of its records, rejected ones in full: a test token sees those of datasets alone
  // that it may read (wire.md §8).
  bool IsShownTo(core::Environment environment, const core::UploadJob& job);
  void AnswerFile(http::Exchange& exchange, const Call& call,
                  std::unique_ptr<http::BodySource> file);

  Chain& chain_;
  UploadStreams& streams_;
};

}  // namespace latchkey::gateway
