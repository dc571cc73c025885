// A few reading connections to one file, lent to whoever reads.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/thread_annotations.h"
#include "store/sqlite_database.h"

namespace latchkey::store {

// Thread-safe. Connections are made when they are first needed; with all of them lent, a borrower
// waits. Must outlive what it lends.
class SqliteReaders {
 public:
  SqliteReaders(SqliteDatabase::Options options, std::size_t max_connections)
      : options_(std::move(options)), max_connections_(max_connections) {}

  // Gives the connection back when it goes. Used by one thread at a time.
  class Lease {
   public:
    Lease(SqliteReaders* readers, std::unique_ptr<SqliteDatabase> database)
        : readers_(readers), database_(std::move(database)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (database_ != nullptr) readers_->GiveBack(std::move(database_));
    }
    SqliteDatabase& operator*() const { return *database_; }
    SqliteDatabase* operator->() const { return database_.get(); }

   private:
    SqliteReaders* readers_;
    std::unique_ptr<SqliteDatabase> database_;
  };

  Result<Lease> Borrow() EXCLUDES(mutex_);

 private:
  void GiveBack(std::unique_ptr<SqliteDatabase> database) EXCLUDES(mutex_);

  const SqliteDatabase::Options options_;
  const std::size_t max_connections_;
  Mutex mutex_;
  CondVar given_back_;
  std::vector<std::unique_ptr<SqliteDatabase>> free_ GUARDED_BY(mutex_);
  std::size_t connections_ GUARDED_BY(mutex_) = 0;
};

}  // namespace latchkey::store
