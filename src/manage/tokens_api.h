// Tokens of one account: list, create, get, change, remove, disable, enable. One set of functions
// for both doors, /manage/v1/tokens and /operator/v1/accounts/{account}/tokens (wire.md §9).
// Thread-safe; everything blocks on the store and runs on the worker pool.
#pragma once

#include "core/ids.h"
#include "manage/call.h"
#include "service/idempotency.h"
#include "service/tokens.h"

namespace latchkey::manage {

class TokensApi {
 public:
  // Borrowed.
  TokensApi(service::Tokens& tokens, service::Answers& answers)
      : tokens_(tokens), answers_(answers) {}

  // One of the token routes. The token's id, where the path has one, is the last capture.
  Reply Run(const Call& call, core::AccountId account);

 private:
  Reply List(const Call& call, core::AccountId account);
  Reply Create(const Call& call, core::AccountId account);
  Reply Patch(const Call& call, core::AccountId account, core::TokenId id);
  Reply Remove(const Call& call, core::AccountId account, core::TokenId id);

  service::Tokens& tokens_;
  service::Answers& answers_;
};

// What a change needs of If-Match: the version that must stand, or none for `*`. A refusal
// otherwise: 428 without the field, 412 for another version, 400 for a malformed one.
struct WantedVersion {
  std::optional<std::int64_t> version;
  std::optional<Reply> refusal;
};
WantedVersion RequireIfMatch(const Call& call, std::int64_t standing_version);

}  // namespace latchkey::manage
