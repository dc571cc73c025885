#include "store/sqlite_dataset_store.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "base/encoding.h"
#include "store/files.h"

namespace latchkey::store {
namespace {

constexpr std::size_t kRecordsPerTransaction = 1000;
constexpr std::size_t kMaxIdleReaders = 16;
constexpr int kProgressSteps = 1000;

// NOCASE folds ASCII and nothing else, which is what wire.md §7 asks for; so keys are kept once, as
// they were written. `date` is clustered descending because the newest is what is asked for.
constexpr std::array<Migration, 1> kMigrations = {{{1, "generations and their records", R"sql(
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

constexpr std::string_view kInsert =
    "INSERT INTO records (generation, key, date, subkey, updated, field_values) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
constexpr std::string_view kReplace =
    "REPLACE INTO records (generation, key, date, subkey, updated, field_values) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
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

int CompareFolded(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    const auto x = static_cast<unsigned char>(ToLower(a[i]));
    const auto y = static_cast<unsigned char>(ToLower(b[i]));
    if (x != y) return x < y ? -1 : 1;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

// The order of the table, below 0 if `a` stands first. Records written in it touch the fewest
// pages.
int CompareIndex(const core::Record& a, const core::Record& b) {
  if (const int keys = CompareFolded(a.key, b.key); keys != 0) return keys;
  if (a.date_millis != b.date_millis) return a.date_millis > b.date_millis ? -1 : 1;
  return CompareFolded(a.subkey, b.subkey);
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
    std::int64_t generation, const core::RecordQuery& query,
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
  Result<bool> row = false;
  while ((row = select->Step()).ok() && *row) {
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
      "SELECT number, finished, records FROM generations ORDER BY number");
  if (!select.ok()) return select.error();
  std::vector<Generation> generations;
  Result<bool> row = false;
  while ((row = select->Step()).ok() && *row) {
    generations.push_back({select->Integer(0), select->Integer(1) != 0,
                           static_cast<std::uint64_t>(select->Integer(2))});
  }
  if (!row.ok()) return row.error();
  return generations;
}

Status SqliteDatasetStore::CheckIntegrity() {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  if (Status status = reader->database().CheckIntegrity(); !status.ok()) return status;
  Result<SqliteStatement> select = reader->database().Prepare(
      "SELECT number FROM generations WHERE finished = 1 AND records <> "
      "(SELECT COUNT(*) FROM records WHERE generation = number)");
  if (!select.ok()) return select.error();
  const Result<bool> row = select->Step();
  if (!row.ok()) return row.error();
  if (!*row) return {};
  return MakeError(ErrorCode::kCorrupt, fmt::format("{} is damaged.", options_.path),
                   fmt::format("generation {} has not the records that were counted when it was "
                               "finished",
                               select->Integer(0)));
}

Result<std::unique_ptr<Snapshot>> SqliteDatasetStore::TakeSnapshot() {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  return reader->database().TakeSnapshot();
}

// ---- Writing

class SqliteDatasetStore::Writer final : public GenerationWriter {
 public:
  Writer(SqliteDatasetStore& store, std::int64_t generation)
      : store_(store), generation_(generation) {}

  ~Writer() override {
    if (!finished_) static_cast<void>(store_.Drop(generation_));
  }

  std::int64_t generation() const override { return generation_; }

  Status Append(std::span<const core::Record> records, bool keep_first) override {
    order_.resize(records.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    // Of equal ones the order of the file decides.
    std::sort(order_.begin(), order_.end(), [records](std::size_t a, std::size_t b) {
      const int order = CompareIndex(records[a], records[b]);
      return order != 0 ? order < 0 : a < b;
    });
    for (std::size_t at = 0; at < order_.size(); at += kRecordsPerTransaction) {
      const std::size_t count = std::min(kRecordsPerTransaction, order_.size() - at);
      Status status = Write(records, std::span(order_).subspan(at, count), keep_first);
      if (!status.ok()) return status;
    }
    return {};
  }

  Result<std::uint64_t> Finish() override {
    Turn turn(store_.turns_);
    SqliteDatabase& database = *store_.database_;
    if (Status status = database.Execute("PRAGMA synchronous=FULL"); !status.ok()) {
      return status.error();
    }
    const Status committed = CommitFinished(database);
    const Status relaxed = database.Execute("PRAGMA synchronous=NORMAL");
    if (!committed.ok()) return committed.error();
    finished_ = true;
    if (!relaxed.ok()) return relaxed.error();
    return records_;
  }

 private:
  Status Write(std::span<const core::Record> records, std::span<const std::size_t> order,
               bool keep_first) {
    Turn turn(store_.turns_);
    SqliteDatabase& database = *store_.database_;
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
    if (!transaction.ok()) return transaction.error();
    std::uint64_t added = 0;
    {
      Result<SqliteStatement> insert = database.Prepare(kInsert);
      if (!insert.ok()) return insert.error();
      Result<SqliteStatement> replace = database.Prepare(kReplace);
      if (!replace.ok()) return replace.error();
      for (const std::size_t index : order) {
        if (Status status = Put(*insert, records[index]); !status.ok()) return status;
        if (database.changes() > 0) {
          ++added;
        } else if (!keep_first) {
          if (Status status = Put(*replace, records[index]); !status.ok()) return status;
        }
      }
    }
    if (Status status = transaction->Commit(); !status.ok()) return status;
    records_ += added;
    return {};
  }

  Status Put(SqliteStatement& statement, const core::Record& record) const {
    return statement.Bind(1, generation_)
        .Bind(2, record.key)
        .Bind(3, record.date_millis)
        .Bind(4, record.subkey)
        .Bind(5, record.updated_millis)
        .Bind(6, record.values)
        .Run();
  }

  Status CommitFinished(SqliteDatabase& database) REQUIRES(store_.turns_) {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
    if (!transaction.ok()) return transaction.error();
    {
      Result<SqliteStatement> update =
          database.Prepare("UPDATE generations SET finished = 1, records = ?2 WHERE number = ?1");
      if (!update.ok()) return update.error();
      update->Bind(1, generation_).Bind(2, static_cast<std::int64_t>(records_));
      if (Status status = update->Run(); !status.ok()) return status;
    }
    return transaction->Commit();
  }

  SqliteDatasetStore& store_;
  const std::int64_t generation_;
  std::uint64_t records_ = 0;
  bool finished_ = false;
  std::vector<std::size_t> order_;
};

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
  Turn turn(store->turns_);
  store->database_ = *std::move(database);
  return store;
}

SqliteDatasetStore::~SqliteDatasetStore() {
  // The readers first: the last connection moves the log into the file, which only a writer can.
  MutexLock lock(readers_mutex_);
  idle_readers_.clear();
}

Result<std::unique_ptr<GenerationWriter>> SqliteDatasetStore::BeginGeneration() {
  Turn turn(turns_);
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  if (Status status =
          database_->Execute("INSERT INTO generations (finished, records) VALUES (0, 0)");
      !status.ok()) {
    return status.error();
  }
  const std::int64_t generation = database_->last_insert_rowid();
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return std::unique_ptr<GenerationWriter>(new Writer(*this, generation));
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
  Turn turn(turns_);
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
    remove->Bind(1, generation).Bind(2, static_cast<std::int64_t>(kRecordsPerTransaction));
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
