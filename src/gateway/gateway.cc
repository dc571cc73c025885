#include "gateway/gateway.h"

#include <array>
#include <atomic>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "core/record_text.h"
#include "gateway/answer_cache.h"
#include "gateway/data_api.h"
#include "gateway/respond.h"
#include "gateway/routes.h"
#include "gateway/translate.h"
#include "http/client_address.h"
#include "service/verifier.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using core::Reason;
using http::Exchange;
using http::Method;
using http::Request;
using RequestId = std::array<char, kRequestIdBytes>;
using DatasetPointer = std::shared_ptr<const service::CatalogueEntry>;

const core::Dataset* DefinitionOf(const DatasetPointer& entry) {
  return entry == nullptr ? nullptr : &entry->dataset;
}

// A dataset may change while it is read; so often a query begins anew before it gives up.
constexpr int kMaxAttempts = 3;
constexpr std::uint32_t kBusyRetrySeconds = 1;

// Unique without a look at anybody else: random characters drawn once, then a count in base62.
class RequestIds {
 public:
  explicit RequestIds(Entropy& entropy) {
    const std::string start = entropy.Base62(kRandomBytes);
    next_.fill('0');
    std::memcpy(next_.data(), start.data(), kRandomBytes);
  }

  RequestId Next() {
    const RequestId id = next_;
    for (std::size_t i = kRequestIdBytes; i > kRandomBytes; --i) {
      char& digit = next_[i - 1];
      if (digit != 'z') {
        digit = digit == '9' ? 'A' : digit == 'Z' ? 'a' : static_cast<char>(digit + 1);
        break;
      }
      digit = '0';
    }
    return id;
  }

 private:
  static constexpr std::size_t kRandomBytes = 8;
  RequestId next_;
};

std::string_view View(const RequestId& id) { return {id.data(), id.size()}; }

// What is known of a request on its way.
struct Call {
  RequestId id;
  std::chrono::nanoseconds started{};  // monotonic
  Timestamp now{};
  IpAddress client;
  core::TokenId token;
  core::AccountId account;
};

Decision Invalid(const Error& error) {
  return core::Refuse(Reason::kInvalidValues, error.public_text);
}

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

// A query that has to be asked of the store, on its way to the pool and back.
struct ColdQuery {
  Call call;
  RecordsWish wish;
  DatasetPointer dataset;
  std::string dataset_key;
  std::string workspace;
  std::string cache_key;
  std::chrono::nanoseconds deadline{};  // monotonic
  int attempts = 1;
  std::optional<http::Deferred> later;

  // What came of it.
  Status status;
  std::uint64_t records = 0;
  std::string body;
};

// On the pool.
void RunQuery(service::Datasets& datasets, const Clock& clock, ColdQuery& cold) {
  const auto interrupted = [&] {
    return clock.Monotonic() >= cold.deadline || cold.later->Abandoned();
  };
  if (interrupted()) {
    cold.status = MakeError(ErrorCode::kUnavailable, {});
    return;
  }
  Result<std::vector<core::Record>> records =
      datasets.Query(cold.dataset->dataset, cold.wish.query, interrupted);
  if (!records.ok()) {
    cold.status = std::move(records).error();
    return;
  }
  cold.records = records->size();
  if (cold.wish.whole_range && cold.records >= cold.wish.query.limit) return;
  cold.body.clear();
  cold.status = cold.wish.format == core::RecordFormat::kCsv
                    ? core::AppendRecordsCsv(cold.body, cold.dataset->dataset, *records)
                    : core::AppendRecordsJson(cold.body, cold.dataset->dataset, *records);
  // It may be kept for long; moving it once more is better done here than on the I/O thread.
  cold.body.shrink_to_fit();
}

}  // namespace

// The chain, in order: an id, the credential, the route, the verdict, the work, the answer, one
// line in the log.
class DataHandler final : public http::Handler {
 public:
  DataHandler(const Dependencies& dependencies, const DataPlaneOptions& options,
              const Routes& routes)
      : dependencies_(dependencies),
        options_(options),
        routes_(routes),
        ids_(dependencies.entropy),
        verifier_(dependencies.index),
        catalogue_(dependencies.catalogue),
        responder_(options.hsts),
        log_(dependencies.access_log.MakeWriter()),
        metrics_(dependencies.metrics.MakeBlock(options.plane)),
        cache_(options.answer_cache_bytes, dependencies.entropy.Below(UINT64_MAX),
               dependencies.entropy.Below(UINT64_MAX)) {}

