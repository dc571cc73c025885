// Use cases of datasets' definitions: create, change, remove. Everything here may block and runs on
// the worker pool. Thread-safe. Each change is one audit event.
//
// Whether the caller may do it was decided before. What only the operator sets (weight, test) is
// left out by the other callers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/audit.h"
#include "core/dataset.h"
#include "service/catalogue.h"
#include "service/datasets.h"
#include "service/idempotency.h"
#include "service/plan_limits.h"

namespace latchkey::service {

struct NewDataset {
  std::string workspace;  // "core", "premium" or an account's
  std::string name;
  std::optional<std::string> title;  // absent: the name
  std::string source;
  std::vector<core::Field> fields;
  // Names of fields, without case; empty: none.
  std::string key_field;
  std::string subkey_field;
  std::string date_field;
  std::uint32_t weight = 1;
  bool test = false;
};

// What is absent stays as it is. The index can't change.
struct DatasetPatch {
  std::optional<std::string> name;
  std::optional<std::string> title;
  std::optional<std::string> source;
  // All of them: those that stand in their order, with the same or a wider type, and new ones,
  // which come last whatever their place here (core/dataset.h, CheckDatasetChange).
  std::optional<std::vector<core::Field>> fields;
  std::optional<std::uint32_t> weight;
  std::optional<bool> test;
};

class DatasetDefinitions {
 public:
  // Borrowed; must outlive this.
  DatasetDefinitions(Datasets& datasets, PlanLimits& limits)
      : changes_(datasets.changes()), limits_(limits) {}

  // With no records. `idempotency`: the answer is stored with it. kInvalid (`fields` names each),
  // kNotFound for a workspace that is no account's, kConflict if the name is taken, kLimit if the
  // plan has no room for one more.
  Result<std::shared_ptr<const CatalogueEntry>> Create(
      const NewDataset& dataset, core::Actor actor,
      const IdempotencyRecord<CatalogueEntry>* idempotency = nullptr);

  // `expected_version`: what If-Match named; absent: whatever stands. kNotFound, kStale, kInvalid,
  // kConflict if the new name is taken. In force when it returns: the old name is no dataset's
  // then. `unconditional`: no version was named on purpose (`If-Match: *`), which the audit log
  // marks (wire.md §9).
  Result<std::shared_ptr<const CatalogueEntry>> Change(core::DatasetId id,
                                                       const DatasetPatch& patch,
                                                       std::optional<std::int64_t> expected_version,
                                                       core::Actor actor,
                                                       bool unconditional = false);

  // With all its records. kNotFound, kStale. Of unknown outcome (kUnknown) the dataset stands,
  // unless the store shows that it is gone: then ok.
  Status Remove(core::DatasetId id, std::optional<std::int64_t> expected_version,
                core::Actor actor);

 private:
  DatasetChanges& changes_;
  PlanLimits& limits_;
};

}  // namespace latchkey::service
