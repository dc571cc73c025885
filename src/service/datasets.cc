#include "service/datasets.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/encoding.h"
#include "core/csv_reader.h"
#include "core/schema_inference.h"
#include "service/spool_file.h"

namespace latchkey::service {
namespace {

constexpr std::size_t kMaxReported = 100;
// The store sorts what it gets at once, and each of its transactions then touches few pages: files
// are often sorted by day, the table is by key. This is the memory that an import takes.
constexpr std::size_t kBatchRecords = 65'536;
constexpr std::size_t kBatchBytes = 16 * 1024 * 1024;

Error Invalid(std::string field, std::string detail) {
  Error error = MakeError(ErrorCode::kInvalid, field + ": " + detail);
  error.fields.push_back({std::move(field), std::move(detail)});
  return error;
}

std::string NameOf(const core::Dataset& dataset) { return dataset.workspace + "/" + dataset.name; }

void SetSize(RecordsState& live, const store::GenerationSize& size) {
  live.records.store(size.records);
  live.bytes.store(size.bytes);
}

// For the audit log: compact JSON of all that the dataset's owner has a say in.
std::string Describe(const core::Dataset& dataset) {
  std::string json = "{\"dataset\":";
  AppendJsonString(json, NameOf(dataset));
  const auto add = [&json](std::string_view name, std::string_view text) {
    json.append(",\"").append(name).append("\":");
    AppendJsonString(json, text);
  };
  add("title", dataset.title);
  add("class", ToString(dataset.dataset_class));
  add("key", dataset.key_field);
  add("subkey", dataset.subkey_field);
  add("date", dataset.date_field);
  json += fmt::format(",\"weight\":{},\"test\":{},\"generation\":{},\"fields\":[", dataset.weight,
                      dataset.test, dataset.generation);
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const core::Field& field = dataset.fields[i];
    json += i == 0 ? "{\"name\":" : ",{\"name\":";
    AppendJsonString(json, field.name);
    json += fmt::format(",\"type\":\"{}\",\"required\":{}}}", ToString(field.type), field.required);
  }
  json += "]}";
  return json;
}

const core::Field* FindField(const std::vector<core::Field>& fields, std::string_view name) {
  for (const core::Field& field : fields) {
    if (EqualsIgnoreCase(field.name, name)) return &field;
  }
  return nullptr;
}

// The index fields as the fields spell them, so that `--key Symbol` finds the column "symbol".
Status ResolveIndex(core::Dataset& dataset) {
  const std::pair<const char*, std::string*> index[] = {{"key", &dataset.key_field},
                                                        {"subkey", &dataset.subkey_field},
                                                        {"date", &dataset.date_field}};
  for (const auto& [which, name] : index) {
    if (name->empty()) continue;
    const core::Field* field = FindField(dataset.fields, *name);
    if (field == nullptr) {
      std::string known;
      for (const core::Field& each : dataset.fields) {
        if (known.size() > 200) {
          known += ", …";
          break;
        }
        known.append(known.empty() ? "" : ", ").append(each.name);
      }
      return Invalid(which, "there is no field " + *name + "; there are " + known);
    }
    *name = field->name;
  }
  return {};
}

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

// The first reading: what the columns are. Bad lines are counted so that a hopeless upload ends
// early; the second reading counts them again, together with those whose values are bad.
class Observer final : public core::CsvHandler {
 public:
  Observer(core::Dataset& dataset, bool infer, std::uint64_t max_errors)
      : dataset_(dataset), infer_(infer), rejections_(max_errors) {}

