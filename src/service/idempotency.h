// Idempotency-Key on POST (wire.md §9): the answer of the first call is given again for 24 h.
//
// The caller makes the digests and seals the answer under a key derived from the credential and the
// key's text; nothing here can open it. The order of a handler: Find; if it is there, compare
// body_digest (another body: 409) and give the sealed answer again; else do the work with an
// IdempotencyRecord. A kConflict then may come from a second call with the same key that was
// faster: Find once more before refusing.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/result.h"
#include "env/clock.h"
#include "store/store.h"

namespace latchkey::service {

inline constexpr std::chrono::hours kAnswersKept{24};

// Passed to a creation; the answer is stored in the creation's own transaction. `seal` gets what
// was created, whole text included, and returns the sealed answer; it is called at most once,
// before the commit.
template <typename Created>
struct IdempotencyRecord {
  std::string scope;  // principal and route
  Digest key_digest{};
  Digest body_digest{};
  std::function<std::string(const Created&)> seal;
};

struct EarlierAnswer {
  Digest body_digest{};
  std::string sealed_answer;
};

// Thread-safe; blocks on the store.
class Answers {
 public:
  // References are borrowed and must outlive this.
  Answers(store::Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  // nullopt: no such call in the last 24 h.
  Result<std::optional<EarlierAnswer>> Find(std::string_view scope, const Digest& key_digest);

 private:
  store::Store& store_;
  const Clock& clock_;
};

}  // namespace latchkey::service
