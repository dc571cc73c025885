#include "service/tokens.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/token_text.h"
#include "test/support/service_house.h"

namespace latchkey::service {
namespace {

using core::Environment;
using core::Reason;
using core::TokenKind;
using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::Fault;
using testing_support::ServiceHouse;

class TokensTest : public testing::Test {
 protected:
  void SetUp() override {
    PlanSettings settings;
    settings.premium_data = true;
    plan_ = house_.MakePlan("basic", settings);
    acme_ = house_.MakeAccount("acme", plan_.id).account;
    other_ = house_.MakeAccount("other", plan_.id).account;
  }

  CreatedToken Create(TokenKind kind, TokenSettings settings = {},
                      Environment environment = Environment::kLive) {
    auto created = house_.tokens().Create(acme_.id, {kind, environment, std::move(settings)},
                                          ServiceHouse::Operator());
    EXPECT_TRUE(created.ok()) << created.error().public_text;
    return created.ok() ? *created : CreatedToken{};
  }
  Error CreateFails(TokenKind kind, TokenSettings settings) {
    auto created = house_.tokens().Create(acme_.id, {kind, Environment::kLive, settings},
                                          ServiceHouse::Operator());
    EXPECT_FALSE(created.ok());
    return created.ok() ? Error{} : created.error();
  }
  Result<core::TokenRecord> Patch(core::TokenId id, const TokenSettings& settings,
                                  std::optional<std::int64_t> version = std::nullopt) {
    return house_.tokens().Patch(acme_.id, id, settings, version, ServiceHouse::Operator());
  }
  static std::vector<std::string> Fields(const Error& error) {
    std::vector<std::string> fields;
    for (const FieldError& field : error.fields) fields.push_back(field.field);
    return fields;
  }

  ServiceHouse house_;
  core::Plan plan_;
  core::Account acme_;
  core::Account other_;
};

TEST_F(TokensTest, ANewTokenWorksAtOnceAndAfterARestart) {
  const CreatedToken publishable = Create(TokenKind::kPublishable);
  const CreatedToken secret = Create(TokenKind::kSecret);
  for (int start = 0; start < 2; ++start) {
    EXPECT_EQ(house_.Ask(publishable.text), Reason::kNone);
    EXPECT_EQ(house_.Ask(publishable.text, "premium"), Reason::kDataRestricted);
    EXPECT_EQ(house_.Ask(secret.text, "premium"), Reason::kNone);
    EXPECT_EQ(house_.Ask(secret.text, "acme"), Reason::kNone);
    EXPECT_EQ(house_.Ask(secret.text, "other"), Reason::kDataRestricted);
    house_.Restart();
  }
}

TEST_F(TokensTest, TextsAreOfTheFormatAndASecretIsShownOnce) {
  for (Environment environment : {Environment::kLive, Environment::kTest}) {
    for (TokenKind kind : {TokenKind::kPublishable, TokenKind::kSecret}) {
      const CreatedToken created = Create(kind, {}, environment);
      const auto shape = core::ParseTokenText(created.text.Reveal());
      ASSERT_TRUE(shape);
      EXPECT_EQ(shape->kind, kind);
      EXPECT_EQ(shape->environment, environment);
      EXPECT_FALSE(shape->imported);
      const auto stored = house_.tokens().Get(acme_.id, created.record.token.id);
      ASSERT_TRUE(stored.ok());
      EXPECT_EQ(stored->token.digest, Sha256(created.text.Reveal()));
      EXPECT_EQ(stored->profile.created_by, "operator");
      if (kind == TokenKind::kPublishable) {
        EXPECT_EQ(stored->profile.shown_text, created.text.Reveal());
        EXPECT_THAT(stored->profile.sealed_key_state, IsEmpty());
      } else {
        EXPECT_EQ(stored->profile.shown_text, core::RedactTokenText(created.text.Reveal()));
        EXPECT_THAT(stored->profile.sealed_key_state, Not(HasSubstr(created.text.Reveal())));
      }
    }
  }
}

// wire.md §3: what is stored can verify signatures; nothing stored is the text.
TEST_F(TokensTest, TheSealedKeyStateSignsAsTheTextWould) {
  const CreatedToken created = Create(TokenKind::kSecret);
  const KeyRing::Lease lease(house_.keys());
  const auto stored = house_.tokens().Get(acme_.id, created.record.token.id);
  ASSERT_TRUE(stored.ok());
  const auto state = lease.OpenKeyState(stored->token, stored->profile);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(HmacSha256WithState(*state, "20240102"), HmacSha256(created.text.Reveal(), "20240102"));
  // Moved to another token it does not open.
  core::Token moved = stored->token;
  moved.id = core::TokenId{moved.id.value ^ 1};
  EXPECT_EQ(lease.OpenKeyState(moved, stored->profile).error().code, ErrorCode::kCorrupt);
  moved = stored->token;
  moved.account = other_.id;
  EXPECT_EQ(lease.OpenKeyState(moved, stored->profile).error().code, ErrorCode::kCorrupt);
}

TEST_F(TokensTest, NoFileHoldsASecretsText) {
  const CreatedToken created = Create(TokenKind::kSecret);
  house_.Stop();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(house_.folder())) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(bytes.find(created.text.Reveal().substr(4, 24)), std::string::npos) << entry.path();
  }
}

