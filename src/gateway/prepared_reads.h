// Answers that are read from datasets: from memory where the same was asked before, else by the
// worker pool. One per handler, on its thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/answer_cache.h"
#include "gateway/chain.h"
#include "http/server.h"
#include "service/legacy_maps.h"

namespace latchkey::gateway {

// One read on its way to the pool and back.
struct ColdRead {
  using Interrupted = std::function<bool()>;

  Call call;
  std::string workspace;                    // in lower case
  std::vector<PreparedAnswer::Part> parts;  // what is read; `work` counts the records
  Timestamp valid_until = Timestamp::max();
  std::uint64_t maps_generation = 0;
  std::string_view content_type = kJsonContentType;
  std::string_view not_found_sentence =
      {};  // instead of the reason's own, where there is no detail
  // On the pool: reads the datasets of `parts`, counts their records there, and appends the text to
  // `body`. It may be called again with newer definitions. kInvalid and kLimit (of a query: its
  // answer is too large) are the caller's to mend.
  std::function<Status(ColdRead&, const Interrupted&)> work;

  std::string cache_key;
  std::chrono::nanoseconds deadline{};  // monotonic
  int attempts = 1;
  std::optional<http::Deferred> later;
  Status status;
  std::string body;
};

class PreparedReads {
 public:
  // Borrowed.
  PreparedReads(Chain& chain, AnswerCache& cache);

  // The answer that was prepared under this key and still holds, or null. Until the next call of
  // any method. No allocation, no lock.
  PreparedAnswer* Find(std::string_view key, Timestamp now);
  // May it be read by the token at hand? Every dataset in it is asked for.
  core::Decision Verify(Call& call, const http::Request& request, const PreparedAnswer& answer);
  void Answer(http::Exchange& exchange, const Call& call, PreparedAnswer& answer);

  // Looks the datasets up and verifies each: the right to all of them, before anything else of any
  // is told. On allow their entries are set.
  core::Decision Verify(Call& call, const http::Request& request, std::string_view workspace,
                        std::vector<PreparedAnswer::Part>& parts);
  // Sends it to the pool, verifies again when it comes back, answers, and keeps the answer.
  void Start(http::Exchange& exchange, std::shared_ptr<ColdRead> read, std::string_view cache_key);

  // The old forms' maps, and one more with each change of them that this thread has seen.
  const service::LegacyMapSet& Maps();
  std::uint64_t maps_generation() const { return maps_generation_; }

 private:
  bool Holds(PreparedAnswer& answer, Timestamp now);
  core::Decision VerifyParts(const Call& call, const http::Request& request,
                             std::string_view workspace,
                             const std::vector<PreparedAnswer::Part>& parts,
                             const service::Verdict& first);
  core::Facts FactsOf(const Call& call, const http::Request& request, std::string_view workspace,
                      const PreparedAnswer::Part& part) const;
  void Submit(http::Exchange& exchange, const std::shared_ptr<ColdRead>& read);
  void Finish(http::Exchange& exchange, const std::shared_ptr<ColdRead>& read);
  void RefuseRead(http::Exchange& exchange, const ColdRead& read);

  Chain& chain_;
  AnswerCache& cache_;
  service::LegacyMaps::Reader maps_;
  const service::LegacyMapSet* last_maps_ = nullptr;
  std::uint64_t maps_generation_ = 0;
};

}  // namespace latchkey::gateway
