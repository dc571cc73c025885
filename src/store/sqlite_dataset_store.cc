#include "store/sqlite_dataset_store.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "store/files.h"
#include "store/sqlite_dataset_view.h"

namespace latchkey::store {
namespace {

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

SqliteDatabase::Options OptionsFor(const std::string& path, const std::string& vfs) {
  SqliteDatabase::Options options;
  options.path = path;
  options.application_id = kRecordsApplicationId;
  options.migrations = RecordsMigrations();
  options.vfs = vfs;
  return options;
}

}  // namespace

std::span<const Migration> RecordsMigrations() { return kMigrations; }

// ---- The whole

Result<std::vector<Generation>> SqliteDatasetStore::ListGenerations() {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  Result<SqliteStatement> select = reader->database().Prepare(
      "SELECT g.number, g.finished, g.records + COALESCE(SUM(l.records), 0), "
      "g.bytes + COALESCE(SUM(l.bytes), 0) "
      "FROM generations g LEFT JOIN generations l "
      "ON l.base = g.number AND l.base <> 0 AND l.published > 0 "
      "WHERE g.published = 0 GROUP BY g.number ORDER BY g.number");
  if (!select.ok()) return select.error();
  std::vector<Generation> generations;
  Result<bool> row = false;
  while ((row = select->Step()).ok() && *row) {
    const GenerationSize size{
        static_cast<std::uint64_t>(std::max<std::int64_t>(select->Integer(2), 0)),
        static_cast<std::uint64_t>(std::max<std::int64_t>(select->Integer(3), 0))};
    generations.push_back({select->Integer(0), select->Integer(1) != 0, size});
  }
  if (!row.ok()) return row.error();
  return generations;
}

Status SqliteDatasetStore::CheckIntegrity() {
  struct Check {
    const char* finds;
    const char* sql;  // the number of a generation that is not as it should be
  };
  static constexpr std::array<Check, 4> kChecks = {
      {{"has not the records or bytes that were counted",
        "SELECT number FROM generations WHERE finished = 1 AND base = 0 AND (records, bytes) <> "
        "(SELECT COUNT(*), COALESCE(SUM(48 + LENGTH(CAST(key AS BLOB)) + "
        "LENGTH(CAST(subkey AS BLOB)) + LENGTH(CAST(field_values AS BLOB))), 0) "
        "FROM records WHERE generation = number)"},
       {"is a layer over a generation that does not stand",
        "SELECT l.number FROM generations l LEFT JOIN generations b ON b.number = l.base "
        "WHERE l.published > 0 AND b.finished IS NOT 1"},
       {"has a tombstone, and is no layer that may have one",
        "SELECT generation FROM records WHERE field_values = '' AND generation NOT IN "
        "(SELECT number FROM generations WHERE base <> 0 AND keep_first = 0)"},
       // From one generation to the next, not from record to record.
       {"has records, and is not there",
        "WITH RECURSIVE present(number) AS (SELECT MIN(generation) FROM records UNION ALL "
        "SELECT (SELECT MIN(generation) FROM records WHERE generation > present.number) "
        "FROM present WHERE present.number IS NOT NULL) "
        "SELECT number FROM present WHERE number IS NOT NULL AND number NOT IN "
        "(SELECT number FROM generations)"}}};

  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  if (Status status = reader->database().CheckIntegrity(); !status.ok()) return status;
  for (const Check& check : kChecks) {
    const Result<std::int64_t> found = reader->database().QueryInteger(check.sql);
    if (!found.ok()) return found.error();
    if (*found == 0) continue;
    return MakeError(ErrorCode::kCorrupt, fmt::format("{} is damaged.", options_.path),
                     fmt::format("generation {} {}", *found, check.finds));
  }
  return {};
}

Result<std::unique_ptr<Snapshot>> SqliteDatasetStore::TakeSnapshot() {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  return reader->database().TakeSnapshot();
}

// ---- Opening and dropping

Result<std::unique_ptr<SqliteDatasetStore>> SqliteDatasetStore::Open(const std::string& path,
                                                                     const std::string& vfs,
                                                                     Checkpointer::Limits log) {
  std::unique_ptr<SqliteDatasetStore> store(new SqliteDatasetStore(OptionsFor(path, vfs)));
  Result<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::Open(store->options_);
  if (!database.ok()) return database.error();
  if (Status status = (*database)->Execute("PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536");
      !status.ok()) {
    return status.error();
  }
  Result<std::unique_ptr<SqliteDatabase>> beside = SqliteDatabase::OpenReader(store->options_);
  if (!beside.ok()) return beside.error();
  store->checkpointer_ = std::make_unique<Checkpointer>(*std::move(beside), log);
  store->checkpointer_->Watch(**database);
  Turn turn(store->turns_, kHousekeeping);
  store->database_ = *std::move(database);
  if (Status status = store->LoadLayers(); !status.ok()) return status.error();
  return store;
}

SqliteDatasetStore::~SqliteDatasetStore() {
  // The readers first: the last connection moves the log into the file, which only a writer can.
  // It hears of no commit after its last one, so what watches it may go before it.
  checkpointer_ = nullptr;
  MutexLock lock(readers_mutex_);
  idle_readers_.clear();
}

// The generation is marked first, with its layers, so that a drop that a crash ends is told from a
// generation that is whole.
Status SqliteDatasetStore::Drop(std::int64_t generation) {
  const Result<std::vector<std::int64_t>> marked = MarkDropped(generation);
  if (!marked.ok()) return marked.error();
  for (const std::int64_t number : *marked) {
    Result<bool> more = true;
    while (more.ok() && *more) more = DropSome(number);
    if (!more.ok()) return more.error();
  }
  return {};
}

Result<std::vector<std::int64_t>> SqliteDatasetStore::MarkDropped(std::int64_t generation) {
  Turn turn(turns_, kHousekeeping);
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  std::vector<std::int64_t> marked;
  for (const char* const which : {"base <> 0 AND base = ?1", "number = ?1"}) {
    Result<SqliteStatement> mark = database_->Prepare(fmt::format(
        "UPDATE generations SET finished = 0, published = 0 WHERE {} RETURNING number", which));
    if (!mark.ok()) return mark.error();
    mark->Bind(1, generation);
    Result<bool> row = false;
    while ((row = mark->Step()).ok() && *row) marked.push_back(mark->Integer(0));
    if (!row.ok()) return row.error();
  }
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  ForgetLayers(generation);
  return marked;
}

// False: the generation is gone.
Result<bool> SqliteDatasetStore::DropSome(std::int64_t generation) {
  checkpointer_->AwaitRoom();
  Turn turn(turns_, kHousekeeping);
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  std::vector<core::Record> chunk;
  const Result<bool> more = FirstChunk(generation, chunk);
  if (!more.ok()) return more.error();
  {
    RecordRows rows(*database_);
    for (const core::Record& record : chunk) {
      if (Status status = rows.Remove(generation, IndexOf(record)); !status.ok()) {
        return status.error();
      }
    }
    if (!*more) {
      Result<SqliteStatement> forget =
          database_->Prepare("DELETE FROM generations WHERE number = ?1");
      if (!forget.ok()) return forget.error();
      if (Status status = forget->Bind(1, generation).Run(); !status.ok()) return status.error();
    }
  }
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return *more;
}

}  // namespace latchkey::store
