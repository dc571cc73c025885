// SqliteDatasetStore: generations, and direct writes into them.
#include <algorithm>
#include <utility>

#include "store/sqlite_dataset_view.h"

namespace latchkey::store {

// ---- Whole generations

class SqliteDatasetStore::Writer final : public GenerationWriter {
 public:
  Writer(SqliteDatasetStore& store, std::int64_t generation, std::int64_t lane)
      : store_(store), generation_(generation), lane_(lane) {}

  ~Writer() override {
    if (!finished_) static_cast<void>(store_.Drop(generation_));
  }

  std::int64_t generation() const override { return generation_; }

  Status Append(std::span<const core::Record> records, Duplicates duplicates) override {
    if (Status status = CheckValues(records); !status.ok()) return status;
    OrderDistinct(records, duplicates, order_);
    std::span<const std::size_t> left = order_;
    while (!left.empty()) {
      const Result<std::size_t> written = WriteChunk(records, left, duplicates);
      if (!written.ok()) return written.error();
      left = left.subspan(*written);
    }
    return {};
  }

  Result<GenerationSize> Finish() override {
    Turn turn(store_.turns_, lane_);
    if (Status status = store_.SetDurable(true); !status.ok()) return status.error();
    const Status committed = CommitFinished();
    const Status relaxed = store_.SetDurable(false);
    if (!committed.ok()) return committed.error();
    finished_ = true;
    if (!relaxed.ok()) return relaxed.error();
    return GenerationSize{static_cast<std::uint64_t>(size_.records),
                          static_cast<std::uint64_t>(size_.bytes)};
  }

 private:
  // How many of `order` were written.
  Result<std::size_t> WriteChunk(std::span<const core::Record> records,
                                 std::span<const std::size_t> order, Duplicates duplicates) {
    store_.checkpointer_->AwaitRoom();
    Turn turn(store_.turns_, lane_);
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*store_.database_);
    if (!transaction.ok()) return transaction.error();
    RecordRows rows(*store_.database_);
    SizeChange change;
    std::size_t bytes = 0;
    std::size_t done = 0;
    while (done < order.size() && done < kRecordsPerChunk && bytes < kBytesPerChunk) {
      const core::Record& record = records[order[done++]];
      bytes += record.values.size();
      if (duplicates == Duplicates::kReplace) {
        const Result<SizeChange> put = rows.Put(generation_, record);
        if (!put.ok()) return put.error();
        change += *put;
      } else {
        const Result<bool> inserted = rows.Insert(generation_, record);
        if (!inserted.ok()) return inserted.error();
        if (*inserted) change += {1, RowBytes(record)};
      }
    }
    if (Status status = transaction->Commit(); !status.ok()) return status.error();
    size_ += change;
    return done;
  }

  Status CommitFinished() REQUIRES(store_.turns_) {
    SqliteDatabase& database = *store_.database_;
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
    if (!transaction.ok()) return transaction.error();
    {
      Result<SqliteStatement> update = database.Prepare(
          "UPDATE generations SET finished = 1, records = ?2, bytes = ?3 WHERE number = ?1");
      if (!update.ok()) return update.error();
      update->Bind(1, generation_).Bind(2, size_.records).Bind(3, size_.bytes);
      if (Status status = update->Run(); !status.ok()) return status;
      if (database.changes() == 0) {
        return MakeError(ErrorCode::kNotFound, "These records were dropped meanwhile.");
      }
    }
    return transaction->Commit();
  }

  SqliteDatasetStore& store_;
  const std::int64_t generation_;
  const std::int64_t lane_;
  SizeChange size_;
  bool finished_ = false;
  std::vector<std::size_t> order_;
};

Result<std::unique_ptr<GenerationWriter>> SqliteDatasetStore::BeginGeneration(std::int64_t lane) {
  Turn turn(turns_, lane);
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  if (Status status =
          database_->Execute("INSERT INTO generations (finished, records) VALUES (0, 0)");
      !status.ok()) {
    return status.error();
  }
  const std::int64_t generation = database_->last_insert_rowid();
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return std::unique_ptr<GenerationWriter>(new Writer(*this, generation, lane));
}

// ---- Direct writes

