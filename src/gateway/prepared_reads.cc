#include "gateway/prepared_reads.h"

#include <utility>

#include "core/decision.h"
#include "gateway/data_api.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using core::Reason;
using http::Exchange;
using http::Request;

// A dataset may change while it is read; so often a read begins anew before it gives up.
constexpr int kMaxAttempts = 3;
constexpr std::uint32_t kSlowRetrySeconds = 1;

// On the pool.
void Work(const Clock& clock, ColdRead& read) {
  const auto interrupted = [&] {
    return clock.Monotonic() >= read.deadline || read.later->Abandoned();
  };
  if (interrupted()) {
    read.status = MakeError(ErrorCode::kUnavailable, {});
    return;
  }
  read.body.clear();
  for (PreparedAnswer::Part& part : read.parts) part.records = 0;
  read.status = read.work(read, interrupted);
  // It may be kept for long; moving it once more is better done here than on the I/O thread.
  read.body.shrink_to_fit();
}

std::uint64_t VersionOf(const service::CatalogueEntry& entry) {
  return entry.live->version.load(std::memory_order_acquire);
}

}  // namespace

PreparedReads::PreparedReads(Chain& chain, AnswerCache& cache)
    : chain_(chain), cache_(cache), maps_(chain.dependencies().legacy_maps) {}

const service::LegacyMapSet& PreparedReads::Maps() {
  const service::LegacyMapSet& set = maps_.Get();
  if (&set != last_maps_) {
    last_maps_ = &set;
    ++maps_generation_;
  }
  return set;
}

// ---- From memory

PreparedAnswer* PreparedReads::Find(std::string_view key, Timestamp now) {
  PreparedAnswer* answer = cache_.Find(key);
  if (answer == nullptr || Holds(*answer, now)) return answer;
  cache_.Erase(key);
  return nullptr;
}

bool PreparedReads::Holds(PreparedAnswer& answer, Timestamp now) {
  if (now >= answer.valid_until) return false;
  if (answer.maps_generation != 0) {
    Maps();
    if (answer.maps_generation != maps_generation_) return false;
  }
  const service::DatasetMap& map = chain_.Datasets();
  if (answer.checked_at != chain_.catalogue_generation()) {
    for (const PreparedAnswer::Part& part : answer.parts) {
      const auto found = map.find(part.dataset_key);
      if (found == map.end() || found->second != part.entry) return false;
    }
    answer.checked_at = chain_.catalogue_generation();
  }
  for (const PreparedAnswer::Part& part : answer.parts) {
    if (VersionOf(*part.entry) != part.version) return false;
  }
  return true;
}

Decision PreparedReads::Verify(Call& call, const Request& request, const PreparedAnswer& answer) {
  const core::Facts facts = FactsOf(call, request, answer.workspace, answer.parts.front());
  const service::Verdict first = chain_.Verify(call, request, facts);
  return VerifyParts(call, request, answer.workspace, answer.parts, first);
}

void PreparedReads::Answer(Exchange& exchange, const Call& call, PreparedAnswer& answer) {
  const bool free = exchange.request().method == http::Method::kHead;
  http::Response response;
  response.header_lines = (free ? answer.head_without_cost : answer.head).With(View(call.id));
  // Shared: peers that read a large answer slowly don't hold a copy each.
  response.shared_body = answer.body;
  chain_.metrics().CountRecords(free ? 0 : answer.records);
  chain_.Send(exchange, call, std::move(response), Reason::kNone, free ? 0 : answer.records,
              free ? Cost{} : answer.cost);
}

// ---- The verdict

core::Facts PreparedReads::FactsOf(const Call& call, const Request& request,
                                   std::string_view workspace,
                                   const PreparedAnswer::Part& part) const {
  return DatasetFacts(request, call.client, workspace,
                      part.entry == nullptr ? nullptr : &part.entry->dataset);
}

// `first` is the verdict over the first part.
Decision PreparedReads::VerifyParts(const Call& call, const Request& request,
                                    std::string_view workspace,
                                    const std::vector<PreparedAnswer::Part>& parts,
                                    const service::Verdict& first) {
  if (parts.size() == 1 || first.token == nullptr) return first.decision;
  // The right to every one of them before the existence or the environment of any.
  for (const PreparedAnswer::Part& part : parts) {
    core::Facts facts = FactsOf(call, request, workspace, part);
    facts.dataset_exists = facts.dataset_test = true;
    Decision right = core::Evaluate(*first.token, *first.account, facts, call.now);
    if (!right.allowed()) return right;
  }
  for (const PreparedAnswer::Part& part : parts) {
    Decision decision = core::Evaluate(*first.token, *first.account,
                                       FactsOf(call, request, workspace, part), call.now);
    if (!decision.allowed()) return decision;
  }
  return core::Allow();
}