TEST_F(TokensTest, SettingsAreKept) {
  TokenSettings settings;
  settings.nickname = "Portal";
  settings.labels = {{"project", "p1"}, {"app", ""}};
  settings.end_user = "customer-7";
  settings.expires_at = house_.clock().Now() + hours(1);
  settings.core_data_access = false;
  settings.enabled = false;
  const CreatedToken created = Create(TokenKind::kPublishable, settings);
  house_.Restart();
  const auto stored = house_.tokens().Get(acme_.id, created.record.token.id);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->profile.nickname, "Portal");
  EXPECT_EQ(stored->profile.labels, *settings.labels);
  EXPECT_EQ(stored->profile.end_user, "customer-7");
  EXPECT_EQ(stored->token.expires_at, *settings.expires_at);
  EXPECT_FALSE(stored->token.core_data_access);
  EXPECT_FALSE(stored->token.enabled);
  EXPECT_EQ(stored->version, 1);
  EXPECT_EQ(house_.Ask(created.text), Reason::kTokenDisabled);
}

TEST_F(TokensTest, EveryFieldThatCannotHoldIsNamed) {
  TokenSettings settings;
  settings.nickname = std::string(200, 'x');
  settings.labels = {{"a", ""}, {"a", ""}};
  settings.end_user = "a\tb";
  settings.expires_at = house_.clock().Now();
  const Error error = CreateFails(TokenKind::kPublishable, settings);
  EXPECT_EQ(error.code, ErrorCode::kInvalid);
  EXPECT_THAT(Fields(error), ElementsAre("expires_at", "nickname", "end_user", "labels[1].name"));
}

// wire.md §9.
TEST_F(TokensTest, ASecretTokenTakesNoSettingsOfPublishableOnes) {
  TokenSettings settings;
  settings.end_user = "customer-7";
  settings.core_data_access = true;
  EXPECT_THAT(Fields(CreateFails(TokenKind::kSecret, settings)),
              ElementsAre("core_data_access", "end_user"));
  const CreatedToken secret = Create(TokenKind::kSecret);
  const auto patched = Patch(secret.record.token.id, settings);
  ASSERT_FALSE(patched.ok());
  EXPECT_THAT(Fields(patched.error()), ElementsAre("core_data_access", "end_user"));
}

