#include "service/verifier.h"

#include "base/crypto.h"
#include "core/token_text.h"

namespace latchkey::service {
namespace {

Verdict Decide(const TokenIndex::Found& found, const core::Facts& facts, Timestamp now) {
  if (found.token == nullptr) return {core::Refuse(core::Reason::kTokenInvalid)};
  return {core::Evaluate(*found.token, *found.account, facts, now), found.token, found.account};
}

}  // namespace

Verdict Verifier::Verify(std::string_view token_text, const core::Facts& facts, Timestamp now) {
  if (token_text.empty()) return {core::Refuse(core::Reason::kTokenRequired)};
  // Rubbish costs neither a hash nor a look-up.
  if (!core::ParseTokenText(token_text)) return {core::Refuse(core::Reason::kTokenInvalid)};
  return Decide(reader_->Find(Sha256(token_text)), facts, now);
}

Verdict Verifier::VerifyAgain(core::TokenId token, const core::Facts& facts, Timestamp now) {
  return Decide(reader_->Find(token), facts, now);
}

}  // namespace latchkey::service