Decision PreparedReads::Verify(Call& call, const Request& request, std::string_view workspace,
                               std::vector<PreparedAnswer::Part>& parts) {
  for (PreparedAnswer::Part& part : parts) part.entry = chain_.Find(part.dataset_key);
  const service::Verdict first =
      chain_.Verify(call, request, FactsOf(call, request, workspace, parts.front()));
  return VerifyParts(call, request, workspace, parts, first);
}

// ---- From the store

void PreparedReads::Start(Exchange& exchange, std::shared_ptr<ColdRead> read,
                          std::string_view cache_key) {
  read->cache_key = cache_key;
  read->deadline = read->call.started + chain_.options().query_timeout;
  read->later = exchange.Defer();
  chain_.metrics().CountCache(false);
  Submit(exchange, read);
}

void PreparedReads::Submit(Exchange& exchange, const std::shared_ptr<ColdRead>& read) {
  // Before the records are read: what is written meanwhile makes another version.
  for (PreparedAnswer::Part& part : read->parts) part.version = VersionOf(*part.entry);
  const Clock& clock = chain_.dependencies().clock;
  const bool taken = chain_.dependencies().pool.Submit(read->call.lane(), [this, read, &clock] {
    Work(clock, *read);
    // `this` is used on its own thread alone, where the connection outlives no handler.
    read->later->Post([this, read](Exchange& later) { Finish(later, read); });
  });
  if (!taken) chain_.RefuseBusy(exchange, read->call);
}

void PreparedReads::Finish(Exchange& exchange, const std::shared_ptr<ColdRead>& read) {
  const Request& request = exchange.request();
  Call& call = read->call;
  call.now = chain_.dependencies().clock.Now();
  std::vector<PreparedAnswer::Part> now = read->parts;
  for (PreparedAnswer::Part& part : now) part.entry = chain_.Find(part.dataset_key);

  // What was allowed before may be gone now.
  const service::Verdict first =
      chain_.VerifyAgain(call, FactsOf(call, request, read->workspace, now.front()));
  const Decision decision = VerifyParts(call, request, read->workspace, now, first);
  if (!decision.allowed()) return chain_.Refuse(exchange, call, decision);

  bool changed = false;   // the definition of one of them
  bool replaced = false;  // one of them is another dataset
  for (std::size_t i = 0; i < now.size(); ++i) {
    changed = changed || now[i].entry != read->parts[i].entry;
    replaced = replaced || now[i].entry->dataset.id != read->parts[i].entry->dataset.id;
  }
  if (changed && (!read->status.ok() || replaced) && read->attempts < kMaxAttempts) {
    ++read->attempts;
    read->status = {};
    read->parts = std::move(now);
    return Submit(exchange, read);
  }
  if (!read->status.ok()) return RefuseRead(exchange, *read);

  auto answer = std::make_unique<PreparedAnswer>();
  for (const PreparedAnswer::Part& part : now) {
    const Cost cost = CostOf(part.entry->dataset, part.records);
    answer->cost.core += cost.core;
    answer->cost.premium += cost.premium;
    answer->records += part.records;
  }
  answer->head = chain_.responder().MakeHead(read->content_type, answer->cost);
  answer->head_without_cost = chain_.responder().MakeHead(read->content_type, Cost{});
  answer->body = chain_.Hold(call, std::move(read->body));
  if (answer->body == nullptr) {
    return chain_.Refuse(exchange, call,
                         core::Refuse(Reason::kUnavailable,
                                      "Answers that nobody has read yet take all the memory there "
                                      "is for them; read them, ask for less, or try again."),
                         {.retry_after = kSlowRetrySeconds});
  }
  Answer(exchange, call, *answer);
  // What was read before a change is a right answer to a request of before it, and to no other.
  const bool old_maps = read->maps_generation != 0 && read->maps_generation != maps_generation_;
  if (changed || old_maps || call.now >= read->valid_until) return;
  answer->key = std::move(read->cache_key);
  answer->workspace = std::move(read->workspace);
  answer->parts = std::move(now);
  answer->checked_at = chain_.catalogue_generation();
  answer->valid_until = read->valid_until;
  answer->maps_generation = read->maps_generation;
  cache_.Put(std::move(answer));
}

void PreparedReads::RefuseRead(Exchange& exchange, const ColdRead& read) {
  Error error = read.status.error();
  // A plan's limits are not met while reading: the answer itself is too large.
  if (error.code == ErrorCode::kLimit) error.code = ErrorCode::kInvalid;
  const bool mendable = error.code == ErrorCode::kInvalid || error.code == ErrorCode::kNotFound;
  if (!mendable && chain_.dependencies().clock.Monotonic() >= read.deadline) {
    return chain_.Refuse(
        exchange, read.call,
        core::Refuse(Reason::kUnavailable, "The query took too long; ask for less, or try again."),
        {.retry_after = kSlowRetrySeconds});
  }
  const bool absent = error.code == ErrorCode::kNotFound && error.public_text.empty();
  chain_.Refuse(exchange, read.call, error,
                {.sentence = absent ? read.not_found_sentence : std::string_view()});
}

}  // namespace latchkey::gateway