Status SqliteDatasetStore::SetDurable(bool durable) {
  if (durable == durable_) return {};
  Status status =
      database_->Execute(durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  if (status.ok()) durable_ = durable;
  return status;
}

Result<GenerationSize> SqliteDatasetStore::SizeOf(SqliteDatabase& database,
                                                  std::span<const RecordSource> sources) {
  SizeChange size;
  for (const RecordSource& source : sources) {
    Result<SqliteStatement> select = database.Prepare(
        "SELECT records, bytes FROM generations WHERE number = ?1 AND finished = 1");
    if (!select.ok()) return select.error();
    const Result<bool> row = select->Bind(1, source.generation).Step();
    if (!row.ok()) return row.error();
    if (*row) {
      size += {select->Integer(0), select->Integer(1)};
    } else if (source.sequence == 0) {
      return MakeError(ErrorCode::kNotFound, "These records were replaced meanwhile.",
                       "the generation does not stand");
    }
  }
  // What layers add is an estimate, which may be below nothing.
  return GenerationSize{static_cast<std::uint64_t>(std::max<std::int64_t>(size.records, 0)),
                        static_cast<std::uint64_t>(std::max<std::int64_t>(size.bytes, 0))};
}

Result<GenerationSize> SqliteDatasetStore::Count(std::span<const RecordSource> sources,
                                                 std::span<const SizeChange> changes) {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (changes[i].records == 0 && changes[i].bytes == 0) continue;
    Result<SqliteStatement> update = database_->Prepare(
        "UPDATE generations SET records = records + ?2, bytes = bytes + ?3 WHERE number = ?1");
    if (!update.ok()) return update.error();
    update->Bind(1, sources[i].generation).Bind(2, changes[i].records).Bind(3, changes[i].bytes);
    if (Status status = update->Run(); !status.ok()) return status.error();
  }
  return SizeOf(*database_, sources);
}

std::shared_ptr<SqliteDatasetStore::Changes> SqliteDatasetStore::ChangesOf(
    std::int64_t generation) {
  MutexLock lock(changes_mutex_);
  std::weak_ptr<Changes>& known = changes_[generation];
  std::shared_ptr<Changes> changes = known.lock();
  if (changes == nullptr) {
    changes = std::make_shared<Changes>();
    known = changes;
    std::erase_if(changes_, [](const auto& entry) { return entry.second.expired(); });
  }
  return changes;
}

Result<WriteResult> SqliteDatasetStore::Write(std::int64_t generation, std::int64_t lane,
                                              std::span<const core::Record> records,
                                              Duplicates duplicates) {
  if (records.size() > kMaxRecordsPerWrite) {
    return MakeError(ErrorCode::kInvalid, "Too many records for one write.");
  }
  if (Status status = CheckValues(records); !status.ok()) return status.error();
  std::vector<std::size_t> order;
  OrderDistinct(records, duplicates, order);

  const std::shared_ptr<Changes> changes = ChangesOf(generation);
  MutexLock one_at_a_time(changes->mutex);
  checkpointer_->SlowDown();
  Turn turn(turns_, lane);
  if (Status status = SetDurable(true); !status.ok()) return status.error();
  Result<WriteResult> written = WriteAll(generation, records, order, duplicates);
  // If this fails the next commits wait for the disk, too: slower and no less safe.
  static_cast<void>(SetDurable(false));
  ++changes->version;
  return written;
}

Result<WriteResult> SqliteDatasetStore::WriteAll(std::int64_t generation,
                                                 std::span<const core::Record> records,
                                                 std::span<const std::size_t> order,
                                                 Duplicates duplicates) {
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  const std::vector<RecordSource> sources = SourcesOf(generation);
  WriteResult result;
  {
    std::vector<SizeChange> changes(sources.size());
    MergedLook look(*database_, sources);
    for (const std::size_t index : order) {
      const core::Record& record = records[index];
      if (sources.size() > 1) {
        const Result<const MergedLook::Standing*> standing = look.At(IndexOf(record));
        if (!standing.ok()) return standing.error();
        if (duplicates == Duplicates::kIgnore && (*standing)->visible) continue;
        for (std::size_t i = 1; i < sources.size(); ++i) {
          const MergedLook::Standing::Part& part = (*standing)->parts[i];
          if (!part.exists) continue;
          Status status = look.rows().Remove(sources[i].generation, IndexOf(record));
          if (!status.ok()) return status.error();
          changes[i] -= part.change;
        }
      } else if (duplicates == Duplicates::kIgnore) {
        const Result<bool> inserted = look.rows().Insert(generation, record);
        if (!inserted.ok()) return inserted.error();
        if (!*inserted) continue;
        changes[0] += {1, RowBytes(record)};
        ++result.stored;
        continue;
      }
      const Result<SizeChange> put = look.rows().Put(generation, record);
      if (!put.ok()) return put.error();
      changes[0] += *put;
      ++result.stored;
    }
    const Result<GenerationSize> size = Count(sources, changes);
    if (!size.ok()) return size.error();
    result.after = *size;
  }
  if (result.stored == 0) return result;  // nothing was changed
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return result;
}

}  // namespace latchkey::store
