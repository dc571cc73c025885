#include "manage/operator_api.h"

#include <utility>
#include <vector>

#include "env/metrics.h"
#include "manage/file_source.h"
#include "manage/idempotency.h"
#include "manage/json.h"
#include "manage/paging.h"

namespace latchkey::manage {
namespace {

Reply PlanReply(const core::Plan& plan) { return ObjectReply(PlanJson(plan), plan.version); }

Reply NoSuchPlan(std::string_view request_id) {
  Error error =
      MakeError(ErrorCode::kInvalid, "plan: It is neither the name nor the id of a plan.");
  error.fields.push_back({"plan", "It is neither the name nor the id of a plan."});
  return Refuse(error, request_id);
}

}  // namespace

Reply OperatorApi::Run(const Call& call) {
  switch (call.route) {
    case Route::kListPlans:
      return ListPlans(call);
    case Route::kCreatePlan:
      return CreatePlan(call);
    case Route::kGetPlan:
      return GetPlan(call);
    case Route::kPatchPlan:
      return PatchPlan(call);
    case Route::kListAccounts:
      return ListAccounts(call);
    case Route::kCreateAccount:
      return CreateAccount(call);
    case Route::kListDatasets:
    case Route::kCreateDataset:
    case Route::kGetDataset:
    case Route::kPatchDataset:
    case Route::kDeleteDataset:
      return datasets_.Run(call);
    case Route::kListLegacyMaps:
    case Route::kGetLegacyMap:
    case Route::kPutLegacyMap:
    case Route::kDeleteLegacyMap:
      return legacy_maps_.Run(call);
    case Route::kBackup:
      return Backup(call);
    case Route::kRotateMasterKey:
      return RotateMasterKey(call);
    case Route::kReady:
      return Ready(call);
    case Route::kMetrics: {
      Reply reply;
      reply.content_type = kMetricsContentType;
      reply.body = options_.metrics();
      return reply;
    }
    default:
      return RunForAccount(call);
  }
}

std::string OperatorApi::PlanName(core::PlanId id) {
  const Result<core::Plan> plan = accounts_.FindPlan(id.ToString());
  return plan.ok() ? plan->name : id.ToString();
}

Reply OperatorApi::AccountReply(const core::Account& account) {
  return ObjectReply(AccountJson(account, PlanName(account.plan)), account.version);
}

// ---- Plans

Reply OperatorApi::ListPlans(const Call& call) {
  const Result<service::PageRequest> page = ParsePageRequest(call);
  if (!page.ok()) return Refuse(page.error(), call.actor.request_id);
  const auto plans = accounts_.ListPlans(*page);
  if (!plans.ok()) return Refuse(plans.error(), call.actor.request_id);
  std::vector<std::string> items;
  for (const core::Plan& plan : plans->items) items.push_back(PlanJson(plan));
  return JsonReply(ListJson(items, plans->next ? PageToken(*plans->next) : std::string()));
}

Reply OperatorApi::CreatePlan(const Call& call) {
  const Result<service::NewPlan> plan = ParsePlanCreation(call.body);
  if (!plan.ok()) return Refuse(plan.error(), call.actor.request_id);
  const auto create = [&](const service::IdempotencyRecord<core::Plan>* idempotency) {
    return accounts_.CreatePlan(*plan, call.actor, idempotency);
  };
  const auto reply = [&](const core::Plan& created) {
    return CreatedReply(PlanJson(created), created.version, call.path + "/" + created.name);
  };
  return CreateOnce<core::Plan>(answers_, call, "POST plans", create, reply);
}

Reply OperatorApi::GetPlan(const Call& call) {
  const Result<core::Plan> plan = accounts_.FindPlan(call.captures.front());
  return plan.ok() ? PlanReply(*plan) : Refuse(plan.error(), call.actor.request_id);
}

Reply OperatorApi::PatchPlan(const Call& call) {
  const std::string& request_id = call.actor.request_id;
  const Result<core::Plan> standing = accounts_.FindPlan(call.captures.front());
  if (!standing.ok()) return Refuse(standing.error(), request_id);
  WantedVersion wanted = RequireIfMatch(call, standing->version);
  if (wanted.refusal) return std::move(*wanted.refusal);
  const Result<service::PlanSettings> settings = ParsePlanPatch(call.body);
  if (!settings.ok()) return Refuse(settings.error(), request_id);
  const Result<core::Plan> changed =
      accounts_.PatchPlan(standing->id, *settings, wanted.version, call.actor);
  return changed.ok() ? PlanReply(*changed) : Refuse(changed.error(), request_id);
}

// ---- Accounts

Reply OperatorApi::ListAccounts(const Call& call) {
  const Result<service::PageRequest> page = ParsePageRequest(call);
  if (!page.ok()) return Refuse(page.error(), call.actor.request_id);
  const auto accounts = accounts_.ListAccounts(*page);
  if (!accounts.ok()) return Refuse(accounts.error(), call.actor.request_id);
  std::vector<std::string> items;
  for (const core::Account& account : accounts->items) {
    items.push_back(AccountJson(account, PlanName(account.plan)));
  }
  return JsonReply(ListJson(items, accounts->next ? PageToken(*accounts->next) : std::string()));
}

Reply OperatorApi::CreateAccount(const Call& call) {
  const std::string& request_id = call.actor.request_id;
  const Result<AccountInput> input = ParseAccountCreation(call.body);
  if (!input.ok()) return Refuse(input.error(), request_id);
  const Result<core::Plan> plan = accounts_.FindPlan(*input->plan);
  if (!plan.ok()) {
    return plan.error().code == ErrorCode::kNotFound ? NoSuchPlan(request_id)
                                                     : Refuse(plan.error(), request_id);
  }
  const service::NewAccount account{input->workspace, input->title.value_or(""), plan->id};
  const auto create = [&](const service::IdempotencyRecord<service::CreatedAccount>* idempotency) {
    return accounts_.CreateAccount(account, call.actor, idempotency);
  };
  const auto reply = [&](const service::CreatedAccount& created) {
    const std::vector<std::string> tokens = {
        TokenJson(created.secret.record, created.secret.text.Reveal()),
        TokenJson(created.publishable.record, created.publishable.text.Reveal())};
    return CreatedReply(NewAccountJson(created.account, plan->name, tokens),
                        created.account.version, call.path + "/" + created.account.workspace);
  };
  return CreateOnce<service::CreatedAccount>(answers_, call, "POST accounts", create, reply);
}

Reply OperatorApi::RunForAccount(const Call& call) {
  const Result<core::Account> account = accounts_.FindAccount(call.captures.front());
  if (!account.ok()) return Refuse(account.error(), call.actor.request_id);
  if (IsTokenRoute(call.route)) return tokens_.Run(call, account->id);
  if (IsJobRoute(call.route)) return uploads_.Run(call, *account);
  if (IsOwnDatasetRoute(call.route)) return datasets_.RunOwn(call, *account);
  if (call.route == Route::kPatchAccount) return PatchAccount(call, *account);
  if (call.route == Route::kGetAccount) return AccountReply(*account);
  return ChangeState(call, *account);
}

Reply OperatorApi::PatchAccount(const Call& call, const core::Account& account) {
  const std::string& request_id = call.actor.request_id;
  WantedVersion wanted = RequireIfMatch(call, account.version);
  if (wanted.refusal) return std::move(*wanted.refusal);
  const Result<AccountInput> input = ParseAccountPatch(call.body);
  if (!input.ok()) return Refuse(input.error(), request_id);
  service::AccountSettings settings;
  settings.title = input->title;
  if (input->plan) {
    const Result<core::Plan> plan = accounts_.FindPlan(*input->plan);
    if (!plan.ok()) {
      return plan.error().code == ErrorCode::kNotFound ? NoSuchPlan(request_id)
                                                       : Refuse(plan.error(), request_id);
    }
    settings.plan = plan->id;
  }
  const Result<core::Account> changed =
      accounts_.PatchAccount(account.id, settings, wanted.version, call.actor);
  return changed.ok() ? AccountReply(*changed) : Refuse(changed.error(), request_id);
}

Reply OperatorApi::ChangeState(const Call& call, const core::Account& account) {
  if (const Status nothing = ParseNothing(call.body); !nothing.ok()) {
    return Refuse(nothing.error(), call.actor.request_id);
  }
  const Result<core::Account> changed = call.route == Route::kSuspendAccount
                                            ? accounts_.Suspend(account.id, call.actor)
                                            : accounts_.Resume(account.id, call.actor);
  return changed.ok() ? AccountReply(*changed) : Refuse(changed.error(), call.actor.request_id);
}

// ---- The server

Reply OperatorApi::Backup(const Call& call) {
  const std::string& request_id = call.actor.request_id;
  if (const Status nothing = ParseNothing(call.body); !nothing.ok()) {
    return Refuse(nothing.error(), request_id);
  }
  const Result<std::string> file = options_.backup(call.actor);
  if (!file.ok()) return Refuse(file.error(), request_id);
  Result<http::FileBody> opened = OpenAndUnlink(*file);
  if (!opened.ok()) return Refuse(opened.error(), request_id);
  Reply reply;
  reply.content_type = "application/octet-stream";
  reply.source = std::move(opened->source);
  reply.source_bytes = opened->bytes;
  return reply;
}

Reply OperatorApi::RotateMasterKey(const Call& call) {
  const std::string& request_id = call.actor.request_id;
  if (const Status nothing = ParseNothing(call.body); !nothing.ok()) {
    return Refuse(nothing.error(), request_id);
  }
  const Result<std::uint32_t> id = options_.rotate_master_key(call.actor);
  if (!id.ok()) return Refuse(id.error(), request_id);
  return JsonReply("{\"master_key_id\":" + std::to_string(*id) + "}");
}

Reply OperatorApi::Ready(const Call& call) {
  const std::vector<std::string> problems = options_.readiness();
  if (problems.empty()) {
    Reply reply;
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = "ready\n";
    return reply;
  }
  std::string detail;
  for (const std::string& problem : problems) {
    detail.append(detail.empty() ? "" : "; ").append(problem);
  }
  return Refuse(core::Reason::kUnavailable, detail, call.actor.request_id);
}

}  // namespace latchkey::manage
