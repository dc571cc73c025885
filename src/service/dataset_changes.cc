#include "service/dataset_changes.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/encoding.h"
#include "core/schema_inference.h"

namespace latchkey::service {
namespace {

// For the audit log: compact JSON of all that the dataset's owner has a say in.
std::string Describe(const core::Dataset& dataset) {
  std::string json = "{\"dataset\":";
  AppendJsonString(json, NameOf(dataset));
  const auto add = [&json](std::string_view name, std::string_view text) {
    json.append(",\"").append(name).append("\":");
    AppendJsonString(json, text);
  };
  add("title", dataset.title);
  add("source", dataset.source);
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

store::Mutation Mutate(std::string action, core::Actor actor, const core::Dataset& subject,
                       Timestamp now) {
  store::Mutation mutation;
  mutation.event.at = now;
  mutation.event.actor = std::move(actor);
  mutation.event.action = std::move(action);
  mutation.event.subject = subject.id.ToString();
  mutation.event.account = subject.owner;
  return mutation;
}

}  // namespace

std::string NameOf(const core::Dataset& dataset) { return dataset.workspace + "/" + dataset.name; }

Error InvalidField(std::string field, std::string detail) {
  Error error = MakeError(ErrorCode::kInvalid, field + ": " + detail);
  error.fields.push_back({std::move(field), std::move(detail)});
  return error;
}

Status ResolveIndex(core::Dataset& dataset) {
  const std::pair<const char*, std::string*> index[] = {{"key", &dataset.key_field},
                                                        {"subkey", &dataset.subkey_field},
                                                        {"date", &dataset.date_field}};
  for (const auto& [which, name] : index) {
    if (name->empty()) continue;
    const auto field =
        std::find_if(dataset.fields.begin(), dataset.fields.end(),
                     [&](const core::Field& each) { return EqualsIgnoreCase(each.name, *name); });
    if (field == dataset.fields.end()) {
      std::string known;
      for (const core::Field& each : dataset.fields) {
        if (known.size() > 200) {
          known += ", …";
          break;
        }
        known.append(known.empty() ? "" : ", ").append(each.name);
      }
      return InvalidField(which, "there is no field " + *name + "; there are " + known);
    }
    *name = field->name;
  }
  return {};
}

void MarkDate(core::Dataset& dataset) {
  const int date = dataset.FieldIndex(dataset.date_field);
  if (date >= 0) dataset.fields[static_cast<std::size_t>(date)].type = core::FieldType::kDate;
}

Status InferDefinition(core::Dataset& dataset, std::vector<core::Field> fields) {
  const Result<core::InferredIndex> index = core::InferIndex(fields);
  if (!index.ok()) return index.error();
  // The first records don't tell what the next ones hold: a price of 100 is 100.5 tomorrow.
  for (core::Field& field : fields) {
    if (field.type == core::FieldType::kInteger) field.type = core::FieldType::kNumber;
  }
  dataset.fields = std::move(fields);
  dataset.key_field = index->key_field;
  dataset.subkey_field = index->subkey_field;
  dataset.date_field = index->date_field;
  MarkDate(dataset);
  return core::CheckDataset(dataset);
}

bool SameFields(const core::Dataset& a, const core::Dataset& b) {
  return a.fields.size() == b.fields.size() &&
         std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(),
                    [](const core::Field& x, const core::Field& y) {
                      return x.name == y.name && x.type == y.type && x.required == y.required;
                    });
}

Error NoSuchDataset() { return MakeError(ErrorCode::kNotFound, "There is no such dataset."); }

Error StaleDataset() {
  return MakeError(ErrorCode::kStale, "The dataset changed since it was read: read it again.");
}

void SetSize(RecordsState& live, const store::GenerationSize& size) {
  live.records.store(size.records);
  live.bytes.store(size.bytes);
}

DatasetChanges::DatasetChanges(store::Store& store, store::DatasetStore& records,
                               Catalogue& catalogue, const Clock& clock, Entropy& entropy,
                               std::chrono::nanoseconds drop_grace)
    : store_(store),
      records_(records),
      catalogue_(catalogue),
      clock_(clock),
      entropy_(entropy),
      drop_grace_(drop_grace) {}

std::int64_t DatasetChanges::NewId() {
  MutexLock lock(commit_mutex_);
  return static_cast<std::int64_t>(entropy_.Below(INT64_MAX)) + 1;
}

Result<core::Dataset> DatasetChanges::NewDataset(std::string_view workspace,
                                                 std::string_view name) {
  core::Dataset dataset;
  dataset.workspace = ToLower(workspace);
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
  dataset.name = name;
  dataset.title = name;
  dataset.id = core::DatasetId{NewId()};
  return dataset;
}

// New records are on disk already and nothing names them; the commit does, and from the catalogue's
// change on every query reads them. The old ones stay for whoever holds the old definition.
Result<EntryPointer> DatasetChanges::Commit(DefinitionChange change) {
  core::Dataset& dataset = change.dataset;
  const std::optional<core::Dataset>& standing = change.standing;
  dataset.updated_at = clock_.Now();
  // A creation whose answer is stored says when it was made: the same here as in that answer.
  if (!standing && dataset.created_at != Timestamp{}) dataset.updated_at = dataset.created_at;
  if (!standing) dataset.created_at = dataset.updated_at;
  store::Mutation mutation =
      Mutate(std::move(change.action), std::move(change.actor), dataset, dataset.updated_at);
  if (standing) mutation.event.before = Describe(*standing);
  mutation.event.after = Describe(dataset);
  if (change.unconditional) {
    mutation.event.after.pop_back();
    mutation.event.after += R"(,"if_match":"*"})";
  }
  mutation.answer = std::move(change.answer);
  store::PutDataset put;
  if (standing) put.expected_version = standing->version;
  put.max_datasets = change.max_datasets;
  put.dataset = dataset;
  mutation.changes.emplace_back(std::move(put));
  dataset.version = standing ? standing->version + 1 : 1;
  const bool new_records = change.size.has_value();

  MutexLock commit_lock(commit_mutex_);
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    const Error& error = committed.error();
    bool stands = false;
    bool known = error.code != ErrorCode::kUnknown;
    if (!known) {
      const Result<core::Dataset> stored = store_.GetDataset(dataset.id);
      stands = stored.ok() && stored->version == dataset.version &&
               stored->generation == dataset.generation;
    }
    if (!stands) {
      // Unknown: the next start compares the two databases and keeps what counts.
      if (known && new_records) Retire(dataset.generation, std::chrono::nanoseconds(0));
      return error;
    }
  }
  if (new_records) {
    MutexLock lock(generations_mutex_);
    readable_.emplace(dataset.generation, 0);
  }
  EntryPointer entry = catalogue_.Put(std::move(dataset));
  if (new_records) SetSize(*entry->live, *change.size);
  entry->live->version.fetch_add(1);
  // What the store only shows may still be lost with the machine: then the old records count again.
  if (committed.ok() && new_records && standing && standing->generation != 0) {
    Retire(standing->generation, drop_grace_);
  }
  return entry;
}

