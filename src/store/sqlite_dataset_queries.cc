// SqliteDatasetStore: reading.
#include <algorithm>
#include <limits>
#include <utility>

#include <sqlite3.h>

#include "store/sqlite_dataset_view.h"

namespace latchkey::store {
namespace {

constexpr int kProgressSteps = 1000;
// What a query by another field's date may keep of the records that it has to order.
constexpr std::size_t kMaxCandidateBytes = 64 * 1024 * 1024;

int AskInterrupted(void* interrupted) {
  return (*static_cast<const std::function<bool()>*>(interrupted))() ? 1 : 0;
}

std::uint64_t Times(std::uint64_t a, std::uint64_t b) {
  return a != 0 && b > UINT64_MAX / a ? UINT64_MAX : a * b;
}
std::uint64_t Plus(std::uint64_t a, std::uint64_t b) {
  return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

Error TooManyBytes() {
  return MakeError(ErrorCode::kLimit, "These records are too many bytes for one answer.");
}

// The records of an answer, and what they weigh.
class Answer {
 public:
  Answer(std::uint64_t limit, std::uint64_t max_bytes) : max_bytes_(max_bytes) {
    records_.reserve(std::min<std::uint64_t>(limit, kReserved));
  }
  Status Add(const RowView& row) {
    bytes_ += static_cast<std::uint64_t>(row.bytes());
    if (bytes_ > max_bytes_) return TooManyBytes();
    core::Record& record = records_.emplace_back();
    record.key = row.index.key;
    record.subkey = row.index.subkey;
    record.date_millis = row.index.date_millis;
    record.updated_millis = row.updated_millis;
    record.values = row.values;
    return {};
  }
  std::vector<core::Record>& records() { return records_; }

 private:
  static constexpr std::uint64_t kReserved = 512;

  const std::uint64_t max_bytes_;
  std::uint64_t bytes_ = 0;
  std::vector<core::Record> records_;
};

// The first so many of all that are offered, in the order of a query by another field's date.
class Candidates {
 public:
  struct Candidate {
    std::int64_t millis = 0;  // of that field
    std::string key;
    std::string subkey;
    std::int64_t date_millis = 0;
    RowIndex index() const { return {key, subkey, date_millis}; }
  };

  Candidates(bool newest_first, std::uint64_t wanted)
      : newest_first_(newest_first), wanted_(wanted) {}

  Status Offer(std::int64_t millis, const RowIndex& index) {
    bytes_ += sizeof(Candidate) + index.key.size() + index.subkey.size();
    all_.push_back({millis, std::string(index.key), std::string(index.subkey), index.date_millis});
    if (bytes_ < kMaxCandidateBytes && all_.size() < kPruneAt) return {};
    if (all_.size() / 2 >= wanted_) Prune();
    if (bytes_ < kMaxCandidateBytes) return {};
    return MakeError(ErrorCode::kLimit,
                     "Ordering these records takes too much memory; ask for fewer.");
  }

  const std::vector<Candidate>& Sorted() {
    std::sort(all_.begin(), all_.end(), Order());
    return all_;
  }

 private:
  static constexpr std::size_t kPruneAt = 4096;

  // Equal dates by key, subkey, then the newest first; the oldest first is the reverse of it all.
  static bool Before(const Candidate& a, const Candidate& b) {
    if (a.millis != b.millis) return a.millis > b.millis;
    if (const int keys = CompareFolded(a.key, b.key); keys != 0) return keys < 0;
    if (const int subkeys = CompareFolded(a.subkey, b.subkey); subkeys != 0) return subkeys < 0;
    return a.date_millis > b.date_millis;
  }
  std::function<bool(const Candidate&, const Candidate&)> Order() const {
    if (newest_first_) return Before;
    return [](const Candidate& a, const Candidate& b) { return Before(b, a); };
  }
  void Prune() {
    const auto end = all_.begin() + static_cast<std::ptrdiff_t>(wanted_);
    std::nth_element(all_.begin(), end, all_.end(), Order());
    all_.erase(end, all_.end());
    bytes_ = 0;
    for (const Candidate& kept : all_) {
      bytes_ += sizeof(Candidate) + kept.key.size() + kept.subkey.size();
    }
  }

  const bool newest_first_;
  const std::uint64_t wanted_;
  std::vector<Candidate> all_;
  std::size_t bytes_ = 0;
};

}  // namespace

// ---- Reader and View

SqliteDatasetStore::Reader::~Reader() {
  if (database_ == nullptr) return;
  MutexLock lock(store_->readers_mutex_);
  if (store_->idle_readers_.size() < kMaxIdleReaders) {
    store_->idle_readers_.push_back(std::move(database_));
  }
}

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

SqliteDatasetStore::View::View(SqliteDatasetStore& store, Reader reader, std::int64_t generation,
                               const std::function<bool()>& interrupted)
    : store_(store),
      reader_(std::move(reader)),
      generation_(generation),
      interruptible_(static_cast<bool>(interrupted)) {
  if (!interruptible_) return;
  sqlite3_progress_handler(database().handle(), kProgressSteps, AskInterrupted,
                           const_cast<std::function<bool()>*>(&interrupted));
}

SqliteDatasetStore::View::~View() {
  if (interruptible_) sqlite3_progress_handler(database().handle(), 0, nullptr, nullptr);
  Close();
}

void SqliteDatasetStore::View::Close() {
  rows_.reset();
  if (in_transaction_) static_cast<void>(database().Execute("ROLLBACK"));
  in_transaction_ = false;
}

Status SqliteDatasetStore::View::Open(RecordScan scan, bool also_look) {
  if (in_transaction_) {
    rows_.emplace(database(), scan, sources_);
    const Result<bool> first = rows_->Next();
    if (!first.ok()) return first.error();
    started_ = true;
    has_first_ = *first;
    return {};
  }
  for (;;) {
    const std::uint64_t version = store_.layers_version_.load();
    sources_ = store_.SourcesOf(generation_);
    // One statement is a snapshot by itself, and a transaction would cost as much as the search.
    if (sources_.size() > 1 || scan.after || also_look) {
      if (Status status = database().Execute("BEGIN"); !status.ok()) return status;
      in_transaction_ = true;
    }
    rows_.emplace(database(), scan, sources_);
    const Result<bool> first = rows_->Next();
    if (!first.ok()) return first.error();
    if (store_.layers_version_.load() == version) {
      started_ = true;
      has_first_ = *first;
      return {};
    }
    Close();
  }
}

Result<bool> SqliteDatasetStore::View::Next() {
  if (std::exchange(started_, false)) return has_first_;
  return rows_->Next();
}

Result<core::Record> SqliteDatasetStore::View::Look(const RowIndex& index) {
  core::Record record;
  bool visible = false;
  for (const RecordSource& source : sources_) {
    if (source.keep_first && visible) continue;
    Result<SqliteStatement> select = database().Prepare(
        "SELECT key, subkey, date, updated, field_values FROM records "
        "WHERE generation = ?1 AND key = ?2 AND date = ?3 AND subkey = ?4");
    if (!select.ok()) return select.error();
    select->Bind(1, source.generation)
        .Bind(2, index.key)
        .Bind(3, index.date_millis)
        .Bind(4, index.subkey);
    const Result<bool> row = select->Step();
    if (!row.ok()) return row.error();
    if (!*row) continue;
    record = RowView{{select->Text(0), select->Text(1), select->Integer(2)},
                     select->Integer(3),
                     select->Text(4)}
                 .ToRecord();
    visible = !record.values.empty();
  }
  if (visible) return record;
  return MakeError(ErrorCode::kCorrupt, "A record is not where its index says.");
}

// ---- Queries

Result<std::vector<core::Record>> SqliteDatasetStore::Query(
    std::int64_t generation, const core::RecordQuery& query, std::uint64_t max_bytes,
    const std::function<bool()>& interrupted) {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  View view(*this, *std::move(reader), generation, interrupted);
  if (query.limit == 0) return std::vector<core::Record>{};
  return query.date_field < 0 ? QueryByDate(view, query, max_bytes, false)
                              : QueryByField(view, query, max_bytes);
}

Result<std::vector<std::vector<core::Record>>> SqliteDatasetStore::QueryEach(
    std::int64_t generation, std::span<const core::RecordQuery> queries, std::uint64_t max_records,
    std::uint64_t max_bytes, const std::function<bool()>& interrupted) {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  View view(*this, *std::move(reader), generation, interrupted);
  std::vector<std::vector<core::Record>> answers;
  answers.reserve(queries.size());
  std::uint64_t left = max_records;
  for (core::RecordQuery query : queries) {
    if (interrupted && interrupted()) return MakeError(ErrorCode::kUnavailable, {});
    // One more than there may be, so that it is seen.
    query.limit = std::min(query.limit, Plus(left, 1));
    Result<std::vector<core::Record>> records = std::vector<core::Record>{};
    if (query.limit > 0) {
      records = query.date_field < 0 ? QueryByDate(view, query, max_bytes, true)
                                     : QueryByField(view, query, max_bytes);
    }
    if (!records.ok()) return std::move(records).error();
    for (const core::Record& record : *records) {
      max_bytes -= static_cast<std::uint64_t>(RowBytes(record));
    }
    answers.push_back(*std::move(records));
    if (answers.back().size() > left) break;
    left -= answers.back().size();
  }
  answers.resize(queries.size());
  return answers;
}

RecordScan SqliteDatasetStore::ScanOf(const core::RecordQuery& query) {
  RecordScan scan;
  scan.order = query.newest_first ? RowOrder::kNewestFirst : RowOrder::kOldestFirst;
  scan.key = query.key;
  if (query.key) scan.subkey = query.subkey;
  scan.from_millis = query.from_millis.value_or(scan.from_millis);
  scan.to_millis = query.to_millis.value_or(scan.to_millis);
  return scan;
}

Result<std::vector<core::Record>> SqliteDatasetStore::QueryByDate(View& view,
                                                                  const core::RecordQuery& query,
                                                                  std::uint64_t max_bytes,
                                                                  bool of_several) {
  if (Status status = view.Open(ScanOf(query), of_several); !status.ok()) return status.error();
  const std::uint64_t interval = std::max<std::uint64_t>(query.interval, 1);
  std::uint64_t skip = Times(query.offset, interval);
  Answer answer(query.limit, max_bytes);
  for (;;) {
    const Result<bool> row = view.Next();
    if (!row.ok()) return row.error();
    if (!*row) break;
    if (skip > 0) {
      --skip;
      continue;
    }
    if (Status status = answer.Add(view.row()); !status.ok()) return status.error();
    if (answer.records().size() >= query.limit) break;
    skip = interval - 1;
  }
  return std::move(answer.records());
}

// No index knows the order: all records are looked at, as they lie (by way of the index by date
// each would be a search), and no more is kept of them than what may still be asked for.
Result<std::vector<core::Record>> SqliteDatasetStore::QueryByField(View& view,
                                                                   const core::RecordQuery& query,
                                                                   std::uint64_t max_bytes) {
  RecordScan scan = ScanOf(query);
  scan.order = RowOrder::kTable;
  scan.from_millis = std::numeric_limits<std::int64_t>::min();
  scan.to_millis = std::numeric_limits<std::int64_t>::max();
  if (Status status = view.Open(std::move(scan), true); !status.ok()) return status.error();
  const std::uint64_t interval = std::max<std::uint64_t>(query.interval, 1);
  const std::uint64_t skip = Times(query.offset, interval);
  Candidates candidates(query.newest_first, Plus(Plus(skip, Times(query.limit - 1, interval)), 1));
  for (;;) {
    const Result<bool> row = view.Next();
    if (!row.ok()) return row.error();
    if (!*row) break;
    const std::optional<std::int64_t> millis =
        core::FieldMillis(view.row().values, query.date_field);
    if (!millis || *millis < query.from_millis.value_or(*millis) ||
        *millis > query.to_millis.value_or(*millis)) {
      continue;
    }
    if (Status status = candidates.Offer(*millis, view.row().index); !status.ok()) {
      return status.error();
    }
  }
  const std::vector<Candidates::Candidate>& sorted = candidates.Sorted();
  Answer answer(query.limit, max_bytes);
  for (std::uint64_t at = skip; at < sorted.size() && answer.records().size() < query.limit;
       at = Plus(at, interval)) {
    const Result<core::Record> record = view.Look(sorted[at].index());
    if (!record.ok()) return record.error();
    const RowView row{IndexOf(*record), record->updated_millis, record->values};
    if (Status status = answer.Add(row); !status.ok()) return status.error();
  }
  return std::move(answer.records());
}

Result<std::vector<core::Record>> SqliteDatasetStore::Scan(
    std::int64_t generation, const std::optional<ScanPosition>& after, std::size_t max_records,
    std::uint64_t max_bytes, const std::function<bool()>& interrupted) {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  View view(*this, *std::move(reader), generation, interrupted);
  RecordScan scan;
  scan.order = RowOrder::kTable;
  scan.after = after;
  if (Status status = view.Open(std::move(scan)); !status.ok()) return status.error();
  std::vector<core::Record> records;
  std::uint64_t bytes = 0;
  while (records.empty() || (records.size() < max_records && bytes < max_bytes)) {
    const Result<bool> row = view.Next();
    if (!row.ok()) return row.error();
    if (!*row) break;
    bytes += static_cast<std::uint64_t>(view.row().bytes());
    records.push_back(view.row().ToRecord());
  }
  return records;
}

}  // namespace latchkey::store
