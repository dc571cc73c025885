#include "service/upload_run.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/encoding.h"
#include "service/drains.h"
#include "service/uploads.h"

namespace latchkey::service {
namespace {

constexpr std::size_t kBatchRecords = 4'096;
constexpr std::size_t kBatchBytes = 4 * 1024 * 1024;
constexpr std::size_t kShownTextBytes = 1'024;
// How often a file is checked anew because its dataset was changed meanwhile.
constexpr int kMaxAttempts = 100;

// Whose bad rows are told by the check alone.
class Fields final : public FieldFinder {
 public:
  Status OnBadRow(std::uint64_t /*line*/, std::string_view /*reason*/) override { return {}; }
};

}  // namespace

std::string UploadPath(const std::string& directory, core::UploadJobId id) {
  return directory + "/" + id.ToString();
}

std::string RejectedPath(const std::string& directory, core::UploadJobId id) {
  return UploadPath(directory, id) + ".rejected";
}

class UploadRun::Checker final : public RecordMaker {
 public:
  Checker(const core::Dataset& dataset, core::UploadJob& job, RejectedLinesFile rejected)
      : RecordMaker(dataset, 0), job_(job), rejected_(std::move(rejected)) {}

  void Use(const core::RecordFileReader& reader) { reader_ = &reader; }
  Status OnBadRow(std::uint64_t line, std::string_view reason) override {
    ++job_.lines;
    if (++job_.rejected > Uploads::kMaxRejectedLines ||
        rejected_.size() >= Uploads::kMaxRejectedBytes) {
      return {};
    }
    return rejected_.Add(line, reason, reader_->RowText(kShownTextBytes));
  }
  Status Finish() { return rejected_.Finish(); }
  std::uint64_t bytes() const { return bytes_; }

 protected:
  core::Record& Place() override { return record_; }
  Status Take() override {
    ++job_.lines;
    bytes_ += StoredBytes(record_);
    return {};
  }

 private:
  core::UploadJob& job_;
  RejectedLinesFile rejected_;
  const core::RecordFileReader* reader_ = nullptr;
  core::Record record_;
  std::uint64_t bytes_ = 0;
};

class UploadRun::Stager final : public RecordMaker {
 public:
  Stager(UploadRun& run, std::int64_t updated_millis)
      : RecordMaker(run.dataset_, updated_millis), run_(run), batch_(kBatchRecords, kBatchBytes) {}

  Status OnBadRow(std::uint64_t /*line*/, std::string_view /*reason*/) override { return {}; }
  Status Flush() {
    if (batch_.records().empty()) return {};
    const store::Duplicates duplicates =
        run_.job_.keep_first ? store::Duplicates::kIgnore : store::Duplicates::kReplace;
    Status stored = run_.layer_ ? run_.layer_->Append(batch_.records())
                                : run_.generation_->Append(batch_.records(), duplicates);
    batch_.Clear();
    return stored;
  }

 protected:
  core::Record& Place() override { return batch_.Place(); }
  Status Take() override {
    batch_.Keep();
    return batch_.full() ? Flush() : Status{};
  }

