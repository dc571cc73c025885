// SqliteDatasetStore: layers, deleting, and draining.
#include <algorithm>
#include <utility>

#include "store/sqlite_dataset_view.h"

namespace latchkey::store {
namespace {

constexpr std::int64_t kNotLayer = 0;

Error GoneError() {
  return MakeError(ErrorCode::kNotFound, "These records were replaced meanwhile.",
                   "the generation does not stand");
}

}  // namespace

// ---- The list in memory

std::vector<RecordSource> SqliteDatasetStore::SourcesOf(std::int64_t generation) {
  std::vector<RecordSource> sources = {{generation, false, kNotLayer}};
  if (layered_.load() == 0) return sources;
  MutexLock lock(layers_mutex_);
  if (const auto layers = layers_.find(generation); layers != layers_.end()) {
    sources.insert(sources.end(), layers->second.begin(), layers->second.end());
  }
  return sources;
}

void SqliteDatasetStore::AddLayer(std::int64_t generation, const RecordSource& layer) {
  MutexLock lock(layers_mutex_);
  layers_[generation].push_back(layer);
  layered_ = layers_.size();
  ++layers_version_;
}

void SqliteDatasetStore::ForgetLayers(std::int64_t generation) {
  MutexLock lock(layers_mutex_);
  layers_.erase(generation);
  layered_ = layers_.size();
}

void SqliteDatasetStore::ForgetLayer(std::int64_t generation, std::int64_t layer) {
  MutexLock lock(layers_mutex_);
  const auto layers = layers_.find(generation);
  if (layers == layers_.end()) return;
  std::erase_if(layers->second,
                [layer](const RecordSource& source) { return source.generation == layer; });
  if (layers->second.empty()) layers_.erase(layers);
  layered_ = layers_.size();
}

Status SqliteDatasetStore::LoadLayers() {
  Result<SqliteStatement> select = database_->Prepare(
      "SELECT l.base, l.number, l.keep_first, l.published FROM generations l "
      "JOIN generations b ON b.number = l.base AND b.finished = 1 "
      "WHERE l.base <> 0 AND l.published > 0 ORDER BY l.published");
  if (!select.ok()) return select.error();
  Result<bool> row = false;
  while ((row = select->Step()).ok() && *row) {
    AddLayer(select->Integer(0), {select->Integer(1), select->Integer(2) != 0, select->Integer(3)});
  }
  if (!row.ok()) return row.error();
  return {};
}

std::vector<std::int64_t> SqliteDatasetStore::GenerationsWithLayers() {
  MutexLock lock(layers_mutex_);
  std::vector<std::int64_t> generations;
  generations.reserve(layers_.size());
  for (const auto& [generation, layers] : layers_) generations.push_back(generation);
  return generations;
}

// ---- Staging and publishing

// A record that is to be deleted, and what it weighs.
struct SqliteDatasetStore::Doomed {
  ScanPosition position;
  std::int64_t bytes = 0;
  RowIndex index() const { return {position.key, position.subkey, position.date_millis}; }
};

class SqliteDatasetStore::Layer final : public LayerWriter {
 public:
  Layer(SqliteDatasetStore& store, std::int64_t number, std::int64_t base, std::int64_t lane,
        Duplicates duplicates, std::shared_ptr<Changes> changes)
      : store_(store),
        number_(number),
        base_(base),
        lane_(lane),
        duplicates_(duplicates),
        changes_(std::move(changes)),
        begun_version_(changes_->version) {}

  ~Layer() override {
    if (!published_) static_cast<void>(store_.Drop(number_));
  }

  Status Append(std::span<const core::Record> records) override {
    if (Status status = CheckValues(records); !status.ok()) return status;
    OrderDistinct(records, duplicates_, order_);
    std::span<const std::size_t> left = order_;
    while (!left.empty()) {
      store_.HelpDrain(base_, lane_);
      const Result<std::size_t> staged = StageChunk(records, left);
      if (!staged.ok()) return staged.error();
      left = left.subspan(*staged);
    }
    return {};
  }

  // Of records that stand as `doomed` says, while nobody changes the generation.
  Status AppendTombstones(std::span<const Doomed> doomed) {
    while (!doomed.empty()) {
      store_.HelpDrain(base_, lane_);
      const std::size_t count = std::min(doomed.size(), kRecordsPerChunk);
      if (Status status = StageTombstones(doomed.first(count)); !status.ok()) return status;
      doomed = doomed.subspan(count);
    }
    return {};
  }