  void OnRequest(Exchange& exchange) override;
  void OnProtocolError(http::ProtocolError error, std::string_view detail, const IpAddress& peer,
                       http::Response& answer) override;
  void OnTick() override {
    log_->Flush();
    verifier_.Quiesce();
  }

 private:
  Call Begin();
  const service::DatasetMap& Datasets();
  PreparedAnswer* FindPrepared();
  // The pointers of the verdict hold until the verifier's next call.
  service::Verdict Verify(Call& call, const Request& request, const core::Facts& facts);

  void AnswerRecords(Exchange& exchange, Call& call, const Destination& to);
  void AnswerCatalogue(Exchange& exchange, Call& call, std::string_view workspace);
  void AnswerStatus(Exchange& exchange, Call& call);
  void AnswerPrepared(Exchange& exchange, const Call& call, PreparedAnswer& answer);
  void AnswerBody(Exchange& exchange, const Call& call, std::string_view body);
  void Refuse(Exchange& exchange, const Call& call, const Decision& decision,
              const RefusalExtra& extra = {});

  void StartQuery(Exchange& exchange, const std::shared_ptr<ColdQuery>& cold);
  void FinishQuery(Exchange& exchange, const std::shared_ptr<ColdQuery>& cold);
  void RefuseQuery(Exchange& exchange, const ColdQuery& cold);

  void Record(const Call& call, std::string_view method, std::string_view path,
              const http::Response& response, Reason reason, std::uint64_t records, Cost cost);
  void Send(Exchange& exchange, const Call& call, http::Response&& response, Reason reason,
            std::uint64_t records, Cost cost);

  const Dependencies& dependencies_;
  const DataPlaneOptions& options_;
  const Routes& routes_;
  RequestIds ids_;
  service::Verifier verifier_;
  service::Catalogue::Reader catalogue_;
  Responder responder_;
  const std::unique_ptr<AccessLog::Writer> log_;
  ThreadMetrics& metrics_;
  AnswerCache cache_;

  // One more with each change of the catalogue that this thread has seen.
  std::uint64_t catalogue_generation_ = 0;
  const service::DatasetMap* last_map_ = nullptr;
  // Of the request at hand; kept for their memory.
  Credential credential_;
  std::string key_;
  std::size_t parameters_offset_ = 0;  // in key_: the parameters but token and nonce
  // The last account that was logged, as text: most requests in a row are of a few accounts.
  core::AccountId logged_account_;
  std::string account_text_;
};

Call DataHandler::Begin() {
  Call call;
  call.id = ids_.Next();
  call.started = dependencies_.clock.Monotonic();
  call.now = dependencies_.clock.Now();
  return call;
}

void DataHandler::OnRequest(Exchange& exchange) {
  const Request& request = exchange.request();
  Call call = Begin();
  call.client = http::ClientAddress(request, options_.trusted_proxies);

  if (request.method == Method::kOptions) {
    const Destination to = routes_.Find(request.method, request.path);
    Send(exchange, call, responder_.Preflight(View(call.id), to.allow), Reason::kNone, 0, {});
    return;
  }

  credential_.Clear();
  const bool csv = AcceptedFormat(request) == core::RecordFormat::kCsv;
  key_.assign(csv ? "c" : "j").append(request.raw_path).push_back('?');
  parameters_offset_ = key_.size();
  const Decision credential = ReadCredential(request, credential_, key_);

  const bool reads = request.method == Method::kGet || request.method == Method::kHead;
  if (reads && credential.allowed()) {
    if (PreparedAnswer* answer = FindPrepared()) {
      const core::Facts facts =
          DatasetFacts(request, call.client, answer->workspace, &answer->dataset->dataset);
      const Decision decision = Verify(call, request, facts).decision;
      if (!decision.allowed()) return Refuse(exchange, call, decision);
      metrics_.CountCache(true);
      return AnswerPrepared(exchange, call, *answer);
    }
  }

  const Destination to = routes_.Find(request.method, request.path);
  if (to.outcome == http::Router::Outcome::kNotFound) {
    return Refuse(exchange, call, core::Refuse(Reason::kNotFound));
  }
  if (to.outcome == http::Router::Outcome::kMethodNotAllowed) {
    return Refuse(exchange, call, core::Refuse(Reason::kMethodNotAllowed), {.allow = to.allow});
  }
  if (to.route == Route::kStatus) return AnswerStatus(exchange, call);
  if (!credential.allowed()) return Refuse(exchange, call, credential);
  if (to.route == Route::kCatalogue) return AnswerCatalogue(exchange, call, to.workspace);
  AnswerRecords(exchange, call, to);
}

