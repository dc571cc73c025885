// The one thread that writes state.db. Whatever is queued when it looks is committed as one
// transaction with a savepoint for each mutation: callers share the flush to disk, and one's error
// is not the others'.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/thread_annotations.h"
#include "store/removed_digests.h"
#include "store/sqlite_changes.h"
#include "store/sqlite_database.h"
#include "store/store.h"

namespace latchkey::store {

// Thread-safe. Nobody may be inside a call when it is destroyed.
class SqliteWriter {
 public:
  SqliteWriter(std::unique_ptr<SqliteDatabase> database, RemovedDigests removed_digests);
  ~SqliteWriter();
  SqliteWriter(const SqliteWriter&) = delete;
  SqliteWriter& operator=(const SqliteWriter&) = delete;

  // As Store::Commit.
  Result<std::int64_t> Commit(const Mutation& mutation) EXCLUDES(mutex_);
  // Runs `work` on the writer's thread while no transaction is open and no commit under way.
  Status RunAlone(const std::function<Status(SqliteDatabase&)>& work) EXCLUDES(mutex_);

 private:
  struct Job {
    const Mutation* mutation = nullptr;
    const std::function<Status(SqliteDatabase&)>* alone = nullptr;
    Result<std::int64_t> result = std::int64_t{0};
    bool ends_texts = false;  // has digests to write
    bool done = false;        // guarded by the writer's mutex_
    CondVar became_done;
  };

  void Enqueue(Job& job) EXCLUDES(mutex_);
  void Run() EXCLUDES(mutex_);
  std::vector<Job*> TakeQueued() EXCLUDES(mutex_);
  void Finish(std::span<Job* const> jobs) EXCLUDES(mutex_);

  void CommitTogether(std::span<Job* const> jobs);
  Status ApplyAll(std::span<Job* const> jobs, Progress& progress);
  // An error of the transaction as a whole; the job's own outcome stands in its result.
  Status ApplyOne(Job& job, Progress& progress);
  Status WriteRemovedDigests(std::vector<Digest> removed);

  // Used by the writer's thread alone.
  std::unique_ptr<SqliteDatabase> database_;
  RemovedDigests removed_digests_;
  std::vector<Digest> unwritten_;     // committed, and not yet in the file
  std::optional<Progress> progress_;  // after the last commit; absent: load it

  Mutex mutex_;
  CondVar queued_;
  std::deque<Job*> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace latchkey::store
