#include "service/mint.h"

#include "base/crypto.h"
#include "core/token_text.h"

namespace latchkey::service {

std::int64_t DrawId(Entropy& entropy) {
  return static_cast<std::int64_t>(entropy.Below(INT64_MAX)) + 1;
}

Result<CreatedToken> MintToken(const MintOrder& order, const KeyRing::Lease& lease,
                               Entropy& entropy) {
  CreatedToken created;
  core::Token& token = created.record.token;
  core::TokenProfile& profile = created.record.profile;
  created.text = Secret(core::MakeTokenText(order.kind, order.environment,
                                            entropy.Base62(core::kTokenRandomCharacters)));
  token.id = order.id;
  token.account = order.account;
  token.kind = order.kind;
  token.environment = order.environment;
  token.created_at = order.now;
  token.digest = Sha256(created.text.Reveal());
  profile.created_by = order.created_by;
  if (order.kind == core::TokenKind::kPublishable) {
    profile.shown_text = created.text.Reveal();
    return created;
  }
  profile.shown_text = core::RedactTokenText(created.text.Reveal());
  if (Status status = lease.SealKeyState(token, created.text, profile); !status.ok()) {
    return std::move(status).error();
  }
  return created;
}

}  // namespace latchkey::service