 private:
  UploadRun& run_;
  RecordBatch batch_;
};

UploadRun::UploadRun(const UploadParts& parts, core::UploadJob job)
    : parts_(parts), job_(std::move(job)) {}

UploadRun::~UploadRun() = default;

StepResult UploadRun::Step() {
  Status done;
  switch (phase_) {
    case Phase::kLook:
      done = Look();
      break;
    case Phase::kInfer:
      done = Infer();
      break;
    case Phase::kCheck:
      done = Check();
      break;
    case Phase::kStage:
      done = Stage();
      break;
    case Phase::kPublish:
      done = Publish();
      break;
    case Phase::kSettle:
      done = Settle();
      if (!done.ok()) return StepResult::kWait;
      break;
    case Phase::kSave:
      return Save();
    case Phase::kOver:
      return StepResult::kDone;
  }
  if (!done.ok()) {
    // The standing records went while the new ones were being laid over them.
    if (layer_ != nullptr && done.error().code == ErrorCode::kNotFound) done = Again();
    if (!done.ok()) Fail(done.error());
  }
  if (phase_ != Phase::kOver) parts_.table.Put(job_);
  return StepResult::kMore;
}

// A layer's job is stored as published with the layer itself. A generation of its own counts where
// the definition names it; nobody else could have changed that before this job was stored as ended,
// but where that failed.
bool UploadRun::WasPublished(const EntryPointer& entry) const {
  if (job_.state != core::UploadState::kIngesting || job_.generation == 0) return false;
  if (job_.dataset_id && !job_.overwrite) return true;
  return entry != nullptr && entry->dataset.generation == job_.generation;
}

Status UploadRun::Look() {
  entry_ = job_.dataset_id ? parts_.changes.catalogue().Find(job_.dataset_id)
                           : parts_.changes.catalogue().Find(job_.workspace, job_.dataset);
  if (WasPublished(entry_)) {
    End(core::UploadState::kIngested, {});
    return {};
  }
  // What was removed does not come back with a file that was sent before.
  if (job_.dataset_id && entry_ == nullptr) {
    return MakeError(ErrorCode::kInvalid,
                     "The dataset was removed after the file was sent; nothing was stored.");
  }
  job_.state = core::UploadState::kValidating;
  job_.lines = job_.rejected = job_.stored = 0;
  job_.generation = 0;
  job_.dataset_id = entry_ ? entry_->dataset.id : core::DatasetId{};
  Result<InputFile> file = InputFile::Open(UploadPath(parts_.directory, job_.id));
  if (!file.ok()) return std::move(file).error();
  file_ = *std::move(file);
  if (entry_ != nullptr) {
    dataset_ = entry_->dataset;
    phase_ = Phase::kCheck;
    return {};
  }
  if (!job_.create_on_demand) return NoSuchDataset();
  Result<core::Dataset> made = parts_.changes.NewDataset(job_.workspace, job_.dataset);
  if (!made.ok()) return std::move(made).error();
  dataset_ = *std::move(made);
  phase_ = Phase::kInfer;
  return {};
}

void UploadRun::BeginReading(core::RecordFileHandler& handler) {
  file_.Rewind();
  reader_ = std::make_unique<core::RecordFileReader>(handler);
}

Result<bool> UploadRun::Feed() {
  const Result<std::string_view> piece = file_.Read();
  if (!piece.ok()) return piece.error();
  const bool end = piece->empty();
  const Status fed = end ? reader_->Finish() : reader_->Feed(*piece);
  if (!fed.ok()) return fed.error();
  return end;
}

Status UploadRun::Infer() {
  if (finder_ == nullptr) {
    finder_ = std::make_unique<Fields>();
    BeginReading(*finder_);
  }
  const Result<bool> end = Feed();
  if (!end.ok()) return end.error();
  if (!*end) return {};
  const std::vector<core::Field> fields = finder_->Fields();
  finder_.reset();
  if (Status inferred = InferDefinition(dataset_, fields); !inferred.ok()) return inferred;
  phase_ = Phase::kCheck;
  return {};
}

Status UploadRun::Check() {
  if (checker_ == nullptr) {
    Result<RejectedLinesFile> rejected =
        RejectedLinesFile::Create(RejectedPath(parts_.directory, job_.id));
    if (!rejected.ok()) return std::move(rejected).error();
    checker_ = std::make_unique<Checker>(dataset_, job_, *std::move(rejected));
    BeginReading(*checker_);
    checker_->Use(*reader_);
  }
  const Result<bool> end = Feed();
  if (!end.ok() && end.error().code != ErrorCode::kInvalid) return end.error();
  if (end.ok() && !*end) return {};
  if (Status finished = checker_->Finish(); !finished.ok()) return finished;
  new_bytes_ = checker_->bytes();
  checker_.reset();
  if (!end.ok()) return end.error();
  if (job_.rejected > job_.max_errors) {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("{} of {} records are bad, and {} may be; nothing was stored.",
                                 job_.rejected, job_.lines, job_.max_errors));
  }
  return Reach(core::UploadState::kValidated, Phase::kStage);
}