  Result<WriteResult> Publish(const std::optional<core::UploadJob>& job) override {
    MutexLock one_at_a_time(changes_->mutex);
    return PublishAlone(job);
  }

  // With the mutex of the changes held.
  Result<WriteResult> PublishAlone(const std::optional<core::UploadJob>& job) {
    if (published_) return MakeError(ErrorCode::kInternal, "This layer is published.");
    // How many give way was counted while others changed the generation.
    if (duplicates_ == Duplicates::kIgnore && changes_->version != begun_version_) {
      if (Status status = CountAnew(); !status.ok()) return status.error();
    }
    Turn turn(store_.turns_, lane_);
    if (Status status = store_.SetDurable(true); !status.ok()) return status.error();
    Result<WriteResult> result = CommitPublished(job);
    static_cast<void>(store_.SetDurable(false));
    ++changes_->version;
    return result;
  }

 private:
  // A layer of a generation that is being dropped must not go on: nobody would drop the rest.
  Status CheckStands() REQUIRES(store_.turns_) {
    Result<SqliteStatement> select = store_.database_->Prepare(
        "SELECT 1 FROM generations l JOIN generations b ON b.number = l.base AND b.finished = 1 "
        "WHERE l.number = ?1 AND l.published = 0");
    if (!select.ok()) return select.error();
    const Result<bool> row = select->Bind(1, number_).Step();
    if (!row.ok()) return row.error();
    if (!*row) return GoneError();
    return {};
  }

  Result<std::size_t> StageChunk(std::span<const core::Record> records,
                                 std::span<const std::size_t> order) {
    store_.checkpointer_->AwaitRoom();
    Turn turn(store_.turns_, lane_);
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*store_.database_);
    if (!transaction.ok()) return transaction.error();
    if (Status status = CheckStands(); !status.ok()) return status.error();
    const std::vector<RecordSource> below = store_.SourcesOf(base_);
    MergedLook look(*store_.database_, below);
    SizeChange adds;
    std::uint64_t stored = 0;
    std::size_t bytes = 0;
    std::size_t done = 0;
    while (done < order.size() && done < kRecordsPerChunk && bytes < kBytesPerChunk) {
      const core::Record& record = records[order[done++]];
      bytes += record.values.size();
      SizeChange staged;
      if (duplicates_ == Duplicates::kReplace) {
        const Result<SizeChange> put = look.rows().Put(number_, record);
        if (!put.ok()) return put.error();
        staged = *put;
      } else {
        const Result<bool> inserted = look.rows().Insert(number_, record);
        if (!inserted.ok()) return inserted.error();
        if (!*inserted) continue;
        staged = {1, RowBytes(record)};
      }
      if (staged.records > 0) {
        const Result<const MergedLook::Standing*> standing = look.At(IndexOf(record));
        if (!standing.ok()) return standing.error();
        if ((*standing)->visible) {
          if (duplicates_ == Duplicates::kIgnore) continue;
          staged -= {1, (*standing)->bytes};
        }
        ++stored;
      }
      adds += staged;
    }
    if (Status status = transaction->Commit(); !status.ok()) return status.error();
    adds_ += adds;
    stored_ += stored;
    return done;
  }

