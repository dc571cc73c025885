#include "gateway/gateway.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "gateway/answer_cache.h"
#include "gateway/chain.h"
#include "gateway/data_api.h"
#include "gateway/datasets_api.h"
#include "gateway/legacy_api.h"
#include "gateway/prepared_reads.h"
#include "gateway/record_writes.h"
#include "gateway/records_get.h"
#include "gateway/routes.h"
#include "gateway/translate.h"
#include "gateway/uploads_api.h"
#include "http/client_address.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using core::Reason;
using http::Exchange;
using http::Method;
using http::Request;

}  // namespace

// The chain, in order: an id, the credential, a prepared answer, the route; then the part whose
// path it is takes over, for the verdict, the work and the answer.
class DataHandler final : public http::Handler {
 public:
  DataHandler(const Dependencies& dependencies, const DataPlaneOptions& options,
              const Routes& routes, ChainShared& shared, UploadStreams& streams)
      : options_(options),
        routes_(routes),
        streams_(streams),
        chain_(dependencies, options, shared),
        cache_(options.answer_cache_bytes, dependencies.entropy.Below(UINT64_MAX),
               dependencies.entropy.Below(UINT64_MAX)),
        reads_(chain_, cache_),
        records_(chain_, reads_),
        writes_(chain_),
        uploads_(chain_, streams),
        datasets_(chain_),
        legacy_(chain_, reads_) {}

  void OnRequest(Exchange& exchange) override;
  void OnProtocolError(http::ProtocolError error, std::string_view detail, const IpAddress& peer,
                       http::Response& answer) override {
    chain_.OnProtocolError(error, detail, peer, answer);
  }
  void OnTick() override {
    chain_.OnTick();
    streams_.OnTick();
  }

 private:
  void Dispatch(Exchange& exchange, Call& call, const Destination& to, std::string_view parameters);

  const DataPlaneOptions& options_;
  const Routes& routes_;
  UploadStreams& streams_;
  Chain chain_;
  AnswerCache cache_;
  PreparedReads reads_;
  RecordsGet records_;
  RecordWritesApi writes_;
  UploadsApi uploads_;
  DatasetsApi datasets_;
  LegacyApi legacy_;
  // What the request at hand asks, whoever asks; kept for its memory.
  std::string key_;
};

void DataHandler::OnRequest(Exchange& exchange) {
  const Request& request = exchange.request();
  Call call = chain_.Begin();
  call.client = http::ClientAddress(request, options_.trusted_proxies);

  if (request.method == Method::kOptions) {
    const Destination to = routes_.Find(request.method, request.path);
    return chain_.Send(exchange, call, chain_.responder().Preflight(View(call.id), to.allow),
                       Reason::kNone, 0, {});
  }

  Credential& token = chain_.credential();
  token.Clear();
  const bool csv = AcceptedFormat(request) == core::RecordFormat::kCsv;
  key_.assign(csv ? "c" : "j").append(request.raw_path).push_back('?');
  const std::size_t parameters_offset = key_.size();
  const Decision credential = ReadCredential(request, token, key_);

  const bool reads = request.method == Method::kGet || request.method == Method::kHead;
  if (reads && credential.allowed()) {
    if (PreparedAnswer* answer = reads_.Find(key_, call.now)) {
      const Decision decision = reads_.Verify(call, request, *answer);
      if (!decision.allowed()) return chain_.Refuse(exchange, call, decision);
      chain_.metrics().CountCache(true);
      return reads_.Answer(exchange, call, *answer);
    }
  }

  const Destination to = routes_.Find(request.method, request.path);
  if (to.outcome == http::Router::Outcome::kNotFound) {
    return chain_.Refuse(exchange, call, core::Refuse(Reason::kNotFound));
  }
  if (to.outcome == http::Router::Outcome::kMethodNotAllowed) {
    return chain_.Refuse(exchange, call, core::Refuse(Reason::kMethodNotAllowed),
                         {.allow = to.allow});
  }
  if (to.route == Route::kStatus) {
    return chain_.AnswerJson(exchange, call, StatusJson(options_.version, call.now));
  }
  if (!credential.allowed()) return chain_.Refuse(exchange, call, credential);
  Dispatch(exchange, call, to, std::string_view(key_).substr(parameters_offset));
}

void DataHandler::Dispatch(Exchange& exchange, Call& call, const Destination& to,
                           std::string_view parameters) {
  switch (to.route) {
    case Route::kCatalogue:
      return records_.Catalogue(exchange, call, to.workspace, parameters);
    case Route::kRecords:
      return records_.Records(exchange, call, to, parameters, key_);
    case Route::kWriteRecords:
      return writes_.Write(exchange, call, to, parameters);
    case Route::kDeleteRecords:
      return writes_.Delete(exchange, call, to, parameters);
    case Route::kUpload:
      return uploads_.Upload(exchange, call, to, parameters);
    case Route::kJobs:
      return uploads_.Jobs(exchange, call, to, parameters);
    case Route::kJob:
      return uploads_.Job(exchange, call, to, parameters);
    case Route::kRejectedLines:
      return uploads_.Rejected(exchange, call, to, parameters);
    case Route::kListDefinitions:
      return datasets_.List(exchange, call, to, parameters);
    case Route::kShowDefinition:
      return datasets_.Show(exchange, call, to, parameters);
    case Route::kCreateDefinition:
      return datasets_.Create(exchange, call, to, parameters);
    case Route::kChangeDefinition:
      return datasets_.Change(exchange, call, to, parameters);
    case Route::kRenameDataset:
      return datasets_.Rename(exchange, call, to, parameters);
    case Route::kRemoveDefinition:
      return datasets_.Remove(exchange, call, to, parameters);
    case Route::kLegacyQuote:
    case Route::kLegacyField:
    case Route::kLegacyChart:
    case Route::kLegacyChartDate:
    case Route::kLegacyBatch:
    case Route::kLegacyMarketBatch:
      return legacy_.Answer(exchange, call, to, parameters, key_);
    case Route::kStatus:
    case Route::kCount:
      break;
  }
  chain_.Refuse(exchange, call, core::Refuse(Reason::kNotFound));
}

struct DataPlane::Shared {
  Shared(const Dependencies& dependencies, const DataPlaneOptions& options)
      : chain{Shares(std::max<std::uint64_t>(options.max_held_body_bytes,
                                             options.max_record_body_bytes),
                     std::max<std::uint64_t>(options.max_held_body_bytes_of_account,
                                             options.max_record_body_bytes)),
              Shares(std::max(options.max_held_answer_bytes, options.max_answer_bytes),
                     std::max(options.max_held_answer_bytes_of_account, options.max_answer_bytes)),
              LastLook(dependencies.index)},
        streams(dependencies.pool, options.max_uploads_at_once,
                options.max_uploads_at_once_of_account) {}

  const Routes routes;
  ChainShared chain;
  UploadStreams streams;
};

DataPlane::DataPlane(const Dependencies& dependencies, DataPlaneOptions options)
    : dependencies_(dependencies),
      options_(std::move(options)),
      shared_(std::make_unique<Shared>(dependencies_, options_)) {}

DataPlane::~DataPlane() = default;

std::unique_ptr<http::Handler> DataPlane::MakeHandler(int /*thread*/) {
  return std::make_unique<DataHandler>(dependencies_, options_, shared_->routes, shared_->chain,
                                       shared_->streams);
}

}  // namespace latchkey::gateway
