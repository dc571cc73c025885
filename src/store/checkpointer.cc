#include "store/checkpointer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <sqlite3.h>

namespace latchkey::store {

Checkpointer::Checkpointer(std::unique_ptr<SqliteDatabase> database, Limits limits)
    : database_(std::move(database)), limits_(limits), thread_([this] { Run(); }) {}

Checkpointer::~Checkpointer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void Checkpointer::Watch(SqliteDatabase& writer) {
  sqlite3_wal_hook(writer.handle(), Committed, this);
}

void Checkpointer::AwaitRoom() {
  MutexLock lock(mutex_);
  // A thread that is idle has moved all that it could: a reader keeps the rest, and waiting would
  // be for him.
  while (pages_ >= limits_.at_most && HasWork()) changed_.Wait(mutex_);
}

void Checkpointer::SlowDown() {
  constexpr std::chrono::milliseconds kMoment(15);
  // The end of the checkpoint that runs, and of the one that moves what came meanwhile.
  constexpr int kMoments = 3;
  MutexLock lock(mutex_);
  for (int i = 0; i < kMoments && pages_ >= limits_.far_too_many && HasWork(); ++i) {
    changed_.WaitFor(mutex_, kMoment);
  }
}

int Checkpointer::Committed(void* self, sqlite3* writer, const char* schema, int pages) {
  if (static_cast<Checkpointer*>(self)->Tell(pages)) {
    // As an automatic one, what fails here is tried again after the next commit.
    static_cast<void>(
        sqlite3_wal_checkpoint_v2(writer, schema, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr));
  }
  return SQLITE_OK;
}

bool Checkpointer::Tell(int pages) {
  MutexLock lock(mutex_);
  if (pages < pages_) moved_ = 0;  // the log has started over
  pages_ = pages;
  if (pages < limits_.beside) return false;
  if (pages >= limits_.at_most && pages - moved_ <= limits_.few && !running_) return true;
  wanted_ = true;
  changed_.NotifyAll();
  return false;
}

void Checkpointer::Run() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      running_ = false;
      changed_.NotifyAll();
      while (!wanted_ && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
      wanted_ = false;
      running_ = true;
    }
    int pages = 0;
    int moved = 0;
    const int code = sqlite3_wal_checkpoint_v2(database_->handle(), nullptr,
                                               SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
    if (code != SQLITE_OK) continue;
    MutexLock lock(mutex_);
    // What it has counted may be of a log that has started over since.
    if (pages <= pages_) moved_ = std::max(moved, moved_);
  }
}

}  // namespace latchkey::store