  Status StageTombstones(std::span<const Doomed> doomed) {
    store_.checkpointer_->AwaitRoom();
    Turn turn(store_.turns_, lane_);
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*store_.database_);
    if (!transaction.ok()) return transaction.error();
    if (Status status = CheckStands(); !status.ok()) return status;
    SizeChange adds;
    {
      RecordRows rows(*store_.database_);
      core::Record tombstone;
      for (const Doomed& one : doomed) {
        tombstone.key = one.position.key;
        tombstone.subkey = one.position.subkey;
        tombstone.date_millis = one.position.date_millis;
        const Result<bool> inserted = rows.Insert(number_, tombstone);
        if (!inserted.ok()) return inserted.error();
        if (*inserted) adds -= {1, one.bytes};
      }
    }
    if (Status status = transaction->Commit(); !status.ok()) return status;
    adds_ += adds;
    return {};
  }

  // What is new and what gives way, as things stand now that nobody changes the generation.
  Status CountAnew() {
    constexpr std::size_t kPerView = 2000;
    const std::vector<RecordSource> layer = {{number_, false, kNotLayer}};
    SizeChange adds;
    std::uint64_t stored = 0;
    RecordScan scan;
    scan.order = RowOrder::kTable;
    for (bool more = true; more;) {
      // Nobody publishes meanwhile, and what is drained away was below before: this list holds for
      // every snapshot that is taken after it.
      const std::vector<RecordSource> below = store_.SourcesOf(base_);
      Result<Reader> reader = store_.TakeReader();
      if (!reader.ok()) return reader.error();
      SqliteDatabase& database = reader->database();
      if (Status status = database.Execute("BEGIN"); !status.ok()) return status;
      const Result<std::size_t> counted =
          CountSome(database, layer, below, scan, kPerView, adds, stored);
      static_cast<void>(database.Execute("ROLLBACK"));
      if (!counted.ok()) return counted.error();
      more = *counted == kPerView;
    }
    adds_ = adds;
    stored_ = stored;
    return {};
  }

  // Moves `scan` on; the number of rows it has met.
  static Result<std::size_t> CountSome(SqliteDatabase& database,
                                       std::span<const RecordSource> layer,
                                       std::span<const RecordSource> below, RecordScan& scan,
                                       std::size_t limit, SizeChange& adds, std::uint64_t& stored) {
    MergedRows rows(database, scan, layer);
    MergedLook look(database, below);
    std::size_t met = 0;
    for (; met < limit; ++met) {
      const Result<bool> row = rows.Next();
      if (!row.ok()) return row.error();
      if (!*row) break;
      const RowIndex& index = rows.row().index;
      const Result<const MergedLook::Standing*> standing = look.At(index);
      if (!standing.ok()) return standing.error();
      scan.after =
          ScanPosition{std::string(index.key), std::string(index.subkey), index.date_millis};
      if ((*standing)->visible) continue;
      adds += {1, rows.row().bytes()};
      ++stored;
    }
    return met;
  }

  Result<WriteResult> CommitPublished(const std::optional<core::UploadJob>& job)
      REQUIRES(store_.turns_) {
    SqliteDatabase& database = *store_.database_;
    std::vector<RecordSource> sources = store_.SourcesOf(base_);
    const RecordSource layer{number_, duplicates_ == Duplicates::kIgnore,
                             sources.back().sequence + 1};
    sources.push_back(layer);
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
    if (!transaction.ok()) return transaction.error();
    if (Status status = CheckStands(); !status.ok()) return status.error();
    {
      Result<SqliteStatement> update = database.Prepare(
          "UPDATE generations SET finished = 1, published = ?2, records = ?3, bytes = ?4 "
          "WHERE number = ?1");
      if (!update.ok()) return update.error();
      update->Bind(1, number_).Bind(2, layer.sequence).Bind(3, adds_.records).Bind(4, adds_.bytes);
      if (Status status = update->Run(); !status.ok()) return status.error();
    }
    if (job) {
      if (Status status = PutJobRow(database, *job); !status.ok()) return status.error();
    }
    const Result<GenerationSize> after = SizeOf(database, sources);
    if (!after.ok()) return after.error();
    if (Status status = transaction->Commit(); !status.ok()) return status.error();
    // Whoever drains waits for this turn to end.
    store_.AddLayer(base_, layer);
    published_ = true;
    return WriteResult{stored_, *after};
  }

  SqliteDatasetStore& store_;
  const std::int64_t number_;
  const std::int64_t base_;
  const std::int64_t lane_;
  const Duplicates duplicates_;
  const std::shared_ptr<Changes> changes_;
  const std::uint64_t begun_version_;
  SizeChange adds_;           // to the merged view
  std::uint64_t stored_ = 0;  // as WriteResult
  bool published_ = false;
  std::vector<std::size_t> order_;
};

Result<std::unique_ptr<SqliteDatasetStore::Layer>> SqliteDatasetStore::MakeLayer(
    std::int64_t generation, std::int64_t lane, Duplicates duplicates,
    std::shared_ptr<Changes> changes) {
  Turn turn(turns_, lane);
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  {
    Result<SqliteStatement> insert = database_->Prepare(
        "INSERT INTO generations (finished, records, base, keep_first) "
        "SELECT 0, 0, number, ?2 FROM generations WHERE number = ?1 AND finished = 1");
    if (!insert.ok()) return insert.error();
    insert->Bind(1, generation)
        .Bind(2, static_cast<std::int64_t>(duplicates == Duplicates::kIgnore));
    if (Status status = insert->Run(); !status.ok()) return status.error();
    if (database_->changes() == 0) return GoneError();
  }
  const std::int64_t number = database_->last_insert_rowid();
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return std::make_unique<Layer>(*this, number, generation, lane, duplicates, std::move(changes));
}

