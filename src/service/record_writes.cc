#include "service/record_writes.h"

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/encoding.h"
#include "service/drains.h"

namespace latchkey::service {
namespace {

constexpr std::size_t kMaxReported = 100;
// Of a batch that is staged at once.
constexpr std::size_t kBatchRecords = 4'096;
constexpr std::size_t kBatchBytes = 4 * 1024 * 1024;
// How often a write looks again because the dataset was changed under it.
constexpr int kMaxAttempts = 50;

Error Busy() {
  return MakeError(ErrorCode::kUnavailable,
                   "The dataset is being changed; nothing was stored. Try again.");
}

Error NotJson() {
  return MakeError(ErrorCode::kInvalid, "The body must be a JSON array of objects, or one object.");
}

// Records are counted, for a body may be one line.
class Rejections {
 public:
  void Add(std::uint64_t record, std::string_view reason) {
    ++count_;
    if (fields_.size() < kMaxReported) {
      fields_.push_back({fmt::format("record {}", record), std::string(reason)});
    }
  }
  Status AsStatus() const {
    if (count_ == 0) return {};
    Error error = MakeError(
        ErrorCode::kInvalid,
        fmt::format("Nothing was stored: {} bad {}. The first is {}: {}", count_,
                    count_ == 1 ? "record" : "records", fields_[0].field, fields_[0].detail));
    error.fields = fields_;
    return error;
  }

 private:
  std::uint64_t count_ = 0;
  std::vector<FieldError> fields_;
};

// The first reading of what becomes a dataset of its own.
class BodyFields final : public core::RecordFileHandler {
 public:
  Status OnHeader(std::span<const std::string_view> /*names*/) override { return NotJson(); }
  Status OnRow(std::uint64_t /*line*/, std::span<const std::string_view> /*cells*/) override {
    return NotJson();
  }
  Status OnObject(std::uint64_t /*line*/, std::span<const core::JsonMember> members) override {
    ++count_;
    if (const Status seen = inference_.Observe(members); !seen.ok()) {
      rejections_.Add(count_, seen.error().public_text);
    }
    return {};
  }
  Status OnBadRow(std::uint64_t /*line*/, std::string_view reason) override {
    rejections_.Add(++count_, reason);
    return {};
  }
  const Rejections& rejections() const { return rejections_; }
  std::vector<core::Field> Fields() const { return inference_.Fields(); }

 private:
  std::uint64_t count_ = 0;
  core::SchemaInference inference_;
  Rejections rejections_;
};

// What the records of a body are. A body of tiny records takes many times its size as a list, so
// what is too much for one transaction is counted alone, and read once more when it is staged.
struct RecordList {
  std::vector<core::Record> records;  // none where there are too many
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;  // as the store counts them

  bool many() const {
    return count > store::kMaxRecordsPerWrite || bytes > store::kMaxBytesPerWrite;
  }
};

class BodyRecords final : public RecordMaker {
 public:
  BodyRecords(const core::Dataset& dataset, std::int64_t updated_millis)
      : RecordMaker(dataset, updated_millis) {}
  Status OnHeader(std::span<const std::string_view> /*names*/) override { return NotJson(); }
  Status OnBadRow(std::uint64_t /*line*/, std::string_view reason) override {
    rejections_.Add(++count_, reason);
    return {};
  }
  const Rejections& rejections() const { return rejections_; }
  RecordList list;

 protected:
  core::Record& Place() override { return record_; }
  Status Take() override {
    ++count_;
    ++list.count;
    list.bytes += StoredBytes(record_);
    if (!list.many()) {
      list.records.push_back(record_);
    } else if (!list.records.empty()) {
      list.records = {};
    }
    return {};
  }

 private:
  std::uint64_t count_ = 0;
  core::Record record_;
  Rejections rejections_;
};

// The second reading of many: hands them on in batches. All of them are good.
class BodyStager final : public RecordMaker {
 public:
  using Append = std::function<Status(std::span<const core::Record>)>;

