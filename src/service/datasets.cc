#include "service/datasets.h"

#include <utility>

#include <fmt/format.h>

#include "base/encoding.h"
#include "service/spool_file.h"

namespace latchkey::service {
namespace {

constexpr std::size_t kMaxReported = 100;
// The store sorts what it gets at once, and each of its transactions then touches few pages: files
// are often sorted by day, the table is by key. This is the memory that an import takes.
constexpr std::size_t kBatchRecords = 65'536;
constexpr std::size_t kBatchBytes = 16 * 1024 * 1024;
constexpr std::size_t kPageRecords = 1'000;
constexpr std::uint64_t kPageBytes = 1024 * 1024;
constexpr std::int64_t kOperatorLane = 0;

struct Rejections {
  explicit Rejections(std::uint64_t max) : max_errors(max) {}
  void Add(std::uint64_t line, std::string_view reason) {
    ++count;
    if (first.size() < kMaxReported) first.push_back({line, std::string(reason)});
  }
  bool TooMany() const { return count > max_errors; }
  // No further line would be shown.
  bool Full() const { return TooMany() && first.size() == kMaxReported; }

  Error AsError() const {
    std::string text =
        fmt::format("Nothing was imported: {} bad {}", count, count == 1 ? "line" : "lines");
    if (Full()) text += " or more";
    if (!first.empty()) text += fmt::format(". Line {}: {}", first[0].line, first[0].reason);
    Error error = MakeError(ErrorCode::kInvalid, std::move(text));
    for (const RejectedLine& rejected : first) {
      error.fields.push_back({fmt::format("line {}", rejected.line), rejected.reason});
    }
    return error;
  }

  std::uint64_t max_errors;
  std::uint64_t count = 0;
  std::vector<RejectedLine> first;
};

// The first reading: what the fields are. Bad lines are counted so that a hopeless upload ends
// early; the second reading counts them again, together with those whose values are bad.
class Observer final : public FieldFinder {
 public:
  Observer(core::Dataset& dataset, bool infer, std::uint64_t max_errors)
      : dataset_(dataset), infer_(infer), rejections_(max_errors) {}

  Status OnHeader(std::span<const std::string_view> names) override {
    if (infer_) {
      if (Status status = FieldFinder::OnHeader(names); !status.ok()) return status;
      if (Status status = UseFields(); !status.ok()) return status;
    }
    if (Status status = CheckDataset(dataset_); !status.ok()) return status;
    const Result<core::RowConverter> converter = core::RowConverter::Begin(dataset_, names);
    if (!converter.ok()) return converter.error();
    return {};
  }
  Status OnRow(std::uint64_t line, std::span<const std::string_view> cells) override {
    return infer_ ? FieldFinder::OnRow(line, cells) : Status{};
  }
  Status OnObject(std::uint64_t line, std::span<const core::JsonMember> members) override {
    return infer_ ? FieldFinder::OnObject(line, members) : Status{};
  }
  Status OnBadRow(std::uint64_t line, std::string_view reason) override {
    rejections_.Add(line, reason);
    if (rejections_.Full()) return rejections_.AsError();
    return {};
  }

  // After the last line.
  Status Conclude() {
    if (infer_) {
      if (Fields().empty() && rejections_.TooMany()) return rejections_.AsError();
      if (Status status = UseFields(); !status.ok()) return status;
    }
    return CheckDataset(dataset_);
  }
  bool TooMany() const { return rejections_.TooMany(); }

 private:
  Status UseFields() {
    dataset_.fields = Fields();
    if (Status status = ResolveIndex(dataset_); !status.ok()) return status;
    MarkDate(dataset_);
    return {};
  }

  core::Dataset& dataset_;
  const bool infer_;
  Rejections rejections_;
};

// The second reading: rows become records. Without a writer it only looks for bad lines.
class Loader final : public RecordMaker {
 public:
  Loader(const core::Dataset& dataset, store::GenerationWriter* writer, std::uint64_t max_errors,
         std::int64_t updated_millis)
      : RecordMaker(dataset, updated_millis),
        writer_(writer),
        rejections_(max_errors),
        batch_(kBatchRecords, kBatchBytes) {}

  Status OnBadRow(std::uint64_t line, std::string_view reason) override {
    rejections_.Add(line, reason);
    if (rejections_.Full()) return rejections_.AsError();
    return {};
  }
  Status Flush() {
    if (batch_.records().empty() || writer_ == nullptr) return {};
    Status status = writer_->Append(batch_.records(), store::Duplicates::kReplace);
    batch_.Clear();
    return status;
  }

  std::uint64_t taken() const { return taken_; }
  const Rejections& rejections() const { return rejections_; }