Result<std::unique_ptr<LayerWriter>> SqliteDatasetStore::BeginLayer(std::int64_t generation,
                                                                    std::int64_t lane,
                                                                    Duplicates duplicates) {
  Result<std::unique_ptr<Layer>> layer =
      MakeLayer(generation, lane, duplicates, ChangesOf(generation));
  if (!layer.ok()) return layer.error();
  return std::unique_ptr<LayerWriter>(*std::move(layer));
}

// ---- Deleting

Result<DeleteResult> SqliteDatasetStore::Delete(std::int64_t generation, std::int64_t lane,
                                                const DeleteRange& range) {
  const std::shared_ptr<Changes> changes = ChangesOf(generation);
  // From the look at what stands to the last of it: a write in between must not be met by half.
  MutexLock one_at_a_time(changes->mutex);
  Result<std::vector<Doomed>> doomed =
      FindDoomed(generation, range, nullptr, kMaxRecordsPerWrite + 1);
  if (!doomed.ok()) return doomed.error();
  std::uint64_t bytes = 0;
  for (const Doomed& one : *doomed) bytes += static_cast<std::uint64_t>(one.bytes);
  if (doomed->size() > kMaxRecordsPerWrite || bytes > kMaxBytesPerWrite) {
    return DeleteMany(generation, lane, range, *std::move(doomed), changes);
  }
  Result<DeleteResult> result = DeleteFew(generation, lane, *doomed);
  ++changes->version;
  return result;
}

Result<std::vector<SqliteDatasetStore::Doomed>> SqliteDatasetStore::FindDoomed(
    std::int64_t generation, const DeleteRange& range, const Doomed* after, std::size_t limit) {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  const std::function<bool()> never;
  View view(*this, *std::move(reader), generation, never);
  RecordScan scan;
  scan.key = range.key;
  scan.subkey = range.subkey;
  scan.from_millis = range.from_millis.value_or(scan.from_millis);
  scan.to_millis = range.to_millis.value_or(scan.to_millis);
  if (after != nullptr) scan.after = after->position;
  if (Status status = view.Open(std::move(scan)); !status.ok()) return status.error();
  std::vector<Doomed> found;
  while (found.size() < limit) {
    const Result<bool> row = view.Next();
    if (!row.ok()) return row.error();
    if (!*row) break;
    const RowIndex& index = view.row().index;
    found.push_back({{std::string(index.key), std::string(index.subkey), index.date_millis},
                     view.row().bytes()});
  }
  return found;
}

Result<DeleteResult> SqliteDatasetStore::DeleteFew(std::int64_t generation, std::int64_t lane,
                                                   std::span<const Doomed> doomed) {
  checkpointer_->SlowDown();
  Turn turn(turns_, lane);
  if (Status status = SetDurable(true); !status.ok()) return status.error();
  Result<DeleteResult> result = DeleteAll(generation, doomed);
  static_cast<void>(SetDurable(false));
  return result;
}

Result<DeleteResult> SqliteDatasetStore::DeleteAll(std::int64_t generation,
                                                   std::span<const Doomed> doomed) {
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  const std::vector<RecordSource> sources = SourcesOf(generation);
  DeleteResult result;
  {
    std::vector<SizeChange> changes(sources.size());
    MergedLook look(*database_, sources);
    for (const Doomed& one : doomed) {
      const Result<const MergedLook::Standing*> standing = look.At(one.index());
      if (!standing.ok()) return standing.error();
      if ((*standing)->visible) ++result.deleted;
      for (std::size_t i = 0; i < sources.size(); ++i) {
        const MergedLook::Standing::Part& part = (*standing)->parts[i];
        if (!part.exists) continue;
        Status status = look.rows().Remove(sources[i].generation, one.index());
        if (!status.ok()) return status.error();
        changes[i] -= part.change;
      }
    }
    const Result<GenerationSize> size = Count(sources, changes);
    if (!size.ok()) return size.error();
    result.after = *size;
  }
  if (doomed.empty()) return result;
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return result;
}

Result<DeleteResult> SqliteDatasetStore::DeleteMany(std::int64_t generation, std::int64_t lane,
                                                    const DeleteRange& range,
                                                    std::vector<Doomed> doomed,
                                                    const std::shared_ptr<Changes>& changes) {
  Result<std::unique_ptr<Layer>> layer = MakeLayer(generation, lane, Duplicates::kReplace, changes);
  if (!layer.ok()) return layer.error();
  DeleteResult result;
  // In pages, each of a snapshot of its own: the view is the same, since nobody changes it.
  while (!doomed.empty()) {
    if (Status status = (*layer)->AppendTombstones(doomed); !status.ok()) return status.error();
    result.deleted += doomed.size();
    const Doomed last = std::move(doomed.back());
    Result<std::vector<Doomed>> next = FindDoomed(generation, range, &last, kRecordsPerChunk);
    if (!next.ok()) return next.error();
    doomed = *std::move(next);
  }
  const Result<WriteResult> published = (*layer)->PublishAlone(std::nullopt);
  if (!published.ok()) return published.error();
  result.after = published->after;
  return result;
}