  BodyStager(const core::Dataset& dataset, std::int64_t updated_millis, Append append)
      : RecordMaker(dataset, updated_millis),
        append_(std::move(append)),
        batch_(kBatchRecords, kBatchBytes) {}
  Status OnBadRow(std::uint64_t /*line*/, std::string_view reason) override {
    return MakeError(ErrorCode::kInternal, {}, "a record that was good: " + std::string(reason));
  }
  Status Flush() {
    if (batch_.records().empty()) return {};
    Status appended = append_(batch_.records());
    batch_.Clear();
    return appended;
  }

 protected:
  core::Record& Place() override { return batch_.Place(); }
  Status Take() override {
    batch_.Keep();
    return batch_.full() ? Flush() : Status{};
  }

 private:
  const Append append_;
  RecordBatch batch_;
};

Status Read(std::string_view body, core::RecordFileHandler& handler) {
  core::RecordFileReader reader(handler);
  Status status = reader.Feed(body);
  if (status.ok()) status = reader.Finish();
  return status;
}

// The records of the body, all of them good.
Result<RecordList> ReadRecords(std::string_view body, const core::Dataset& dataset,
                               std::int64_t updated_millis) {
  BodyRecords records(dataset, updated_millis);
  if (Status read = Read(body, records); !read.ok()) return read.error();
  if (Status good = records.rejections().AsStatus(); !good.ok()) return good.error();
  return std::move(records.list);
}

// All of them, in their order.
Status Stage(const RecordList& list, std::string_view body, const core::Dataset& dataset,
             std::int64_t updated_millis, const BodyStager::Append& append) {
  if (!list.many()) return append(list.records);
  BodyStager stager(dataset, updated_millis, append);
  if (Status read = Read(body, stager); !read.ok()) return read;
  return stager.Flush();
}

bool SameName(const core::Dataset& dataset, const WriteRequest& request) {
  return EqualsIgnoreCase(dataset.name, request.dataset);
}

// With the write_mutex held. Outcome unknown or not: queries may see something else from now on.
void Tell(const CatalogueEntry& entry, const store::GenerationSize* after, Timestamp now) {
  if (after != nullptr) {
    SetSize(*entry.live, *after);
    entry.live->updated_millis.store(ToUnixMillis(now));
  }
  entry.live->version.fetch_add(1);
}

}  // namespace

Result<WriteReport> RecordWrites::Write(const WriteRequest& request, core::Actor actor) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const EntryPointer entry = changes_.catalogue().Find(request.workspace, request.dataset);
    if (entry != nullptr) {
      Result<std::optional<WriteReport>> report = WriteInto(entry, request);
      if (!report.ok()) return std::move(report).error();
      if (*report) return **std::move(report);
      continue;
    }
    if (!request.create_on_demand) return NoSuchDataset();
    Result<WriteReport> report = WriteNew(request, actor);
    // Another one has made it meanwhile.
    if (report.ok() || report.error().code != ErrorCode::kConflict) return report;
  }
  return Busy();
}

Result<std::optional<WriteReport>> RecordWrites::WriteInto(const EntryPointer& entry,
                                                           const WriteRequest& request) {
  const core::Dataset& dataset = entry->dataset;
  const std::int64_t lane = dataset.owner.value;
  const Timestamp now = changes_.clock().Now();
  const Result<RecordList> list = ReadRecords(request.body, dataset, ToUnixMillis(now));
  if (!list.ok()) return list.error();
  WriteReport report;
  report.entry = entry;
  if (list->count == 0) return std::optional(report);
  PlanLimits::Room room = limits_.MakeRoom(dataset.owner);
  if (Status fits = room.Grow(list->bytes); !fits.ok()) return fits.error();

  // More than one transaction takes is staged first, while others may write.
  std::unique_ptr<store::LayerWriter> layer;
  if (list->many()) {
    auto begun = changes_.records().BeginLayer(dataset.generation, lane, request.duplicates);
    if (!begun.ok()) {
      if (begun.error().code == ErrorCode::kNotFound) return std::optional<WriteReport>();
      return std::move(begun).error();
    }
    layer = *std::move(begun);
    const Status staged =
        Stage(*list, request.body, dataset, ToUnixMillis(now),
              [&layer](std::span<const core::Record> records) { return layer->Append(records); });
    if (!staged.ok()) {
      if (staged.error().code == ErrorCode::kNotFound) return std::optional<WriteReport>();
      return staged.error();
    }
  }
  MutexLock lock(entry->live->write_mutex);
  const EntryPointer current = changes_.catalogue().Find(dataset.id);
  if (current == nullptr || !SameName(current->dataset, request) ||
      current->dataset.generation != dataset.generation || !SameFields(current->dataset, dataset)) {
    return std::optional<WriteReport>();
  }
  const Result<store::WriteResult> written =
      layer ? layer->Publish(std::nullopt)
            : changes_.records().Write(dataset.generation, lane, list->records, request.duplicates);
  Tell(*current, written.ok() ? &written->after : nullptr, now);
  if (!written.ok()) return written.error();
  if (layer) AddDrain(runner_, changes_, dataset.generation, lane);
  report.stored = written->stored;
  report.entry = current;
  return std::optional(report);
}

