// SQLite as Latchkey uses it: a file in WAL mode, flushed on each commit, with our application id
// and a schema number. The two stores are built on this.
//
// Errors, everywhere here: a full disk, an I/O error or a lock is kUnavailable; bytes that are not
// what was written kCorrupt; a broken uniqueness kConflict; the rest kInternal.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/result.h"
#include "store/migrations.h"
#include "store/snapshot.h"

struct sqlite3;
struct sqlite3_stmt;

namespace latchkey::store {

class SqliteDatabase;

// A prepared statement, taken from its connection's cache and given back when it goes. Must not
// outlive the connection; used on its thread.
class SqliteStatement {
 public:
  SqliteStatement(SqliteStatement&& other) noexcept
      : database_(other.database_),
        statement_(std::exchange(other.statement_, nullptr)),
        bind_error_(other.bind_error_) {}
  SqliteStatement& operator=(SqliteStatement&& other) = delete;
  ~SqliteStatement();

  // Parameters count from 1. Bytes are copied. An error shows in the next Step.
  SqliteStatement& Bind(int parameter, std::int64_t value);
  SqliteStatement& Bind(int parameter, std::string_view text);
  SqliteStatement& BindBlob(int parameter, std::string_view bytes);
  SqliteStatement& BindNull(int parameter);
  // The highest number of a parameter.
  int parameters() const;

  // True: a row stands. False: the end, and the statement is reset.
  Result<bool> Step();
  // Steps to the end.
  Status Run();
  // Ready for the next Bind and Step; what was bound stays.
  void Reset();

  // Of the row that stands. Columns count from 0; views hold until the next Step or Reset.
  std::int64_t Integer(int column) const;
  std::string_view Text(int column) const;
  std::string_view Blob(int column) const;
  bool IsNull(int column) const;

 private:
  friend class SqliteDatabase;
  SqliteStatement(SqliteDatabase* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}

  SqliteDatabase* database_;
  sqlite3_stmt* statement_;
  int bind_error_ = 0;
};

// One connection. Used by one thread at a time.
class SqliteDatabase {
 public:
  struct Options {
    std::string path;
    std::int32_t application_id = 0;
    std::span<const Migration> migrations;
    bool create = true;  // if there is no such file; else kNotFound
    std::string vfs;     // the name of a registered sqlite3_vfs; empty: the system's
  };

  // Opens for writing. A new file is made beside its place and moved there when it is complete, so
  // an empty file is never ours. An older file is copied to `<path>.before-<N>` and migrated to N.
  // kNewer for a file of a newer Latchkey; kCorrupt for one that is cut short, damaged or not an
  // SQLite file, kInvalid for one of another program: those are left as they are.
  static Result<std::unique_ptr<SqliteDatabase>> Open(const Options& options);
  // One more connection to a file that Open has opened, for reading only.
  static Result<std::unique_ptr<SqliteDatabase>> OpenReader(const Options& options);
  // Looks at the file's header alone and touches nothing: its schema number, or the errors of Open
  // for a file that it would refuse.
  static Result<std::int32_t> CheckFile(const Options& options);

  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // One or more statements without parameters and rows.
  Status Execute(const char* sql);
  // A statement of the cache if it is there and free, else a new one.
  Result<SqliteStatement> Prepare(std::string_view sql);
  // The first column of the first row; `absent` if there is no row.
  Result<std::int64_t> QueryInteger(std::string_view sql, std::int64_t absent = 0);
  // Rows that the last INSERT, UPDATE or DELETE changed.
  std::int64_t changes() const;
  std::int64_t last_insert_rowid() const;
  bool in_transaction() const;

  // integrity_check and foreign_key_check: every page is read. kCorrupt names the first finding.
  Status CheckIntegrity();
  // On a connection of its own.
  Result<std::unique_ptr<Snapshot>> TakeSnapshot() const;

  const Options& options() const { return options_; }
  sqlite3* handle() { return handle_; }
  // What an SQLite result code means, with the file's name and SQLite's own words for the log.
  Error MakeSqliteError(int code, std::string_view doing) const;

 private:
  friend class SqliteStatement;
  explicit SqliteDatabase(Options options) : options_(std::move(options)) {}

  static Result<std::unique_ptr<SqliteDatabase>> Connect(const Options& options);
  static Status CreateNew(const Options& options);
  Status Migrate(bool existing);
  Status BackUpBefore(int schema);

  Options options_;
  sqlite3* handle_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*> idle_;  // by SQL
};

// BEGIN IMMEDIATE … COMMIT; rolled back when it goes without Commit.
class SqliteTransaction {
 public:
  static Result<SqliteTransaction> Begin(SqliteDatabase& database);
  SqliteTransaction(SqliteTransaction&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)) {}
  SqliteTransaction& operator=(SqliteTransaction&& other) = delete;
  ~SqliteTransaction();

  // kUnavailable: not done, for certain. kUnknown: the disk failed while it was told to keep the
  // transaction; this process doesn't see it, and after a crash it may be there.
  Status Commit();

 private:
  explicit SqliteTransaction(SqliteDatabase& database) : database_(&database) {}

  SqliteDatabase* database_;
};

}  // namespace latchkey::store