  Status OnHeader(std::span<const std::string_view> names) override {
    if (infer_) {
      Result<core::SchemaInference> inference = core::SchemaInference::Begin(names);
      if (!inference.ok()) return inference.error();
      inference_ = *std::move(inference);
      dataset_.fields = inference_->Fields();
      if (Status status = ResolveIndex(dataset_); !status.ok()) return status;
      MarkDate();
    }
    if (Status status = CheckDataset(dataset_); !status.ok()) return status;
    const Result<core::RowConverter> converter = core::RowConverter::Begin(dataset_, names);
    if (!converter.ok()) return converter.error();
    return {};
  }
  Status OnRow(std::uint64_t /*line*/, std::span<const std::string_view> cells) override {
    if (inference_) inference_->Observe(cells);
    return {};
  }
  Status OnBadRow(std::uint64_t line, std::string_view reason) override {
    rejections_.Add(line, reason);
    if (rejections_.Full()) return rejections_.AsError();
    return {};
  }

  // After the last line.
  Status Conclude() {
    if (inference_) {
      dataset_.fields = inference_->Fields();
      MarkDate();
    }
    return CheckDataset(dataset_);
  }
  bool TooMany() const { return rejections_.TooMany(); }

 private:
  // The date is one because it was said to be: milliseconds look like integers.
  void MarkDate() {
    const int date = dataset_.FieldIndex(dataset_.date_field);
    if (date >= 0) dataset_.fields[static_cast<std::size_t>(date)].type = core::FieldType::kDate;
  }

  core::Dataset& dataset_;
  const bool infer_;
  std::optional<core::SchemaInference> inference_;
  Rejections rejections_;
};

// The second reading: rows become records. Without a writer it only looks for bad lines.
class Loader final : public core::CsvHandler {
 public:
  Loader(const core::Dataset& dataset, store::GenerationWriter* writer, std::uint64_t max_errors,
         std::int64_t updated_millis)
      : dataset_(dataset),
        writer_(writer),
        updated_millis_(updated_millis),
        rejections_(max_errors) {}

  Status OnHeader(std::span<const std::string_view> names) override {
    Result<core::RowConverter> converter = core::RowConverter::Begin(dataset_, names);
    if (!converter.ok()) return converter.error();
    converter_ = *std::move(converter);
    return {};
  }
  Status OnRow(std::uint64_t line, std::span<const std::string_view> cells) override {
    if (used_ == batch_.size()) batch_.emplace_back();
    core::Record& record = batch_[used_];
    if (Status status = converter_->Convert(cells, record); !status.ok()) {
      return OnBadRow(line, status.error().public_text);
    }
    ++taken_;
    if (writer_ == nullptr || rejections_.TooMany()) return {};
    record.updated_millis = updated_millis_;
    ++used_;
    bytes_ += sizeof record + record.values.size() + record.key.size() + record.subkey.size();
    return used_ == kBatchRecords || bytes_ >= kBatchBytes ? Flush() : Status{};
  }
  Status OnBadRow(std::uint64_t line, std::string_view reason) override {
    rejections_.Add(line, reason);
    if (rejections_.Full()) return rejections_.AsError();
    return {};
  }
  Status Flush() {
    if (used_ == 0 || writer_ == nullptr) return {};
    Status status = writer_->Append(std::span(batch_).first(used_), store::Duplicates::kReplace);
    used_ = 0;
    bytes_ = 0;
    // Texts keep their room for the next records. Long ones that stand elsewhere in each batch
    // would leave every place with room for the longest.
    std::size_t room = 0;
    for (const core::Record& record : batch_) {
      room += record.values.capacity() + record.key.capacity() + record.subkey.capacity();
    }
    if (room > 2 * kBatchBytes) batch_.clear();
    return status;
  }

  std::uint64_t taken() const { return taken_; }
  const Rejections& rejections() const { return rejections_; }

 private:
  const core::Dataset& dataset_;
  store::GenerationWriter* writer_;
  const std::int64_t updated_millis_;
  std::optional<core::RowConverter> converter_;
  Rejections rejections_;
  std::vector<core::Record> batch_;  // its texts are used again
  std::size_t used_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace

class Datasets::Impl {
 public:
  Impl(store::Store& store, store::DatasetStore& records, Catalogue& catalogue, const Clock& clock,
       Entropy& entropy, DatasetsOptions options)
      : store_(store),
        records_(records),
        catalogue_(catalogue),
        clock_(clock),
        entropy_(entropy),
        options_(std::move(options)) {}

