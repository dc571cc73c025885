#include "store/sqlite_database.h"

#include <cassert>
#include <cstdio>

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include "store/file_io.h"

namespace latchkey::store {
namespace {

constexpr int kBusyTimeoutMillis = 10'000;
constexpr std::size_t kHeaderBytes = 100;
constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr std::size_t kMaxIdleStatements = 128;

// Big-endian, as SQLite's file header has its numbers (https://www.sqlite.org/fileformat.html).
std::int32_t HeaderNumber(std::string_view header, std::size_t offset) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    number = number << 8 | static_cast<unsigned char>(header[offset + i]);
  }
  return static_cast<std::int32_t>(number);
}

int LastSchema(const SqliteDatabase::Options& options) {
  return options.migrations.empty() ? 0 : options.migrations.back().id;
}

Error NewerError(const SqliteDatabase::Options& options, std::int64_t schema) {
  return MakeError(ErrorCode::kNewer,
                   fmt::format("{} was written by a newer Latchkey (schema {}; this one knows {}). "
                               "Start that version, or restore a backup.",
                               options.path, schema, LastSchema(options)));
}

Error CutShortError(const SqliteDatabase::Options& options, std::uint64_t bytes) {
  return MakeError(ErrorCode::kCorrupt,
                   fmt::format("{} is cut short: it has {} bytes. Restore a backup; the file was "
                               "left as it is.",
                               options.path, bytes));
}

std::uint64_t PageBytes(std::string_view header) {
  const auto number = static_cast<std::uint64_t>(static_cast<unsigned char>(header[16]) << 8 |
                                                 static_cast<unsigned char>(header[17]));
  return number == 1 ? 65536 : number;
}

bool HasLog(const std::string& path) {
  const std::string log = path + "-wal";
  if (!Exists(log)) return false;
  const Result<FileDescriptor> file = OpenForReading(log);
  if (!file.ok()) return true;
  const Result<std::uint64_t> size = FileSize(file->get(), log);
  return !size.ok() || *size > 0;
}

void RemoveWithCompanions(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((path + suffix).c_str());
}

Status Rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return FileError(errno, "renaming", from);
  return SyncFolderOf(to);
}

class SqliteSnapshot final : public Snapshot {
 public:
  explicit SqliteSnapshot(std::unique_ptr<SqliteDatabase> source) : source_(std::move(source)) {}

  Status CopyTo(const std::string& file) override {
    Result<FileDescriptor> created = CreateFile(file);
    if (!created.ok()) return created.error();
    Status status = Copy(file);
    if (status.ok()) status = SyncFile(created->get(), file);
    if (status.ok()) status = SyncFolderOf(file);
    if (!status.ok()) RemoveWithCompanions(file);
    return status;
  }

 private:
  Status Copy(const std::string& file) {
    sqlite3* target = nullptr;
    const std::string& vfs = source_->options().vfs;
    int code = sqlite3_open_v2(file.c_str(), &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                               vfs.empty() ? nullptr : vfs.c_str());
    if (code == SQLITE_OK) {
      // A copy that fails is thrown away and one that succeeds is flushed whole: no journal.
      code = sqlite3_exec(target, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", nullptr,
                          nullptr, nullptr);
    }
    if (code == SQLITE_OK) code = CopyPages(target);
    const int close_code = sqlite3_close(target);
    if (code == SQLITE_OK) code = close_code;
    if (code != SQLITE_OK) return source_->MakeSqliteError(code, "copying to " + file);
    return {};
  }

  // The source's connection holds its read transaction open, so that SQLite copies that view and
  // never starts over, whatever others commit meanwhile.
  int CopyPages(sqlite3* target) {
    constexpr int kPagesPerStep = 1024;
    sqlite3_backup* backup = sqlite3_backup_init(target, "main", source_->handle(), "main");
    if (backup == nullptr) return sqlite3_errcode(target);
    int code = SQLITE_OK;
    while (code == SQLITE_OK) code = sqlite3_backup_step(backup, kPagesPerStep);
    const int finish_code = sqlite3_backup_finish(backup);
    return code == SQLITE_DONE ? finish_code : code;
  }

  std::unique_ptr<SqliteDatabase> source_;
};

}  // namespace

// ---- Statements

SqliteStatement::~SqliteStatement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  auto& idle = database_->idle_;
  if (idle.size() >= kMaxIdleStatements ||
      !idle.try_emplace(sqlite3_sql(statement_), statement_).second) {
    sqlite3_finalize(statement_);
  }
}

