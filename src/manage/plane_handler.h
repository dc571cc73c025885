// What answers on the management listener and on the internal one: the chain that a request goes
// through before and after its API function.
//
//   host name (421) → route (404, 405) → browsers, on the operator's door (403) → credential
//   (401, 403) → parameters (400) → body (413, 415) → on the pool: the credential once more, the
//   API function → answer, log line, metrics
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "env/access_log.h"
#include "env/metrics.h"
#include "http/router.h"
#include "http/server.h"
#include "manage/body_stream.h"
#include "manage/call.h"
#include "manage/dataset_export.h"
#include "manage/datasets_api.h"
#include "manage/host_names.h"
#include "manage/manage.h"
#include "manage/operator_api.h"
#include "manage/tokens_api.h"
#include "manage/uploads_api.h"
#include "service/verifier.h"

namespace latchkey::manage {

enum class Plane : std::uint8_t { kManage, kInternal };

// What all handlers of both planes share. Thread-safe.
class Shared {
 public:
  Shared(const Dependencies& dependencies, ManageOptions manage, InternalOptions internal);

  // On the pool: judges the caller again, then runs the API function.
  Reply Run(const Call& call) EXCLUDES(mutex_);
  // The caller, judged again: a refusal, or nothing. Any thread.
  std::optional<Reply> JudgeAgain(const Call& call) EXCLUDES(mutex_);
  // Whose the call's datasets are: what its path or its token names.
  Result<core::Account> AccountOf(const Call& call);

  const Dependencies dependencies;
  const ManageOptions manage;
  const InternalOptions internal;
  const HostNames manage_hosts;
  const HostNames internal_hosts;
  const http::Router manage_router;
  const http::Router internal_router;
  TokensApi tokens;
  DatasetsApi datasets;
  UploadsApi uploads;
  OperatorApi operator_api;
  BodyStreams imports;
  BodyStreams incoming;  // uploads
  DatasetExports exports;

 private:
  Mutex mutex_;
  service::Verifier again_ GUARDED_BY(mutex_);
};

// One per I/O thread and listener; used on that thread alone.
class PlaneHandler final : public http::Handler {
 public:
  PlaneHandler(std::shared_ptr<Shared> shared, Plane plane);

  void OnRequest(http::Exchange& exchange) override;
  void OnProtocolError(http::ProtocolError error, std::string_view detail, const IpAddress& peer,
                       http::Response& answer) override;
  void OnTick() override;

 private:
  // One request on its way.
  struct Pending {
    std::chrono::nanoseconds began{};
    std::string request_id;
    IpAddress client;     // behind trusted proxies
    std::string account;  // opaque ids, for the log line
    std::string token;
  };
  using PendingRef = std::shared_ptr<Pending>;

  // Each gives a refusal, or nothing.
  std::optional<Reply> Identify(const http::Request& request, Pending& pending, Call& call);
  std::optional<Reply> IdentifyOperator(const http::Request& request, const Pending& pending,
                                        Call& call);
  std::optional<Reply> ReadParameters(const http::Request& request, const Pending& pending,
                                      Call& call);
  void Begin(http::Exchange& exchange, const PendingRef& pending, std::shared_ptr<Call> call);
  // What takes or sends more than fits into memory. False: it is none of these routes.
  bool BeginStream(http::Exchange& exchange, const PendingRef& pending,
                   const std::shared_ptr<Call>& call);
  void Submit(http::Exchange& exchange, const PendingRef& pending,
              const std::shared_ptr<Call>& call);
  void Send(http::Exchange& exchange, const Pending& pending, Reply&& reply);
  std::string_view HeaderLines(const Reply& reply, std::string_view request_id);
  std::string NewRequestId();

  const std::shared_ptr<Shared> shared_;
  const Plane plane_;
  const std::string_view plane_name_;
  const http::Router& router_;
  const HostNames& hosts_;
  const std::size_t max_body_bytes_;
  service::Verifier verifier_;
  ThreadMetrics& metrics_;
  const std::unique_ptr<AccessLog::Writer> access_log_;
  std::string lines_;
  std::string error_body_;
};

}  // namespace latchkey::manage
