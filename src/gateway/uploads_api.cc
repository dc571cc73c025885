#include "gateway/uploads_api.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "gateway/data_api.h"
#include "gateway/parameters.h"
#include "gateway/record_writes.h"
#include "http/file_source.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using core::Reason;
using http::Exchange;

constexpr std::size_t kMaxQueuedBytes = 1024 * 1024;
constexpr std::uint64_t kMaxJobs = 500;  // of one answer

Result<service::UploadOptions> ReadUploadOptions(const Destination& to, std::string_view raw) {
  Parameters parameters(raw);
  service::UploadOptions options;
  options.workspace = ToLower(to.workspace);
  options.dataset = to.dataset;
  options.overwrite = parameters.Flag("overwrite", false);
  options.duplicates = parameters.Choice("duplicateKeyHandling", {"replace", "ignore"}, 0) == 0
                           ? store::Duplicates::kReplace
                           : store::Duplicates::kIgnore;
  options.max_errors = parameters.Number("maximumValidationErrors", 0, 0, INT64_MAX);
  options.create_on_demand = parameters.Flag("createDatasetOnDemand", true);
  parameters.Flag("wait", false);  // the answer comes when the file is safe; the job goes on
  if (Status checked = parameters.Check(); !checked.ok()) return std::move(checked).error();
  return options;
}

Error NoSuchJob() {
  return MakeError(ErrorCode::kNotFound, "There is no such job in this workspace");
}

}  // namespace

// One file. The sink fills the queue on the I/O thread, jobs of the pool empty it.
class UploadStreams::Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(UploadStreams& streams, Chain& chain, Call call, Target target,
         service::UploadOptions options, Shares::Held place, http::Deferred deferred)
      : streams_(streams),
        chain_(chain),
        uploads_(chain.dependencies().uploads),
        call_(std::move(call)),
        target_(std::move(target)),
        options_(std::move(options)),
        actor_(Chain::ActorOf(call_)),
        deferred_(std::move(deferred)),
        place_(std::move(place)) {}

  // ---- On the I/O thread.

  // Begins before the first byte, so that what can't hold is refused early. False: the pool has no
  // room.
  bool Begin() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      job_ = true;
    }
    return Submit();
  }
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
  // The file is here. It may have taken long: whoever may not write any more stores nothing.
  void End() {
    deferred_.Post([self = shared_from_this()](Exchange& exchange) { self->Judge(exchange); });
  }
  void Abort() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      aborted_ = true;
      if (over_ || !ClaimJob()) return;
    }
    Schedule();
  }

  // ---- On any thread, with the job claimed.

  void Schedule() {
    if (!Submit()) streams_.Stall(shared_from_this());
  }

 private:
  bool Submit() {
    return streams_.pool_.Submit(call_.lane(), [self = shared_from_this()] { self->Run(); });
  }
  // True: there was no job of this file, now the caller must schedule one.
  bool ClaimJob() REQUIRES(mutex_) { return !std::exchange(job_, true); }

  // On the I/O thread.
  void Judge(Exchange& exchange) EXCLUDES(mutex_) {
    Call call = call_;
    EntryPointer entry;
    const Decision decision = chain_.VerifyAgain(call, exchange.request(), target_, entry);
    bool claimed = false;
    {
      const MutexLock lock(mutex_);
      if (over_) return;  // its answer is on the way
      (decision.allowed() ? ended_ : aborted_) = true;
      verdict_ = chain_.VerdictOnPool(call, exchange.request(), target_);
      claimed = ClaimJob();
    }
    if (!decision.allowed()) chain_.Refuse(exchange, call, decision);
    if (claimed) Schedule();
  }

  // One step, on the pool. Between steps others have their turn.
  void Run() EXCLUDES(mutex_) {
    if (!upload_) {
      Result<std::unique_ptr<service::Upload>> begun = uploads_.Begin(options_, actor_);
      if (!begun.ok()) return Finish(std::move(begun).error());
      upload_ = std::move(*begun);
    }
    std::string bytes;
    bool resume = false;
    bool last = false;
    bool given_up = false;
    std::function<Decision()> verdict;
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
        verdict = verdict_;
      }
    }
    if (given_up) {
      upload_.reset();
      place_.reset();
      return;
    }
    if (resume) deferred_.ResumeBody();
    if (!bytes.empty()) {
      if (Status fed = upload_->Feed(bytes); !fed.ok()) return Finish(std::move(fed).error());
    }
    if (!last) return Schedule();
    // It may have waited for its turn since.
    if (Decision decision = verdict(); !decision.allowed()) return GiveUp(std::move(decision));
    Finish(upload_->Finish());
  }

  void GiveUp(Decision decision) EXCLUDES(mutex_) {
    Leave();
    deferred_.Post([&chain = chain_, call = call_,
                    decision = std::move(decision)](Exchange& exchange) mutable {
      call.now = chain.dependencies().clock.Now();
      chain.Refuse(exchange, call, decision);
    });
  }

  void Finish(Result<core::UploadJob> job) EXCLUDES(mutex_) {
    Leave();
    deferred_.Post(
        [&chain = chain_, call = call_, job = std::move(job)](Exchange& exchange) mutable {
          call.now = chain.dependencies().clock.Now();
          if (!job.ok()) return chain.Refuse(exchange, call, job.error());
          chain.AnswerJson(exchange, call, UploadTakenJson(*job));
        });
  }

  // Before the answer.
  void Leave() EXCLUDES(mutex_) {
    upload_.reset();
    {
      const MutexLock lock(mutex_);
      over_ = true;
      queued_.clear();
      queued_.shrink_to_fit();
    }
    // Its client may send the next file at once.
    place_.reset();
  }

  UploadStreams& streams_;
  Chain& chain_;  // of the connection's thread; used there alone
  service::Uploads& uploads_;
  const Call call_;
  const Target target_;
  const service::UploadOptions options_;
  const core::Actor actor_;
  http::Deferred deferred_;

  // Of the one job that runs.
  std::unique_ptr<service::Upload> upload_;
  Shares::Held place_;

  Mutex mutex_;
  std::string queued_ GUARDED_BY(mutex_);
  bool job_ GUARDED_BY(mutex_) = false;     // one is queued, stalled or running
  bool paused_ GUARDED_BY(mutex_) = false;  // the connection waits for ResumeBody
  bool ended_ GUARDED_BY(mutex_) = false;
  std::function<Decision()> verdict_ GUARDED_BY(mutex_);  // once it has ended
  bool aborted_ GUARDED_BY(mutex_) = false;
  bool over_ GUARDED_BY(mutex_) = false;  // answered or given up; the place is free
};

