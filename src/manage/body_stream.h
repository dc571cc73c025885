// Bodies of any size, streamed from the connection into what takes them (an import, an upload).
//
// The bytes go into a queue of at most 1 MiB, and the connection is read no further while it is
// full. The worker pool empties it, one job at a time per stream, in the lane of the caller's
// account; a stream that waits for bytes holds no thread. One that breaks off leaves nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/thread_annotations.h"
#include "env/worker_pool.h"
#include "http/server.h"
#include "manage/call.h"

namespace latchkey::manage {

// What takes the bytes. Its functions run on the worker pool, one after the other; each may block.
// Destroyed before Finish it must leave nothing.
class BodyReceiver {
 public:
  virtual ~BodyReceiver() = default;
  // Before the first byte, so that what can't hold is refused early. A refusal, or nothing.
  virtual std::optional<Reply> Begin() = 0;
  virtual std::optional<Reply> Feed(std::string_view bytes) = 0;
  // After the last byte: the answer.
  virtual Reply Finish() = 0;
};

struct BodyStreamsOptions {
  int max_running = 2;  // at once; one more is refused with 503
  int max_running_per_lane = 2;
  std::uint64_t max_bytes = 0;  // of one body; more is 413
};

// Thread-safe.
class BodyStreams {
 public:
  // Called once per stream, on its I/O thread, unless the connection is gone.
  using AnswerFunction = std::function<void(http::Exchange&, Reply&&)>;

  // Borrowed.
  BodyStreams(WorkerPool& pool, const BodyStreamsOptions& options)
      : pool_(pool), options_(options) {}
  ~BodyStreams();

  // On the exchange's I/O thread. The lane is that of call.account.
  void Start(http::Exchange& exchange, const Call& call, std::unique_ptr<BodyReceiver> receiver,
             const AnswerFunction& answer) EXCLUDES(mutex_);
  // Hands streams to the pool again that it had no room for. On any I/O thread's tick.
  void OnTick() EXCLUDES(mutex_);

 private:
  class Stream;
  class Sink;

  bool TakeSlot(std::int64_t lane) EXCLUDES(mutex_);
  void GiveSlotBack(std::int64_t lane) EXCLUDES(mutex_);
  void Stall(std::shared_ptr<Stream> stream) EXCLUDES(mutex_);

  WorkerPool& pool_;
  const BodyStreamsOptions options_;
  Mutex mutex_;
  int running_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::int64_t, int> running_in_lane_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Stream>> stalled_ GUARDED_BY(mutex_);
};

}  // namespace latchkey::manage