 protected:
  core::Record& Place() override { return batch_.Place(); }
  Status Take() override {
    ++taken_;
    if (writer_ == nullptr || rejections_.TooMany()) return {};
    batch_.Keep();
    return batch_.full() ? Flush() : Status{};
  }

 private:
  store::GenerationWriter* writer_;
  Rejections rejections_;
  RecordBatch batch_;
  std::uint64_t taken_ = 0;
};

class FileImport final : public Import {
 public:
  FileImport(DatasetChanges& changes, core::Dataset dataset, EntryPointer standing, bool infer,
             std::uint64_t max_errors, core::Actor actor, SpoolFile spool)
      : changes_(changes),
        dataset_(std::move(dataset)),
        standing_(std::move(standing)),
        max_errors_(max_errors),
        actor_(std::move(actor)),
        spool_(std::move(spool)),
        observer_(dataset_, infer, max_errors),
        reader_(observer_) {}

  Status Feed(std::string_view bytes) override {
    if (failed_) return *failed_;
    Status status = reader_.Feed(bytes);
    if (status.ok()) status = spool_.Append(bytes);
    if (!status.ok()) failed_ = status.error();
    return status;
  }

  Result<ImportReport> Finish() override {
    if (failed_) return *failed_;
    failed_ = MakeError(ErrorCode::kInternal, "This import has ended.");
    if (Status status = reader_.Finish(); !status.ok()) return status.error();
    if (Status status = observer_.Conclude(); !status.ok()) return status.error();

    // With too many bad lines already the second reading only finds the others worth telling.
    std::unique_ptr<store::GenerationWriter> writer;
    if (!observer_.TooMany()) {
      auto begun = changes_.records().BeginGeneration(kOperatorLane);
      if (!begun.ok()) return begun.error();
      writer = *std::move(begun);
    }
    const Timestamp now = changes_.clock().Now();
    Loader loader(dataset_, writer.get(), max_errors_, ToUnixMillis(now));
    if (Status status = Load(loader); !status.ok()) return status.error();
    if (loader.rejections().TooMany() || writer == nullptr) return loader.rejections().AsError();

    const Result<store::GenerationSize> size = writer->Finish();
    if (!size.ok()) return size.error();
    dataset_.generation = writer->generation();
    Result<EntryPointer> flipped = Flip(*size);
    if (!flipped.ok()) return flipped.error();
    ImportReport report;
    report.entry = *std::move(flipped);
    report.imported = size->records;
    report.replaced = loader.taken() - size->records;
    report.rejected = loader.rejections().count;
    report.first_rejected = loader.rejections().first;
    return report;
  }

 private:
  Status Load(Loader& loader) const {
    core::RecordFileReader reader(loader);
    Status status =
        spool_.ForEachPiece([&reader](std::string_view piece) { return reader.Feed(piece); });
    if (status.ok()) status = reader.Finish();
    if (status.ok()) status = loader.Flush();
    return status;
  }

  Result<EntryPointer> Flip(const store::GenerationSize& size) {
    DefinitionChange change;
    change.dataset = std::move(dataset_);
    change.size = size;
    change.action = standing_ ? "dataset.import" : "dataset.create";
    change.actor = std::move(actor_);
    if (!standing_) return Explain(changes_.Commit(std::move(change)));
    change.standing = standing_->dataset;
    MutexLock lock(standing_->live->write_mutex);
    return Explain(changes_.Commit(std::move(change)));
  }

  Result<EntryPointer> Explain(Result<EntryPointer> committed) const {
    if (committed.ok()) return committed;
    const ErrorCode code = committed.error().code;
    if (code != ErrorCode::kConflict && code != ErrorCode::kStale && code != ErrorCode::kNotFound) {
      return committed;
    }
    return MakeError(ErrorCode::kConflict,
                     "The dataset was changed while this import ran; nothing was imported.",
                     committed.error().internal_text);
  }

