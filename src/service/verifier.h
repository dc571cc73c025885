// The hot path: from a token's text and the facts of a request to a verdict. No allocation where
// the answer is yes.
#pragma once

#include <memory>
#include <string_view>

#include "core/decision.h"
#include "env/clock.h"
#include "service/token_index.h"

namespace latchkey::service {

// token and account are null where the token is not known; they hold until the verifier's next
// call.
struct Verdict {
  core::Decision decision;
  const core::Token* token = nullptr;
  const core::Account* account = nullptr;
};

// One per I/O thread; used on that thread alone.
class Verifier {
 public:
  explicit Verifier(TokenIndex& index) : reader_(index.MakeReader()) {}

  // Empty text: kTokenRequired. Rubbish: kTokenInvalid without a look-up. Else look-up and
  // Evaluate.
  Verdict Verify(std::string_view token_text, const core::Facts& facts, Timestamp now);
  // Once more, after something slow, by the token's identity: what was allowed then may be gone
  // now.
  Verdict VerifyAgain(core::TokenId token, const core::Facts& facts, Timestamp now);
  void Quiesce() { reader_->Quiesce(); }

 private:
  std::unique_ptr<TokenIndex::Reader> reader_;
};

}  // namespace latchkey::service
