// Use cases of tokens: create, list, get, change, disable, enable, remove (wire.md §9). Everything
// here blocks on the store and runs on the worker pool. Thread-safe.
//
// A change is on disk and in force in the index of this process when its function returns ok: every
// look-up that begins after that obeys it. kUnknown (the outcome of the commit is not known) leaves
// the stricter side in force: a removal or a disabling is applied, a creation or an enabling is
// not, unless the store shows that it was done.
//
// A change whose outcome is not known may be tried again: the stricter side then stands until the
// store has answered clearly.
//
// Errors: kInvalid with `fields` named as in the management API, kNotFound (a token of another
// account too), kStale (the version is another), kLimit (the plan's maximum of tokens), kConflict
// (a ninth enabled secret token; see also idempotency.h), kUnavailable, kUnknown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/thread_annotations.h"
#include "base/time.h"
#include "core/audit.h"
#include "core/ids.h"
#include "core/token.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "service/idempotency.h"
#include "service/master_key.h"
#include "service/page.h"
#include "service/state.h"
#include "store/store.h"

namespace latchkey::service {

// An account may have so many enabled secret tokens: a signed request is tried against each of them
// (wire.md §3).
inline constexpr std::uint32_t kMaxEnabledSecrets = 8;

// What may be set of a token, when it is made and later. Absent: the default, or as it stands.
struct TokenSettings {
  std::optional<std::string> nickname;
  std::optional<std::vector<core::Label>> labels;
  std::optional<std::string> end_user;  // empty: none. Publishable tokens only.
  std::optional<bool> enabled;
  std::optional<std::optional<Timestamp>> expires_at;  // null: never; else in the future
  std::optional<bool> core_data_access;                // publishable tokens only
};

struct NewToken {
  core::TokenKind kind = core::TokenKind::kPublishable;
  core::Environment environment = core::Environment::kLive;
  TokenSettings settings;
};

// `text` is the whole text, which is shown this once (a publishable one always).
struct CreatedToken {
  core::TokenRecord record;
  Secret text;
};

class Tokens {
 public:
  // References are borrowed and must outlive this. `entropy` must be thread-safe.
  Tokens(store::Store& store, State& state, KeyRing& keys, const Clock& clock, Entropy& entropy)
      : store_(store), state_(state), keys_(keys), clock_(clock), entropy_(entropy) {}

  Result<CreatedToken> Create(core::AccountId account, const NewToken& token, core::Actor actor,
                              const IdempotencyRecord<CreatedToken>* idempotency = nullptr);

  // Oldest first. `search`: of nickname, end user, a label's value, or the shown text.
  Result<Paged<core::TokenRecord>> List(core::AccountId account, const PageRequest& page);
  Result<core::TokenRecord> Get(core::AccountId account, core::TokenId id);

  // `expected_version`: what If-Match named; absent (`If-Match: *`, or a verb): whatever stands.
  // Returns the token as it then is. Settings that change nothing change no version.
  Result<core::TokenRecord> Patch(core::AccountId account, core::TokenId id,
                                  const TokenSettings& settings,
                                  std::optional<std::int64_t> expected_version, core::Actor actor);
  Result<core::TokenRecord> Disable(core::AccountId account, core::TokenId id, core::Actor actor);
  Result<core::TokenRecord> Enable(core::AccountId account, core::TokenId id, core::Actor actor);
  Status Remove(core::AccountId account, core::TokenId id,
                std::optional<std::int64_t> expected_version, core::Actor actor);

 private:
  struct Precondition {
    std::optional<std::int64_t> version;
    bool asked = false;  // the caller could have named one
  };
  Result<core::TokenRecord> Change(core::AccountId account, core::TokenId id,
                                   const TokenSettings& settings, const Precondition& precondition,
                                   std::string_view action, core::Actor actor);

  store::Store& store_;
  State& state_;
  KeyRing& keys_;
  const Clock& clock_;
  Entropy& entropy_;
};

}  // namespace latchkey::service