// ---- Draining

Result<bool> SqliteDatasetStore::Drain(std::int64_t generation, std::int64_t lane) {
  checkpointer_->AwaitRoom();
  Turn turn(turns_, lane);
  const std::vector<RecordSource> sources = SourcesOf(generation);
  if (sources.size() == 1) return false;
  const RecordSource& lowest = sources[1];
  const Result<bool> gone = DrainChunk(generation, lowest);
  if (!gone.ok()) return gone.error();
  if (!*gone) return true;
  ForgetLayer(generation, lowest.generation);
  return sources.size() > 2;
}

// A layer that is published while others are drained is drained by whoever stages the next one,
// too: otherwise those who stage could outrun the one who drains, and each query and each record
// that is staged looks at every layer.
void SqliteDatasetStore::HelpDrain(std::int64_t generation, std::int64_t lane) {
  constexpr std::size_t kFewLayers = 4;
  // What fails here fails for whoever drains, too.
  if (SourcesOf(generation).size() > 1 + kFewLayers) static_cast<void>(Drain(generation, lane));
}

Result<bool> SqliteDatasetStore::FirstChunk(std::int64_t generation,
                                            std::vector<core::Record>& chunk) {
  const std::vector<RecordSource> only = {{generation, false, kNotLayer}};
  RecordScan scan;
  scan.order = RowOrder::kTable;
  MergedRows rows(*database_, std::move(scan), only);
  std::size_t bytes = 0;
  while (chunk.size() < kRecordsPerChunk && bytes < kBytesPerChunk) {
    const Result<bool> row = rows.Next();
    if (!row.ok()) return row.error();
    if (!*row) return false;
    chunk.push_back(rows.row().ToRecord());
    bytes += chunk.back().values.size();
  }
  return true;
}

Result<SizeChange> SqliteDatasetStore::MoveDown(RecordRows& rows, std::int64_t generation,
                                                bool keep_first, const core::Record& record) {
  if (record.values.empty()) {
    const Result<StandingRow> hidden = rows.Look(generation, IndexOf(record));
    if (!hidden.ok()) return hidden.error();
    if (!hidden->exists) return SizeChange{};
    if (Status status = rows.Remove(generation, IndexOf(record)); !status.ok()) {
      return status.error();
    }
    return SizeChange{-1, -hidden->bytes};
  }
  if (!keep_first) return rows.Put(generation, record);
  const Result<bool> inserted = rows.Insert(generation, record);
  if (!inserted.ok()) return inserted.error();
  return *inserted ? SizeChange{1, RowBytes(record)} : SizeChange{};
}

Result<bool> SqliteDatasetStore::DrainChunk(std::int64_t generation, const RecordSource& layer) {
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
  if (!transaction.ok()) return transaction.error();
  std::vector<core::Record> chunk;
  const Result<bool> more = FirstChunk(layer.generation, chunk);
  if (!more.ok()) return more.error();
  bool last = !*more;

  const RecordSource below[] = {{generation, false, kNotLayer}, layer};
  SizeChange moved;
  {
    RecordRows rows(*database_);
    // What goes counts as well: the pages of a long record are freed one by one.
    std::int64_t freed = 0;
    for (const core::Record& record : chunk) {
      const Result<SizeChange> change = MoveDown(rows, generation, layer.keep_first, record);
      if (!change.ok()) return change.error();
      moved += *change;
      if (Status status = rows.Remove(layer.generation, IndexOf(record)); !status.ok()) {
        return status.error();
      }
      if (change->records <= 0) freed += RowBytes(record) - change->bytes;
      if (freed < static_cast<std::int64_t>(kBytesPerChunk)) continue;
      last = last && &record == &chunk.back();
      break;
    }
  }
  const SizeChange changes[] = {moved, {-moved.records, -moved.bytes}};
  if (const auto counted = Count(below, changes); !counted.ok()) return counted.error();
  if (last) {
    Result<SqliteStatement> forget =
        database_->Prepare("DELETE FROM generations WHERE number = ?1");
    if (!forget.ok()) return forget.error();
    if (Status status = forget->Bind(1, layer.generation).Run(); !status.ok()) {
      return status.error();
    }
  }
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return last;
}

}  // namespace latchkey::store
