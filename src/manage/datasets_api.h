// Datasets: list, get, create, change, remove, first records. One set of functions for the
// operator's door to all of them (/operator/v1/datasets) and for an account's own, from both sides
// (/manage/v1/datasets, /operator/v1/accounts/{account}/datasets; wire.md §9). Imports, uploads and
// exports have files of their own. Thread-safe; everything may block and runs on the worker pool.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/account.h"
#include "manage/call.h"
#include "service/catalogue.h"
#include "service/dataset_definitions.h"
#include "service/datasets.h"
#include "service/idempotency.h"

namespace latchkey::manage {

class DatasetsApi {
 public:
  // The records that can be looked at here; whoever wants more asks the data plane.
  static constexpr std::uint64_t kMaxFirstRecords = 10'000;

  // Borrowed.
  DatasetsApi(service::DatasetDefinitions& definitions, service::Datasets& datasets,
              service::Catalogue& catalogue, service::Answers& answers)
      : definitions_(definitions), datasets_(datasets), catalogue_(catalogue), answers_(answers) {}

  // kListDatasets, kCreateDataset, kGetDataset, kPatchDataset, kDeleteDataset.
  Reply Run(const Call& call);
  // kListOwnDatasets to kListOwnRecords.
  Reply RunOwn(const Call& call, const core::Account& account);

 private:
  using Entry = std::shared_ptr<const service::CatalogueEntry>;

  // `workspace`: of it alone; empty: of all.
  Reply List(const Call& call, std::string_view workspace);
  Reply Create(const Call& call, service::NewDataset dataset, const std::string& idempotency_route,
               const std::string& location);
  Reply RunForOne(const Call& call, const Entry& entry);
  Reply Patch(const Call& call, const service::CatalogueEntry& entry);
  Reply Remove(const Call& call, const core::Dataset& dataset);
  Reply ListRecords(const Call& call, const service::CatalogueEntry& entry);

  service::DatasetDefinitions& definitions_;
  service::Datasets& datasets_;
  service::Catalogue& catalogue_;
  service::Answers& answers_;
};

// An account's dataset by its name (without case) or id; null: it has none such.
std::shared_ptr<const service::CatalogueEntry> FindOwnDataset(const service::Catalogue& catalogue,
                                                              std::string_view workspace,
                                                              std::string_view name_or_id);

// Whether the caller's token reaches it: a test token reaches only what is marked as test, here as
// on the data plane (wire.md §8). Null: it is gone.
bool Reaches(const Call& call, const service::CatalogueEntry* entry);

}  // namespace latchkey::manage