const service::DatasetMap& DataHandler::Datasets() {
  const service::DatasetMap& map = catalogue_.Get();
  // The reader holds the map that it gave until it gives another one, so a new one never stands at
  // the old one's address.
  if (&map != last_map_) {
    last_map_ = &map;
    ++catalogue_generation_;
  }
  return map;
}

PreparedAnswer* DataHandler::FindPrepared() {
  const service::DatasetMap& map = Datasets();
  PreparedAnswer* answer = cache_.Find(key_);
  if (answer == nullptr || answer->checked_at == catalogue_generation_) return answer;
  const auto found = map.find(answer->dataset_key);
  if (found == map.end() || found->second != answer->dataset) {
    cache_.Erase(key_);
    return nullptr;
  }
  answer->checked_at = catalogue_generation_;
  return answer;
}

service::Verdict DataHandler::Verify(Call& call, const Request& request, const core::Facts& facts) {
  if (!request.tls && options_.refuse_secret_tokens_over_http && !request.peer.is_loopback() &&
      !http::IsTrusted(request.peer, options_.trusted_proxies)) {
    // Before any look-up: over a line that others can read, nobody learns whether it is valid.
    const std::optional<core::TokenShape> shape = core::ParseTokenText(credential_.text);
    if (shape && shape->kind == core::TokenKind::kSecret) {
      return {core::Refuse(Reason::kNotPermitted,
                           "Secret tokens are taken over https only; this one crossed the network "
                           "in the clear and should be replaced."),
              nullptr, nullptr};
    }
  }
  service::Verdict verdict = verifier_.Verify(credential_.text, facts, call.now);
  if (verdict.token != nullptr) call.token = verdict.token->id;
  if (verdict.account != nullptr) call.account = verdict.account->id;
  return verdict;
}

void DataHandler::AnswerRecords(Exchange& exchange, Call& call, const Destination& to) {
  const Request& request = exchange.request();
  std::string dataset_key = DatasetKey(to.workspace, to.dataset);
  std::string workspace = ToLower(to.workspace);
  const bool is_list = to.dataset.find(',') != to.dataset.npos;
  const service::DatasetMap& map = Datasets();
  const auto found = map.find(dataset_key);
  const DatasetPointer dataset = found == map.end() ? nullptr : found->second;

  core::Facts facts = DatasetFacts(request, call.client, workspace, DefinitionOf(dataset));
  // A list of datasets is refused for what it is, but only where the token may see the catalogue;
  // it is of no environment.
  if (is_list) facts.dataset_exists = facts.dataset_test = true;
  const Decision decision = Verify(call, request, facts).decision;
  if (!decision.allowed()) return Refuse(exchange, call, decision);
  if (is_list || to.key.find(',') != to.key.npos) {
    return Refuse(exchange, call,
                  core::Refuse(Reason::kInvalidValues,
                               is_list ? "One dataset is possible per request, without a comma."
                                       : "One key is possible per request, without a comma."));
  }

  const core::RecordFormat accepted = AcceptedFormat(request);
  Result<RecordsWish> wish =
      ReadRecordsWish(to.key, to.subkey, std::string_view(key_).substr(parameters_offset_),
                      accepted, options_.max_records);
  if (!wish.ok()) return Refuse(exchange, call, Invalid(wish.error()));
  if (const Status fits = core::CheckRecordQuery(wish->query, dataset->dataset); !fits.ok()) {
    return Refuse(exchange, call, Invalid(fits.error()));
  }

  auto cold = std::make_shared<ColdQuery>();
  cold->call = call;
  cold->wish = *std::move(wish);
  cold->dataset = dataset;
  cold->dataset_key = std::move(dataset_key);
  cold->workspace = std::move(workspace);
  cold->cache_key = key_;
  cold->deadline = call.started + options_.query_timeout;
  metrics_.CountCache(false);
  StartQuery(exchange, cold);
}

