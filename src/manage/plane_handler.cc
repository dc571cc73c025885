#include "manage/plane_handler.h"

#include <algorithm>
#include <utility>

#include "base/crypto.h"
#include "base/encoding.h"
#include "http/client_address.h"
#include "http/query.h"
#include "manage/dataset_import.h"
#include "manage/json.h"

namespace latchkey::manage {
namespace {

using core::Reason;
using http::KnownField;

constexpr std::size_t kRequestIdCharacters = 20;

// On every answer. Nothing of these planes may be kept by a cache, guessed to be something else, or
// do anything in a browser; and no header of CORS is ever among them.
constexpr std::string_view kFixedLines =
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";

Reason ReasonOf(http::ProtocolError error) {
  switch (error) {
    case http::ProtocolError::kBadRequest:
      return Reason::kBadRequest;
    case http::ProtocolError::kRequestTimeout:
      return Reason::kRequestTimeout;
    case http::ProtocolError::kBodyTooLarge:
      return Reason::kBodyTooLarge;
    case http::ProtocolError::kUrlTooLong:
      return Reason::kUrlTooLong;
    case http::ProtocolError::kExpectationFailed:
      return Reason::kExpectationFailed;
    case http::ProtocolError::kHeadTooLarge:
      return Reason::kHeadTooLarge;
    case http::ProtocolError::kNotImplemented:
      return Reason::kNotImplemented;
    case http::ProtocolError::kVersion:
      return Reason::kHttpVersion;
  }
  return Reason::kBadRequest;
}

// The token of "Authorization: Bearer …"; empty for anything else.
std::string_view BearerToken(const http::Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view field = request.Field(KnownField::kAuthorization);
  if (field.size() <= kScheme.size()) return {};
  if (!EqualsIgnoreCase(field.substr(0, kScheme.size()), kScheme)) return {};
  return TrimBlanks(field.substr(kScheme.size()));
}

bool IsFromBrowser(const http::Request& request) {
  return request.Has(KnownField::kOrigin) || request.Has(KnownField::kSecFetchSite);
}

// application/json, application/merge-patch+json and the like, with any parameters.
bool IsJson(std::string_view content_type) {
  const std::string type = ToLower(TrimBlanks(content_type.substr(0, content_type.find(';'))));
  return type == "application/json" ||
         (type.starts_with("application/") && type.ends_with("+json"));
}

core::Action ActionOf(http::Method method) {
  switch (method) {
    case http::Method::kGet:
    case http::Method::kHead:
      return core::Action::kRead;
    case http::Method::kDelete:
      return core::Action::kDelete;
    default:
      return core::Action::kWrite;
  }
}

std::string_view View(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Reply RefuseDecision(const core::Decision& decision, std::string_view request_id) {
  return Refuse(decision.reason, decision.detail, request_id);
}

}  // namespace

Shared::Shared(const Dependencies& dependencies_in, ManageOptions manage_in,
               InternalOptions internal_in)
    : dependencies(dependencies_in),
      manage(std::move(manage_in)),
      internal(std::move(internal_in)),
      manage_hosts(manage.host_names),
      internal_hosts(internal.host_names),
      manage_router(MakeRouter(ManageRoutes())),
      internal_router(MakeRouter(InternalRoutes())),
      tokens(dependencies.tokens, dependencies.answers),
      datasets(dependencies.definitions, dependencies.datasets, dependencies.catalogue,
               dependencies.answers),
      uploads(dependencies.uploads, dependencies.catalogue),
      operator_api(dependencies, internal, tokens, datasets, uploads),
      imports(dependencies.pool, {internal.max_running_imports, internal.max_running_imports,
                                  internal.max_import_bytes}),
      incoming(dependencies.pool,
               {manage.max_running_uploads, manage.max_running_uploads_per_account,
                manage.max_upload_bytes}),
      exports(dependencies.datasets, dependencies.catalogue, dependencies.pool,
              internal.spool_directory, internal.max_running_exports),
      again_(dependencies.index) {}

// The token may be gone since its request came in: while the body arrived, or while the job waited
// for its turn.
std::optional<Reply> Shared::JudgeAgain(const Call& call) {
  if (!call.token) return std::nullopt;
  const MutexLock lock(mutex_);
  const core::Decision decision =
      again_.VerifyAgain(call.token, call.facts, dependencies.clock.Now()).decision;
  again_.Quiesce();
  if (decision.allowed()) return std::nullopt;
  return RefuseDecision(decision, call.actor.request_id);
}

Result<core::Account> Shared::AccountOf(const Call& call) {
  return dependencies.accounts.FindAccount(call.token ? call.account.ToString()
                                                      : call.captures.front());
}

Reply Shared::Run(const Call& call) {
  if (!call.token) return operator_api.Run(call);
  if (std::optional<Reply> refusal = JudgeAgain(call)) return std::move(*refusal);
  if (IsTokenRoute(call.route)) return tokens.Run(call, call.account);
  const Result<core::Account> account = AccountOf(call);
  if (!account.ok()) return Refuse(account.error(), call.actor.request_id);
  if (IsJobRoute(call.route)) return uploads.Run(call, *account);
  return datasets.RunOwn(call, *account);
}

PlaneHandler::PlaneHandler(std::shared_ptr<Shared> shared, Plane plane)
    : shared_(std::move(shared)),
      plane_(plane),
      plane_name_(plane == Plane::kManage ? "manage" : "internal"),
      router_(plane == Plane::kManage ? shared_->manage_router : shared_->internal_router),
      hosts_(plane == Plane::kManage ? shared_->manage_hosts : shared_->internal_hosts),
      max_body_bytes_(std::min(kMaxJsonBytes, plane == Plane::kManage
                                                  ? shared_->manage.max_body_bytes
                                                  : shared_->internal.max_body_bytes)),
      verifier_(shared_->dependencies.index),
      metrics_(shared_->dependencies.metrics.MakeBlock(plane_name_)),
      access_log_(shared_->dependencies.access_log.MakeWriter()) {}

void PlaneHandler::OnTick() {
  verifier_.Quiesce();
  access_log_->Flush();
  shared_->incoming.OnTick();
  if (plane_ != Plane::kInternal) return;
  shared_->imports.OnTick();
  shared_->exports.OnTick();
}

std::string PlaneHandler::NewRequestId() {
  return shared_->dependencies.entropy.Base62(kRequestIdCharacters);
}

void PlaneHandler::OnRequest(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const auto pending = std::make_shared<Pending>();
  pending->began = shared_->dependencies.clock.Monotonic();
  pending->request_id = NewRequestId();
  pending->client = plane_ == Plane::kManage
                        ? http::ClientAddress(request, shared_->manage.trusted_proxies)
                        : request.peer;
  const std::string& request_id = pending->request_id;

  if (!hosts_.Contains(request.host)) {
    return Send(exchange, *pending, Refuse(Reason::kMisdirected, "", request_id));
  }
  const http::Router::Match match = router_.Find(request.method, request.path);
  if (match.outcome == http::Router::Outcome::kNotFound) {
    return Send(exchange, *pending, Refuse(Reason::kNotFound, "", request_id));
  }
  if (match.outcome == http::Router::Outcome::kMethodNotAllowed) {
    Reply reply = Refuse(Reason::kMethodNotAllowed, "", request_id);
    reply.allow = match.allow;
    return Send(exchange, *pending, std::move(reply));
  }

  auto call = std::make_shared<Call>();
  call->route = static_cast<Route>(match.route);
  call->path = request.path;
  for (std::size_t i = 0; i < match.capture_count; ++i) {
    call->captures.emplace_back(match.captures[i]);
  }
  call->actor.address = pending->client.ToString();
  call->actor.request_id = request_id;
  if (std::optional<Reply> refusal = Identify(request, *pending, *call)) {
    return Send(exchange, *pending, std::move(*refusal));
  }
  if (std::optional<Reply> refusal = ReadParameters(request, *pending, *call)) {
    return Send(exchange, *pending, std::move(*refusal));
  }
  Begin(exchange, pending, std::move(call));
}

std::optional<Reply> PlaneHandler::Identify(const http::Request& request, Pending& pending,
                                            Call& call) {
  if (IsOpen(call.route)) return std::nullopt;
  if (plane_ == Plane::kInternal) return IdentifyOperator(request, pending, call);

  const std::string_view text = BearerToken(request);
  if (text.empty()) {
    return Refuse(Reason::kSignInRequired, "A secret token opens this door.", pending.request_id);
  }
  call.facts.resource = core::ResourceKind::kAccount;
  call.facts.action = ActionOf(request.method);
  call.facts.client_address = pending.client;
  call.facts.from_browser = IsFromBrowser(request);
  const service::Verdict verdict =
      verifier_.Verify(text, call.facts, shared_->dependencies.clock.Now());
  if (verdict.token != nullptr) {
    pending.token = verdict.token->id.ToString();
    pending.account = verdict.account->id.ToString();
  }
  if (!verdict.decision.allowed()) return RefuseDecision(verdict.decision, pending.request_id);
  call.token = verdict.token->id;
  call.environment = verdict.token->environment;
  call.account = verdict.account->id;
  call.actor.principal = pending.token;
  call.credential = Secret(std::string(text));
  return std::nullopt;
}

std::optional<Reply> PlaneHandler::IdentifyOperator(const http::Request& request,
                                                    const Pending& pending, Call& call) {
  if (IsFromBrowser(request)) {
    return Refuse(Reason::kNotPermitted, "The operator's door is not open to browsers.",
                  pending.request_id);
  }
  const std::string_view text = BearerToken(request);
  if (text.empty()) {
    return Refuse(Reason::kSignInRequired, "The operator token opens this door.",
                  pending.request_id);
  }
  // Digests have one length, and a comparison of them tells nothing of how far two texts agree.
  if (!ConstantTimeEqual(View(Sha256(text)), View(shared_->internal.operator_token_digest))) {
    return Refuse(Reason::kSignInRequired, "What was sent is not the operator token.",
                  pending.request_id);
  }
  call.actor.principal = "operator";
  call.credential = Secret(std::string(text));
  return std::nullopt;
}

std::optional<Reply> PlaneHandler::ReadParameters(const http::Request& request,
                                                  const Pending& pending, Call& call) {
  Result<std::vector<http::QueryParameter>> query = http::ParseQuery(request.raw_query);
  if (!query.ok()) return Refuse(query.error(), pending.request_id);
  const std::span<const std::string_view> known = ParametersOf(call.route);
  for (std::size_t i = 0; i < query->size(); ++i) {
    const std::string& name = (*query)[i].name;
    const bool twice = std::any_of(query->begin(), query->begin() + static_cast<std::ptrdiff_t>(i),
                                   [&](const auto& earlier) { return earlier.name == name; });
    if (twice || std::find(known.begin(), known.end(), name) == known.end()) {
      const FieldError error{name.substr(0, 64),
                             twice ? "It stands twice." : "It is not a parameter of this path."};
      return Refuse(Reason::kInvalidValues, error.field + ": " + error.detail, pending.request_id,
                    {&error, 1});
    }
  }
  call.query = std::move(*query);
  call.has_if_match = request.Has(KnownField::kIfMatch);
  call.if_match = request.Field(KnownField::kIfMatch);
  call.has_idempotency_key = request.Has(KnownField::kIdempotencyKey);
  call.idempotency_key = request.Field(KnownField::kIdempotencyKey);
  return std::nullopt;
}

void PlaneHandler::Begin(http::Exchange& exchange, const PendingRef& pending,
                         std::shared_ptr<Call> call) {
  const http::Request& request = exchange.request();
  if (call->route == Route::kHealth) {
    Reply reply;
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = "ok\n";
    return Send(exchange, *pending, std::move(reply));
  }
  if (BeginStream(exchange, pending, call)) return;
  if (!request.has_body || !TakesJsonBody(call->route)) {
    return Submit(exchange, pending, call);
  }
  if (!IsJson(request.Field(KnownField::kContentType))) {
    return Send(exchange, *pending,
                Refuse(Reason::kUnsupportedMediaType, "Send Content-Type: application/json.",
                       pending->request_id));
  }
  const std::size_t max_bytes =
      TakesDefinition(call->route) ? core::kMaxDefinitionBytes : max_body_bytes_;
  exchange.ReadBody(max_bytes, [this, pending, call](http::Exchange& then, std::string_view body) {
    call->body = body;
    Submit(then, pending, call);
  });
}

bool PlaneHandler::BeginStream(http::Exchange& exchange, const PendingRef& pending,
                               const std::shared_ptr<Call>& call) {
  const auto answer = [this, pending](http::Exchange& then, Reply&& reply) {
    Send(then, *pending, std::move(reply));
  };
  Shared& shared = *shared_;
  switch (call->route) {
    case Route::kImportDataset: {
      Result<service::ImportOptions> options = ParseImportOptions(*call);
      if (!options.ok()) {
        answer(exchange, Refuse(options.error(), pending->request_id));
        return true;
      }
      shared.imports.Start(
          exchange, *call,
          MakeImportReceiver(shared.dependencies.datasets, shared.dependencies.catalogue, call,
                             std::move(*options)),
          answer);
      return true;
    }
    case Route::kUploadToOwnDataset:
      shared.incoming.Start(exchange, *call,
                            shared.uploads.MakeReceiver(
                                call, [&shared](const Call& of) { return shared.JudgeAgain(of); },
                                [&shared](const Call& of) { return shared.AccountOf(of); }),
                            answer);
      return true;
    case Route::kExportDataset:
      shared.exports.Start(exchange, call, answer);
      return true;
    default:
      return false;
  }
}

void PlaneHandler::Submit(http::Exchange& exchange, const PendingRef& pending,
                          const std::shared_ptr<Call>& call) {
  // The handler outlives its connections, and Post runs only while the connection stands; the job
  // itself must not touch the handler.
  const auto deferred = std::make_shared<http::Deferred>(exchange.Defer());
  const bool taken = shared_->dependencies.pool.Submit(
      call->account.value, [this, shared = shared_, pending, call, deferred]() {
        const auto reply = std::make_shared<Reply>(shared->Run(*call));
        deferred->Post([this, pending, reply](http::Exchange& then) {
          Send(then, *pending, std::move(*reply));
        });
      });
  if (taken) return;
  if (call->route == Route::kMetrics) {
    // Overload is when they are needed most.
    return Send(exchange, *pending, shared_->Run(*call));
  }
  Send(exchange, *pending,
       Refuse(Reason::kUnavailable, "The server is busy. Try again in a moment.",
              pending->request_id));
}

std::string_view PlaneHandler::HeaderLines(const Reply& reply, std::string_view request_id) {
  lines_.assign(kFixedLines);
  if (!reply.content_type.empty()) http::AppendField(lines_, "Content-Type", reply.content_type);
  http::AppendField(lines_, "Latchkey-Request-Id", request_id);
  if (reply.reason != Reason::kNone) {
    http::AppendField(lines_, "Latchkey-Reason", core::Describe(reply.reason).name);
  }
  if (reply.status == 401) lines_.append("WWW-Authenticate: Bearer\r\n");
  if (reply.reason == Reason::kUnavailable) lines_.append("Retry-After: 1\r\n");
  if (!reply.etag.empty()) http::AppendField(lines_, "ETag", reply.etag);
  if (!reply.location.empty()) http::AppendField(lines_, "Location", reply.location);
  if (!reply.allow.empty()) http::AppendField(lines_, "Allow", reply.allow);
  if (reply.replayed) lines_.append("Idempotency-Replayed: true\r\n");
  if (reply.source) {
    http::AppendField(lines_, "Latchkey-Content-Bytes", std::to_string(reply.source_bytes));
  }
  return lines_;
}

void PlaneHandler::Send(http::Exchange& exchange, const Pending& pending, Reply&& reply) {
  const Dependencies& dependencies = shared_->dependencies;
  const http::Request& request = exchange.request();
  const std::string_view reason =
      reply.reason == Reason::kNone ? std::string_view() : core::Describe(reply.reason).name;
  const auto elapsed = dependencies.clock.Monotonic() - pending.began;
  const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count()));
  const std::uint64_t bytes = reply.source ? reply.source_bytes : reply.body.size();
  // Before the answer: the request's views hold until then.
  AccessEntry entry;
  entry.at = dependencies.clock.Now();
  entry.request_id = pending.request_id;
  entry.plane = plane_name_;
  entry.method = request.method_text;
  entry.path = request.path;
  entry.address = pending.client;
  entry.account = pending.account;
  entry.token = pending.token;
  entry.reason = reason;
  entry.status = reply.status;
  entry.bytes = bytes;
  entry.micros = micros;
  access_log_->Append(entry);
  metrics_.CountRequest(static_cast<std::size_t>(reply.reason), reply.status, micros, bytes);
  if (!reply.internal_text.empty()) {
    dependencies.log.Error(reply.internal_text,
                           {{"request", pending.request_id}, {"reason", reason}});
  }

  http::Response response;
  response.status = reply.status;
  response.header_lines = HeaderLines(reply, pending.request_id);
  response.body = reply.body;
  response.source = std::move(reply.source);
  exchange.Answer(std::move(response));
}

void PlaneHandler::OnProtocolError(http::ProtocolError error, std::string_view detail,
                                   const IpAddress& peer, http::Response& answer) {
  const std::string request_id = NewRequestId();
  Reply reply = Refuse(ReasonOf(error), detail, request_id);
  AccessEntry entry;
  entry.at = shared_->dependencies.clock.Now();
  entry.request_id = request_id;
  entry.plane = plane_name_;
  entry.address = peer;
  entry.reason = core::Describe(reply.reason).name;
  entry.status = reply.status;
  entry.bytes = reply.body.size();
  access_log_->Append(entry);
  metrics_.CountRequest(static_cast<std::size_t>(reply.reason), reply.status, 0, reply.body.size());
  answer.status = reply.status;
  answer.header_lines = HeaderLines(reply, request_id);
  error_body_ = std::move(reply.body);
  answer.body = error_body_;
}

}  // namespace latchkey::manage
