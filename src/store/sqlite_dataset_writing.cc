// SqliteDatasetStore: generations, and direct writes into them.
#include <algorithm>
#include <utility>

#include "store/sqlite_dataset_store.h"

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

Result<GenerationSize> SqliteDatasetStore::Count(std::int64_t generation,
                                                 const SizeChange& change) {
  Result<SqliteStatement> update = database_->Prepare(
      "UPDATE generations SET records = records + ?2, bytes = bytes + ?3 "
      "WHERE number = ?1 AND finished = 1 RETURNING records, bytes");
  if (!update.ok()) return update.error();
  update->Bind(1, generation).Bind(2, change.records).Bind(3, change.bytes);
  const Result<bool> row = update->Step();
  if (!row.ok()) return row.error();
  if (!*row) {
    return MakeError(ErrorCode::kNotFound, "These records were replaced meanwhile.",
                     "the generation does not stand");
  }
  const GenerationSize size{static_cast<std::uint64_t>(update->Integer(0)),
                            static_cast<std::uint64_t>(update->Integer(1))};
  return size;
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

  Turn turn(turns_, lane);
  if (Status status = SetDurable(true); !status.ok()) return status.error();
  Result<WriteResult> written = WriteAll(generation, records, order, duplicates);
  // If this fails the next commits wait for the disk, too: slower and no less safe.
  static_cast<void>(SetDurable(false));
  return written;
}

Result<WriteResult> SqliteDatasetStore::WriteAll(std::int64_t generation,
                                                 std::span<const core::Record> records,
                                                 std::span<const std::size_t> order,
                                                 Duplicates duplicates) {
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  WriteResult result;
  {
    RecordRows rows(*database_);
    SizeChange change;
    for (const std::size_t index : order) {
      const core::Record& record = records[index];
      if (duplicates == Duplicates::kReplace) {
        const Result<SizeChange> put = rows.Put(generation, record);
        if (!put.ok()) return put.error();
        change += *put;
        ++result.stored;
      } else {
        const Result<bool> inserted = rows.Insert(generation, record);
        if (!inserted.ok()) return inserted.error();
        if (!*inserted) continue;
        change += {1, RowBytes(record)};
        ++result.stored;
      }
    }
    const Result<GenerationSize> size = Count(generation, change);
    if (!size.ok()) return size.error();
    result.after = *size;
  }
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return result;
}

}  // namespace latchkey::store
