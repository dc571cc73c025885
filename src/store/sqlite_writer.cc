#include "store/sqlite_writer.h"

#include <algorithm>
#include <utility>

namespace latchkey::store {
namespace {

// Bounds the time that the first of a batch waits for the last.
constexpr std::size_t kMaxBatch = 256;

}  // namespace

SqliteWriter::SqliteWriter(std::unique_ptr<SqliteDatabase> database, RemovedDigests removed_digests)
    : database_(std::move(database)), removed_digests_(std::move(removed_digests)) {
  thread_ = std::thread([this] { Run(); });
}

SqliteWriter::~SqliteWriter() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    queued_.NotifyOne();
  }
  thread_.join();
}

Result<std::int64_t> SqliteWriter::Commit(const Mutation& mutation) {
  Job job;
  job.mutation = &mutation;
  Enqueue(job);
  return std::move(job.result);
}

Status SqliteWriter::RunAlone(const std::function<Status(SqliteDatabase&)>& work) {
  Job job;
  job.alone = &work;
  Enqueue(job);
  if (!job.result.ok()) return job.result.error();
  return {};
}

void SqliteWriter::Enqueue(Job& job) {
  MutexLock lock(mutex_);
  queue_.push_back(&job);
  queued_.NotifyOne();
  while (!job.done) job.became_done.Wait(mutex_);
}

void SqliteWriter::Run() {
  for (;;) {
    const std::vector<Job*> jobs = TakeQueued();
    if (jobs.empty()) return;
    if (jobs.front()->alone != nullptr) {
      const Status status = (*jobs.front()->alone)(*database_);
      if (!status.ok()) jobs.front()->result = status.error();
      progress_.reset();  // the work may have written audit events
    } else {
      CommitTogether(jobs);
    }
    Finish(jobs);
  }
}

// One job that runs alone, or as many mutations as stand before the next such job. None: stop.
std::vector<SqliteWriter::Job*> SqliteWriter::TakeQueued() {
  MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_) queued_.Wait(mutex_);
  std::vector<Job*> jobs;
  while (!queue_.empty() && jobs.size() < kMaxBatch) {
    Job* job = queue_.front();
    if (job->alone != nullptr && !jobs.empty()) break;
    queue_.pop_front();
    jobs.push_back(job);
    if (job->alone != nullptr) break;
  }
  return jobs;
}

void SqliteWriter::Finish(std::span<Job* const> jobs) {
  // Under the lock to the end: a job is gone as soon as its caller sees that it is done.
  MutexLock lock(mutex_);
  for (Job* job : jobs) {
    job->done = true;
    job->became_done.NotifyOne();
  }
}

void SqliteWriter::CommitTogether(std::span<Job* const> jobs) {
  if (!progress_) {
    Result<Progress> loaded = LoadProgress(*database_);
    if (!loaded.ok()) {
      for (Job* job : jobs) job->result = loaded.error();
      return;
    }
    progress_ = *std::move(loaded);
  }
  Progress progress = *progress_;
  const Status committed = ApplyAll(jobs, progress);
  if (!committed.ok()) {
    for (Job* job : jobs) {
      // Who was refused on its own account keeps that answer.
      if (job->result.ok()) job->result = committed.error();
    }
    progress_.reset();
    return;
  }
  const Status written = WriteRemovedDigests(std::exchange(progress.removed, {}));
  progress_ = std::move(progress);
  if (written.ok()) return;
  for (Job* job : jobs) {
    if (!job->ends_texts || !job->result.ok()) continue;
    job->result = MakeError(ErrorCode::kUnknown,
                            "The change was made, but the file of removed digests could not be "
                            "written. It is tried again with the next change.",
                            written.error().internal_text);
  }
}

Status SqliteWriter::ApplyAll(std::span<Job* const> jobs, Progress& progress) {
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  for (Job* job : jobs) {
    if (Status status = ApplyOne(*job, progress); !status.ok()) return status;
  }
  const bool any = std::any_of(jobs.begin(), jobs.end(), [](Job* job) { return job->result.ok(); });
  if (!any) return {};  // rolled back: there is nothing in it
  return transaction->Commit();
}

Status SqliteWriter::ApplyOne(Job& job, Progress& progress) {
  if (Status status = database_->Execute("SAVEPOINT mutation"); !status.ok()) return status;
  Progress before = progress;
  Status status = ApplyMutation(*database_, *job.mutation, progress);
  job.ends_texts = progress.removed.size() > before.removed.size();
  if (status.ok() && job.ends_texts) {
    // Now, while the removal can still be refused: once it is committed it can't.
    status = removed_digests_.Reserve(unwritten_.size() + progress.removed.size());
  }
  if (status.ok()) {
    job.result = progress.feed_sequence;
    return database_->Execute("RELEASE mutation");
  }
  job.result = status.error();
  progress = std::move(before);
  // A full disk or an I/O error may have rolled the whole transaction back.
  if (!database_->in_transaction()) return status;
  return database_->Execute("ROLLBACK TO mutation; RELEASE mutation");
}

Status SqliteWriter::WriteRemovedDigests(std::vector<Digest> removed) {
  unwritten_.insert(unwritten_.end(), removed.begin(), removed.end());
  if (unwritten_.empty()) return {};
  Status status = removed_digests_.Append(unwritten_);
  if (status.ok()) unwritten_.clear();
  return status;
}

}  // namespace latchkey::store
