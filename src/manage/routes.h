// What a path of the management plane or the internal plane asks for. docs/openapi.yaml describes
// the same routes; tools/check_openapi.py holds both together.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "http/message.h"
#include "http/router.h"

namespace latchkey::manage {

enum class Route : std::uint8_t {
  kListTokens,
  kCreateToken,
  kGetToken,
  kPatchToken,
  kDeleteToken,
  kDisableToken,
  kEnableToken,
  kListPlans,
  kCreatePlan,
  kGetPlan,
  kPatchPlan,
  kListAccounts,
  kCreateAccount,
  kGetAccount,
  kPatchAccount,
  kSuspendAccount,
  kResumeAccount,
  // All workspaces', by the operator.
  kListDatasets,
  kCreateDataset,
  kGetDataset,
  kPatchDataset,
  kDeleteDataset,
  kImportDataset,
  kExportDataset,
  // One account's own.
  kListOwnDatasets,
  kCreateOwnDataset,
  kGetOwnDataset,
  kPatchOwnDataset,
  kDeleteOwnDataset,
  kListOwnRecords,
  kUploadToOwnDataset,
  kListJobs,
  kGetJob,
  kGetRejectedLines,
  kListLegacyMaps,
  kGetLegacyMap,
  kPutLegacyMap,
  kDeleteLegacyMap,
  kBackup,
  kRotateMasterKey,
  kHealth,
  kReady,
  kMetrics,
};

struct RouteInfo {
  http::Method method;
  std::string_view pattern;  // as http::Router takes it
  Route route;
};

// The tables. On the operator's door the token routes begin with the account.
std::span<const RouteInfo> ManageRoutes();
std::span<const RouteInfo> InternalRoutes();

http::Router MakeRouter(std::span<const RouteInfo> routes);

// /healthz, /readyz and /metrics: no credential.
bool IsOpen(Route route);
// One of the seven token routes.
bool IsTokenRoute(Route route);
// One of an account's datasets and jobs.
bool IsOwnDatasetRoute(Route route);
// Of these: one of its jobs.
bool IsJobRoute(Route route);
// The body is a dataset's definition, which may be longer than others.
bool TakesDefinition(Route route);
// The body is a JSON object, or may be one (verbs).
bool TakesJsonBody(Route route);
// The names of the query parameters that it takes.
std::span<const std::string_view> ParametersOf(Route route);

}  // namespace latchkey::manage
