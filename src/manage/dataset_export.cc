#include "manage/dataset_export.h"

#include <optional>
#include <utility>

#include "core/record_text.h"
#include "manage/file_source.h"

namespace latchkey::manage {
namespace {

// One job's worth, so that others on the pool have their turn.
constexpr int kPagesPerJob = 8;

struct Form {
  core::RecordTextForm form = core::RecordTextForm::kJson;
  std::string_view content_type = "application/json; charset=utf-8";
};

std::optional<Form> ParseForm(const std::string* text) {
  if (text == nullptr || *text == "json") return Form{};
  if (*text == "jsonl") {
    return Form{core::RecordTextForm::kJsonLines, "application/jsonl; charset=utf-8"};
  }
  if (*text == "csv") return Form{core::RecordTextForm::kCsv, "text/csv; charset=utf-8"};
  return std::nullopt;
}

}  // namespace

class DatasetExports::Job : public std::enable_shared_from_this<Job> {
 public:
  Job(DatasetExports& exports, std::shared_ptr<const Call> call,
      std::shared_ptr<const service::CatalogueEntry> entry, const Form& form,
      http::Deferred deferred, AnswerFunction answer)
      : exports_(exports),
        call_(std::move(call)),
        entry_(std::move(entry)),
        form_(form),
        deferred_(std::move(deferred)),
        answer_(std::move(answer)),
        datasets_{&entry_->dataset} {}
  ~Job() {
    if (!over_) exports_.GiveSlotBack();
  }

  void Schedule() {
    if (!Submit()) exports_.Stall(shared_from_this());
  }
  // False: the pool has no room.
  bool Submit() {
    return exports_.pool_.Submit(call_->account.value,
                                 [self = shared_from_this()] { self->Run(); });
  }

 private:
  void Run() {
    if (deferred_.Abandoned()) return GiveUp();
    if (!stream_) {
      if (Status begun = Begin(); !begun.ok()) return Fail(begun.error());
    }
    for (int page = 0; page < kPagesPerJob; ++page) {
      Result<std::vector<core::Record>> records = stream_->Next();
      if (!records.ok()) return Fail(records.error());
      if (records->empty()) return Finish();
      if (Status done = writer_->Append(0, *records); !done.ok()) return Fail(done.error());
      if (Status done = file_->Append(writer_->TakeText()); !done.ok()) return Fail(done.error());
    }
    Schedule();
  }

  Status Begin() {
    Result<SpooledBody> file = SpooledBody::Create(exports_.directory_);
    if (!file.ok()) return std::move(file).error();
    file_.emplace(*std::move(file));
    core::RecordTextOptions options;
    options.form = form_.form;
    // The fields alone: what an import makes the same records of.
    options.system = core::RecordTextOptions::System::kNever;
    writer_.emplace(std::move(options), datasets_);
    auto stream = exports_.datasets_.BeginExport(entry_->dataset);
    if (!stream.ok()) return std::move(stream).error();
    stream_ = *std::move(stream);
    return {};
  }

  void Finish() {
    const Result<std::string> end = writer_->Finish();
    if (!end.ok()) return Fail(end.error());
    if (Status done = file_->Append(*end); !done.ok()) return Fail(done.error());
    http::FileBody file = file_->Take();
    Reply reply;
    reply.content_type = form_.content_type;
    reply.source = std::move(file.source);
    reply.source_bytes = file.bytes;
    Answer(std::move(reply));
  }

  void Fail(const Error& error) { Answer(Refuse(error, call_->actor.request_id)); }

  void Answer(Reply reply) {
    GiveUp();
    // std::function wants what it holds to be copyable; a reply is not.
    auto shared = std::make_shared<Reply>(std::move(reply));
    deferred_.Post([answer = answer_, shared](http::Exchange& exchange) {
      answer(exchange, std::move(*shared));
    });
  }

  void GiveUp() {
    stream_.reset();
    file_.reset();
    if (!std::exchange(over_, true)) exports_.GiveSlotBack();
  }

  DatasetExports& exports_;
  const std::shared_ptr<const Call> call_;
  const std::shared_ptr<const service::CatalogueEntry> entry_;
  const Form form_;
  http::Deferred deferred_;
  const AnswerFunction answer_;

  // Of the one run at a time.
  const std::vector<const core::Dataset*> datasets_;
  std::unique_ptr<service::RecordStream> stream_;
  std::optional<core::RecordWriter> writer_;
  std::optional<SpooledBody> file_;
  bool over_ = false;  // answered or given up; the slot is free
};

DatasetExports::~DatasetExports() {
  // What stalled goes while the members that it gives its slot back to still stand.
  std::vector<std::shared_ptr<Job>> stalled;
  {
    const MutexLock lock(mutex_);
    stalled.swap(stalled_);
  }
}

void DatasetExports::Start(http::Exchange& exchange, std::shared_ptr<const Call> call,
                           const AnswerFunction& answer) {
  const std::string request_id = call->actor.request_id;
  const std::optional<Form> form = ParseForm(call->Query("format"));
  if (!form) {
    const FieldError error{"format", "It must be json, jsonl or csv."};
    return answer(exchange, Refuse(core::Reason::kInvalidValues, error.field + ": " + error.detail,
                                   request_id, {&error, 1}));
  }
  auto entry = catalogue_.Find(call->captures[0], call->captures[1]);
  if (!entry) {
    return answer(exchange,
                  Refuse(core::Reason::kNotFound, "There is no such dataset.", request_id));
  }
  if (!TakeSlot()) {
    return answer(exchange,
                  Refuse(core::Reason::kUnavailable,
                         "Other exports are running. Try again when they are done.", request_id));
  }
  const auto job = std::make_shared<Job>(*this, std::move(call), std::move(entry), *form,
                                         exchange.Defer(), answer);
  if (!job->Submit()) {
    return answer(exchange, Refuse(core::Reason::kUnavailable,
                                   "The server is busy. Try again in a moment.", request_id));
  }
}

void DatasetExports::OnTick() {
  std::vector<std::shared_ptr<Job>> stalled;
  {
    const MutexLock lock(mutex_);
    stalled.swap(stalled_);
  }
  for (const std::shared_ptr<Job>& job : stalled) job->Schedule();
}

bool DatasetExports::TakeSlot() {
  const MutexLock lock(mutex_);
  if (running_ >= max_running_) return false;
  ++running_;
  return true;
}

void DatasetExports::GiveSlotBack() {
  const MutexLock lock(mutex_);
  --running_;
}

void DatasetExports::Stall(std::shared_ptr<Job> job) {
  const MutexLock lock(mutex_);
  stalled_.push_back(std::move(job));
}

}  // namespace latchkey::manage
