// Records written and deleted by requests: whole or not at all, on disk and seen by every query
// that begins after the return. Everything here may block and runs on the worker pool. Thread-safe.
//
// Whether the caller may do it was decided before.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/audit.h"
#include "core/dataset.h"
#include "service/catalogue.h"
#include "service/datasets.h"
#include "service/job_runner.h"
#include "service/plan_limits.h"
#include "store/dataset_store.h"

namespace latchkey::service {

struct WriteRequest {
  std::string workspace;  // without case, as all names
  std::string dataset;
  // A JSON array of objects, or one object (core/record_reader.h takes JSON Lines and CSV too).
  std::string_view body;
  store::Duplicates duplicates = store::Duplicates::kReplace;
  // Absent though it may be: its fields are inferred from the records (core/schema_inference.h).
  bool create_on_demand = false;
};

struct WriteReport {
  std::uint64_t stored = 0;  // records of the request that are in the dataset (wire.md §7: N)
  bool created = false;      // the dataset was made
  std::shared_ptr<const CatalogueEntry> entry;
};

class RecordWrites {
 public:
  // Borrowed; must outlive this.
  RecordWrites(Datasets& datasets, PlanLimits& limits, JobRunner& runner)
      : changes_(datasets.changes()), limits_(limits), runner_(runner) {}

  // Any bad record refuses the whole request: kInvalid, each of `fields` names one ("record 3", the
  // first is 1) and the reason, at most 100. kNotFound: no such dataset (and none may be made), or
  // no such workspace. kLimit: the plan's storage or number of datasets. kUnavailable: disk full.
  Result<WriteReport> Write(const WriteRequest& request, core::Actor actor);

  // How many records there were. `range.key` and `range.subkey` are folded here. kNotFound if the
  // dataset is gone; kInvalid for days of a dataset without a date.
  Result<std::uint64_t> Delete(core::DatasetId dataset, store::DeleteRange range);

 private:
  // Nothing: the definition changed meanwhile, look again.
  Result<std::optional<WriteReport>> WriteInto(const EntryPointer& entry,
                                               const WriteRequest& request);
  Result<WriteReport> WriteNew(const WriteRequest& request, core::Actor actor);

  DatasetChanges& changes_;
  PlanLimits& limits_;
  JobRunner& runner_;
};

}  // namespace latchkey::service