SqliteStatement& SqliteStatement::Bind(int parameter, std::int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_, parameter, value); code != SQLITE_OK) {
    bind_error_ = code;
  }
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int parameter, std::string_view text) {
  // An empty view may hold a null pointer, which SQLite would take for NULL.
  const char* bytes = text.empty() ? "" : text.data();
  if (const int code = sqlite3_bind_text64(statement_, parameter, bytes, text.size(),
                                           SQLITE_TRANSIENT, SQLITE_UTF8);
      code != SQLITE_OK) {
    bind_error_ = code;
  }
  return *this;
}

SqliteStatement& SqliteStatement::BindBlob(int parameter, std::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  if (const int code =
          sqlite3_bind_blob64(statement_, parameter, data, bytes.size(), SQLITE_TRANSIENT);
      code != SQLITE_OK) {
    bind_error_ = code;
  }
  return *this;
}

SqliteStatement& SqliteStatement::BindNull(int parameter) {
  if (const int code = sqlite3_bind_null(statement_, parameter); code != SQLITE_OK) {
    bind_error_ = code;
  }
  return *this;
}

int SqliteStatement::parameters() const { return sqlite3_bind_parameter_count(statement_); }

Result<bool> SqliteStatement::Step() {
  if (bind_error_ != SQLITE_OK) {
    return database_->MakeSqliteError(std::exchange(bind_error_, SQLITE_OK), "binding a value");
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = database_->MakeSqliteError(code, "running a statement");
  sqlite3_reset(statement_);
  return error;
}

Status SqliteStatement::Run() {
  for (;;) {
    const Result<bool> row = Step();
    if (!row.ok()) return row.error();
    if (!*row) return {};
  }
}

void SqliteStatement::Reset() { sqlite3_reset(statement_); }

std::int64_t SqliteStatement::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view SqliteStatement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view SqliteStatement::Blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

bool SqliteStatement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

// ---- Opening

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const Options& options) {
  const bool existing = Exists(options.path);
  if (!existing) {
    if (!options.create) {
      return MakeError(ErrorCode::kNotFound, fmt::format("{} is not there.", options.path));
    }
    // A log without its database holds changes that would be lost, or spoil a new file.
    if (Exists(options.path + "-wal")) {
      return MakeError(ErrorCode::kCorrupt,
                       fmt::format("{0} is gone, but its log {0}-wal is still there. Put the "
                                   "database back, or restore a backup into another folder.",
                                   options.path));
    }
    if (Status created = CreateNew(options); !created.ok()) return created.error();
  }
  if (const auto checked = CheckFile(options); !checked.ok()) return checked.error();
  Result<std::unique_ptr<SqliteDatabase>> database = Connect(options);
  if (!database.ok()) return database;
  if (Status migrated = (*database)->Migrate(existing); !migrated.ok()) return migrated.error();
  return database;
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::OpenReader(const Options& options) {
  Result<std::unique_ptr<SqliteDatabase>> database = Connect(options);
  if (!database.ok()) return database;
  if (Status status = (*database)->Execute("PRAGMA query_only=ON"); !status.ok()) {
    return status.error();
  }
  return database;
}

Status SqliteDatabase::CreateNew(const Options& options) {
  Options fresh = options;
  fresh.path += ".new";
  RemoveWithCompanions(fresh.path);  // left by a crash
  Result<FileDescriptor> file = CreateFile(fresh.path);
  if (!file.ok()) return file.error();

  const auto make = [&fresh, &file]() -> Status {
    Result<std::unique_ptr<SqliteDatabase>> database = Connect(fresh);
    if (!database.ok()) return database.error();
    const std::string id = fmt::format("PRAGMA application_id={}", fresh.application_id);
    if (Status status = (*database)->Execute(id.c_str()); !status.ok()) return status;
    if (Status status = (*database)->Migrate(false); !status.ok()) return status;
    // Everything into the file itself, which alone is moved.
    if (Status status = (*database)->Execute("PRAGMA wal_checkpoint(TRUNCATE)"); !status.ok()) {
      return status;
    }
    database->reset();
    return SyncFile(file->get(), fresh.path);
  };
  Status status = make();
  if (status.ok()) status = Rename(fresh.path, options.path);
  if (!status.ok()) RemoveWithCompanions(fresh.path);
  return status;
}

// Before SQLite sees the file: what is not ours must not get a log, a lock or a changed byte.
Result<std::int32_t> SqliteDatabase::CheckFile(const Options& options) {
  Result<FileDescriptor> file = OpenForReading(options.path);
  if (!file.ok()) return file.error();
  Result<std::string> header = ReadAt(file->get(), 0, kHeaderBytes, options.path);
  if (!header.ok()) return header.error();
  const Result<std::uint64_t> size = FileSize(file->get(), options.path);
  if (!size.ok()) return size.error();
  if (header->size() < kHeaderBytes) return CutShortError(options, *size);
  if (!header->starts_with(kMagic)) {
    return MakeError(
        ErrorCode::kCorrupt,
        fmt::format("{} is not an SQLite database. It was left as it is.", options.path));
  }
  if (HeaderNumber(*header, 68) != options.application_id) {
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format("{} is a database of another program or of another part of Latchkey. It was "
                    "left as it is.",
                    options.path));
  }
  const std::int32_t schema = HeaderNumber(*header, 60);
  if (schema > LastSchema(options)) return NewerError(options, schema);
  // SQLite itself misses a cut inside the last page. With a log beside it the file may rightly be
  // shorter than it will be.
  const std::uint64_t page_bytes = PageBytes(*header);
  const auto pages = static_cast<std::uint32_t>(HeaderNumber(*header, 28));
  if (*size < pages * page_bytes && !HasLog(options.path)) return CutShortError(options, *size);
  return schema;
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Connect(const Options& options) {
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(options));
  const int code =
      sqlite3_open_v2(options.path.c_str(), &database->handle_,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                      options.vfs.empty() ? nullptr : options.vfs.c_str());
  if (code != SQLITE_OK) return database->MakeSqliteError(code, "opening");
  sqlite3_busy_timeout(database->handle_, kBusyTimeoutMillis);
  sqlite3_db_config(database->handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // https://www.sqlite.org/security.html: the file may have been tampered with.
  if (Status status = database->Execute("PRAGMA trusted_schema=OFF;"
                                        "PRAGMA cell_size_check=ON;"
                                        "PRAGMA foreign_keys=ON;"
                                        "PRAGMA journal_mode=WAL;"
                                        "PRAGMA synchronous=FULL;"
                                        "PRAGMA journal_size_limit=67108864;"
                                        "PRAGMA temp_store=MEMORY");
      !status.ok()) {
    return status.error();
  }
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  for (auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  [[maybe_unused]] const int code = sqlite3_close(handle_);
  assert(code == SQLITE_OK);  // a statement has outlived its connection
}

Status SqliteDatabase::Migrate(bool existing) {
  Result<std::int64_t> schema = QueryInteger("PRAGMA user_version");
  if (!schema.ok()) return schema.error();
  const int last = LastSchema(options_);
  if (*schema > last) return NewerError(options_, *schema);
  if (*schema == last) return {};
  if (existing) {
    if (Status status = BackUpBefore(last); !status.ok()) return status;
  }
  for (const Migration& migration : options_.migrations) {
    if (migration.id <= *schema) continue;
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*this);
    if (!transaction.ok()) return transaction.error();
    if (Status status = Execute(migration.sql); !status.ok()) return status;
    const std::string version = fmt::format("PRAGMA user_version={}", migration.id);
    if (Status status = Execute(version.c_str()); !status.ok()) return status;
    if (Status status = transaction->Commit(); !status.ok()) return status;
  }
  return {};
}

Status SqliteDatabase::BackUpBefore(int schema) {
  const std::string kept = fmt::format("{}.before-{}", options_.path, schema);
  const std::string fresh = kept + ".new";
  RemoveWithCompanions(fresh);
  Result<std::unique_ptr<Snapshot>> snapshot = TakeSnapshot();
  if (!snapshot.ok()) return snapshot.error();
  if (Status status = (*snapshot)->CopyTo(fresh); !status.ok()) return status;
  return Rename(fresh, kept);
}

// ---- Use

Status SqliteDatabase::Execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return MakeSqliteError(code, "running a statement");
  return {};
}

