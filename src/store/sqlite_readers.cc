#include "store/sqlite_readers.h"

namespace latchkey::store {

Result<SqliteReaders::Lease> SqliteReaders::Borrow() {
  {
    MutexLock lock(mutex_);
    while (free_.empty() && connections_ == max_connections_) given_back_.Wait(mutex_);
    if (!free_.empty()) {
      std::unique_ptr<SqliteDatabase> database = std::move(free_.back());
      free_.pop_back();
      return Lease(this, std::move(database));
    }
    ++connections_;
  }
  // Outside the lock: opening reads the file.
  Result<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::OpenReader(options_);
  if (database.ok()) return Lease(this, *std::move(database));
  MutexLock lock(mutex_);
  --connections_;
  given_back_.NotifyOne();
  return database.error();
}

void SqliteReaders::GiveBack(std::unique_ptr<SqliteDatabase> database) {
  MutexLock lock(mutex_);
  free_.push_back(std::move(database));
  given_back_.NotifyOne();
}

}  // namespace latchkey::store