Status UploadRun::BeginStaging() {
  const std::int64_t lane = dataset_.owner.value;
  // What is replaced as a whole makes room.
  const std::uint64_t old_bytes =
      entry_ != nullptr && job_.overwrite ? entry_->live->bytes.load() : 0;
  room_ = parts_.limits.MakeRoom(dataset_.owner);
  if (Status fits = room_.Grow(new_bytes_ - std::min(new_bytes_, old_bytes)); !fits.ok()) {
    return fits;
  }
  if (entry_ != nullptr && !job_.overwrite) {
    auto begun = parts_.changes.records().BeginLayer(
        dataset_.generation, lane,
        job_.keep_first ? store::Duplicates::kIgnore : store::Duplicates::kReplace);
    if (!begun.ok()) {
      return begun.error().code == ErrorCode::kNotFound ? Again() : Status(begun.error());
    }
    layer_ = *std::move(begun);
  } else {
    auto begun = parts_.changes.records().BeginGeneration(lane);
    if (!begun.ok()) return std::move(begun).error();
    generation_ = *std::move(begun);
  }
  stager_ = std::make_unique<Stager>(*this, ToUnixMillis(parts_.changes.clock().Now()));
  BeginReading(*stager_);
  return Reach(core::UploadState::kIngesting, Phase::kStage);
}

Status UploadRun::Stage() {
  if (stager_ == nullptr) return BeginStaging();
  const Result<bool> end = Feed();
  if (!end.ok()) return end.error();
  if (!*end) return {};
  if (Status flushed = stager_->Flush(); !flushed.ok()) return flushed;
  stager_.reset();
  phase_ = Phase::kPublish;
  return {};
}

Status UploadRun::Publish() { return layer_ != nullptr ? PublishLayer() : PublishGeneration(); }

Status UploadRun::PublishLayer() {
  MutexLock lock(entry_->live->write_mutex);
  const EntryPointer current = parts_.changes.catalogue().Find(entry_->dataset.id);
  if (current == nullptr || current->dataset.generation != dataset_.generation ||
      !SameFields(current->dataset, dataset_)) {
    return Again();
  }
  // As it is stored with the layer: how many of the records are new is known only then.
  core::UploadJob published = job_;
  published.generation = dataset_.generation;
  published.stored = job_.lines - job_.rejected;
  published.updated_at = parts_.changes.clock().Now();
  const Result<store::WriteResult> result = layer_->Publish(published);
  current->live->version.fetch_add(1);
  if (!result.ok()) {
    if (result.error().code != ErrorCode::kUnknown) return result.error();
    phase_ = Phase::kSettle;
    return {};
  }
  SetSize(*current->live, result->after);
  current->live->updated_millis.store(ToUnixMillis(published.updated_at));
  job_ = std::move(published);
  job_.stored = result->stored;
  layer_.reset();
  AddDrain(parts_.runner, parts_.changes, dataset_.generation, dataset_.owner.value);
  End(core::UploadState::kIngested, {});
  // Before the mutex is free, if it can be: see WasPublished.
  static_cast<void>(Save());
  return {};
}

// The outcome of the publication was not known: the job's row, which was part of it, tells.
Status UploadRun::Settle() {
  const Result<std::optional<core::UploadJob>> stored = parts_.changes.records().GetJob(job_.id);
  if (!stored.ok()) return stored.error();
  layer_.reset();
  if (!*stored || (*stored)->generation == 0) {
    return Again();
  }
  job_ = **stored;
  entry_->live->version.fetch_add(1);
  AddDrain(parts_.runner, parts_.changes, dataset_.generation, dataset_.owner.value);
  End(core::UploadState::kIngested, {});
  return {};
}

Status UploadRun::PublishGeneration() {
  DefinitionChange change;
  change.dataset = dataset_;
  change.action = "dataset.create";
  change.actor = job_.actor;
  change.max_datasets = parts_.limits.MaxDatasets(dataset_.owner);
  if (entry_ == nullptr) return CommitGeneration(std::move(change));
  MutexLock lock(entry_->live->write_mutex);
  const EntryPointer current = parts_.changes.catalogue().Find(entry_->dataset.id);
  if (current == nullptr || !SameFields(current->dataset, dataset_)) {
    return Again();
  }
  change.dataset = current->dataset;
  change.standing = current->dataset;
  change.action = "dataset.overwrite";
  return CommitGeneration(std::move(change));
}

