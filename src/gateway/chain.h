// What every part of the data plane does alike, on one I/O thread: a request begins, its token is
// verified, it is answered or refused, and each answer is one line in the log. The parts
// (records_get.h, record_writes.h, datasets_api.h, uploads_api.h, legacy_api.h) hold a Chain and do
// the work of their paths.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "base/time.h"
#include "core/audit.h"
#include "core/decision.h"
#include "env/shares.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "gateway/routes.h"
#include "gateway/translate.h"
#include "http/server.h"
#include "service/catalogue.h"
#include "service/verifier.h"

namespace latchkey::gateway {

using RequestId = std::array<char, kRequestIdBytes>;
inline std::string_view View(const RequestId& id) { return {id.data(), id.size()}; }

// Unique without a look at anybody else: random characters drawn once, then a count in base62.
class RequestIds {
 public:
  explicit RequestIds(Entropy& entropy);
  RequestId Next();

 private:
  static constexpr std::size_t kRandomBytes = 8;
  RequestId next_;
};

// What is known of a request on its way.
struct Call {
  RequestId id;
  std::chrono::nanoseconds started{};  // monotonic
  Timestamp now{};
  IpAddress client;
  core::TokenId token;
  core::AccountId account;

  // Memory that its body takes; goes with the last copy.
  Shares::Held held;

  std::int64_t lane() const { return account.value; }  // of the worker pool, and of shares
};

using EntryPointer = std::shared_ptr<const service::CatalogueEntry>;

// One dataset as a request names it, and what is wanted of it.
struct Target {
  std::string workspace;  // in lower case
  std::string key;        // "workspace/name" in lower case: its place in the catalogue
  core::Action action = core::Action::kRead;
  bool creates = false;  // the request makes it if it is not there
  // Not the dataset but the workspace's own things: its jobs.
  bool whole_workspace = false;
};
Target TargetOf(std::string_view workspace, std::string_view dataset,
                core::Action action = core::Action::kRead, bool creates = false);

// The verdict on the worker pool, where something that was allowed when it was handed in is about
// to be done. Thread-safe.
class LastLook {
 public:
  explicit LastLook(service::TokenIndex& index) : verifier_(index) {}

  core::Decision Verify(core::TokenId token, const core::Facts& facts, Timestamp now)
      EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    core::Decision decision = verifier_.VerifyAgain(token, facts, now).decision;
    verifier_.Quiesce();
    return decision;
  }

 private:
  Mutex mutex_;
  service::Verifier verifier_ GUARDED_BY(mutex_);
};

// What all handlers of a listener share; thread-safe.
struct ChainShared {
  Shares bodies;   // the bytes of bodies that are held in memory
  Shares answers;  // and of large answers
  LastLook last_look;
};

class Chain {
 public:
  // Borrowed, all of them.
  Chain(const Dependencies& dependencies, const DataPlaneOptions& options, ChainShared& shared);

  Call Begin();
  void OnTick();

  // ---- What is there

  // Holds until the next call of it.
  const service::DatasetMap& Datasets();
  // One more with each change of the catalogue that this thread has seen, by Datasets().
  std::uint64_t catalogue_generation() const { return catalogue_generation_; }
  EntryPointer Find(std::string_view dataset_key);

  // ---- The verdict

  // Of the request at hand.
  Credential& credential() { return credential_; }
  // By the credential at hand. The pointers of the verdict hold until the next one.
  service::Verdict Verify(Call& call, const http::Request& request, const core::Facts& facts);
  // Once more, after something slow, by the token's identity.
  service::Verdict VerifyAgain(const Call& call, const core::Facts& facts);
  // The same of a target; `entry` becomes what stands there now, null where nothing does.
  core::Decision Verify(Call& call, const http::Request& request, const Target& target,
                        EntryPointer& entry);
  core::Decision VerifyAgain(Call& call, const http::Request& request, const Target& target,
                             EntryPointer& entry);

  // ---- The body

  // Verifies by the head, refuses by `question` (what is wrong with the parameters; only who may
  // ask learns it), and only then reads the body: who waits for 100 Continue sends none for
  // nothing. When it is there, verifies again and calls `done`, on this thread. The body's view
  // holds until the call returns. A POST under /stable or /account may bring its token in the body
  // (wire.md §1); without one in the head, it is read first, at most 64 KiB, and the token is taken
  // out of it. A body for which there is no room in memory is refused before it is read.
  using WithBody =
      std::function<void(http::Exchange&, Call&, const EntryPointer&, std::string_view body)>;
  void ReadVerifiedBody(http::Exchange& exchange, const Call& call, Target target,
                        const Status& question, std::size_t max_bytes, WithBody done);

  // ---- The worker pool

