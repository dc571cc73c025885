#include "manage/idempotency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace latchkey::manage {
namespace {

using testing::HasSubstr;
using testing::Not;

class IdempotentCallTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { CryptoInit(); }
  static Call Request(std::string key, std::string body = "{}", std::string credential = "sk_a") {
    Call call;
    call.actor.principal = "tok_1";
    call.has_idempotency_key = true;
    call.idempotency_key = std::move(key);
    call.body = std::move(body);
    call.credential = Secret(std::move(credential));
    return call;
  }
  static IdempotentCall Make(const Call& call) {
    return std::move(*IdempotentCall::Make(call, "POST tokens acc_1"));
  }
};

TEST_F(IdempotentCallTest, GivesTheSameAnswerAgainMarkedAsReplayed) {
  const IdempotentCall first = Make(Request("k1"));
  const Reply answer = CreatedReply(R"({"token":"sk_whole"})", 1, "/manage/v1/tokens/tok_1");
  const std::string sealed = first.Seal(answer);
  EXPECT_THAT(sealed, Not(HasSubstr("sk_whole")));
  const IdempotentCall again = Make(Request("k1"));
  EXPECT_EQ(again.scope(), first.scope());
  EXPECT_EQ(again.key_digest(), first.key_digest());
  const Reply replayed = again.Replay({first.body_digest(), sealed}, "r2");
  EXPECT_EQ(replayed.status, 201);
  EXPECT_EQ(replayed.body, answer.body);
  EXPECT_EQ(replayed.etag, answer.etag);
  EXPECT_EQ(replayed.location, answer.location);
  EXPECT_TRUE(replayed.replayed);
}

TEST_F(IdempotentCallTest, RefusesAnotherBodyAndAnotherCredential) {
  const IdempotentCall first = Make(Request("k1"));
  const service::EarlierAnswer earlier{first.body_digest(), first.Seal(JsonReply("{}"))};
  EXPECT_EQ(Make(Request("k1", "{\"a\":1}")).Replay(earlier, "r").status, 409);
  EXPECT_EQ(Make(Request("k1", "{}", "sk_b")).Replay(earlier, "r").status, 409);
}

TEST_F(IdempotentCallTest, RefusesATamperedAnswer) {
  const IdempotentCall first = Make(Request("k1"));
  std::string sealed = first.Seal(JsonReply("{}"));
  sealed.back() = static_cast<char>(sealed.back() ^ 1);
  EXPECT_EQ(first.Replay({first.body_digest(), sealed}, "r").status, 409);
  EXPECT_EQ(first.Replay({first.body_digest(), ""}, "r").status, 409);
}

TEST_F(IdempotentCallTest, TakesOnlyVisibleAsciiOfBoundedLength) {
  for (const std::string& key : {std::string(), std::string("a b"), std::string("a\x7f"),
                                 std::string("\xc3\xa9"), std::string(256, 'x')}) {
    const auto once = IdempotentCall::Make(Request(key), "POST plans");
    ASSERT_FALSE(once.ok());
    EXPECT_EQ(once.error().fields.front().field, "Idempotency-Key");
  }
  EXPECT_TRUE(IdempotentCall::Make(Request(std::string(255, 'x')), "POST plans").ok());
}

}  // namespace
}  // namespace latchkey::manage