  Status Load() EXCLUDES(generations_mutex_);
  Result<std::unique_ptr<Import>> BeginImport(const ImportOptions& options, core::Actor actor);
  Result<std::vector<core::Record>> Query(const core::Dataset& dataset,
                                          const core::RecordQuery& query,
                                          const std::function<bool()>& interrupted)
      EXCLUDES(generations_mutex_);
  Status Remove(core::DatasetId id, std::optional<std::int64_t> expected_version, core::Actor actor)
      EXCLUDES(commit_mutex_);
  Status Sweep() EXCLUDES(generations_mutex_);

 private:
  class CsvImport;
  struct Retired {
    std::int64_t generation;
    std::chrono::nanoseconds due;  // monotonic
  };

  std::optional<core::Dataset> Standing(std::string_view workspace, std::string_view name) const;
  Result<core::Dataset> Target(const ImportOptions& options,
                               const std::optional<core::Dataset>& standing)
      EXCLUDES(commit_mutex_);
  Result<core::Dataset> NewDataset(const ImportOptions& options) EXCLUDES(commit_mutex_);
  Result<std::shared_ptr<const CatalogueEntry>> Flip(core::Dataset dataset,
                                                     const store::GenerationSize& size,
                                                     const std::optional<core::Dataset>& standing,
                                                     core::Actor actor)
      EXCLUDES(commit_mutex_, generations_mutex_);
  Result<core::Dataset> Settle(const core::Dataset& dataset, Error error);
  // False only where the store says so.
  bool Stands(core::DatasetId id);
  void Retire(std::int64_t generation, std::chrono::nanoseconds grace) EXCLUDES(generations_mutex_);

  store::Store& store_;
  store::DatasetStore& records_;
  Catalogue& catalogue_;
  const Clock& clock_;
  Entropy& entropy_;
  const DatasetsOptions options_;

  // Held from a commit to the catalogue's change, so that the catalogue follows in their order.
  Mutex commit_mutex_;
  Mutex generations_mutex_;
  // What may be queried, and how many queries read it now.
  std::unordered_map<std::int64_t, int> readable_ GUARDED_BY(generations_mutex_);
  std::vector<Retired> retired_ GUARDED_BY(generations_mutex_);
};

// ---- Imports

class Datasets::Impl::CsvImport final : public Import {
 public:
  CsvImport(Impl& datasets, core::Dataset dataset, std::optional<core::Dataset> standing,
            bool infer, std::uint64_t max_errors, core::Actor actor, SpoolFile spool)
      : datasets_(datasets),
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
      auto begun = datasets_.records_.BeginGeneration(0);
      if (!begun.ok()) return begun.error();
      writer = *std::move(begun);
    }
    const Timestamp now = datasets_.clock_.Now();
    Loader loader(dataset_, writer.get(), max_errors_, ToUnixMillis(now));
    if (Status status = Load(loader); !status.ok()) return status.error();
    if (loader.rejections().TooMany() || writer == nullptr) return loader.rejections().AsError();

    const Result<store::GenerationSize> size = writer->Finish();
    if (!size.ok()) return size.error();
    dataset_.generation = writer->generation();
    dataset_.updated_at = now;
    if (!standing_) dataset_.created_at = now;
    Result<std::shared_ptr<const CatalogueEntry>> flipped =
        datasets_.Flip(std::move(dataset_), *size, standing_, std::move(actor_));
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
    core::CsvReader reader(loader);
    Status status =
        spool_.ForEachPiece([&reader](std::string_view piece) { return reader.Feed(piece); });
    if (status.ok()) status = reader.Finish();
    if (status.ok()) status = loader.Flush();
    return status;
  }