Result<SqliteStatement> SqliteDatabase::Prepare(std::string_view sql) {
  if (const auto found = idle_.find(std::string(sql)); found != idle_.end()) {
    sqlite3_stmt* statement = found->second;
    idle_.erase(found);
    return SqliteStatement(this, statement);
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return MakeSqliteError(code, "preparing a statement");
  return SqliteStatement(this, statement);
}

Result<std::int64_t> SqliteDatabase::QueryInteger(std::string_view sql, std::int64_t absent) {
  Result<SqliteStatement> statement = Prepare(sql);
  if (!statement.ok()) return statement.error();
  const Result<bool> row = statement->Step();
  if (!row.ok()) return row.error();
  return *row ? statement->Integer(0) : absent;
}

std::int64_t SqliteDatabase::changes() const { return sqlite3_changes64(handle_); }
std::int64_t SqliteDatabase::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(handle_);
}
bool SqliteDatabase::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

Status SqliteDatabase::CheckIntegrity() {
  {
    Result<SqliteStatement> check = Prepare("PRAGMA integrity_check(1)");
    if (!check.ok()) return check.error();
    const Result<bool> row = check->Step();
    if (!row.ok()) return row.error();
    if (!*row || check->Text(0) != "ok") {
      return MakeError(ErrorCode::kCorrupt, fmt::format("{} is damaged.", options_.path),
                       fmt::format("integrity_check: {}", check->Text(0)));
    }
  }
  Result<SqliteStatement> check = Prepare("PRAGMA foreign_key_check");
  if (!check.ok()) return check.error();
  const Result<bool> row = check->Step();
  if (!row.ok()) return row.error();
  if (*row) {
    return MakeError(ErrorCode::kCorrupt, fmt::format("{} is damaged.", options_.path),
                     fmt::format("a row of {} names a row that is not there", check->Text(0)));
  }
  return {};
}