TEST_F(TokensTest, DisablingRemovingAndChangingAreInForceWhenTheyReturn) {
  const CreatedToken created = Create(TokenKind::kPublishable);
  const core::TokenId id = created.record.token.id;
  ASSERT_TRUE(house_.tokens().Disable(acme_.id, id, ServiceHouse::Operator()).ok());
  EXPECT_EQ(house_.Ask(created.text), Reason::kTokenDisabled);
  ASSERT_TRUE(house_.tokens().Enable(acme_.id, id, ServiceHouse::Operator()).ok());
  EXPECT_EQ(house_.Ask(created.text), Reason::kNone);
  TokenSettings settings;
  settings.core_data_access = false;
  ASSERT_TRUE(Patch(id, settings).ok());
  EXPECT_EQ(house_.Ask(created.text), Reason::kDataRestricted);
  settings.core_data_access = true;
  settings.expires_at = house_.clock().Now() + hours(1);
  ASSERT_TRUE(Patch(id, settings).ok());
  EXPECT_EQ(house_.Ask(created.text), Reason::kNone);
  house_.clock().Advance(hours(1));
  EXPECT_EQ(house_.Ask(created.text), Reason::kTokenExpired);
  settings = {};
  settings.expires_at = std::optional<Timestamp>();
  ASSERT_TRUE(Patch(id, settings).ok());
  EXPECT_EQ(house_.Ask(created.text), Reason::kNone);
  ASSERT_TRUE(house_.tokens().Remove(acme_.id, id, std::nullopt, ServiceHouse::Operator()).ok());
  EXPECT_EQ(house_.Ask(created.text), Reason::kTokenInvalid);
  house_.Restart();
  EXPECT_EQ(house_.Ask(created.text), Reason::kTokenInvalid);
  EXPECT_EQ(house_.tokens().Get(acme_.id, id).error().code, ErrorCode::kNotFound);
}

TEST_F(TokensTest, AnExpiryThatPassedStandsUntilItIsChanged) {
  TokenSettings settings;
  settings.expires_at = house_.clock().Now() + hours(1);
  const CreatedToken created = Create(TokenKind::kPublishable, settings);
  house_.clock().Advance(hours(2));
  settings.nickname = "sent back with its old expiry";
  EXPECT_TRUE(Patch(created.record.token.id, settings).ok());
  settings.expires_at = house_.clock().Now() - milliseconds(1);
  EXPECT_THAT(Fields(Patch(created.record.token.id, settings).error()), ElementsAre("expires_at"));
}

TEST_F(TokensTest, AVersionThatNoLongerStandsIsStale) {
  const CreatedToken created = Create(TokenKind::kPublishable);
  const core::TokenId id = created.record.token.id;
  TokenSettings settings;
  settings.nickname = "two";
  const auto second = Patch(id, settings, 1);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->version, 2);
  settings.nickname = "three";
  EXPECT_EQ(Patch(id, settings, 1).error().code, ErrorCode::kStale);
  EXPECT_EQ(house_.tokens().Remove(acme_.id, id, 1, ServiceHouse::Operator()).error().code,
            ErrorCode::kStale);
  EXPECT_EQ(house_.Ask(created.text), Reason::kNone);
  EXPECT_TRUE(Patch(id, settings, std::nullopt).ok());
  EXPECT_THAT(house_.LastEvent().after, HasSubstr(R"("if_match":"*")"));
  EXPECT_TRUE(house_.tokens().Remove(acme_.id, id, 3, ServiceHouse::Operator()).ok());
}

TEST_F(TokensTest, WhatChangesNothingMakesNoVersionAndNoEvent) {
  const CreatedToken created = Create(TokenKind::kPublishable);
  const std::int64_t events = house_.LastEvent().sequence;
  TokenSettings settings;
  settings.nickname = "";
  settings.enabled = true;
  const auto same = Patch(created.record.token.id, settings, 1);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->version, 1);
  EXPECT_EQ(house_.LastEvent().sequence, events);
}

