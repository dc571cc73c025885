#include "service/uploads.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"
#include "service/drains.h"
#include "service/upload_run.h"

namespace latchkey::service {
namespace {

constexpr std::size_t kJobsPerRead = 500;

Error NoSuchJob() { return MakeError(ErrorCode::kNotFound, "There is no such job."); }

}  // namespace

class Uploads::Impl {
 public:
  Impl(Datasets& datasets, PlanLimits& limits, JobRunner& runner, UploadsOptions options)
      : options_(std::move(options)),
        parts_{datasets.changes(), limits, runner, table_, options_.directory,
               options_.on_failure} {}

  Status Resume();
  Result<std::unique_ptr<Upload>> Begin(const UploadOptions& options, core::Actor actor);
  Result<core::UploadJob> Find(std::string_view workspace, core::UploadJobId id);
  Result<std::vector<core::UploadJob>> Newest(std::string_view workspace, std::size_t count);
  Result<Paged<core::UploadJob>> List(std::string_view workspace, const PageRequest& page);
  Result<std::string> RejectedFile(std::string_view workspace, core::UploadJobId id);
  Status Sweep();

 private:
  class FileUpload;

  Result<core::UploadJob> Describe(const UploadOptions& options, core::Actor actor);
  void Run(core::UploadJob job);
  Status RemoveStrays();
  void UseRunning(std::vector<core::UploadJob>& jobs) const;
  Status Forget(std::span<const core::UploadJob> jobs);

  const UploadsOptions options_;
  UploadTable table_;
  const UploadParts parts_;
};

class Uploads::Impl::FileUpload final : public Upload {
 public:
  FileUpload(Impl& uploads, core::UploadJob job, OutputFile file)
      : uploads_(uploads), job_(std::move(job)), file_(std::move(file)) {}
  ~FileUpload() override {
    if (finished_) return;
    ::unlink(UploadPath(uploads_.options_.directory, job_.id).c_str());
    uploads_.table_.Close(job_.account);
  }

  Status Feed(std::string_view bytes) override {
    if (failed_) return *failed_;
    Status status = file_.Append(bytes);
    if (!status.ok()) failed_ = status.error();
    return status;
  }

  Result<core::UploadJob> Finish() override {
    if (failed_) return *failed_;
    failed_ = MakeError(ErrorCode::kInternal, "This upload has ended.");
    job_.bytes = file_.size();
    if (Status synced = file_.Finish(); !synced.ok()) return synced.error();
    job_.created_at = job_.updated_at = uploads_.parts_.changes.clock().Now();
    if (Status stored = uploads_.parts_.changes.records().PutJob(job_); !stored.ok()) {
      return stored.error();
    }
    finished_ = true;
    uploads_.Run(job_);
    return job_;
  }

