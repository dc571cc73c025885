#include "manage/routes.h"

#include <array>

namespace latchkey::manage {
namespace {

using http::Method;

constexpr std::array kManageRoutes = {
    RouteInfo{Method::kGet, "/manage/v1/tokens", Route::kListTokens},
    RouteInfo{Method::kPost, "/manage/v1/tokens", Route::kCreateToken},
    RouteInfo{Method::kGet, "/manage/v1/tokens/{token}", Route::kGetToken},
    RouteInfo{Method::kPatch, "/manage/v1/tokens/{token}", Route::kPatchToken},
    RouteInfo{Method::kDelete, "/manage/v1/tokens/{token}", Route::kDeleteToken},
    RouteInfo{Method::kPost, "/manage/v1/tokens/{token}:disable", Route::kDisableToken},
    RouteInfo{Method::kPost, "/manage/v1/tokens/{token}:enable", Route::kEnableToken},
    RouteInfo{Method::kGet, "/manage/v1/datasets", Route::kListOwnDatasets},
    RouteInfo{Method::kPost, "/manage/v1/datasets", Route::kCreateOwnDataset},
    RouteInfo{Method::kGet, "/manage/v1/datasets/{dataset}", Route::kGetOwnDataset},
    RouteInfo{Method::kPatch, "/manage/v1/datasets/{dataset}", Route::kPatchOwnDataset},
    RouteInfo{Method::kDelete, "/manage/v1/datasets/{dataset}", Route::kDeleteOwnDataset},
    RouteInfo{Method::kGet, "/manage/v1/datasets/{dataset}/records", Route::kListOwnRecords},
    RouteInfo{Method::kPost, "/manage/v1/datasets/{dataset}:upload", Route::kUploadToOwnDataset},
    RouteInfo{Method::kGet, "/manage/v1/jobs", Route::kListJobs},
    RouteInfo{Method::kGet, "/manage/v1/jobs/{job}", Route::kGetJob},
    RouteInfo{Method::kGet, "/manage/v1/jobs/{job}/rejected", Route::kGetRejectedLines},
};

constexpr std::array kInternalRoutes = {
    RouteInfo{Method::kGet, "/operator/v1/plans", Route::kListPlans},
    RouteInfo{Method::kPost, "/operator/v1/plans", Route::kCreatePlan},
    RouteInfo{Method::kGet, "/operator/v1/plans/{plan}", Route::kGetPlan},
    RouteInfo{Method::kPatch, "/operator/v1/plans/{plan}", Route::kPatchPlan},
    RouteInfo{Method::kGet, "/operator/v1/accounts", Route::kListAccounts},
    RouteInfo{Method::kPost, "/operator/v1/accounts", Route::kCreateAccount},
    RouteInfo{Method::kGet, "/operator/v1/accounts/{account}", Route::kGetAccount},
    RouteInfo{Method::kPatch, "/operator/v1/accounts/{account}", Route::kPatchAccount},
    RouteInfo{Method::kPost, "/operator/v1/accounts/{account}:suspend", Route::kSuspendAccount},
    RouteInfo{Method::kPost, "/operator/v1/accounts/{account}:resume", Route::kResumeAccount},
    RouteInfo{Method::kGet, "/operator/v1/accounts/{account}/tokens", Route::kListTokens},
    RouteInfo{Method::kPost, "/operator/v1/accounts/{account}/tokens", Route::kCreateToken},
    RouteInfo{Method::kGet, "/operator/v1/accounts/{account}/tokens/{token}", Route::kGetToken},
    RouteInfo{Method::kPatch, "/operator/v1/accounts/{account}/tokens/{token}", Route::kPatchToken},
    RouteInfo{Method::kDelete, "/operator/v1/accounts/{account}/tokens/{token}",
              Route::kDeleteToken},
    RouteInfo{Method::kPost, "/operator/v1/accounts/{account}/tokens/{token}:disable",
              Route::kDisableToken},
    RouteInfo{Method::kPost, "/operator/v1/accounts/{account}/tokens/{token}:enable",
              Route::kEnableToken},
    RouteInfo{Method::kGet, "/operator/v1/accounts/{account}/datasets", Route::kListOwnDatasets},
    RouteInfo{Method::kPost, "/operator/v1/accounts/{account}/datasets", Route::kCreateOwnDataset},
    RouteInfo{Method::kGet, "/operator/v1/accounts/{account}/datasets/{dataset}",
              Route::kGetOwnDataset},
    RouteInfo{Method::kPatch, "/operator/v1/accounts/{account}/datasets/{dataset}",
              Route::kPatchOwnDataset},
    RouteInfo{Method::kDelete, "/operator/v1/accounts/{account}/datasets/{dataset}",
              Route::kDeleteOwnDataset},
    RouteInfo{Method::kGet, "/operator/v1/accounts/{account}/datasets/{dataset}/records",
              Route::kListOwnRecords},
    RouteInfo{Method::kPost, "/operator/v1/accounts/{account}/datasets/{dataset}:upload",
              Route::kUploadToOwnDataset},
    RouteInfo{Method::kGet, "/operator/v1/accounts/{account}/jobs", Route::kListJobs},
    RouteInfo{Method::kGet, "/operator/v1/accounts/{account}/jobs/{job}", Route::kGetJob},
    RouteInfo{Method::kGet, "/operator/v1/accounts/{account}/jobs/{job}/rejected",
              Route::kGetRejectedLines},
    RouteInfo{Method::kGet, "/operator/v1/datasets", Route::kListDatasets},
    RouteInfo{Method::kPost, "/operator/v1/datasets", Route::kCreateDataset},
    RouteInfo{Method::kGet, "/operator/v1/datasets/{workspace}/{dataset}", Route::kGetDataset},
    RouteInfo{Method::kPatch, "/operator/v1/datasets/{workspace}/{dataset}", Route::kPatchDataset},
    RouteInfo{Method::kDelete, "/operator/v1/datasets/{workspace}/{dataset}",
              Route::kDeleteDataset},
    RouteInfo{Method::kPost, "/operator/v1/datasets/{workspace}/{dataset}:import",
              Route::kImportDataset},
    RouteInfo{Method::kGet, "/operator/v1/datasets/{workspace}/{dataset}:export",
              Route::kExportDataset},
    RouteInfo{Method::kGet, "/operator/v1/legacy-maps", Route::kListLegacyMaps},
    RouteInfo{Method::kGet, "/operator/v1/legacy-maps/{form}", Route::kGetLegacyMap},
    RouteInfo{Method::kPut, "/operator/v1/legacy-maps/{form}", Route::kPutLegacyMap},
    RouteInfo{Method::kDelete, "/operator/v1/legacy-maps/{form}", Route::kDeleteLegacyMap},
    RouteInfo{Method::kPost, "/operator/v1/backup", Route::kBackup},
    RouteInfo{Method::kPost, "/operator/v1/master-key:rotate", Route::kRotateMasterKey},
    RouteInfo{Method::kGet, "/healthz", Route::kHealth},
    RouteInfo{Method::kGet, "/readyz", Route::kReady},
    RouteInfo{Method::kGet, "/metrics", Route::kMetrics},
};

constexpr std::array<std::string_view, 3> kPageParameters = {"page_size", "page_token", "q"};
constexpr std::array<std::string_view, 2> kPlainPageParameters = {"page_size", "page_token"};
constexpr std::array<std::string_view, 3> kUploadParameters = {"overwrite", "duplicates",
                                                               "max_errors"};
constexpr std::array<std::string_view, 1> kExportParameters = {"format"};
constexpr std::array<std::string_view, 8> kImportParameters = {
    "title", "key", "subkey", "date", "fields", "weight", "test", "max_errors"};

}  // namespace

std::span<const RouteInfo> ManageRoutes() { return kManageRoutes; }
std::span<const RouteInfo> InternalRoutes() { return kInternalRoutes; }

http::Router MakeRouter(std::span<const RouteInfo> routes) {
  http::Router router;
  for (const RouteInfo& info : routes) {
    router.Add(info.method, info.pattern, static_cast<int>(info.route));
  }
  return router;
}

bool IsOpen(Route route) {
  return route == Route::kHealth || route == Route::kReady || route == Route::kMetrics;
}

bool IsTokenRoute(Route route) { return route <= Route::kEnableToken; }

bool IsOwnDatasetRoute(Route route) {
  return route >= Route::kListOwnDatasets && route <= Route::kGetRejectedLines;
}

bool IsJobRoute(Route route) {
  return route >= Route::kListJobs && route <= Route::kGetRejectedLines;
}

bool TakesDefinition(Route route) {
  return route == Route::kCreateDataset || route == Route::kPatchDataset ||
         route == Route::kCreateOwnDataset || route == Route::kPatchOwnDataset;
}

bool TakesJsonBody(Route route) {
  switch (route) {
    case Route::kCreateToken:
    case Route::kPatchToken:
    case Route::kDisableToken:
    case Route::kEnableToken:
    case Route::kCreatePlan:
    case Route::kPatchPlan:
    case Route::kCreateAccount:
    case Route::kPatchAccount:
    case Route::kSuspendAccount:
    case Route::kResumeAccount:
    case Route::kCreateDataset:
    case Route::kPatchDataset:
    case Route::kCreateOwnDataset:
    case Route::kPatchOwnDataset:
    case Route::kPutLegacyMap:
    case Route::kBackup:
    case Route::kRotateMasterKey:
      return true;
    default:
      return false;
  }
}

std::span<const std::string_view> ParametersOf(Route route) {
  switch (route) {
    case Route::kListTokens:
    case Route::kListAccounts:
    case Route::kListDatasets:
    case Route::kListOwnDatasets:
      return kPageParameters;
    case Route::kListPlans:
    case Route::kListLegacyMaps:
    case Route::kListOwnRecords:
    case Route::kListJobs:
      return kPlainPageParameters;
    case Route::kImportDataset:
      return kImportParameters;
    case Route::kExportDataset:
      return kExportParameters;
    case Route::kUploadToOwnDataset:
      return kUploadParameters;
    default:
      return {};
  }
}

}  // namespace latchkey::manage
