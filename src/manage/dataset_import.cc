#include "manage/dataset_import.h"

#include <optional>
#include <utility>

#include "base/encoding.h"
#include "manage/json.h"

namespace latchkey::manage {
namespace {

constexpr std::size_t kMaxQueuedBytes = 1024 * 1024;
constexpr std::uint32_t kMaxWeight = 1'000'000;

void AddError(Error& error, std::string_view field, std::string detail) {
  error.fields.push_back({std::string(field), std::move(detail)});
}

std::optional<std::uint64_t> Number(const Call& call, std::string_view name, std::uint64_t max,
                                    Error& error) {
  const std::string* text = call.Query(name);
  if (text == nullptr) return std::nullopt;
  const std::optional<std::uint64_t> number = ParseUint64(*text);
  if (number && *number <= max) return number;
  AddError(error, name, "It must be a whole number from 0 to " + std::to_string(max) + ".");
  return std::nullopt;
}

std::optional<std::string> Text(const Call& call, std::string_view name) {
  const std::string* text = call.Query(name);
  return text == nullptr ? std::nullopt : std::optional<std::string>(*text);
}

// "date:date,price:number": the type stands behind the last colon.
std::optional<std::vector<core::Field>> Fields(const Call& call, Error& error) {
  const std::string* text = call.Query("fields");
  if (text == nullptr) return std::nullopt;
  std::vector<core::Field> fields;
  std::string_view rest = *text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    const std::size_t colon = part.rfind(':');
    const std::optional<core::FieldType> type = colon == std::string_view::npos
                                                    ? std::nullopt
                                                    : core::ParseFieldType(part.substr(colon + 1));
    if (!type || colon == 0 || fields.size() == core::kMaxFields) {
      AddError(error, "fields", "It must be name:type,name:type,… with types of the data API.");
      return std::nullopt;
    }
    fields.push_back({std::string(part.substr(0, colon)), *type, false});
    if (comma == std::string_view::npos) return fields;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<service::ImportOptions> ParseImportOptions(const Call& call) {
  Error error = MakeError(ErrorCode::kInvalid, "");
  service::ImportOptions options;
  options.workspace = ToLower(call.captures[0]);
  options.name = call.captures[1];
  options.title = Text(call, "title");
  options.key_field = Text(call, "key");
  options.subkey_field = Text(call, "subkey");
  options.date_field = Text(call, "date");
  options.fields = Fields(call, error);
  if (const auto weight = Number(call, "weight", kMaxWeight, error)) {
    options.weight = static_cast<std::uint32_t>(*weight);
  }
  options.max_errors = Number(call, "max_errors", INT64_MAX, error).value_or(0);
  if (const std::string* test = call.Query("test")) {
    if (*test == "true" || *test == "false") {
      options.test = *test == "true";
    } else {
      AddError(error, "test", "It must be true or false.");
    }
  }
  if (error.fields.empty()) return options;
  error.public_text = error.fields.front().field + ": " + error.fields.front().detail;
  return error;
}

// One import. The sink fills the queue on the I/O thread, jobs of the pool empty it.
class DatasetImports::Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(DatasetImports& imports, std::shared_ptr<const Call> call, service::ImportOptions options,
         http::Deferred deferred, AnswerFunction answer)
      : imports_(imports),
        call_(std::move(call)),
        options_(std::move(options)),
        deferred_(std::move(deferred)),
        answer_(std::move(answer)) {}
  ~Stream() {
    if (!over_) imports_.GiveSlotBack();
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
  // Begins the import before its first byte, so that options which can't hold are refused early.
  // False: the pool has no room.
  bool Begin() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      job_ = true;
    }
    return imports_.pool_.Submit(0, [self = shared_from_this()] { self->Run(); });
  }

  // ---- On any thread.

  // With the job claimed.
  void Schedule() {
    if (!imports_.pool_.Submit(0, [self = shared_from_this()] { self->Run(); })) {
      imports_.Stall(shared_from_this());
    }
  }

 private:
  // True: there was no job of this import, now the caller must schedule one.
  bool ClaimJob() REQUIRES(mutex_) { return !std::exchange(job_, true); }

  // One step, on the pool. Between steps others have their turn.
  void Run() EXCLUDES(mutex_) {
    if (!import_) {
      Result<std::unique_ptr<service::Import>> begun = BeginImport();
      if (!begun.ok()) return Finish(Refuse(begun.error(), call_->actor.request_id));
      import_ = std::move(*begun);
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
      import_.reset();
      imports_.GiveSlotBack();
      return;
    }
    if (resume) deferred_.ResumeBody();
    if (!bytes.empty()) {
      if (const Status fed = import_->Feed(bytes); !fed.ok()) {
        return Finish(Refuse(fed.error(), call_->actor.request_id));
      }
    }
    if (!last) return Schedule();
    const Result<service::ImportReport> report = import_->Finish();
    if (!report.ok()) return Finish(Refuse(report.error(), call_->actor.request_id));
    Reply reply = ObjectReply(ImportReportJson(*report), report->entry->dataset.version);
    if (!existed_) {
      reply.status = 201;
      reply.location =
          "/operator/v1/datasets/" + report->entry->dataset.workspace + "/" + report->entry->dataset.name;
    }
    Finish(std::move(reply));
  }