  Impl& datasets_;
  core::Dataset dataset_;
  const std::optional<core::Dataset> standing_;
  const std::uint64_t max_errors_;
  core::Actor actor_;
  SpoolFile spool_;
  Observer observer_;
  core::CsvReader reader_;
  std::optional<Error> failed_;
};

std::optional<core::Dataset> Datasets::Impl::Standing(std::string_view workspace,
                                                      std::string_view name) const {
  const std::shared_ptr<const DatasetMap> map = catalogue_.Snapshot();
  const auto found = map->find(ToLower(workspace) + "/" + ToLower(name));
  if (found == map->end()) return std::nullopt;
  return found->second->dataset;
}

Result<core::Dataset> Datasets::Impl::NewDataset(const ImportOptions& options) {
  core::Dataset dataset;
  dataset.workspace = ToLower(options.workspace);
  if (dataset.workspace == core::kCoreWorkspace) {
    dataset.dataset_class = core::DatasetClass::kCore;
  } else if (dataset.workspace == core::kPremiumWorkspace) {
    dataset.dataset_class = core::DatasetClass::kPremium;
  } else {
    const Result<core::Account> owner = store_.FindAccount(dataset.workspace);
    if (!owner.ok()) {
      if (owner.error().code != ErrorCode::kNotFound) return owner.error();
      Error error = MakeError(ErrorCode::kNotFound, "There is no workspace " + dataset.workspace);
      error.fields.push_back({"workspace", "no account has it"});
      return error;
    }
    dataset.owner = owner->id;
    dataset.workspace = owner->workspace;
  }
  dataset.name = options.name;
  dataset.title = options.name;
  MutexLock lock(commit_mutex_);  // the source of chance need not be thread-safe
  dataset.id = core::DatasetId{static_cast<std::int64_t>(entropy_.Below(INT64_MAX)) + 1};
  return dataset;
}

// The definition as the options and the standing dataset make it. Without given fields, those that
// the index names stand for the columns to come, so that what can't hold is refused before a byte
// is sent.
Result<core::Dataset> Datasets::Impl::Target(const ImportOptions& options,
                                             const std::optional<core::Dataset>& standing) {
  if (Status status = core::CheckDatasetName(options.name); !status.ok()) return status.error();
  Result<core::Dataset> made = standing ? Result<core::Dataset>(*standing) : NewDataset(options);
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

Result<std::unique_ptr<Import>> Datasets::Impl::BeginImport(const ImportOptions& options,
                                                            core::Actor actor) {
  std::optional<core::Dataset> standing = Standing(options.workspace, options.name);
  Result<core::Dataset> dataset = Target(options, standing);
  if (!dataset.ok()) return dataset.error();
  Result<SpoolFile> spool = SpoolFile::Create(options_.spool_directory);
  if (!spool.ok()) return spool.error();
  return std::unique_ptr<Import>(new CsvImport(*this, *std::move(dataset), std::move(standing),
                                               !options.fields.has_value(), options.max_errors,
                                               std::move(actor), *std::move(spool)));
}

// The new records are on disk and nothing names them yet; the commit does, and from the catalogue's
// change on every query reads them. The old ones stay for whoever holds the old definition.
Result<std::shared_ptr<const CatalogueEntry>> Datasets::Impl::Flip(
    core::Dataset dataset, const store::GenerationSize& size,
    const std::optional<core::Dataset>& standing, core::Actor actor) {
  const std::int64_t generation = dataset.generation;
  store::Mutation mutation;
  mutation.event.at = dataset.updated_at;
  mutation.event.actor = std::move(actor);
  mutation.event.action = standing ? "dataset.import" : "dataset.create";
  mutation.event.subject = dataset.id.ToString();
  mutation.event.account = dataset.owner;
  if (standing) mutation.event.before = Describe(*standing);
  mutation.event.after = Describe(dataset);
  store::PutDataset put;
  if (standing) put.expected_version = standing->version;
  put.dataset = dataset;
  mutation.changes.emplace_back(std::move(put));
  dataset.version = standing ? standing->version + 1 : 1;

  MutexLock commit_lock(commit_mutex_);
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    Result<core::Dataset> settled = Settle(dataset, committed.error());
    if (!settled.ok()) {
      // Unknown: the next start compares the two databases and keeps what counts.
      if (settled.error().code != ErrorCode::kUnknown) {
        Retire(generation, std::chrono::nanoseconds(0));
      }
      return settled.error();
    }
  }
  {
    MutexLock lock(generations_mutex_);
    readable_.emplace(generation, 0);
  }
  std::shared_ptr<const CatalogueEntry> entry = catalogue_.Put(std::move(dataset));
  SetSize(*entry->live, size);
  entry->live->version.fetch_add(1);
  // What the store only shows may still be lost with the machine: then the old records count again.
  if (committed.ok() && standing && standing->generation != 0) {
    Retire(standing->generation, options_.drop_grace);
  }
  return entry;
}