TEST_F(TokensTest, AnotherAccountsTokenIsNotThere) {
  const CreatedToken created = Create(TokenKind::kPublishable);
  const core::TokenId id = created.record.token.id;
  const auto actor = ServiceHouse::Operator();
  EXPECT_EQ(house_.tokens().Get(other_.id, id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(house_.tokens().Disable(other_.id, id, actor).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(house_.tokens().Patch(other_.id, id, {}, 1, actor).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(house_.tokens().Remove(other_.id, id, 1, actor).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(house_.tokens().Get(other_.id, id).error().public_text,
            house_.tokens().Get(other_.id, core::TokenId{1}).error().public_text);
  EXPECT_EQ(house_.Ask(created.text), Reason::kNone);
  EXPECT_EQ(house_.tokens().Create(core::AccountId{1}, {}, actor).error().code,
            ErrorCode::kNotFound);
}

TEST_F(TokensTest, EachChangeTellsWhoWhatBeforeAndAfterAndNoSecret) {
  TokenSettings settings;
  settings.nickname = "one";
  const CreatedToken created = Create(TokenKind::kSecret, settings);
  core::AuditEvent event = house_.LastEvent();
  EXPECT_EQ(event.action, "token.create");
  EXPECT_EQ(event.subject, created.record.token.id.ToString());
  EXPECT_EQ(event.account, acme_.id);
  EXPECT_EQ(event.actor.principal, "operator");
  EXPECT_EQ(event.actor.address, "198.51.100.7");
  EXPECT_EQ(event.actor.request_id, "req-1");
  EXPECT_EQ(event.before, "");
  EXPECT_EQ(event.after, R"({"kind":"secret","environment":"live","nickname":"one","labels":{},)"
                         R"("end_user":null,"enabled":true,"expires_at":null})");
  settings.nickname = "two";
  ASSERT_TRUE(Patch(created.record.token.id, settings, 1).ok());
  event = house_.LastEvent();
  EXPECT_EQ(event.action, "token.update");
  EXPECT_EQ(event.before, R"({"nickname":"one"})");
  EXPECT_EQ(event.after, R"({"nickname":"two"})");
  ASSERT_TRUE(
      house_.tokens().Disable(acme_.id, created.record.token.id, ServiceHouse::Operator()).ok());
  event = house_.LastEvent();
  EXPECT_EQ(event.action, "token.disable");
  EXPECT_EQ(event.after, R"({"enabled":false})");
  ASSERT_TRUE(
      house_.tokens().Remove(acme_.id, created.record.token.id, 3, ServiceHouse::Operator()).ok());
  event = house_.LastEvent();
  EXPECT_EQ(event.action, "token.remove");
  EXPECT_THAT(event.before, HasSubstr(R"("nickname":"two")"));
  EXPECT_EQ(event.after, "");
}

TEST_F(TokensTest, ListsOldestFirstInPagesWithAnEnd) {
  std::vector<std::string> made;
  for (int i = 0; i < 6; ++i) {
    TokenSettings settings;
    settings.nickname = "portal-" + std::to_string(i);
    Create(TokenKind::kPublishable, settings);
    made.push_back(*settings.nickname);
    house_.clock().Advance(milliseconds(10));
  }
  PageRequest page;
  page.size = 4;  // with the account's first two: eight tokens, two full pages
  std::vector<std::string> seen;
  int pages = 0;
  for (;;) {
    const auto tokens = house_.tokens().List(acme_.id, page);
    ASSERT_TRUE(tokens.ok());
    ++pages;
    for (const auto& record : tokens->items) {
      if (!record.profile.nickname.empty()) seen.push_back(record.profile.nickname);
    }
    if (!tokens->next) break;
    page.after = tokens->next;
  }
  EXPECT_EQ(seen, made);
  EXPECT_EQ(pages, 2);
  PageRequest search;
  search.search = "PORTAL-3";  // no text of a token holds a dash
  const auto found = house_.tokens().List(acme_.id, search);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->items.size(), 1U);
  EXPECT_EQ(found->items[0].profile.nickname, "portal-3");
  EXPECT_FALSE(found->next);
}

TEST_F(TokensTest, ThePlansMaximumHolds) {
  PlanSettings settings;
  settings.max_tokens = 3;
  ASSERT_TRUE(
      house_.accounts().PatchPlan(plan_.id, settings, std::nullopt, ServiceHouse::Operator()).ok());
  const CreatedToken third = Create(TokenKind::kPublishable);
  const Error error = CreateFails(TokenKind::kPublishable, {});
  EXPECT_EQ(error.code, ErrorCode::kLimit);
  EXPECT_EQ(error.public_text, "The plan allows at most 3 tokens.");
  ASSERT_TRUE(house_.tokens()
                  .Remove(acme_.id, third.record.token.id, std::nullopt, ServiceHouse::Operator())
                  .ok());
  Create(TokenKind::kPublishable);
}

// wire.md §3. One is there from the start.
TEST_F(TokensTest, ANinthEnabledSecretIsAConflict) {
  TokenSettings disabled;
  disabled.enabled = false;
  const CreatedToken spare = Create(TokenKind::kSecret, disabled);
  for (std::uint32_t i = 1; i < kMaxEnabledSecrets; ++i) Create(TokenKind::kSecret);
  EXPECT_EQ(CreateFails(TokenKind::kSecret, {}).code, ErrorCode::kConflict);
  EXPECT_EQ(house_.tokens()
                .Enable(acme_.id, spare.record.token.id, ServiceHouse::Operator())
                .error()
                .code,
            ErrorCode::kConflict);
  EXPECT_EQ(house_.Ask(spare.text), Reason::kTokenDisabled);
  Create(TokenKind::kSecret, disabled);
  Create(TokenKind::kPublishable);
}

TEST_F(TokensTest, TheAnswerOfACreationIsKeptForADay) {
  Answers answers(house_.store(), house_.clock());
  IdempotencyRecord<CreatedToken> record;
  record.scope = "tok_x POST tokens";
  record.key_digest = Sha256("key");
  record.body_digest = Sha256("body");
  std::string sealed_text;
  record.seal = [&](const CreatedToken& created) {
    sealed_text = created.text.Reveal();
    return "sealed:" + created.record.token.id.ToString();
  };
  const auto created = house_.tokens().Create(acme_.id, {}, ServiceHouse::Operator(), &record);
  ASSERT_TRUE(created.ok());
  EXPECT_EQ(sealed_text, created->text.Reveal());
  const auto earlier = answers.Find(record.scope, record.key_digest);
  ASSERT_TRUE(earlier.ok() && earlier->has_value());
  EXPECT_EQ((*earlier)->body_digest, record.body_digest);
  EXPECT_EQ((*earlier)->sealed_answer, "sealed:" + created->record.token.id.ToString());
  EXPECT_FALSE(answers.Find("another scope", record.key_digest)->has_value());
  // A second creation with the same key makes nothing.
  const auto again = house_.tokens().Create(acme_.id, {}, ServiceHouse::Operator(), &record);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_EQ(*house_.store().CountTokens(acme_.id), 3U);
  house_.clock().Advance(hours(24) + milliseconds(1));
  EXPECT_FALSE(answers.Find(record.scope, record.key_digest)->has_value());
}

// ---- When the store fails.

TEST_F(TokensTest, WhatIsNotDoneIsNotInForce) {
  const CreatedToken created = Create(TokenKind::kPublishable);
  const core::TokenId id = created.record.token.id;
  const auto actor = ServiceHouse::Operator();
  house_.store().FailNextChange(Fault::kNotDone);
  EXPECT_EQ(house_.tokens().Remove(acme_.id, id, 1, actor).error().code, ErrorCode::kUnavailable);
  house_.store().FailNextChange(Fault::kNotDone);
  EXPECT_EQ(house_.tokens().Disable(acme_.id, id, actor).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(house_.Ask(created.text), Reason::kNone);
  house_.store().FailNextChange(Fault::kNotDone);
  EXPECT_EQ(CreateFails(TokenKind::kPublishable, {}).code, ErrorCode::kUnavailable);
  EXPECT_EQ(house_.index().GetSize().tokens, 5U);
}

TEST_F(TokensTest, OfAnUnknownOutcomeTheStricterSideIsInForce) {
  for (const Fault fault : {Fault::kUnknownDone, Fault::kUnknownNotDone}) {
    const auto actor = ServiceHouse::Operator();
    const auto fail = [&] { house_.store().FailNextChange(fault); };
    const CreatedToken removed = Create(TokenKind::kPublishable);
    fail();
    EXPECT_EQ(house_.tokens().Remove(acme_.id, removed.record.token.id, 1, actor).error().code,
              ErrorCode::kUnknown);
    EXPECT_EQ(house_.Ask(removed.text), Reason::kTokenInvalid);

    const CreatedToken disabled = Create(TokenKind::kPublishable);
    fail();
    const auto outcome = house_.tokens().Disable(acme_.id, disabled.record.token.id, actor);
    EXPECT_EQ(outcome.error().code, ErrorCode::kUnknown);
    EXPECT_EQ(house_.Ask(disabled.text), Reason::kTokenDisabled);

    TokenSettings off;
    off.enabled = false;
    const CreatedToken enabled = Create(TokenKind::kPublishable, off);
    fail();
    EXPECT_FALSE(house_.tokens().Enable(acme_.id, enabled.record.token.id, actor).ok());
    // Only what the store shows to be done is in force.
    EXPECT_EQ(house_.Ask(enabled.text),
              fault == Fault::kUnknownDone ? Reason::kNone : Reason::kTokenDisabled);

    const std::size_t tokens = house_.index().GetSize().tokens;
    fail();
    EXPECT_EQ(CreateFails(TokenKind::kPublishable, {}).code, ErrorCode::kUnknown);
    EXPECT_EQ(house_.index().GetSize().tokens, tokens + (fault == Fault::kUnknownDone ? 1 : 0));

    // Tried again, it is done.
    if (fault == Fault::kUnknownNotDone) {
      EXPECT_TRUE(house_.tokens().Remove(acme_.id, removed.record.token.id, 1, actor).ok());
    }
    const auto retried = house_.tokens().Disable(acme_.id, disabled.record.token.id, actor);
    ASSERT_TRUE(retried.ok());
    EXPECT_FALSE(retried->token.enabled);
    EXPECT_EQ(house_.Ask(disabled.text), Reason::kTokenDisabled);
  }
}

TEST_F(TokensTest, OfAnUnknownOutcomeNothingLaxerIsInForceWhenTheStoreCannotBeReadEither) {
  const auto actor = ServiceHouse::Operator();
  TokenSettings settings;
  settings.core_data_access = false;
  settings.expires_at = house_.clock().Now() + hours(2);
  const CreatedToken created = Create(TokenKind::kPublishable, settings);
  // From no core data until two o'clock to core data until one o'clock: neither until two, nor
  // core.
  settings.core_data_access = true;
  settings.expires_at = house_.clock().Now() + hours(1);
  // The read before the change succeeds, the one after it does not.
  house_.store().FailNextChange(Fault::kUnknownDone, true);
  EXPECT_EQ(Patch(created.record.token.id, settings).error().code, ErrorCode::kUnknown);
  EXPECT_EQ(house_.Ask(created.text), Reason::kDataRestricted);
  house_.clock().Advance(hours(1));
  EXPECT_EQ(house_.Ask(created.text), Reason::kTokenExpired);
  house_.store().FailReads(false);
}

// Two changes of one token at once: the index ends as the store does.
TEST_F(TokensTest, ConcurrentChangesEndAlikeInStoreAndIndex) {
  std::vector<CreatedToken> tokens;
  for (int i = 0; i < 4; ++i) tokens.push_back(Create(TokenKind::kPublishable));
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const core::TokenId id = tokens[static_cast<std::size_t>(i % 4)].record.token.id;
        const auto actor = ServiceHouse::Operator();
        const auto result = (i + t) % 2 == 0 ? house_.tokens().Disable(acme_.id, id, actor)
                                             : house_.tokens().Enable(acme_.id, id, actor);
        if (!result.ok()) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  for (const CreatedToken& token : tokens) {
    const auto stored = house_.tokens().Get(acme_.id, token.record.token.id);
    ASSERT_TRUE(stored.ok());
    EXPECT_EQ(house_.Ask(token.text),
              stored->token.enabled ? Reason::kNone : Reason::kTokenDisabled);
  }
}

}  // namespace
}  // namespace latchkey::service
