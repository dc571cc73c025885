#include "manage/body_stream.h"

#include <string>
#include <utility>

namespace latchkey::manage {
namespace {

constexpr std::size_t kMaxQueuedBytes = 1024 * 1024;

}  // namespace

// The sink fills the queue on the I/O thread, jobs of the pool empty it.
class BodyStreams::Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(BodyStreams& streams, std::int64_t lane, std::unique_ptr<BodyReceiver> receiver,
         http::Deferred deferred, AnswerFunction answer)
      : streams_(streams),
        lane_(lane),
        deferred_(std::move(deferred)),
        answer_(std::move(answer)),
        receiver_(std::move(receiver)) {}
  ~Stream() {
    if (!over_) streams_.GiveSlotBack(lane_);
  }

  // ---- On the I/O thread.

  // False: the queue is full, wait.
  bool Take(std::string_view bytes) EXCLUDES(mutex_) {
    bool full = false;
    {
      const MutexLock lock(mutex_);
      if (over_) return true;  // answered already; the rest is of no use
      queued_.append(bytes);
      full = paused_ = queued_.size() >= kMaxQueuedBytes;
      if (!ClaimJob()) return !full;
    }
    Schedule();
    return !full;
  }
  void End() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
      if (over_ || !ClaimJob()) return;
    }
    Schedule();
  }
  void Abort() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      aborted_ = true;
      if (over_ || !ClaimJob()) return;
    }
    Schedule();
  }
  // Before the first byte. False: the pool has no room.
  bool Begin() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      job_ = true;
    }
    return streams_.pool_.Submit(lane_, [self = shared_from_this()] { self->Run(); });
  }

  // ---- On any thread.

  // With the job claimed.
  void Schedule() {
    if (!streams_.pool_.Submit(lane_, [self = shared_from_this()] { self->Run(); })) {
      streams_.Stall(shared_from_this());
    }
  }

 private:
  // True: there was no job of this stream, now the caller must schedule one.
  bool ClaimJob() REQUIRES(mutex_) { return !std::exchange(job_, true); }

  // One step, on the pool. Between steps others have their turn.
  void Run() EXCLUDES(mutex_) {
    if (!begun_) {
      if (std::optional<Reply> refusal = receiver_->Begin()) return Finish(std::move(*refusal));
      begun_ = true;
    }
    std::string bytes;
    bool resume = false;
    bool last = false;
    bool given_up = false;
    {
      const MutexLock lock(mutex_);
      if (aborted_ || deferred_.Abandoned()) {
        over_ = given_up = true;
      } else if (queued_.empty() && !ended_) {
        job_ = false;
        return;
      } else {
        bytes.swap(queued_);
        resume = std::exchange(paused_, false);
        last = ended_;
      }
    }
    if (given_up) {
      receiver_.reset();
      streams_.GiveSlotBack(lane_);
      return;
    }
    if (resume) deferred_.ResumeBody();
    if (!bytes.empty()) {
      if (std::optional<Reply> refusal = receiver_->Feed(bytes)) return Finish(std::move(*refusal));
    }
    if (!last) return Schedule();
    Finish(receiver_->Finish());
  }

  void Finish(Reply reply) EXCLUDES(mutex_) {
    receiver_.reset();
    {
      const MutexLock lock(mutex_);
      over_ = true;
      queued_.clear();
      queued_.shrink_to_fit();
    }
    streams_.GiveSlotBack(lane_);
    // std::function wants what it holds to be copyable; a reply is not.
    auto shared = std::make_shared<Reply>(std::move(reply));
    deferred_.Post([answer = answer_, shared](http::Exchange& exchange) {
      answer(exchange, std::move(*shared));
    });
  }

  BodyStreams& streams_;
  const std::int64_t lane_;
  http::Deferred deferred_;
  const AnswerFunction answer_;

  // Of the one job that runs.
  std::unique_ptr<BodyReceiver> receiver_;
  bool begun_ = false;
  Mutex mutex_;
  std::string queued_ GUARDED_BY(mutex_);
  bool job_ GUARDED_BY(mutex_) = false;     // one is queued, stalled or running
  bool paused_ GUARDED_BY(mutex_) = false;  // the connection waits for ResumeBody
  bool ended_ GUARDED_BY(mutex_) = false;
  bool aborted_ GUARDED_BY(mutex_) = false;
  bool over_ GUARDED_BY(mutex_) = false;  // answered or given up; the slot is free
};

class BodyStreams::Sink final : public http::BodySink {
 public:
  explicit Sink(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  bool OnData(std::string_view bytes) override { return stream_->Take(bytes); }
  void OnEnd() override { stream_->End(); }
  void OnAbort(http::ProtocolError) override { stream_->Abort(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

BodyStreams::~BodyStreams() {
  // What stalled goes while the members that it gives its slot back to still stand.
  std::vector<std::shared_ptr<Stream>> stalled;
  {
    const MutexLock lock(mutex_);
    stalled.swap(stalled_);
  }
}

void BodyStreams::Start(http::Exchange& exchange, const Call& call,
                        std::unique_ptr<BodyReceiver> receiver, const AnswerFunction& answer) {
  const std::string& request_id = call.actor.request_id;
  const std::int64_t lane = call.account.value;
  if (!TakeSlot(lane)) {
    return answer(exchange,
                  Refuse(core::Reason::kUnavailable,
                         "Other files are coming in. Try again when they are done.", request_id));
  }
  const auto stream =
      std::make_shared<Stream>(*this, lane, std::move(receiver), exchange.Defer(), answer);
  if (!stream->Begin()) {
    return answer(exchange, Refuse(core::Reason::kUnavailable,
                                   "The server is busy. Try again in a moment.", request_id));
  }
  exchange.StreamBody(options_.max_bytes, std::make_unique<Sink>(stream));
}

void BodyStreams::OnTick() {
  std::vector<std::shared_ptr<Stream>> stalled;
  {
    const MutexLock lock(mutex_);
    stalled.swap(stalled_);
  }
  for (const std::shared_ptr<Stream>& stream : stalled) stream->Schedule();
}

bool BodyStreams::TakeSlot(std::int64_t lane) {
  const MutexLock lock(mutex_);
  if (running_ >= options_.max_running) return false;
  int& in_lane = running_in_lane_[lane];
  if (in_lane >= options_.max_running_per_lane) return false;
  ++in_lane;
  ++running_;
  return true;
}

void BodyStreams::GiveSlotBack(std::int64_t lane) {
  const MutexLock lock(mutex_);
  --running_;
  const auto in_lane = running_in_lane_.find(lane);
  if (in_lane != running_in_lane_.end() && --in_lane->second == 0) running_in_lane_.erase(in_lane);
}

void BodyStreams::Stall(std::shared_ptr<Stream> stream) {
  const MutexLock lock(mutex_);
  stalled_.push_back(std::move(stream));
}

}  // namespace latchkey::manage