void DataHandler::StartQuery(Exchange& exchange, const std::shared_ptr<ColdQuery>& cold) {
  if (!cold->later) cold->later = exchange.Defer();
  service::Datasets& datasets = dependencies_.datasets;
  const Clock& clock = dependencies_.clock;
  const bool taken =
      dependencies_.pool.Submit(cold->call.account.value, [this, cold, &datasets, &clock] {
        RunQuery(datasets, clock, *cold);
        // `this` is used on its own thread alone, where the connection outlives no handler.
        cold->later->Post([this, cold](Exchange& later) { FinishQuery(later, cold); });
      });
  if (!taken) {
    Refuse(exchange, cold->call,
           core::Refuse(Reason::kUnavailable, "Too many requests wait already; try again."),
           {.retry_after = kBusyRetrySeconds});
  }
}

void DataHandler::FinishQuery(Exchange& exchange, const std::shared_ptr<ColdQuery>& cold) {
  const Request& request = exchange.request();
  Call& call = cold->call;
  call.now = dependencies_.clock.Now();
  const service::DatasetMap& map = Datasets();
  const auto found = map.find(cold->dataset_key);
  const DatasetPointer dataset = found == map.end() ? nullptr : found->second;

  // What was allowed before the query may be gone now.
  const core::Facts facts =
      DatasetFacts(request, call.client, cold->workspace, DefinitionOf(dataset));
  const service::Verdict verdict = verifier_.VerifyAgain(call.token, facts, call.now);
  if (!verdict.decision.allowed()) return Refuse(exchange, call, verdict.decision);

  const bool changed = dataset != cold->dataset;
  if (changed && (!cold->status.ok() || dataset->dataset.id != cold->dataset->dataset.id) &&
      cold->attempts < kMaxAttempts) {
    ++cold->attempts;
    cold->status = {};
    cold->dataset = dataset;
    return StartQuery(exchange, cold);
  }
  if (!cold->status.ok()) return RefuseQuery(exchange, *cold);
  if (cold->wish.whole_range && cold->records >= cold->wish.query.limit) {
    return Refuse(exchange, call,
                  core::Refuse(Reason::kInvalidValues,
                               "The range holds more than " + std::to_string(options_.max_records) +
                                   " records; narrow it with from and to, or set limit."));
  }

  auto answer = std::make_unique<PreparedAnswer>();
  const std::string_view content_type =
      cold->wish.format == core::RecordFormat::kCsv ? kCsvContentType : kJsonContentType;
  answer->cost = CostOf(dataset->dataset, cold->records);
  answer->head = responder_.MakeHead(content_type, answer->cost);
  answer->head_without_cost = responder_.MakeHead(content_type, Cost{});
  answer->records = cold->records;
  answer->body = std::make_shared<const std::string>(std::move(cold->body));
  AnswerPrepared(exchange, call, *answer);
  // What was read before a change is a right answer to a request of before it, and to no other.
  if (changed) return;
  answer->key = std::move(cold->cache_key);
  answer->dataset_key = std::move(cold->dataset_key);
  answer->workspace = std::move(cold->workspace);
  answer->dataset = dataset;
  answer->checked_at = catalogue_generation_;
  cache_.Put(std::move(answer));
}

void DataHandler::RefuseQuery(Exchange& exchange, const ColdQuery& cold) {
  const Error& error = cold.status.error();
  if (error.code == ErrorCode::kInvalid) return Refuse(exchange, cold.call, Invalid(error));
  if (dependencies_.clock.Monotonic() >= cold.deadline) {
    return Refuse(
        exchange, cold.call,
        core::Refuse(Reason::kUnavailable, "The query took too long; ask for less, or try again."),
        {.retry_after = kBusyRetrySeconds});
  }
  dependencies_.log.Error("a query failed", {{"request_id", View(cold.call.id)},
                                             {"dataset", cold.dataset_key},
                                             {"error", error.internal_text}});
  const bool busy = error.code == ErrorCode::kUnavailable;
  Refuse(
      exchange, cold.call,
      core::Refuse(busy ? Reason::kUnavailable : Reason::kInternal, busy ? error.public_text : ""));
}

void DataHandler::AnswerCatalogue(Exchange& exchange, Call& call, std::string_view workspace) {
  const Request& request = exchange.request();
  const service::Verdict verdict = Verify(call, request, CatalogueFacts(request, call.client));
  if (!verdict.decision.allowed()) return Refuse(exchange, call, verdict.decision);
  const Status parameters = RefuseParameters(std::string_view(key_).substr(parameters_offset_));
  if (!parameters.ok()) return Refuse(exchange, call, Invalid(parameters.error()));

  const std::string wanted = ToLower(workspace);
  std::vector<const service::CatalogueEntry*> readable;
  const service::DatasetMap& map = Datasets();
  for (auto entry = wanted.empty() ? map.begin() : map.lower_bound(wanted + "/");
       entry != map.end(); ++entry) {
    const std::string_view key = entry->first;
    const std::string_view of = key.substr(0, key.find('/'));
    if (!wanted.empty() && of != wanted) break;
    const core::Facts facts = DatasetFacts(request, call.client, of, &entry->second->dataset);
    if (core::Evaluate(*verdict.token, *verdict.account, facts, call.now).allowed()) {
      readable.push_back(entry->second.get());
    }
  }
  AnswerBody(exchange, call, CatalogueJson(readable));
}

