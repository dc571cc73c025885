// Making a token: text, digest, and for a secret the sealed key state. Nothing is stored.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"
#include "core/token.h"
#include "env/entropy.h"
#include "service/master_key.h"
#include "service/tokens.h"

namespace latchkey::service {

// 1 to 2^63-1.
std::int64_t DrawId(Entropy& entropy);

struct MintOrder {
  core::TokenId id;
  core::AccountId account;
  core::TokenKind kind = core::TokenKind::kPublishable;
  core::Environment environment = core::Environment::kLive;
  Timestamp now{};
  std::string created_by;
};

// Enabled, with every other setting at its default. Commit it under the same lease.
Result<CreatedToken> MintToken(const MintOrder& order, const KeyRing::Lease& lease,
                               Entropy& entropy);

}  // namespace latchkey::service