  // Runs `work` there, in the account's lane, then `done` with its result on this thread, if the
  // connection still stands. A pool without room refuses at once.
  template <typename T>
  void OnPool(http::Exchange& exchange, const Call& call, std::function<T()> work,
              std::function<void(http::Exchange&, Call&, T&)> done);

  // The same for what changes something: it may have waited for its turn, so the verdict is asked
  // once more where it begins, and `work` is left out if it is no.
  template <typename T>
  void Act(http::Exchange& exchange, const Call& call, const Target& target,
           std::function<T()> work, std::function<void(http::Exchange&, Call&, T&)> done);
  // That verdict, to be asked on the pool.
  std::function<core::Decision()> VerdictOnPool(const Call& call, const http::Request& request,
                                                const Target& target);

  // An answer's text, to be held for as long as somebody reads it. Null: the account, or all
  // together, hold too much already.
  std::shared_ptr<const std::string> Hold(const Call& call, std::string text);

  // Who asks, for the audit log.
  static core::Actor ActorOf(const Call& call);

  // ---- The answer

  void AnswerJson(http::Exchange& exchange, const Call& call, std::string_view body);  // free
  void Refuse(http::Exchange& exchange, const Call& call, const core::Decision& decision,
              const RefusalExtra& extra = {});
  // By its code (ReasonOf in respond.h); what the caller can't mend is logged.
  void Refuse(http::Exchange& exchange, const Call& call, const Error& error,
              const RefusalExtra& extra = {});
  void RefuseBusy(http::Exchange& exchange, const Call& call);
  void Send(http::Exchange& exchange, const Call& call, http::Response&& response,
            core::Reason reason, std::uint64_t records, Cost cost);
  void OnProtocolError(http::ProtocolError error, std::string_view detail, const IpAddress& peer,
                       http::Response& answer);

  Responder& responder() { return responder_; }
  ThreadMetrics& metrics() { return metrics_; }
  const Dependencies& dependencies() const { return dependencies_; }
  const DataPlaneOptions& options() const { return options_; }

 private:
  void Record(const Call& call, std::string_view method, std::string_view path,
              const http::Response& response, core::Reason reason, std::uint64_t records,
              Cost cost);
  core::Facts FactsOf(const Call& call, const http::Request& request, const Target& target,
                      EntryPointer& entry);
  core::Decision JudgeBody(http::Exchange& exchange, Call& call, const Target& target,
                           const std::string& head_token, bool may_hold_token, EntryPointer& entry,
                           std::string_view& body, std::string& without_token);

  const Dependencies& dependencies_;
  const DataPlaneOptions& options_;
  ChainShared& shared_;
  RequestIds ids_;
  service::Verifier verifier_;
  service::Catalogue::Reader catalogue_;
  Responder responder_;
  const std::unique_ptr<AccessLog::Writer> log_;
  ThreadMetrics& metrics_;

  std::uint64_t catalogue_generation_ = 0;
  const service::DatasetMap* last_map_ = nullptr;
  // Of the request at hand; kept for its memory.
  Credential credential_;
  // The last account that was logged, as text: most requests in a row are of a few accounts.
  core::AccountId logged_account_;
  std::string account_text_;
};

template <typename T>
void Chain::OnPool(http::Exchange& exchange, const Call& call, std::function<T()> work,
                   std::function<void(http::Exchange&, Call&, T&)> done) {
  struct Job {
    Call call;
    http::Deferred later;
    std::function<T()> work;
    std::function<void(http::Exchange&, Call&, T&)> done;
    std::optional<T> result;
  };
  auto job = std::make_shared<Job>(
      Job{call, exchange.Defer(), std::move(work), std::move(done), std::nullopt});
  const bool taken = dependencies_.pool.Submit(call.lane(), [this, job] {
    job->result.emplace(job->work());
    // `this` is used on its own thread alone, where the connection outlives no handler.
    job->later.Post([this, job](http::Exchange& later) {
      job->call.now = dependencies_.clock.Now();
      job->done(later, job->call, *job->result);
    });
  });
  if (!taken) RefuseBusy(exchange, call);
}

template <typename T>
void Chain::Act(http::Exchange& exchange, const Call& call, const Target& target,
                std::function<T()> work, std::function<void(http::Exchange&, Call&, T&)> done) {
  struct Outcome {
    core::Decision decision;
    std::optional<T> result;
  };
  OnPool<Outcome>(
      exchange, call,
      [verdict = VerdictOnPool(call, exchange.request(), target), work = std::move(work)] {
        Outcome outcome{verdict(), std::nullopt};
        if (outcome.decision.allowed()) outcome.result.emplace(work());
        return outcome;
      },
      [this, done = std::move(done)](http::Exchange& later, Call& at, Outcome& outcome) {
        if (!outcome.decision.allowed()) return Refuse(later, at, outcome.decision);
        done(later, at, *outcome.result);
      });
}

}  // namespace latchkey::gateway