Result<WriteReport> RecordWrites::WriteNew(const WriteRequest& request, core::Actor actor) {
  if (Status named = core::CheckDatasetName(request.dataset); !named.ok()) return named.error();
  BodyFields fields;
  if (Status read = Read(request.body, fields); !read.ok()) return read.error();
  if (Status good = fields.rejections().AsStatus(); !good.ok()) return good.error();
  Result<core::Dataset> made = changes_.NewDataset(request.workspace, request.dataset);
  if (!made.ok()) return std::move(made).error();
  core::Dataset& dataset = *made;
  if (Status inferred = InferDefinition(dataset, fields.Fields()); !inferred.ok()) {
    return inferred.error();
  }
  const std::int64_t millis = ToUnixMillis(changes_.clock().Now());
  const Result<RecordList> list = ReadRecords(request.body, dataset, millis);
  if (!list.ok()) return list.error();
  PlanLimits::Room room = limits_.MakeRoom(dataset.owner);
  if (Status fits = room.Grow(list->bytes); !fits.ok()) return fits.error();

  auto writer = changes_.records().BeginGeneration(dataset.owner.value);
  if (!writer.ok()) return std::move(writer).error();
  const Status staged =
      Stage(*list, request.body, dataset, millis, [&](std::span<const core::Record> records) {
        return (*writer)->Append(records, request.duplicates);
      });
  if (!staged.ok()) return staged.error();
  const Result<store::GenerationSize> size = (*writer)->Finish();
  if (!size.ok()) return size.error();
  dataset.generation = (*writer)->generation();
  DefinitionChange change;
  change.max_datasets = limits_.MaxDatasets(dataset.owner);
  change.dataset = std::move(dataset);
  change.size = *size;
  change.action = "dataset.create";
  change.actor = std::move(actor);
  Result<EntryPointer> entry = changes_.Commit(std::move(change));
  if (!entry.ok()) return std::move(entry).error();
  WriteReport report;
  report.stored = size->records;
  report.created = true;
  report.entry = *std::move(entry);
  return report;
}

Result<std::uint64_t> RecordWrites::Delete(core::DatasetId id, store::DeleteRange range) {
  range.key = ToLower(range.key);
  if (range.subkey) range.subkey = ToLower(*range.subkey);
  const EntryPointer known = changes_.catalogue().Find(id);
  if (known == nullptr) return NoSuchDataset();
  MutexLock lock(known->live->write_mutex);
  const EntryPointer entry = changes_.catalogue().Find(id);
  if (entry == nullptr) return NoSuchDataset();
  const core::Dataset& dataset = entry->dataset;
  if ((range.from_millis || range.to_millis) && dataset.date_field.empty()) {
    return InvalidField("date", "the records of this dataset have no date");
  }
  if (dataset.generation == 0) return std::uint64_t{0};
  const std::int64_t lane = dataset.owner.value;
  const Result<store::DeleteResult> deleted =
      changes_.records().Delete(dataset.generation, lane, range);
  Tell(*entry, deleted.ok() ? &deleted->after : nullptr, changes_.clock().Now());
  if (!deleted.ok()) return deleted.error();
  // What was much is a layer.
  AddDrain(runner_, changes_, dataset.generation, lane);
  return deleted->deleted;
}

}  // namespace latchkey::service
