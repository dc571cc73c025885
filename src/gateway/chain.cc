#include "gateway/chain.h"

#include <algorithm>
#include <cstring>

#include "base/encoding.h"
#include "gateway/body_token.h"
#include "gateway/data_api.h"
#include "http/client_address.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using core::Reason;
using http::Exchange;
using http::Request;

constexpr std::uint32_t kBusyRetrySeconds = 1;
// Of smaller ones a listener's connections don't hold much, and most stand in the output already.
constexpr std::size_t kLargeAnswerBytes = 64 * 1024;

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

// wire.md §1: where an old client's POST may bring its token in the body.
bool MayHoldToken(const Request& request) {
  return request.method == http::Method::kPost && request.has_body &&
         (request.path.starts_with("/stable/") || request.path.starts_with("/v1/account/"));
}

// What the body will take. A chunked one does not say: as much as it may. One that is too large is
// refused for that as soon as it is read.
std::uint64_t BytesAhead(const Request& request, std::size_t max_bytes) {
  if (!request.has_body) return 0;
  const std::string_view field = request.Find("Content-Length");
  if (field.data() == nullptr) return max_bytes;
  const std::optional<std::uint64_t> length = ParseUint64(field);
  return length && *length <= max_bytes ? *length : 0;
}

}  // namespace

RequestIds::RequestIds(Entropy& entropy) {
  const std::string start = entropy.Base62(kRandomBytes);
  next_.fill('0');
  std::memcpy(next_.data(), start.data(), kRandomBytes);
}