Status DatasetChanges::Remove(core::DatasetId id, std::optional<std::int64_t> expected_version,
                              core::Actor actor) {
  const EntryPointer known = catalogue_.Find(id);
  if (known == nullptr) return NoSuchDataset();
  MutexLock write_lock(known->live->write_mutex);
  const EntryPointer entry = catalogue_.Find(id);
  if (entry == nullptr) return NoSuchDataset();
  const core::Dataset& standing = entry->dataset;
  if (expected_version && *expected_version != standing.version) return StaleDataset();
  store::Mutation mutation = Mutate("dataset.remove", std::move(actor), standing, clock_.Now());
  mutation.event.before = Describe(standing);
  mutation.changes.emplace_back(store::RemoveDataset{standing.id, standing.version});
  MutexLock commit_lock(commit_mutex_);
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    if (committed.error().code != ErrorCode::kUnknown) return committed.error();
    // Of unknown outcome: gone where the store shows that it is.
    const Result<core::Dataset> stored = store_.GetDataset(standing.id);
    const bool gone = !stored.ok() && stored.error().code == ErrorCode::kNotFound;
    if (!gone) return committed.error();
  }
  catalogue_.Remove(standing.id);
  if (committed.ok() && standing.generation != 0) Retire(standing.generation, drop_grace_);
  return {};
}

Status DatasetChanges::Load() {
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
  for (const auto& [generation, left] : finished) Retire(generation, std::chrono::nanoseconds(0));
  return {};
}

// ---- Generations

DatasetChanges::Reading::Reading(Reading&& other) noexcept
    : changes_(std::exchange(other.changes_, nullptr)), generation_(other.generation_) {}

DatasetChanges::Reading::~Reading() {
  if (changes_ != nullptr) changes_->EndReading(generation_);
}

Result<DatasetChanges::Reading> DatasetChanges::Read(const core::Dataset& dataset) {
  MutexLock lock(generations_mutex_);
  const auto readable = readable_.find(dataset.generation);
  if (readable == readable_.end()) {
    return MakeError(ErrorCode::kUnavailable, NameOf(dataset) + " was replaced; ask again.");
  }
  ++readable->second;
  return Reading(this, dataset.generation);
}

void DatasetChanges::EndReading(std::int64_t generation) {
  MutexLock lock(generations_mutex_);
  --readable_.find(generation)->second;
}

void DatasetChanges::Retire(std::int64_t generation, std::chrono::nanoseconds grace) {
  MutexLock lock(generations_mutex_);
  retired_.push_back({generation, clock_.Monotonic() + grace});
}

Status DatasetChanges::Sweep() {
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
    if (status.ok() || status.error().code == ErrorCode::kNotFound) continue;
    MutexLock lock(generations_mutex_);
    retired_.push_back(retired);
    if (first_failure.ok()) first_failure = std::move(status);
  }
  return first_failure;
}

}  // namespace latchkey::service
