// The operator's door, /operator/v1: plans, accounts, their tokens, datasets, backup, master key
// (wire.md §9). Streams have files of their own. Thread-safe; everything blocks on the store
// and runs on the worker pool.
#pragma once

#include "manage/call.h"
#include "manage/datasets_api.h"
#include "manage/legacy_maps_api.h"
#include "manage/manage.h"
#include "manage/tokens_api.h"
#include "manage/uploads_api.h"
#include "service/accounts.h"
#include "service/idempotency.h"

namespace latchkey::manage {

class OperatorApi {
 public:
  // Borrowed.
  OperatorApi(const Dependencies& dependencies, const InternalOptions& options, TokensApi& tokens,
              DatasetsApi& datasets, UploadsApi& uploads)
      : accounts_(dependencies.accounts),
        answers_(dependencies.answers),
        options_(options),
        legacy_maps_(dependencies.legacy_maps, dependencies.catalogue),
        tokens_(tokens),
        datasets_(datasets),
        uploads_(uploads) {}

  // Any route of the internal plane but an import, an export or an upload.
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
  Reply Backup(const Call& call);
  Reply RotateMasterKey(const Call& call);
  Reply Ready(const Call& call);

  std::string PlanName(core::PlanId id);
  Reply AccountReply(const core::Account& account);

  service::Accounts& accounts_;
  service::Answers& answers_;
  const InternalOptions& options_;
  LegacyMapsApi legacy_maps_;
  TokensApi& tokens_;
  DatasetsApi& datasets_;
  UploadsApi& uploads_;
};

}  // namespace latchkey::manage
