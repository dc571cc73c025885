// The operator's door, /operator/v1: plans, accounts, their tokens, datasets, backup, master key
// (wire.md §9). An import's stream is dataset_import.h. Thread-safe; everything blocks on the store
// and runs on the worker pool.
#pragma once

#include "manage/call.h"
#include "manage/legacy_maps_api.h"
#include "manage/manage.h"
#include "manage/tokens_api.h"
#include "service/accounts.h"
#include "service/catalogue.h"
#include "service/datasets.h"
#include "service/idempotency.h"

namespace latchkey::manage {

class OperatorApi {
 public:
  // Borrowed.
  OperatorApi(const Dependencies& dependencies, const InternalOptions& options, TokensApi& tokens)
      : accounts_(dependencies.accounts),
        datasets_(dependencies.datasets),
        catalogue_(dependencies.catalogue),
        answers_(dependencies.answers),
        options_(options),
        legacy_maps_(dependencies.legacy_maps, dependencies.catalogue),
        tokens_(tokens) {}

  // Any route of the internal plane but an import.
  Reply Run(const Call& call);

 private:
  Reply ListPlans(const Call& call);
  Reply CreatePlan(const Call& call);
  Reply GetPlan(const Call& call);
  Reply PatchPlan(const Call& call);
  Reply ListAccounts(const Call& call);
  Reply CreateAccount(const Call& call);
  Reply PatchAccount(const Call& call, const core::Account& account);
  Reply ChangeState(const Call& call, const core::Account& account);
  Reply RunForAccount(const Call& call);
  Reply ListDatasets(const Call& call);
  Reply RunForDataset(const Call& call);
  Reply Backup(const Call& call);
  Reply RotateMasterKey(const Call& call);
  Reply Ready(const Call& call);

  std::string PlanName(core::PlanId id);
  Reply AccountReply(const core::Account& account);

  service::Accounts& accounts_;
  service::Datasets& datasets_;
  service::Catalogue& catalogue_;
  service::Answers& answers_;
  const InternalOptions& options_;
  LegacyMapsApi legacy_maps_;
  TokensApi& tokens_;
};

}  // namespace latchkey::manage
