// Moves what was committed from SQLite's write-ahead log into the file, beside the writers: whoever
// commits would do that himself otherwise, once in a while, and wait for the disk twice with the
// turn in hand.
#pragma once

#include <memory>
#include <thread>

#include "base/thread_annotations.h"
#include "store/sqlite_database.h"

namespace latchkey::store {

// Pages of the log.
struct CheckpointLimits {
  int beside = 8'000;    // from here on the thread moves. Fewer: pages that are written often are
                         // moved more often than they need be; more: each move holds the disk
                         // for longer
  int at_most = 24'000;  // from here on the log shall start over
  int few = 1'000;       // what a writer moves himself for that
  int far_too_many = 200'000;  // from here on every writer is slowed down
};

// A thread and a connection of its own. Its checkpoints are passive: no reader and no writer waits
// for them. The log starts over when everything in it has been moved and no reader needs it; under
// commits without a pause a checkpoint beside them never meets the last of them, so, once the log
// is long, a writer moves the last pages himself if they are few. Work that can wait is held back
// meanwhile (AwaitRoom), or the log would grow as fast as it is written and never start over.
//
// A reader that holds a snapshot for long (a backup) holds the log, which then grows; what was held
// back for it is moved by the thread afterwards, not by the writers.
class Checkpointer {
 public:
  using Limits = CheckpointLimits;

  // `database` is a connection for reading to the writer's file.
  Checkpointer(std::unique_ptr<SqliteDatabase> database, Limits limits);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // Takes the place of automatic checkpoints of this connection, which must not outlive this.
  void Watch(SqliteDatabase& writer);

  // Any thread, before it takes its turn. For work that nobody waits for: while the log is long,
  // waits for the thread to move what it can. For any other: a moment, if the log is far too long.
  void AwaitRoom() EXCLUDES(mutex_);
  void SlowDown() EXCLUDES(mutex_);

 private:
  static int Committed(void* self, sqlite3* writer, const char* schema, int pages);
  // Whether the writer moves the rest.
  bool Tell(int pages) EXCLUDES(mutex_);
  void Run() EXCLUDES(mutex_);
  // It could move more.
  bool HasWork() const REQUIRES(mutex_) { return (wanted_ || running_) && !stopping_; }

  const std::unique_ptr<SqliteDatabase> database_;  // used by the thread alone
  const Limits limits_;
  Mutex mutex_;
  CondVar changed_;
  int pages_ GUARDED_BY(mutex_) = 0;  // of the log, after the last commit
  int moved_ GUARDED_BY(mutex_) = 0;  // of them, as far as the thread knows
  bool wanted_ GUARDED_BY(mutex_) = false;
  bool running_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace latchkey::store
