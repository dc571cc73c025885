#include "service/verifier.h"

#include <string>

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "core/token_text.h"

namespace latchkey::service {
namespace {

using core::Reason;

const Timestamp kNow = FromUnixMillis(1'800'000'000'000);
const std::string kText = core::MakeTokenText(
    core::TokenKind::kPublishable, core::Environment::kLive, "abcdefghijklmnopqrstuvwxyz0123");

class VerifierTest : public testing::Test {
 protected:
  VerifierTest() {
    account_.id = core::AccountId{1};
    account_.workspace = "acme";
    index_.Put(account_);
    token_.id = core::TokenId{2};
    token_.account = account_.id;
    token_.digest = Sha256(kText);
    index_.Put(token_);
    facts_.dataset_class = core::DatasetClass::kCore;
    facts_.workspace = "core";
    facts_.dataset_exists = true;
  }

  TokenIndex index_;
  core::Account account_;
  core::Token token_;
  core::Facts facts_;
  Verifier verifier_{index_};
};

TEST_F(VerifierTest, AllowsAKnownTokenAndNamesItAndItsAccount) {
  const Verdict verdict = verifier_.Verify(kText, facts_, kNow);
  EXPECT_TRUE(verdict.decision.allowed());
  ASSERT_NE(verdict.token, nullptr);
  EXPECT_EQ(verdict.token->id, token_.id);
  EXPECT_EQ(verdict.account->workspace, "acme");
}

TEST_F(VerifierTest, RefusesNoTokenRubbishAndTheUnknown) {
  EXPECT_EQ(verifier_.Verify("", facts_, kNow).decision.reason, Reason::kTokenRequired);
  std::string mistyped = kText;
  mistyped[10] ^= 1;
  const std::string unknown = core::MakeTokenText(
      core::TokenKind::kSecret, core::Environment::kLive, "abcdefghijklmnopqrstuvwxyz0124");
  for (const std::string& text : {std::string("x"), mistyped, kText + "0", unknown,
                                  std::string("pk_0123456789abcdef0123456789abcdef")}) {
    const Verdict verdict = verifier_.Verify(text, facts_, kNow);
    EXPECT_EQ(verdict.decision.reason, Reason::kTokenInvalid);
    EXPECT_EQ(verdict.decision.detail, "");  // the three can't be told apart
    EXPECT_EQ(verdict.token, nullptr);
    EXPECT_EQ(verdict.account, nullptr);
  }
}

// A known token stands in the verdict of a refusal too: the log names it.
TEST_F(VerifierTest, NamesTheTokenOfARefusal) {
  token_.enabled = false;
  index_.Put(token_);
  const Verdict verdict = verifier_.Verify(kText, facts_, kNow);
  EXPECT_EQ(verdict.decision.reason, Reason::kTokenDisabled);
  ASSERT_NE(verdict.token, nullptr);
  EXPECT_EQ(verdict.token->id, token_.id);
}

TEST_F(VerifierTest, FindsAnImportedTextByItsDigest) {
  const std::string imported = "pk_0123456789abcdef0123456789abcdef";
  token_.id = core::TokenId{3};
  token_.digest = Sha256(imported);
  index_.Put(token_);
  EXPECT_TRUE(verifier_.Verify(imported, facts_, kNow).decision.allowed());
}

TEST_F(VerifierTest, ASecondLookSeesWhatChangedMeanwhile) {
  EXPECT_TRUE(verifier_.VerifyAgain(token_.id, facts_, kNow).decision.allowed());
  account_.state = core::AccountState::kSuspended;
  index_.Put(account_);
  EXPECT_EQ(verifier_.VerifyAgain(token_.id, facts_, kNow).decision.reason,
            Reason::kAccountInactive);
  index_.Remove(token_.id);
  EXPECT_EQ(verifier_.VerifyAgain(token_.id, facts_, kNow).decision.reason, Reason::kTokenInvalid);
}

}  // namespace
}  // namespace latchkey::service