  Result<std::unique_ptr<service::Import>> BeginImport() {
    existed_ =
        imports_.catalogue_.Snapshot()->contains(ToLower(options_.workspace + "/" + options_.name));
    return imports_.datasets_.BeginImport(options_, call_->actor);
  }

  void Finish(Reply reply) EXCLUDES(mutex_) {
    import_.reset();
    {
      const MutexLock lock(mutex_);
      over_ = true;
      queued_.clear();
      queued_.shrink_to_fit();
    }
    imports_.GiveSlotBack();
    // std::function wants what it holds to be copyable; a reply is not.
    auto shared = std::make_shared<Reply>(std::move(reply));
    deferred_.Post([answer = answer_, shared](http::Exchange& exchange) {
      answer(exchange, std::move(*shared));
    });
  }

  DatasetImports& imports_;
  const std::shared_ptr<const Call> call_;
  const service::ImportOptions options_;
  http::Deferred deferred_;
  const AnswerFunction answer_;

  // Of the one job that runs.
  std::unique_ptr<service::Import> import_;
  bool existed_ = false;

  Mutex mutex_;
  std::string queued_ GUARDED_BY(mutex_);
  bool job_ GUARDED_BY(mutex_) = false;     // one is queued, stalled or running
  bool paused_ GUARDED_BY(mutex_) = false;  // the connection waits for ResumeBody
  bool ended_ GUARDED_BY(mutex_) = false;
  bool aborted_ GUARDED_BY(mutex_) = false;
  bool over_ GUARDED_BY(mutex_) = false;  // answered or given up; the slot is free
};

class DatasetImports::Sink final : public http::BodySink {
 public:
  explicit Sink(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  bool OnData(std::string_view bytes) override { return stream_->Take(bytes); }
  void OnEnd() override { stream_->End(); }
  void OnAbort(http::ProtocolError) override { stream_->Abort(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

DatasetImports::DatasetImports(service::Datasets& datasets, service::Catalogue& catalogue,
                               WorkerPool& pool, int max_running, std::uint64_t max_bytes)
    : datasets_(datasets),
      catalogue_(catalogue),
      pool_(pool),
      max_running_(max_running),
      max_bytes_(max_bytes) {}

DatasetImports::~DatasetImports() {
  // What stalled goes while the members that it gives its slot back to still stand.
  std::vector<std::shared_ptr<Stream>> stalled;
  {
    const MutexLock lock(mutex_);
    stalled.swap(stalled_);
  }
}

void DatasetImports::Start(http::Exchange& exchange, std::shared_ptr<const Call> call,
                           const AnswerFunction& answer) {
  const std::string& request_id = call->actor.request_id;
  Result<service::ImportOptions> options = ParseImportOptions(*call);
  if (!options.ok()) return answer(exchange, Refuse(options.error(), request_id));
  if (!TakeSlot()) {
    return answer(exchange,
                  Refuse(core::Reason::kUnavailable,
                         "Other imports are running. Try again when they are done.", request_id));
  }
  const auto stream = std::make_shared<Stream>(*this, std::move(call), std::move(*options),
                                               exchange.Defer(), answer);
  if (!stream->Begin()) {
    return answer(exchange, Refuse(core::Reason::kUnavailable,
                                   "The server is busy. Try again in a moment.", request_id));
  }
  exchange.StreamBody(max_bytes_, std::make_unique<Sink>(stream));
}

void DatasetImports::OnTick() {
  std::vector<std::shared_ptr<Stream>> stalled;
  {
    const MutexLock lock(mutex_);
    stalled.swap(stalled_);
  }
  for (const std::shared_ptr<Stream>& stream : stalled) stream->Schedule();
}

bool DatasetImports::TakeSlot() {
  const MutexLock lock(mutex_);
  if (running_ >= max_running_) return false;
  ++running_;
  return true;
}

void DatasetImports::GiveSlotBack() {
  const MutexLock lock(mutex_);
  --running_;
}

void DatasetImports::Stall(std::shared_ptr<Stream> stream) {
  const MutexLock lock(mutex_);
  stalled_.push_back(std::move(stream));
}

}  // namespace latchkey::manage
