#include "store/sqlite_dataset_store.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "store/files.h"

namespace latchkey::store {
namespace {

// The lane of what is done for nobody: dropping.
constexpr std::int64_t kHousekeeping = -1;
constexpr std::size_t kMaxIdleReaders = 16;
constexpr int kProgressSteps = 1000;

// NOCASE folds ASCII and nothing else, which is what wire.md §7 asks for; so keys are kept once, as
// they were written. `date` is clustered descending because the newest is what is asked for.
constexpr std::array<Migration, 2> kMigrations = {{{1, "generations and their records", R"sql(
CREATE TABLE generations (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  finished INTEGER NOT NULL,
  records INTEGER NOT NULL
) STRICT;

CREATE TABLE records (
  generation INTEGER NOT NULL,
  key TEXT NOT NULL COLLATE NOCASE,
  date INTEGER NOT NULL,
  subkey TEXT NOT NULL COLLATE NOCASE,
  updated INTEGER NOT NULL,
  field_values TEXT NOT NULL,
  PRIMARY KEY (generation, key, date DESC, subkey)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_by_date ON records (generation, date DESC, key, subkey);
CREATE INDEX records_by_subkey ON records (generation, key, subkey, date DESC)
  WHERE subkey <> '';
)sql"},
                                                   {2, "sizes, layers and jobs of uploads", R"sql(
-- Of a layer: the generation it lies over, its place among those over the same one from the moment
-- it is published (1 is the lowest; 0: it is not), and whether its records give way to what is
-- below. A layer's records and bytes are what it adds to the generation, as far as is known.
ALTER TABLE generations ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE generations ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
ALTER TABLE generations ADD COLUMN published INTEGER NOT NULL DEFAULT 0;
ALTER TABLE generations ADD COLUMN keep_first INTEGER NOT NULL DEFAULT 0;
CREATE INDEX generations_by_base ON generations (base) WHERE base <> 0;
UPDATE generations SET bytes = (
  SELECT COALESCE(SUM(48 + LENGTH(CAST(key AS BLOB)) + LENGTH(CAST(subkey AS BLOB)) +
                      LENGTH(CAST(field_values AS BLOB))), 0)
  FROM records WHERE generation = number) WHERE finished = 1;

CREATE TABLE jobs (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id INTEGER NOT NULL UNIQUE,
  account INTEGER NOT NULL,
  workspace TEXT NOT NULL,
  dataset TEXT NOT NULL,
  dataset_id INTEGER NOT NULL,
  state INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  overwrite INTEGER NOT NULL,
  keep_first INTEGER NOT NULL,
  create_on_demand INTEGER NOT NULL,
  max_errors INTEGER NOT NULL,
  principal TEXT NOT NULL,
  address TEXT NOT NULL,
  request_id TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  lines INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  message TEXT NOT NULL,
  generation INTEGER NOT NULL,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_by_workspace ON jobs (workspace, sequence);
CREATE INDEX jobs_unfinished ON jobs (sequence) WHERE finished = 0;
)sql"}}};

// By what is asked for and in which order. Parameters: generation, first and last date, limit, key,
// subkey.
#define LATCHKEY_SELECT "SELECT key, subkey, date, updated, field_values FROM records "
#define LATCHKEY_WHERE "WHERE generation = ?1 AND date >= ?2 AND date <= ?3 "
constexpr std::array<std::string_view, 2> kOfAll = {
    LATCHKEY_SELECT "INDEXED BY records_by_date " LATCHKEY_WHERE
                    "ORDER BY date DESC, key, subkey LIMIT ?4",
    LATCHKEY_SELECT "INDEXED BY records_by_date " LATCHKEY_WHERE
                    "ORDER BY date, key DESC, subkey DESC LIMIT ?4"};
constexpr std::array<std::string_view, 2> kOfKey = {
    LATCHKEY_SELECT "INDEXED BY sqlite_autoindex_records_1 " LATCHKEY_WHERE
                    "AND key = ?5 ORDER BY date DESC, subkey LIMIT ?4",
    LATCHKEY_SELECT "INDEXED BY sqlite_autoindex_records_1 " LATCHKEY_WHERE
                    "AND key = ?5 ORDER BY date, subkey DESC LIMIT ?4"};
constexpr std::array<std::string_view, 2> kOfSubkey = {
    LATCHKEY_SELECT "INDEXED BY records_by_subkey " LATCHKEY_WHERE
                    "AND key = ?5 AND subkey = ?6 AND subkey <> '' ORDER BY date DESC LIMIT ?4",
    LATCHKEY_SELECT "INDEXED BY records_by_subkey " LATCHKEY_WHERE
                    "AND key = ?5 AND subkey = ?6 AND subkey <> '' ORDER BY date LIMIT ?4"};
// Records without a subkey are in no index of their own: those of the key are walked.
constexpr std::array<std::string_view, 2> kOfEmptySubkey = {
    LATCHKEY_SELECT "INDEXED BY sqlite_autoindex_records_1 " LATCHKEY_WHERE
                    "AND key = ?5 AND subkey = ?6 ORDER BY date DESC LIMIT ?4",
    LATCHKEY_SELECT "INDEXED BY sqlite_autoindex_records_1 " LATCHKEY_WHERE
                    "AND key = ?5 AND subkey = ?6 ORDER BY date LIMIT ?4"};
#undef LATCHKEY_SELECT
#undef LATCHKEY_WHERE

constexpr std::string_view kDeleteSome =
    "DELETE FROM records WHERE (generation, key, date, subkey) IN "
    "(SELECT generation, key, date, subkey FROM records WHERE generation = ?1 LIMIT ?2)";

SqliteDatabase::Options OptionsFor(const std::string& path, const std::string& vfs) {
  SqliteDatabase::Options options;
  options.path = path;
  options.application_id = kRecordsApplicationId;
  options.migrations = RecordsMigrations();
  options.vfs = vfs;
  return options;
}

int AskInterrupted(void* interrupted) {
  return (*static_cast<const std::function<bool()>*>(interrupted))() ? 1 : 0;
}

}  // namespace

std::span<const Migration> RecordsMigrations() { return kMigrations; }

// ---- Reading

// A reading connection that goes back to the others when it goes.
class SqliteDatasetStore::Reader {
 public:
  Reader(SqliteDatasetStore& store, std::unique_ptr<SqliteDatabase> database)
      : store_(&store), database_(std::move(database)) {}
  Reader(Reader&&) noexcept = default;
  Reader& operator=(Reader&&) = delete;
  ~Reader() {
    if (database_ == nullptr) return;
    MutexLock lock(store_->readers_mutex_);
    if (store_->idle_readers_.size() < kMaxIdleReaders) {
      store_->idle_readers_.push_back(std::move(database_));
    }
  }
  SqliteDatabase& database() { return *database_; }

 private:
  SqliteDatasetStore* store_;
  std::unique_ptr<SqliteDatabase> database_;
};

Result<SqliteDatasetStore::Reader> SqliteDatasetStore::TakeReader() {
  {
    MutexLock lock(readers_mutex_);
    if (!idle_readers_.empty()) {
      std::unique_ptr<SqliteDatabase> database = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return Reader(*this, std::move(database));
    }
  }
  Result<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::OpenReader(options_);
  if (!database.ok()) return database.error();
  if (Status status = (*database)->Execute("PRAGMA cache_size=-8192"); !status.ok()) {
    return status.error();
  }
  return Reader(*this, *std::move(database));
}

std::string_view SqliteDatasetStore::QuerySql(const core::RecordQuery& query) {
  const std::size_t order = query.newest_first ? 0 : 1;
  if (!query.key) return kOfAll[order];
  if (!query.subkey) return kOfKey[order];
  return query.subkey->empty() ? kOfEmptySubkey[order] : kOfSubkey[order];
}

Result<std::vector<core::Record>> SqliteDatasetStore::Query(
    std::int64_t generation, const core::RecordQuery& query, std::uint64_t max_bytes,
    const std::function<bool()>& interrupted) {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  Result<SqliteStatement> select = reader->database().Prepare(QuerySql(query));
  if (!select.ok()) return select.error();
  select->Bind(1, generation)
      .Bind(2, query.from_millis.value_or(std::numeric_limits<std::int64_t>::min()))
      .Bind(3, query.to_millis.value_or(std::numeric_limits<std::int64_t>::max()))
      .Bind(4, static_cast<std::int64_t>(std::min<std::uint64_t>(query.limit, INT64_MAX)));
  if (query.key) select->Bind(5, *query.key);
  if (query.key && query.subkey) select->Bind(6, *query.subkey);

  sqlite3* handle = reader->database().handle();
  if (interrupted) {
    sqlite3_progress_handler(handle, kProgressSteps, AskInterrupted,
                             const_cast<std::function<bool()>*>(&interrupted));
  }
  std::vector<core::Record> records;
  std::uint64_t bytes = 0;
  Result<bool> row = false;
  while ((row = select->Step()).ok() && *row) {
    bytes +=
        static_cast<std::uint64_t>(RowBytes(select->Text(0), select->Text(1), select->Text(4)));
    if (bytes > max_bytes) {
      row = MakeError(ErrorCode::kLimit, "These records are too many bytes; ask for fewer.");
      break;
    }
    core::Record& record = records.emplace_back();
    record.key = select->Text(0);
    record.subkey = select->Text(1);
    record.date_millis = select->Integer(2);
    record.updated_millis = select->Integer(3);
    record.values = select->Text(4);
  }
  if (interrupted) sqlite3_progress_handler(handle, 0, nullptr, nullptr);
  if (!row.ok()) return row.error();
  return records;
}

Result<std::vector<Generation>> SqliteDatasetStore::ListGenerations() {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  Result<SqliteStatement> select = reader->database().Prepare(
      "SELECT number, finished, records, bytes FROM generations ORDER BY number");
  if (!select.ok()) return select.error();
  std::vector<Generation> generations;
  Result<bool> row = false;
  while ((row = select->Step()).ok() && *row) {
    generations.push_back({select->Integer(0),
                           select->Integer(1) != 0,
                           {static_cast<std::uint64_t>(select->Integer(2)),
                            static_cast<std::uint64_t>(select->Integer(3))}});
  }
  if (!row.ok()) return row.error();
  return generations;
}

Status SqliteDatasetStore::CheckIntegrity() {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  if (Status status = reader->database().CheckIntegrity(); !status.ok()) return status;
  Result<SqliteStatement> select = reader->database().Prepare(
      "SELECT number FROM generations WHERE finished = 1 AND (records, bytes) <> "
      "(SELECT COUNT(*), COALESCE(SUM(48 + LENGTH(CAST(key AS BLOB)) + "
      "LENGTH(CAST(subkey AS BLOB)) + LENGTH(CAST(field_values AS BLOB))), 0) "
      "FROM records WHERE generation = number)");
  if (!select.ok()) return select.error();
  const Result<bool> row = select->Step();
  if (!row.ok()) return row.error();
  if (!*row) return {};
  return MakeError(ErrorCode::kCorrupt, fmt::format("{} is damaged.", options_.path),
                   fmt::format("generation {} has not the records or bytes that were counted",
                               select->Integer(0)));
}

Result<std::unique_ptr<Snapshot>> SqliteDatasetStore::TakeSnapshot() {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  return reader->database().TakeSnapshot();
}

// ---- Opening and dropping

Result<std::unique_ptr<SqliteDatasetStore>> SqliteDatasetStore::Open(const std::string& path,
                                                                     const std::string& vfs) {
  std::unique_ptr<SqliteDatasetStore> store(new SqliteDatasetStore(OptionsFor(path, vfs)));
  Result<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::Open(store->options_);
  if (!database.ok()) return database.error();
  // A larger log means fewer moves from it into the file, each of which waits for the disk twice.
  if (Status status = (*database)->Execute("PRAGMA synchronous=NORMAL;"
                                           "PRAGMA cache_size=-65536;"
                                           "PRAGMA wal_autocheckpoint=8000");
      !status.ok()) {
    return status.error();
  }
  Turn turn(store->turns_, kHousekeeping);
  store->database_ = *std::move(database);
  return store;
}

SqliteDatasetStore::~SqliteDatasetStore() {
  // The readers first: the last connection moves the log into the file, which only a writer can.
  MutexLock lock(readers_mutex_);
  idle_readers_.clear();
}

Status SqliteDatasetStore::Drop(std::int64_t generation) {
  for (;;) {
    const Result<std::int64_t> dropped = DropSome(generation);
    if (!dropped.ok()) return dropped.error();
    if (*dropped == 0) return {};
  }
}

// The records that were dropped, 0 when the generation is gone. It is marked first, so that a drop
// that a crash ends is told from a generation that is whole.
Result<std::int64_t> SqliteDatasetStore::DropSome(std::int64_t generation) {
  Turn turn(turns_, kHousekeeping);
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  std::int64_t dropped = 0;
  {
    Result<SqliteStatement> mark =
        database_->Prepare("UPDATE generations SET finished = 0 WHERE number = ?1");
    if (!mark.ok()) return mark.error();
    if (Status status = mark->Bind(1, generation).Run(); !status.ok()) return status.error();
    Result<SqliteStatement> remove = database_->Prepare(kDeleteSome);
    if (!remove.ok()) return remove.error();
    remove->Bind(1, generation).Bind(2, static_cast<std::int64_t>(kRecordsPerChunk));
    if (Status status = remove->Run(); !status.ok()) return status.error();
    dropped = database_->changes();
    if (dropped == 0) {
      Result<SqliteStatement> forget =
          database_->Prepare("DELETE FROM generations WHERE number = ?1");
      if (!forget.ok()) return forget.error();
      if (Status status = forget->Bind(1, generation).Run(); !status.ok()) return status.error();
    }
  }
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return dropped;
}

}  // namespace latchkey::store