Result<std::unique_ptr<Snapshot>> SqliteDatabase::TakeSnapshot() const {
  Result<std::unique_ptr<SqliteDatabase>> reader = OpenReader(options_);
  if (!reader.ok()) return reader.error();
  // BEGIN alone fixes nothing; the first read does.
  if (Status status = (*reader)->Execute("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1");
      !status.ok()) {
    return status.error();
  }
  return std::unique_ptr<Snapshot>(new SqliteSnapshot(*std::move(reader)));
}

Error SqliteDatabase::MakeSqliteError(int code, std::string_view doing) const {
  const int extended = handle_ != nullptr && sqlite3_errcode(handle_) == code
                           ? sqlite3_extended_errcode(handle_)
                           : code;
  // SQLite's message may quote a constraint's columns, never values that were bound.
  const std::string detail =
      fmt::format("{}: {}: {} ({}, {})", options_.path, doing, sqlite3_errstr(code), extended,
                  handle_ != nullptr ? sqlite3_errmsg(handle_) : "no connection");
  switch (code & 0xff) {
    case SQLITE_FULL:
      return MakeError(ErrorCode::kUnavailable, "The disk is full; nothing was changed.", detail);
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
      return MakeError(ErrorCode::kUnavailable,
                       "The disk reported an error; nothing was changed. The log says more.",
                       detail);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return MakeError(ErrorCode::kUnavailable,
                       fmt::format("{} can't be opened for writing; check owner, mode and the "
                                   "file system.",
                                   options_.path),
                       detail);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return MakeError(
          ErrorCode::kUnavailable,
          fmt::format("{} is in use by another program; nothing was changed.", options_.path),
          detail);
    case SQLITE_INTERRUPT:
      return MakeError(ErrorCode::kUnavailable, "The query was ended before it was done.", detail);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return MakeError(ErrorCode::kCorrupt,
                       fmt::format("{} is damaged or cut short. Restore a backup; the file was "
                                   "left as it is.",
                                   options_.path),
                       detail);
    case SQLITE_CONSTRAINT:
      if (extended == SQLITE_CONSTRAINT_FOREIGNKEY) {
        return MakeError(ErrorCode::kNotFound, "What this refers to is not there.", detail);
      }
      if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
          extended == SQLITE_CONSTRAINT_ROWID) {
        return MakeError(ErrorCode::kConflict, "This exists already.", detail);
      }
      return MakeError(ErrorCode::kInternal, "The store refused this change.", detail);
    case SQLITE_TOOBIG:
      return MakeError(ErrorCode::kInvalid, "A value is too long for the store.", detail);
    default:
      return MakeError(ErrorCode::kInternal, "The store failed. The log says more.", detail);
  }
}

// ---- Transactions

Result<SqliteTransaction> SqliteTransaction::Begin(SqliteDatabase& database) {
  if (Status status = database.Execute("BEGIN IMMEDIATE"); !status.ok()) return status.error();
  return SqliteTransaction(database);
}

SqliteTransaction::~SqliteTransaction() {
  // Some errors have rolled back already.
  if (database_ != nullptr && database_->in_transaction()) {
    static_cast<void>(database_->Execute("ROLLBACK"));
  }
}

Status SqliteTransaction::Commit() {
  SqliteDatabase& database = *std::exchange(database_, nullptr);
  const int code = sqlite3_exec(database.handle(), "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  Error error = database.MakeSqliteError(code, "committing");
  if (database.in_transaction()) static_cast<void>(database.Execute("ROLLBACK"));
  // A frame that didn't fit is no commit: the log's reader stops before it. After any other failure
  // the last frame may be whole on the disk although SQLite, here, has dropped it.
  if ((code & 0xff) == SQLITE_IOERR) {
    error.code = ErrorCode::kUnknown;
    error.public_text =
        "The disk failed while the change was being written: it may or may not have been kept.";
  }
  return error;
}

}  // namespace latchkey::store