RequestId RequestIds::Next() {
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

Target TargetOf(std::string_view workspace, std::string_view dataset, core::Action action,
                bool creates) {
  Target target;
  target.workspace = ToLower(workspace);
  target.key = DatasetKey(workspace, dataset);
  target.action = action;
  target.creates = creates;
  return target;
}

Chain::Chain(const Dependencies& dependencies, const DataPlaneOptions& options, ChainShared& shared)
    : dependencies_(dependencies),
      options_(options),
      shared_(shared),
      ids_(dependencies.entropy),
      verifier_(dependencies.index),
      catalogue_(dependencies.catalogue),
      responder_(options.hsts),
      log_(dependencies.access_log.MakeWriter()),
      metrics_(dependencies.metrics.MakeBlock(options.plane)) {}

Call Chain::Begin() {
  Call call;
  call.id = ids_.Next();
  call.started = dependencies_.clock.Monotonic();
  call.now = dependencies_.clock.Now();
  return call;
}

void Chain::OnTick() {
  log_->Flush();
  verifier_.Quiesce();
}

// ---- What is there

const service::DatasetMap& Chain::Datasets() {
  const service::DatasetMap& map = catalogue_.Get();
  // The reader holds the map that it gave until it gives another one, so a new one never stands at
  // the old one's address.
  if (&map != last_map_) {
    last_map_ = &map;
    ++catalogue_generation_;
  }
  return map;
}

EntryPointer Chain::Find(std::string_view dataset_key) {
  const service::DatasetMap& map = Datasets();
  const auto found = map.find(dataset_key);
  return found == map.end() ? nullptr : found->second;
}

// ---- The verdict

service::Verdict Chain::Verify(Call& call, const Request& request, const core::Facts& facts) {
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

service::Verdict Chain::VerifyAgain(const Call& call, const core::Facts& facts) {
  return verifier_.VerifyAgain(call.token, facts, call.now);
}

core::Facts Chain::FactsOf(const Call& call, const Request& request, const Target& target,
                           EntryPointer& entry) {
  if (target.whole_workspace) return WorkspaceFacts(request, call.client, target.workspace);
  entry = Find(target.key);
  core::Facts facts = DatasetFacts(request, call.client, target.workspace,
                                   entry == nullptr ? nullptr : &entry->dataset);
  facts.action = target.action;
  facts.creates = target.creates;
  return facts;
}

Decision Chain::Verify(Call& call, const Request& request, const Target& target,
                       EntryPointer& entry) {
  return Verify(call, request, FactsOf(call, request, target, entry)).decision;
}

Decision Chain::VerifyAgain(Call& call, const Request& request, const Target& target,
                            EntryPointer& entry) {
  call.now = dependencies_.clock.Now();
  return VerifyAgain(call, FactsOf(call, request, target, entry)).decision;
}

// The request's views don't last until then; the facts see the target that stands beside them. The
// chain may be gone by then, its listener's things are not.
std::function<Decision()> Chain::VerdictOnPool(const Call& call, const Request& request,
                                               const Target& target) {
  auto kept = std::make_shared<const Target>(target);
  EntryPointer entry;
  const core::Facts facts = FactsOf(call, request, *kept, entry);
  return [&dependencies = dependencies_, &last_look = shared_.last_look, token = call.token, kept,
          facts] {
    core::Facts now = facts;
    const EntryPointer stands = dependencies.catalogue.Find(
        kept->workspace, std::string_view(kept->key).substr(kept->workspace.size() + 1));
    now.dataset_exists = stands != nullptr;
    now.dataset_test = stands != nullptr && stands->dataset.test;
    return last_look.Verify(token, now, dependencies.clock.Now());
  };
}

// ---- The body

void Chain::ReadVerifiedBody(Exchange& exchange, const Call& begun, Target target,
                             const Status& question, std::size_t max_bytes, WithBody done) {
  const Request& request = exchange.request();
  Call call = begun;
  const bool may_hold_token = MayHoldToken(request);
  const bool waits_for_token = may_hold_token && credential_.text.empty();
  if (waits_for_token) {
    max_bytes = std::min(max_bytes, kMaxTokenBodyBytes);
  } else {
    EntryPointer entry;
    const Decision decision = Verify(call, request, target, entry);
    if (!decision.allowed()) return Refuse(exchange, call, decision);
    if (!question.ok()) return Refuse(exchange, call, question.error());
  }
  call.held = shared_.bodies.Take(call.lane(), BytesAhead(request, max_bytes));
  if (call.held == nullptr) {
    return Refuse(exchange, call,
                  core::Refuse(Reason::kUnavailable,
                               "Bodies of other requests take all the memory there is for them; "
                               "send fewer at a time, or try again."),
                  {.retry_after = kBusyRetrySeconds});
  }
  exchange.ReadBody(max_bytes, [this, call, target = std::move(target), question, may_hold_token,
                                head_token = std::string(credential_.text), done = std::move(done)](
                                   Exchange& read, std::string_view body) mutable {
    EntryPointer entry;
    std::string without_token;
    const Decision decision =
        JudgeBody(read, call, target, head_token, may_hold_token, entry, body, without_token);
    if (!decision.allowed()) return Refuse(read, call, decision);
    if (!question.ok()) return Refuse(read, call, question.error());
    done(read, call, entry, body);
  });
}

Decision Chain::JudgeBody(Exchange& exchange, Call& call, const Target& target,
                          const std::string& head_token, bool may_hold_token, EntryPointer& entry,
                          std::string_view& body, std::string& without_token) {
  const Request& request = exchange.request();
  std::string text = head_token;
  if (may_hold_token) {
    // In a record a member of that name is data, unless it looks like a token.
    const bool is_record = target.action == core::Action::kWrite;
    if (std::optional<BodyToken> found = FindBodyToken(body, is_record)) {
      if (found->another || (!text.empty() && !found->text.empty() && text != found->text)) {
        return TwoTokens();
      }
      if (text.empty()) text = std::move(found->text);
      without_token = std::move(found->rest);
      body = without_token;
    }
  }
  // It was verified already; the body may have taken long.
  if (!head_token.empty()) return VerifyAgain(call, request, target, entry);
  call.now = dependencies_.clock.Now();
  credential_.Clear();
  credential_.decoded_query = std::move(text);
  credential_.text = credential_.decoded_query;
  return Verify(call, request, target, entry);
}

std::shared_ptr<const std::string> Chain::Hold(const Call& call, std::string text) {
  auto body = std::make_shared<const std::string>(std::move(text));
  if (body->size() < kLargeAnswerBytes) return body;
  struct Held {
    std::shared_ptr<const std::string> body;
    Shares::Held share;
  };
  auto held =
      std::make_shared<const Held>(Held{body, shared_.answers.Take(call.lane(), body->size())});
  if (held->share == nullptr) return nullptr;
  const std::string* text_held = body.get();
  return {std::move(held), text_held};
}

core::Actor Chain::ActorOf(const Call& call) {
  return {call.token.ToString(), call.client.ToString(), std::string(View(call.id))};
}

// ---- The answer

void Chain::AnswerJson(Exchange& exchange, const Call& call, std::string_view body) {
  HeaderBlock head = responder_.MakeHead(kJsonContentType, Cost{});
  http::Response response;
  response.header_lines = head.With(View(call.id));
  response.body = body;
  Send(exchange, call, std::move(response), Reason::kNone, 0, {});
}

void Chain::Refuse(Exchange& exchange, const Call& call, const Decision& decision,
                   const RefusalExtra& extra) {
  Send(exchange, call,
       responder_.Refusal(decision, View(call.id), AcceptsProblemJson(exchange.request()), extra),
       decision.reason, 0, {});
}

void Chain::Refuse(Exchange& exchange, const Call& call, const Error& error,
                   const RefusalExtra& extra) {
  Decision decision = RefusalOf(error);
  if (core::Describe(decision.reason).status >= 500) {
    dependencies_.log.Error("a request failed", {{"request_id", View(call.id)},
                                                 {"path", exchange.request().path},
                                                 {"error", error.internal_text}});
  }
  Refuse(exchange, call, decision, extra);
}

void Chain::RefuseBusy(Exchange& exchange, const Call& call) {
  Refuse(exchange, call,
         core::Refuse(Reason::kUnavailable, "Too many requests wait already; try again."),
         {.retry_after = kBusyRetrySeconds});
}

void Chain::OnProtocolError(http::ProtocolError error, std::string_view detail,
                            const IpAddress& peer, http::Response& answer) {
  Call call = Begin();
  call.client = peer;
  const Reason reason = ReasonOf(error);
  answer = responder_.Refusal(core::Refuse(reason, std::string(detail)), View(call.id), false);
  Record(call, {}, {}, answer, reason, 0, {});
}

void Chain::Send(Exchange& exchange, const Call& call, http::Response&& response, Reason reason,
                 std::uint64_t records, Cost cost) {
  // Before the answer: the request's views end with it.
  const Request& request = exchange.request();
  Record(call, request.method_text, request.path, response, reason, records, cost);
  exchange.Answer(std::move(response));
}

void Chain::Record(const Call& call, std::string_view method, std::string_view path,
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

}  // namespace latchkey::gateway
