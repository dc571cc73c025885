#include "service/dataset_definitions.h"

#include <utility>

namespace latchkey::service {
namespace {

Error NameTaken(const Error& error, const core::Dataset& dataset) {
  Error taken =
      MakeError(ErrorCode::kConflict, "There is a dataset " + NameOf(dataset) + " already.",
                error.internal_text);
  taken.fields.push_back({"name", "a dataset of this workspace has it"});
  return taken;
}

}  // namespace

Result<EntryPointer> DatasetDefinitions::Create(
    const NewDataset& fresh, core::Actor actor,
    const IdempotencyRecord<CatalogueEntry>* idempotency) {
  if (Status named = core::CheckDatasetName(fresh.name); !named.ok()) return named.error();
  Result<core::Dataset> made = changes_.NewDataset(fresh.workspace, fresh.name);
  if (!made.ok()) return std::move(made).error();
  core::Dataset& dataset = *made;
  if (fresh.title) dataset.title = *fresh.title;
  dataset.source = fresh.source;
  dataset.fields = fresh.fields;
  dataset.key_field = fresh.key_field;
  dataset.subkey_field = fresh.subkey_field;
  dataset.date_field = fresh.date_field;
  dataset.weight = fresh.weight;
  dataset.test = fresh.test;
  if (dataset.fields.empty()) return InvalidField("fields", "at least one is needed");
  if (Status found = ResolveIndex(dataset); !found.ok()) return found.error();
  if (Status holds = core::CheckDataset(dataset); !holds.ok()) return holds.error();
  if (changes_.catalogue().Find(dataset.workspace, dataset.name) != nullptr) {
    return NameTaken({}, dataset);
  }

  auto writer = changes_.records().BeginGeneration(dataset.owner.value);
  if (!writer.ok()) return std::move(writer).error();
  const Result<store::GenerationSize> size = (*writer)->Finish();
  if (!size.ok()) return size.error();
  dataset.generation = (*writer)->generation();
  DefinitionChange change;
  change.size = *size;
  change.action = "dataset.create";
  change.actor = std::move(actor);
  change.max_datasets = limits_.MaxDatasets(dataset.owner);
  if (idempotency != nullptr) {
    // As it will stand.
    dataset.created_at = dataset.updated_at = changes_.clock().Now();
    CatalogueEntry created{dataset, std::make_shared<RecordsState>()};
    created.live->updated_millis.store(ToUnixMillis(created.dataset.updated_at));
    change.answer = store::IdempotentAnswer{idempotency->scope, idempotency->key_digest,
                                            idempotency->body_digest, idempotency->seal(created),
                                            created.dataset.created_at};
  }
  change.dataset = dataset;
  Result<EntryPointer> created = changes_.Commit(std::move(change));
  if (!created.ok() && created.error().code == ErrorCode::kConflict && idempotency == nullptr) {
    return NameTaken(created.error(), dataset);
  }
  return created;
}

Result<EntryPointer> DatasetDefinitions::Change(core::DatasetId id, const DatasetPatch& patch,
                                                std::optional<std::int64_t> expected_version,
                                                core::Actor actor, bool unconditional) {
  const EntryPointer known = changes_.catalogue().Find(id);
  if (known == nullptr) return NoSuchDataset();
  MutexLock lock(known->live->write_mutex);
  const EntryPointer standing = changes_.catalogue().Find(id);
  if (standing == nullptr) return NoSuchDataset();
  if (expected_version && *expected_version != standing->dataset.version) return StaleDataset();
  core::Dataset dataset = standing->dataset;
  if (patch.name) dataset.name = *patch.name;
  if (patch.title) dataset.title = *patch.title;
  if (patch.source) dataset.source = *patch.source;
  if (patch.fields) dataset.fields = core::InStandingOrder(dataset.fields, *patch.fields);
  if (patch.weight) dataset.weight = *patch.weight;
  if (patch.test) dataset.test = *patch.test;
  if (Status named = core::CheckDatasetName(dataset.name); !named.ok()) return named.error();
  if (Status holds = core::CheckDataset(dataset); !holds.ok()) return holds.error();
  if (Status may = core::CheckDatasetChange(standing->dataset, dataset); !may.ok()) {
    return may.error();
  }
  const EntryPointer taken = changes_.catalogue().Find(dataset.workspace, dataset.name);
  if (taken != nullptr && taken->dataset.id != id) return NameTaken({}, dataset);

  DefinitionChange change;
  change.dataset = dataset;
  change.standing = standing->dataset;
  change.action = "dataset.update";
  change.actor = std::move(actor);
  change.unconditional = unconditional;
  Result<EntryPointer> changed = changes_.Commit(std::move(change));
  if (!changed.ok() && changed.error().code == ErrorCode::kConflict) {
    return NameTaken(changed.error(), dataset);
  }
  return changed;
}

Status DatasetDefinitions::Remove(core::DatasetId id, std::optional<std::int64_t> expected_version,
                                  core::Actor actor) {
  return changes_.Remove(id, expected_version, std::move(actor));
}

}  // namespace latchkey::service