void DataHandler::AnswerStatus(Exchange& exchange, Call& call) {
  AnswerBody(exchange, call, StatusJson(options_.version, call.now));
}

void DataHandler::AnswerBody(Exchange& exchange, const Call& call, std::string_view body) {
  HeaderBlock head = responder_.MakeHead(kJsonContentType, Cost{});
  http::Response response;
  response.header_lines = head.With(View(call.id));
  response.body = body;
  Send(exchange, call, std::move(response), Reason::kNone, 0, {});
}

void DataHandler::AnswerPrepared(Exchange& exchange, const Call& call, PreparedAnswer& answer) {
  const bool free = exchange.request().method == Method::kHead;
  http::Response response;
  response.header_lines = (free ? answer.head_without_cost : answer.head).With(View(call.id));
  // Shared: peers that read a large answer slowly don't hold a copy each.
  response.shared_body = answer.body;
  metrics_.CountRecords(free ? 0 : answer.records);
  Send(exchange, call, std::move(response), Reason::kNone, free ? 0 : answer.records,
       free ? Cost{} : answer.cost);
}

void DataHandler::Refuse(Exchange& exchange, const Call& call, const Decision& decision,
                         const RefusalExtra& extra) {
  Send(exchange, call,
       responder_.Refusal(decision, View(call.id), AcceptsProblemJson(exchange.request()), extra),
       decision.reason, 0, {});
}

void DataHandler::OnProtocolError(http::ProtocolError error, std::string_view detail,
                                  const IpAddress& peer, http::Response& answer) {
  Call call = Begin();
  call.client = peer;
  const Reason reason = ReasonOf(error);
  answer = responder_.Refusal(core::Refuse(reason, std::string(detail)), View(call.id), false);
  Record(call, {}, {}, answer, reason, 0, {});
}

void DataHandler::Send(Exchange& exchange, const Call& call, http::Response&& response,
                       Reason reason, std::uint64_t records, Cost cost) {
  // Before the answer: the request's views end with it.
  const Request& request = exchange.request();
  Record(call, request.method_text, request.path, response, reason, records, cost);
  exchange.Answer(std::move(response));
}

void DataHandler::Record(const Call& call, std::string_view method, std::string_view path,
                         const http::Response& response, Reason reason, std::uint64_t records,
                         Cost cost) {
  const auto spent = dependencies_.clock.Monotonic() - call.started;
  const auto micros = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(spent).count());
  const std::size_t bytes = method == "HEAD" ? 0 : response.Body().size();
  metrics_.CountRequest(static_cast<std::size_t>(reason), response.status, micros, bytes);

  const std::string token = call.token ? call.token.ToString() : std::string();
  if (call.account != logged_account_) {
    logged_account_ = call.account;
    account_text_ = call.account ? call.account.ToString() : std::string();
  }
  AccessEntry entry;
  entry.at = call.now;
  entry.request_id = View(call.id);
  entry.plane = options_.plane;
  entry.method = method;
  entry.path = path;
  entry.address = call.client;
  entry.account = account_text_;
  entry.token = token;
  if (reason != Reason::kNone) entry.reason = core::Describe(reason).name;
  entry.status = response.status;
  entry.records = records;
  entry.cost = cost.core;
  entry.premium_cost = cost.premium;
  entry.bytes = bytes;
  entry.micros = micros;
  log_->Append(entry);
}

struct DataPlane::Shared {
  Routes routes;
};

DataPlane::DataPlane(const Dependencies& dependencies, DataPlaneOptions options)
    : dependencies_(dependencies),
      options_(std::move(options)),
      shared_(std::make_unique<const Shared>()) {}

DataPlane::~DataPlane() = default;

std::unique_ptr<http::Handler> DataPlane::MakeHandler(int /*thread*/) {
  return std::make_unique<DataHandler>(dependencies_, options_, shared_->routes);
}

}  // namespace latchkey::gateway