  DatasetChanges& changes_;
  core::Dataset dataset_;
  const EntryPointer standing_;
  const std::uint64_t max_errors_;
  core::Actor actor_;
  SpoolFile spool_;
  Observer observer_;
  core::RecordFileReader reader_;
  std::optional<Error> failed_;
};

// The definition as the options and the standing dataset make it. Without given fields, those that
// the index names stand for the columns to come, so that what can't hold is refused before a byte
// is sent.
Result<core::Dataset> Target(DatasetChanges& changes, const ImportOptions& options,
                             const EntryPointer& standing) {
  if (Status status = core::CheckDatasetName(options.name); !status.ok()) return status.error();
  Result<core::Dataset> made = standing ? Result<core::Dataset>(standing->dataset)
                                        : changes.NewDataset(options.workspace, options.name);
  if (!made.ok()) return made;
  core::Dataset& dataset = *made;
  if (options.title) dataset.title = *options.title;
  if (options.key_field) dataset.key_field = *options.key_field;
  if (options.subkey_field) dataset.subkey_field = *options.subkey_field;
  if (options.date_field) dataset.date_field = *options.date_field;
  if (options.weight) dataset.weight = *options.weight;
  if (options.test) dataset.test = *options.test;
  dataset.fields.clear();
  if (options.fields) {
    dataset.fields = *options.fields;
    if (Status status = ResolveIndex(dataset); !status.ok()) return status.error();
  } else {
    for (const std::string* name : {&dataset.key_field, &dataset.subkey_field}) {
      if (!name->empty() && dataset.FieldIndex(*name) < 0) {
        dataset.fields.push_back({*name, core::FieldType::kString, false});
      }
    }
    if (!dataset.date_field.empty() && dataset.FieldIndex(dataset.date_field) < 0) {
      dataset.fields.push_back({dataset.date_field, core::FieldType::kDate, false});
    }
    if (dataset.fields.empty()) dataset.fields.push_back({"x", core::FieldType::kAny, false});
  }
  if (Status status = CheckDataset(dataset); !status.ok()) return status.error();
  return made;
}

class GenerationStream final : public RecordStream {
 public:
  GenerationStream(store::DatasetStore& records, std::int64_t generation,
                   DatasetChanges::Reading reading)
      : records_(records), generation_(generation), reading_(std::move(reading)) {}

  Result<std::vector<core::Record>> Next() override {
    auto page = records_.Scan(generation_, after_, kPageRecords, kPageBytes, {});
    if (page.ok() && !page->empty()) {
      const core::Record& last = page->back();
      after_ = {last.key, last.subkey, last.date_millis};
    }
    return page;
  }

 private:
  store::DatasetStore& records_;
  const std::int64_t generation_;
  const DatasetChanges::Reading reading_;
  std::optional<store::ScanPosition> after_;
};

class EmptyStream final : public RecordStream {
 public:
  Result<std::vector<core::Record>> Next() override { return std::vector<core::Record>{}; }
};

}  // namespace

Datasets::Datasets(store::Store& store, store::DatasetStore& records, Catalogue& catalogue,
                   const Clock& clock, Entropy& entropy, DatasetsOptions options)
    : changes_(store, records, catalogue, clock, entropy, options.drop_grace),
      options_(std::move(options)) {}

Result<std::unique_ptr<Import>> Datasets::BeginImport(const ImportOptions& options,
                                                      core::Actor actor) {
  EntryPointer standing = changes_.catalogue().Find(options.workspace, options.name);
  Result<core::Dataset> dataset = Target(changes_, options, standing);
  if (!dataset.ok()) return dataset.error();
  Result<SpoolFile> spool = SpoolFile::Create(options_.spool_directory);
  if (!spool.ok()) return spool.error();
  return std::unique_ptr<Import>(new FileImport(changes_, *std::move(dataset), std::move(standing),
                                                !options.fields.has_value(), options.max_errors,
                                                std::move(actor), *std::move(spool)));
}

Result<std::vector<core::Record>> Datasets::Query(const core::Dataset& dataset,
                                                  const core::RecordQuery& query,
                                                  const std::function<bool()>& interrupted,
                                                  std::uint64_t max_bytes) {
  if (Status status = CheckRecordQuery(query, dataset); !status.ok()) return status.error();
  if (dataset.generation == 0) return std::vector<core::Record>{};
  const Result<DatasetChanges::Reading> reading = changes_.Read(dataset);
  if (!reading.ok()) return reading.error();
  return changes_.records().Query(dataset.generation, query, max_bytes, interrupted);
}

Result<std::vector<std::vector<core::Record>>> Datasets::QueryEach(
    const core::Dataset& dataset, std::span<const core::RecordQuery> queries,
    const std::function<bool()>& interrupted, std::uint64_t max_records, std::uint64_t max_bytes) {
  for (const core::RecordQuery& query : queries) {
    if (Status status = CheckRecordQuery(query, dataset); !status.ok()) return status.error();
  }
  if (dataset.generation == 0) return std::vector<std::vector<core::Record>>(queries.size());
  const Result<DatasetChanges::Reading> reading = changes_.Read(dataset);
  if (!reading.ok()) return reading.error();
  return changes_.records().QueryEach(dataset.generation, queries, max_records, max_bytes,
                                      interrupted);
}

Result<std::unique_ptr<RecordStream>> Datasets::BeginExport(const core::Dataset& dataset) {
  if (dataset.generation == 0) return std::unique_ptr<RecordStream>(new EmptyStream);
  Result<DatasetChanges::Reading> reading = changes_.Read(dataset);
  if (!reading.ok()) return std::move(reading).error();
  return std::unique_ptr<RecordStream>(
      new GenerationStream(changes_.records(), dataset.generation, *std::move(reading)));
}

}  // namespace latchkey::service