class UploadStreams::Sink final : public http::BodySink {
 public:
  explicit Sink(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  bool OnData(std::string_view bytes) override { return stream_->Take(bytes); }
  void OnEnd() override { stream_->End(); }
  void OnAbort(http::ProtocolError) override { stream_->Abort(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

UploadStreams::~UploadStreams() {
  // What stalled goes while the members that it gives its place back to still stand.
  std::vector<std::shared_ptr<Stream>> stalled;
  {
    const MutexLock lock(mutex_);
    stalled.swap(stalled_);
  }
}

void UploadStreams::OnTick() {
  std::vector<std::shared_ptr<Stream>> stalled;
  {
    const MutexLock lock(mutex_);
    stalled.swap(stalled_);
  }
  for (const std::shared_ptr<Stream>& stream : stalled) stream->Schedule();
}

void UploadStreams::Stall(std::shared_ptr<Stream> stream) {
  const MutexLock lock(mutex_);
  stalled_.push_back(std::move(stream));
}

void UploadsApi::Upload(Exchange& exchange, Call& call, const Destination& to,
                        std::string_view parameters) {
  Target target =
      TargetOf(to.workspace, to.dataset, core::Action::kWrite, CreatesOnDemand(parameters));
  EntryPointer entry;
  const Decision decision = chain_.Verify(call, exchange.request(), target, entry);
  if (!decision.allowed()) return chain_.Refuse(exchange, call, decision);
  Result<service::UploadOptions> options = ReadUploadOptions(to, parameters);
  if (!options.ok()) return chain_.Refuse(exchange, call, options.error());
  Shares::Held place = streams_.places_.Take(call.lane(), 1);
  if (place == nullptr) {
    return chain_.Refuse(
        exchange, call,
        core::Refuse(Reason::kUnavailable, "Many files are being received; try again later."),
        {.retry_after = 1});
  }
  const auto stream = std::make_shared<UploadStreams::Stream>(
      streams_, chain_, call, std::move(target), *std::move(options), std::move(place),
      exchange.Defer());
  if (!stream->Begin()) return chain_.RefuseBusy(exchange, call);
  exchange.StreamBody(chain_.options().max_upload_bytes,
                      std::make_unique<UploadStreams::Sink>(stream));
}

bool UploadsApi::VerifyWorkspace(Exchange& exchange, Call& call, const Destination& to) {
  Target target;
  target.workspace = ToLower(to.workspace);
  target.whole_workspace = true;
  EntryPointer entry;
  const Decision decision = chain_.Verify(call, exchange.request(), target, entry);
  if (!decision.allowed()) chain_.Refuse(exchange, call, decision);
  return decision.allowed();
}

void UploadsApi::Job(Exchange& exchange, Call& call, const Destination& to,
                     std::string_view parameters) {
  if (!VerifyWorkspace(exchange, call, to)) return;
  const Status refused = RefuseParameters(parameters);
  if (!refused.ok()) return chain_.Refuse(exchange, call, refused.error());
  const std::optional<core::UploadJobId> id = core::UploadJobId::Parse(to.job);
  if (!id) return chain_.Refuse(exchange, call, NoSuchJob());
  chain_.OnPool<Result<core::UploadJob>>(
      exchange, call,
      [&uploads = chain_.dependencies().uploads, workspace = ToLower(to.workspace), id = *id] {
        return uploads.Find(workspace, id);
      },
      [this, to_workspace = ToLower(to.workspace)](Exchange& done, Call& at,
                                                   Result<core::UploadJob>& job) {
        const auto environment = VerifyWorkspaceAgain(done, at, to_workspace);
        if (!environment) return;
        if (!job.ok()) return chain_.Refuse(done, at, job.error());
        if (!IsShownTo(*environment, *job)) {
          return chain_.Refuse(done, at, core::Refuse(Reason::kTokenWrongEnvironment));
        }
        chain_.AnswerJson(done, at, UploadJobJson(*job));
      });
}

void UploadsApi::Jobs(Exchange& exchange, Call& call, const Destination& to, std::string_view raw) {
  if (!VerifyWorkspace(exchange, call, to)) return;
  Parameters parameters(raw);
  const std::uint64_t limit = parameters.Number("limit", kMaxJobs, 1, kMaxJobs);
  const std::uint64_t last = parameters.Number("last", kMaxJobs, 1, kMaxJobs);
  const bool oldest_first = parameters.Choice("sort", {"desc", "asc"}, 0) == 1;
  if (const Status checked = parameters.Check(); !checked.ok()) {
    return chain_.Refuse(exchange, call, checked.error());
  }
  using Jobs = std::vector<core::UploadJob>;
  chain_.OnPool<Result<Jobs>>(
      exchange, call,
      [&uploads = chain_.dependencies().uploads, workspace = ToLower(to.workspace),
       most = std::min(limit, last), oldest_first]() -> Result<Jobs> {
        Result<Jobs> jobs = uploads.Newest(workspace, most);
        if (jobs.ok() && oldest_first) std::reverse(jobs->begin(), jobs->end());
        return jobs;
      },
      [this, workspace = ToLower(to.workspace)](Exchange& done, Call& at, Result<Jobs>& jobs) {
        const auto environment = VerifyWorkspaceAgain(done, at, workspace);
        if (!environment) return;
        if (!jobs.ok()) return chain_.Refuse(done, at, jobs.error());
        std::erase_if(*jobs,
                      [&](const core::UploadJob& job) { return !IsShownTo(*environment, job); });
        chain_.AnswerJson(done, at, UploadJobsJson(*jobs));
      });
}

void UploadsApi::Rejected(Exchange& exchange, Call& call, const Destination& to,
                          std::string_view parameters) {
  if (!VerifyWorkspace(exchange, call, to)) return;
  const Status refused = RefuseParameters(parameters);
  if (!refused.ok()) return chain_.Refuse(exchange, call, refused.error());
  const std::optional<core::UploadJobId> id = core::UploadJobId::Parse(to.job);
  if (!id) return chain_.Refuse(exchange, call, NoSuchJob());
  struct File {
    core::UploadJob job;
    std::unique_ptr<http::BodySource> source;
  };
  chain_.OnPool<Result<File>>(
      exchange, call,
      [&uploads = chain_.dependencies().uploads, workspace = ToLower(to.workspace),
       id = *id]() -> Result<File> {
        Result<core::UploadJob> job = uploads.Find(workspace, id);
        if (!job.ok()) return std::move(job).error();
        Result<std::string> path = uploads.RejectedFile(workspace, id);
        if (!path.ok()) return std::move(path).error();
        Result<http::FileBody> file = http::OpenFileBody(*path);
        if (!file.ok()) return std::move(file).error();
        return File{*std::move(job), std::move(file->source)};
      },
      [this, workspace = ToLower(to.workspace)](Exchange& done, Call& at, Result<File>& file) {
        const auto environment = VerifyWorkspaceAgain(done, at, workspace);
        if (!environment) return;
        if (!file.ok()) return chain_.Refuse(done, at, file.error());
        if (!IsShownTo(*environment, file->job)) {
          return chain_.Refuse(done, at, core::Refuse(Reason::kTokenWrongEnvironment));
        }
        AnswerFile(done, at, std::move(file->source));
      });
}

std::optional<core::Environment> UploadsApi::VerifyWorkspaceAgain(Exchange& exchange, Call& call,
                                                                  const std::string& workspace) {
  const service::Verdict verdict =
      chain_.VerifyAgain(call, WorkspaceFacts(exchange.request(), call.client, workspace));
  if (verdict.decision.allowed()) return verdict.token->environment;
  chain_.Refuse(exchange, call, verdict.decision);
  return std::nullopt;
}

bool UploadsApi::IsShownTo(core::Environment environment, const core::UploadJob& job) {
  if (environment == core::Environment::kLive) return true;
  const EntryPointer entry = chain_.Find(DatasetKey(job.workspace, job.dataset));
  return entry != nullptr && entry->dataset.test;
}

void UploadsApi::AnswerFile(Exchange& exchange, const Call& call,
                            std::unique_ptr<http::BodySource> file) {
  HeaderBlock head = chain_.responder().MakeHead(kCsvContentType, Cost{});
  http::Response response;
  response.header_lines = head.With(View(call.id));
  response.source = std::move(file);
  chain_.Send(exchange, call, std::move(response), Reason::kNone, 0, {});
}

}  // namespace latchkey::gateway
