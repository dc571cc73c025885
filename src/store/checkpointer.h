// Moves what was committed from SQLite's write-ahead log into the file, beside the writers: whoever
// commits would do that himself otherwise, once in a while, and wait for the disk twice with the
// turn in hand.
#pragma once

#include <memory>
#include <thread>

#include "base/thread_annotations.h"
#include "store/sqlite_database.h"

namespace latchkey::store {

// A thread and a connection of its own. Its checkpoints are passive: no reader and no writer waits
// for them. The log starts over when one has met no new commit; under commits without a pause that
// may not come about, and then, once the log is long, a writer moves the (few) last pages himself.
class Checkpointer {
 public:
  // `database` is a connection for reading to the writer's file.
  explicit Checkpointer(std::unique_ptr<SqliteDatabase> database);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // Takes the place of automatic checkpoints of this connection, which must not outlive this.
  void Watch(SqliteDatabase& writer);

 private:
  static int Committed(void* self, sqlite3* writer, const char* schema, int pages);
  void Run() EXCLUDES(mutex_);

  const std::unique_ptr<SqliteDatabase> database_;  // used by the thread alone
  Mutex mutex_;
  CondVar changed_;
  bool wanted_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace latchkey::store
