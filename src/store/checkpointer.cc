#include "store/checkpointer.h"

#include <utility>

#include <sqlite3.h>

namespace latchkey::store {
namespace {

// Pages of the log, of 4 KB. Fewer: pages that are written often are moved more often than they
// need be; more: each move holds the disk for longer.
constexpr int kPagesBeside = 8000;
constexpr int kPagesAtMost = 24'000;

}  // namespace

Checkpointer::Checkpointer(std::unique_ptr<SqliteDatabase> database)
    : database_(std::move(database)), thread_([this] { Run(); }) {}

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

int Checkpointer::Committed(void* self, sqlite3* writer, const char* schema, int pages) {
  if (pages >= kPagesAtMost) {
    // As an automatic one, what fails here is tried again after the next commit.
    static_cast<void>(
        sqlite3_wal_checkpoint_v2(writer, schema, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr));
  } else if (pages >= kPagesBeside) {
    auto& checkpointer = *static_cast<Checkpointer*>(self);
    MutexLock lock(checkpointer.mutex_);
    checkpointer.wanted_ = true;
    checkpointer.changed_.NotifyAll();
  }
  return SQLITE_OK;
}

void Checkpointer::Run() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      while (!wanted_ && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
      wanted_ = false;
    }
    static_cast<void>(sqlite3_wal_checkpoint_v2(database_->handle(), nullptr,
                                                SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr));
  }
}

}  // namespace latchkey::store