 private:
  Impl& uploads_;
  core::UploadJob job_;
  OutputFile file_;
  std::optional<Error> failed_;
  bool finished_ = false;
};

Status Uploads::Impl::Resume() {
  std::error_code failed;
  std::filesystem::create_directories(options_.directory, failed);
  if (failed || ::chmod(options_.directory.c_str(), 0700) != 0) {
    return MakeError(ErrorCode::kUnavailable, "can't make the folder " + options_.directory,
                     failed.message());
  }
  if (Status removed = RemoveStrays(); !removed.ok()) return removed;
  Result<std::vector<core::UploadJob>> jobs = parts_.changes.records().UnfinishedJobs();
  if (!jobs.ok()) return std::move(jobs).error();
  for (core::UploadJob& job : *jobs) {
    static_cast<void>(table_.Open(job.account, std::nullopt));
    Run(std::move(job));
  }
  const std::shared_ptr<const DatasetMap> map = parts_.changes.catalogue().Snapshot();
  for (const auto& [name, entry] : *map) {
    AddDrain(parts_.runner, parts_.changes, entry->dataset.generation, entry->dataset.owner.value);
  }
  return {};
}

// Files whose upload was never acknowledged, or has ended.
Status Uploads::Impl::RemoveStrays() {
  std::error_code failed;
  std::vector<std::filesystem::path> strays;
  for (std::filesystem::directory_iterator entry(options_.directory, failed), end;
       !failed && entry != end; entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    const std::string stem = name.substr(0, name.find('.'));
    const std::optional<core::UploadJobId> id = core::UploadJobId::Parse(stem);
    if (!id) continue;
    const Result<std::optional<core::UploadJob>> job = parts_.changes.records().GetJob(*id);
    if (!job.ok()) return job.error();
    // Of one that has ended, the lines that it rejected are still asked for.
    const bool wanted = *job && (!(*job)->Finished() || (stem != name && (*job)->rejected > 0));
    if (!wanted) strays.push_back(entry->path());
  }
  for (const std::filesystem::path& stray : strays) std::filesystem::remove(stray, failed);
  return {};
}

void Uploads::Impl::Run(core::UploadJob job) {
  table_.Put(job);
  const std::int64_t lane = job.account.value;
  parts_.runner.Add(
      lane, [run = std::make_shared<UploadRun>(parts_, std::move(job))] { return run->Step(); });
}

Result<core::UploadJob> Uploads::Impl::Describe(const UploadOptions& options, core::Actor actor) {
  core::UploadJob job;
  const EntryPointer entry = parts_.changes.catalogue().Find(options.workspace, options.dataset);
  if (entry != nullptr) {
    job.account = entry->dataset.owner;
    job.workspace = ToLower(entry->dataset.workspace);
    job.dataset = entry->dataset.name;
    job.dataset_id = entry->dataset.id;
  } else {
    if (!options.create_on_demand) return NoSuchDataset();
    if (Status named = core::CheckDatasetName(options.dataset); !named.ok()) return named.error();
    const Result<core::Dataset> made =
        parts_.changes.NewDataset(options.workspace, options.dataset);
    if (!made.ok()) return made.error();
    if (Status fits = parts_.limits.CheckDatasets(made->owner); !fits.ok()) return fits.error();
    job.account = made->owner;
    job.workspace = ToLower(made->workspace);
    job.dataset = made->name;
  }
  job.id = core::UploadJobId{parts_.changes.NewId()};
  job.overwrite = options.overwrite;
  job.keep_first = options.duplicates == store::Duplicates::kIgnore;
  job.create_on_demand = options.create_on_demand;
  job.max_errors = options.max_errors;
  job.actor = std::move(actor);
  return job;
}

Result<std::unique_ptr<Upload>> Uploads::Impl::Begin(const UploadOptions& options,
                                                     core::Actor actor) {
  Result<core::UploadJob> job = Describe(options, std::move(actor));
  if (!job.ok()) return std::move(job).error();
  if (!options.overwrite) {
    if (Status room = parts_.limits.CheckRoom(job->account); !room.ok()) return room.error();
  }
  const std::optional<std::uint32_t> max_jobs = parts_.limits.MaxJobs(job->account);
  if (!table_.Open(job->account, max_jobs)) {
    return MakeError(ErrorCode::kLimit,
                     fmt::format("The account's plan allows {} uploads that have not ended, and it "
                                 "has them. Wait for one to end, or take a larger plan.",
                                 *max_jobs));
  }
  Result<OutputFile> file = OutputFile::Create(UploadPath(options_.directory, job->id));
  if (!file.ok()) {
    table_.Close(job->account);
    return std::move(file).error();
  }
  return std::unique_ptr<Upload>(new FileUpload(*this, *std::move(job), *std::move(file)));
}

Result<core::UploadJob> Uploads::Impl::Find(std::string_view workspace, core::UploadJobId id) {
  std::optional<core::UploadJob> job = table_.Find(id);
  if (!job) {
    Result<std::optional<core::UploadJob>> stored = parts_.changes.records().GetJob(id);
    if (!stored.ok()) return std::move(stored).error();
    job = *std::move(stored);
  }
  if (!job || !EqualsIgnoreCase(job->workspace, workspace)) return NoSuchJob();
  return *std::move(job);
}

Result<std::vector<core::UploadJob>> Uploads::Impl::Newest(std::string_view workspace,
                                                           std::size_t count) {
  auto jobs = parts_.changes.records().ListJobs(ToLower(workspace), std::nullopt, count);
  if (jobs.ok()) UseRunning(*jobs);
  return jobs;
}

// How far those are that run.
void Uploads::Impl::UseRunning(std::vector<core::UploadJob>& jobs) const {
  for (core::UploadJob& job : jobs) {
    if (std::optional<core::UploadJob> running = table_.Find(job.id)) job = *std::move(running);
  }
}

// All of a workspace's are few: Sweep sees to it.
Result<Paged<core::UploadJob>> Uploads::Impl::List(std::string_view workspace,
                                                   const PageRequest& request) {
  std::vector<core::UploadJob> jobs;
  std::optional<core::UploadJobId> before;
  for (;;) {
    auto page = parts_.changes.records().ListJobs(ToLower(workspace), before, kJobsPerRead);
    if (!page.ok()) return std::move(page).error();
    const bool last = page->size() < kJobsPerRead;
    if (!page->empty()) before = page->back().id;
    for (core::UploadJob& job : *page) jobs.push_back(std::move(job));
    if (last) break;
  }
  const auto mark = [](const core::UploadJob& job) {
    return std::pair(job.created_at, job.id.value);
  };
  std::sort(jobs.begin(), jobs.end(),
            [&](const auto& a, const auto& b) { return mark(a) < mark(b); });
  if (request.after) {
    const std::pair after(request.after->created_at, request.after->id);
    std::erase_if(jobs, [&](const core::UploadJob& job) { return mark(job) <= after; });
  }
  Paged<core::UploadJob> result;
  if (jobs.size() > request.size) {
    jobs.resize(request.size);
    result.next = PageMark{jobs.back().created_at, jobs.back().id.value};
  }
  UseRunning(jobs);
  result.items = std::move(jobs);
  return result;
}

Result<std::string> Uploads::Impl::RejectedFile(std::string_view workspace, core::UploadJobId id) {
  const Result<core::UploadJob> job = Find(workspace, id);
  if (!job.ok()) return job.error();
  std::string path = RejectedPath(options_.directory, id);
  if (job->state == core::UploadState::kValidating || job->rejected == 0 ||
      ::access(path.c_str(), R_OK) != 0) {
    return MakeError(ErrorCode::kNotFound, "There are no rejected lines of this job.");
  }
  return path;
}

Status Uploads::Impl::Sweep() {
  for (;;) {
    const auto old = parts_.changes.records().FinishedJobsBefore(parts_.changes.clock().Now() -
                                                                 options_.keep_finished);
    if (!old.ok()) return old.error();
    if (old->empty()) break;
    if (Status forgotten = Forget(*old); !forgotten.ok()) return forgotten;
  }
  for (;;) {
    const auto many = parts_.changes.records().FinishedJobsBeyond(options_.keep_finished_jobs);
    if (!many.ok()) return many.error();
    if (many->empty()) return {};
    if (Status forgotten = Forget(*many); !forgotten.ok()) return forgotten;
  }
}

Status Uploads::Impl::Forget(std::span<const core::UploadJob> jobs) {
  for (const core::UploadJob& job : jobs) {
    ::unlink(RejectedPath(options_.directory, job.id).c_str());
    if (Status removed = parts_.changes.records().RemoveJob(job.id); !removed.ok()) return removed;
  }
  return {};
}

// ---- Uploads

Uploads::Uploads(Datasets& datasets, PlanLimits& limits, JobRunner& runner, UploadsOptions options)
    : impl_(std::make_unique<Impl>(datasets, limits, runner, std::move(options))) {}

Uploads::~Uploads() = default;

Status Uploads::Resume() { return impl_->Resume(); }

Result<std::unique_ptr<Upload>> Uploads::Begin(const UploadOptions& options, core::Actor actor) {
  return impl_->Begin(options, std::move(actor));
}

Result<core::UploadJob> Uploads::Find(std::string_view workspace, core::UploadJobId id) {
  return impl_->Find(workspace, id);
}

Result<std::vector<core::UploadJob>> Uploads::Newest(std::string_view workspace,
                                                     std::size_t count) {
  return impl_->Newest(workspace, count);
}

Result<Paged<core::UploadJob>> Uploads::List(std::string_view workspace, const PageRequest& page) {
  return impl_->List(workspace, page);
}

Result<std::string> Uploads::RejectedFile(std::string_view workspace, core::UploadJobId id) {
  return impl_->RejectedFile(workspace, id);
}

Status Uploads::Sweep() { return impl_->Sweep(); }

}  // namespace latchkey::service