// What a commit that did not return ok has come to: the dataset if it is stored all the same.
Result<core::Dataset> Datasets::Impl::Settle(const core::Dataset& dataset, Error error) {
  switch (error.code) {
    case ErrorCode::kConflict:
    case ErrorCode::kStale:
    case ErrorCode::kNotFound: {
      Error conflict =
          MakeError(ErrorCode::kConflict,
                    NameOf(dataset) + " was changed while this import ran; nothing was imported.",
                    std::move(error.internal_text));
      return conflict;
    }
    case ErrorCode::kUnknown: {
      const Result<core::Dataset> stored = store_.GetDataset(dataset.id);
      if (stored.ok() && stored->generation == dataset.generation) return *stored;
      return error;
    }
    default:
      return error;
  }
}

bool Datasets::Impl::Stands(core::DatasetId id) {
  const Result<core::Dataset> stored = store_.GetDataset(id);
  return stored.ok() || stored.error().code != ErrorCode::kNotFound;
}

// ---- Generations

void Datasets::Impl::Retire(std::int64_t generation, std::chrono::nanoseconds grace) {
  MutexLock lock(generations_mutex_);
  retired_.push_back({generation, clock_.Monotonic() + grace});
}

Status Datasets::Impl::Load() {
  std::vector<core::Dataset> datasets;
  Status status = store_.ForEachDataset([&datasets](const core::Dataset& dataset) -> Status {
    datasets.push_back(dataset);
    return {};
  });
  if (!status.ok()) return status;
  const Result<std::vector<store::Generation>> generations = records_.ListGenerations();
  if (!generations.ok()) return generations.error();
  std::unordered_map<std::int64_t, store::Generation> finished;
  for (const store::Generation& generation : *generations) {
    finished.emplace(generation.number, generation);
  }
  for (core::Dataset& dataset : datasets) {
    store::GenerationSize size;
    if (dataset.generation != 0) {
      const auto found = finished.find(dataset.generation);
      if (found == finished.end() || !found->second.finished) {
        return MakeError(ErrorCode::kCorrupt,
                         fmt::format("The records of {} (generation {}) are missing: the two "
                                     "databases don't belong together. Restore both from one "
                                     "backup.",
                                     NameOf(dataset), dataset.generation));
      }
      size = found->second.size;
      finished.erase(found);
      MutexLock lock(generations_mutex_);
      readable_.emplace(dataset.generation, 0);
    }
    SetSize(*catalogue_.Put(std::move(dataset))->live, size);
  }
  // What a crash left behind goes with the first Sweep: a start must not wait for it.
  for (const auto& [generation, left] : finished) {
    Retire(generation, std::chrono::nanoseconds(0));
  }
  return {};
}