Status UploadRun::CommitGeneration(DefinitionChange change) {
  const Result<store::GenerationSize> size = generation_->Finish();
  if (!size.ok()) return size.error();
  change.size = *size;
  change.dataset.generation = generation_->generation();
  // What a start looks for, if this process ends before the job is stored as ended.
  job_.generation = change.dataset.generation;
  job_.stored = size->records;
  job_.updated_at = parts_.changes.clock().Now();
  if (Status stored = parts_.changes.records().PutJob(job_); !stored.ok()) {
    parts_.changes.Retire(job_.generation, std::chrono::nanoseconds(0));
    return stored;
  }
  const Result<EntryPointer> committed = parts_.changes.Commit(std::move(change));
  generation_.reset();
  if (committed.ok()) {
    job_.dataset_id = (*committed)->dataset.id;
    End(core::UploadState::kIngested, {});
    // Before the mutex is free, if it can be: see WasPublished.
    static_cast<void>(Save());
    return {};
  }
  switch (committed.error().code) {
    case ErrorCode::kUnknown:
      // Neither this process nor anybody else can tell; the next start can.
      job_.message = "The store does not tell whether it took the records; a start will.";
      parts_.table.Put(job_);
      phase_ = Phase::kOver;
      return {};
    case ErrorCode::kConflict:
    case ErrorCode::kStale:
    case ErrorCode::kNotFound:
      return Again();
    default:
      return committed.error();
  }
}

Status UploadRun::Again() {
  finder_.reset();
  checker_.reset();
  stager_.reset();
  reader_.reset();
  layer_.reset();
  generation_.reset();
  room_.Return();
  job_.generation = 0;
  if (++attempts_ > kMaxAttempts) {
    return MakeError(ErrorCode::kConflict,
                     "The dataset was changed again and again; nothing was stored.");
  }
  phase_ = Phase::kLook;
  return {};
}

Status UploadRun::Reach(core::UploadState state, Phase next) {
  job_.state = state;
  job_.updated_at = parts_.changes.clock().Now();
  phase_ = Phase::kSave;
  after_save_ = next;
  return {};
}

void UploadRun::Fail(const Error& error) {
  const bool fault_of_ours = error.code != ErrorCode::kInvalid && error.code != ErrorCode::kLimit;
  if (fault_of_ours && parts_.on_failure) parts_.on_failure(job_, error);
  End(core::UploadState::kFailed, error.public_text);
}

void UploadRun::End(core::UploadState state, std::string message) {
  job_.state = state;
  job_.message = std::move(message);
  job_.updated_at = parts_.changes.clock().Now();
  if (state == core::UploadState::kFailed) {
    job_.stored = 0;
    job_.generation = 0;
  }
  reader_.reset();
  finder_.reset();
  checker_.reset();
  stager_.reset();
  layer_.reset();
  generation_.reset();
  phase_ = Phase::kSave;
  after_save_ = Phase::kOver;
}

// Until it succeeds: a disk that is full now may have room later. What an ended job took goes after
// it is stored as ended, for until then a start would need it.
StepResult UploadRun::Save() {
  if (phase_ != Phase::kSave) return StepResult::kMore;
  if (const Status stored = parts_.changes.records().PutJob(job_); !stored.ok()) {
    return StepResult::kWait;
  }
  phase_ = after_save_;
  if (phase_ != Phase::kOver) return StepResult::kMore;
  room_.Return();
  file_ = InputFile();
  ::unlink(UploadPath(parts_.directory, job_.id).c_str());
  if (job_.rejected == 0) ::unlink(RejectedPath(parts_.directory, job_.id).c_str());
  parts_.table.Remove(job_.id);
  parts_.table.Close(job_.account);
  return StepResult::kDone;
}

}  // namespace latchkey::service