Result<std::vector<core::Record>> Datasets::Impl::Query(const core::Dataset& dataset,
                                                        const core::RecordQuery& query,
                                                        const std::function<bool()>& interrupted) {
  if (Status status = CheckRecordQuery(query, dataset); !status.ok()) return status.error();
  if (dataset.generation == 0) return std::vector<core::Record>{};
  {
    MutexLock lock(generations_mutex_);
    const auto readable = readable_.find(dataset.generation);
    if (readable == readable_.end()) {
      return MakeError(ErrorCode::kUnavailable, NameOf(dataset) + " was replaced; ask again.");
    }
    ++readable->second;
  }
  Result<std::vector<core::Record>> records =
      records_.Query(dataset.generation, query, UINT64_MAX, interrupted);
  MutexLock lock(generations_mutex_);
  --readable_.find(dataset.generation)->second;
  return records;
}

Status Datasets::Impl::Sweep() {
  std::vector<Retired> due;
  {
    MutexLock lock(generations_mutex_);
    const std::chrono::nanoseconds now = clock_.Monotonic();
    std::erase_if(retired_, [&](const Retired& retired) REQUIRES(generations_mutex_) {
      const auto readable = readable_.find(retired.generation);
      if (retired.due > now || (readable != readable_.end() && readable->second > 0)) return false;
      if (readable != readable_.end()) readable_.erase(readable);
      due.push_back(retired);
      return true;
    });
  }
  Status first_failure;
  for (const Retired& retired : due) {
    Status status = records_.Drop(retired.generation);
    if (status.ok()) continue;
    MutexLock lock(generations_mutex_);
    retired_.push_back(retired);
    if (first_failure.ok()) first_failure = std::move(status);
  }
  return first_failure;
}

Status Datasets::Impl::Remove(core::DatasetId id, std::optional<std::int64_t> expected_version,
                              core::Actor actor) {
  MutexLock commit_lock(commit_mutex_);
  const Result<core::Dataset> standing = store_.GetDataset(id);
  if (!standing.ok()) return standing.error();
  if (expected_version && *expected_version != standing->version) {
    return MakeError(ErrorCode::kStale, "The dataset changed since it was read: read it again.");
  }
  store::Mutation mutation;
  mutation.event.at = clock_.Now();
  mutation.event.actor = std::move(actor);
  mutation.event.action = "dataset.remove";
  mutation.event.subject = id.ToString();
  mutation.event.account = standing->owner;
  mutation.event.before = Describe(*standing);
  mutation.changes.emplace_back(store::RemoveDataset{id, standing->version});
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  // Of unknown outcome: gone where the store shows that it is.
  const bool gone =
      committed.ok() || (committed.error().code == ErrorCode::kUnknown && !Stands(id));
  if (!gone) return committed.error();
  catalogue_.Remove(id);
  if (committed.ok() && standing->generation != 0) {
    Retire(standing->generation, options_.drop_grace);
  }
  return {};
}

// ---- Datasets

Datasets::Datasets(store::Store& store, store::DatasetStore& records, Catalogue& catalogue,
                   const Clock& clock, Entropy& entropy, DatasetsOptions options)
    : impl_(std::make_unique<Impl>(store, records, catalogue, clock, entropy, std::move(options))) {
}

Datasets::~Datasets() = default;

Status Datasets::Load() { return impl_->Load(); }

Result<std::unique_ptr<Import>> Datasets::BeginImport(const ImportOptions& options,
                                                      core::Actor actor) {
  return impl_->BeginImport(options, std::move(actor));
}

Result<std::vector<core::Record>> Datasets::Query(const core::Dataset& dataset,
                                                  const core::RecordQuery& query,
                                                  const std::function<bool()>& interrupted) {
  return impl_->Query(dataset, query, interrupted);
}

Status Datasets::Remove(core::DatasetId id, std::optional<std::int64_t> expected_version,
                        core::Actor actor) {
  return impl_->Remove(id, expected_version, std::move(actor));
}

Status Datasets::Sweep() { return impl_->Sweep(); }

}  // namespace latchkey::service
