#include <array>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/decision.h"

namespace latchkey::core {
namespace {

using std::chrono::milliseconds;

const Timestamp kNow = FromUnixMillis(1'800'000'000'000);

Account MakeAccount() {
  Account account;
  account.id = AccountId{7};
  account.workspace = "acme";
  account.premium_data = true;
  return account;
}

Token MakeToken(TokenKind kind, Environment environment = Environment::kLive) {
  Token token;
  token.id = TokenId{9};
  token.account = AccountId{7};
  token.kind = kind;
  token.environment = environment;
  return token;
}

Facts CoreDataset() {
  Facts facts;
  facts.dataset_class = DatasetClass::kCore;
  facts.workspace = "core";
  facts.dataset_exists = true;
  return facts;
}

Facts PremiumDataset() {
  Facts facts = CoreDataset();
  facts.dataset_class = DatasetClass::kPremium;
  facts.workspace = "premium";
  return facts;
}

Facts WorkspaceDataset(std::string_view workspace) {
  Facts facts = CoreDataset();
  facts.dataset_class = DatasetClass::kWorkspace;
  facts.workspace = workspace;
  return facts;
}

Reason ReasonOf(const Token& token, const Account& account, const Facts& facts) {
  return Evaluate(token, account, facts, kNow).reason;
}

TEST(EvaluateTest, DecidesByKindAndClass) {
  const struct {
    const char* what;
    TokenKind kind;
    Facts facts;
    Reason reason;
  } cases[] = {
      {"pk core", TokenKind::kPublishable, CoreDataset(), Reason::kNone},
      {"sk core", TokenKind::kSecret, CoreDataset(), Reason::kNone},
      {"pk premium", TokenKind::kPublishable, PremiumDataset(), Reason::kDataRestricted},
      {"sk premium", TokenKind::kSecret, PremiumDataset(), Reason::kNone},
      {"pk own", TokenKind::kPublishable, WorkspaceDataset("acme"), Reason::kDataRestricted},
      {"sk own", TokenKind::kSecret, WorkspaceDataset("acme"), Reason::kNone},
      {"pk foreign", TokenKind::kPublishable, WorkspaceDataset("evil"), Reason::kDataRestricted},
      {"sk foreign", TokenKind::kSecret, WorkspaceDataset("evil"), Reason::kDataRestricted},
      {"sk prefix of own", TokenKind::kSecret, WorkspaceDataset("acm"), Reason::kDataRestricted},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ReasonOf(MakeToken(c.kind), MakeAccount(), c.facts), c.reason) << c.what;
  }
}

TEST(EvaluateTest, SecretTokenNeedsTheSubscriptionForPremium) {
  Account account = MakeAccount();
  account.premium_data = false;
  EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret), account, PremiumDataset()),
            Reason::kPremiumRequired);
  // The token's right comes first.
  EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kPublishable), account, PremiumDataset()),
            Reason::kDataRestricted);
  EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret), account, CoreDataset()), Reason::kNone);
}

TEST(EvaluateTest, CoreAccessCanBeSwitchedOffForPublishableTokensAlone) {
  Token publishable = MakeToken(TokenKind::kPublishable);
  publishable.core_data_access = false;
  EXPECT_EQ(ReasonOf(publishable, MakeAccount(), CoreDataset()), Reason::kDataRestricted);
  Token secret = MakeToken(TokenKind::kSecret);
  secret.core_data_access = false;
  EXPECT_EQ(ReasonOf(secret, MakeAccount(), CoreDataset()), Reason::kNone);
}

TEST(EvaluateTest, NoTokenChangesTheOperatorsData) {
  for (Action action : {Action::kWrite, Action::kDelete, Action::kDefine}) {
    const Reason publishable =
        action == Action::kDefine ? Reason::kSecretTokenRequired : Reason::kDataRestricted;
    for (TokenKind kind : {TokenKind::kPublishable, TokenKind::kSecret}) {
      for (Facts facts : {CoreDataset(), PremiumDataset()}) {
        facts.action = action;
        EXPECT_EQ(ReasonOf(MakeToken(kind), MakeAccount(), facts),
                  kind == TokenKind::kSecret ? Reason::kDataRestricted : publishable);
      }
    }
    Facts own = WorkspaceDataset("acme");
    own.action = action;
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret), MakeAccount(), own), Reason::kNone);
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kPublishable), MakeAccount(), own), publishable);
    Facts foreign = WorkspaceDataset("evil");
    foreign.action = action;
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret), MakeAccount(), foreign),
              Reason::kDataRestricted);
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kPublishable), MakeAccount(), foreign), publishable);
  }
}

TEST(EvaluateTest, AnAbsentDatasetIsNoRefusalWhereTheRequestMakesIt) {
  const Token secret = MakeToken(TokenKind::kSecret);
  for (Action action : {Action::kWrite, Action::kDefine}) {
    Facts facts = WorkspaceDataset("acme");
    facts.action = action;
    facts.dataset_exists = false;
    EXPECT_EQ(ReasonOf(secret, MakeAccount(), facts), Reason::kNotFound);
    facts.creates = true;
    EXPECT_EQ(ReasonOf(secret, MakeAccount(), facts), Reason::kNone);
    // What would be made is not marked test.
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret, Environment::kTest), MakeAccount(), facts),
              Reason::kTokenWrongEnvironment);
    facts.workspace = "evil";
    EXPECT_EQ(ReasonOf(secret, MakeAccount(), facts), Reason::kDataRestricted);
    Facts core = CoreDataset();
    core.action = action;
    core.dataset_exists = false;
    core.creates = true;
    EXPECT_EQ(ReasonOf(secret, MakeAccount(), core), Reason::kDataRestricted);
  }
}

TEST(EvaluateTest, AWorkspacesJobsAreForItsAccountsSecretTokensAlone) {
  for (const char* workspace : {"acme", "evil", "core", "premium"}) {
    Facts facts;
    facts.resource = ResourceKind::kWorkspace;
    facts.workspace = workspace;
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret), MakeAccount(), facts),
              facts.workspace == "acme" ? Reason::kNone : Reason::kDataRestricted);
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret, Environment::kTest), MakeAccount(), facts),
              facts.workspace == "acme" ? Reason::kNone : Reason::kDataRestricted);
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kPublishable), MakeAccount(), facts),
              Reason::kSecretTokenRequired);
  }
}

TEST(EvaluateTest, AbsentIsNotFoundOnlyWhereTheCatalogueMayBeSeen) {
  const auto absent = [](Facts facts) {
    facts.dataset_exists = false;
    return facts;
  };
  const Token publishable = MakeToken(TokenKind::kPublishable);
  const Token secret = MakeToken(TokenKind::kSecret);
  Token no_core = publishable;
  no_core.core_data_access = false;
  Account no_premium = MakeAccount();
  no_premium.premium_data = false;
  EXPECT_EQ(ReasonOf(publishable, MakeAccount(), absent(CoreDataset())), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(secret, MakeAccount(), absent(CoreDataset())), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(secret, MakeAccount(), absent(PremiumDataset())), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(secret, MakeAccount(), absent(WorkspaceDataset("acme"))), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(no_core, MakeAccount(), absent(CoreDataset())), Reason::kDataRestricted);
  EXPECT_EQ(ReasonOf(secret, no_premium, absent(PremiumDataset())), Reason::kPremiumRequired);
  EXPECT_EQ(ReasonOf(publishable, MakeAccount(), absent(PremiumDataset())),
            Reason::kDataRestricted);
  EXPECT_EQ(ReasonOf(secret, MakeAccount(), absent(WorkspaceDataset("evil"))),
            Reason::kDataRestricted);
  EXPECT_EQ(ReasonOf(publishable, MakeAccount(), absent(WorkspaceDataset("acme"))),
            Reason::kDataRestricted);
}

TEST(EvaluateTest, TestTokenReadsDatasetsMarkedTestOnly) {
  for (TokenKind kind : {TokenKind::kPublishable, TokenKind::kSecret}) {
    const Token token = MakeToken(kind, Environment::kTest);
    Facts facts = CoreDataset();
    EXPECT_EQ(ReasonOf(token, MakeAccount(), facts), Reason::kTokenWrongEnvironment);
    facts.dataset_test = true;
    EXPECT_EQ(ReasonOf(token, MakeAccount(), facts), Reason::kNone);
    facts.dataset_exists = false;
    facts.dataset_test = false;
    EXPECT_EQ(ReasonOf(token, MakeAccount(), facts), Reason::kNotFound);
  }
  // The right to data comes before the environment, else the mark of a foreign dataset would show.
  EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret, Environment::kTest), MakeAccount(),
                     WorkspaceDataset("evil")),
            Reason::kDataRestricted);
  // Live tokens read datasets marked test too.
  Facts facts = CoreDataset();
  facts.dataset_test = true;
  EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kPublishable), MakeAccount(), facts), Reason::kNone);
}

TEST(EvaluateTest, BrowserGuardStopsSecretTokensAlone) {
  Facts facts = CoreDataset();
  facts.from_browser = true;
  EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret), MakeAccount(), facts),
            Reason::kSecretTokenInBrowser);
  EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kPublishable), MakeAccount(), facts), Reason::kNone);
  Account unguarded = MakeAccount();
  unguarded.browser_guard = false;
  EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret), unguarded, facts), Reason::kNone);
}

TEST(EvaluateTest, ExpiryHoldsFromItsInstantOn) {
  Token token = MakeToken(TokenKind::kPublishable);
  token.expires_at = kNow;
  EXPECT_EQ(Evaluate(token, MakeAccount(), CoreDataset(), kNow - milliseconds(1)).reason,
            Reason::kNone);
  const Decision decision = Evaluate(token, MakeAccount(), CoreDataset(), kNow);
  EXPECT_EQ(decision.reason, Reason::kTokenExpired);
  EXPECT_EQ(decision.detail, "It expired at 2027-01-15T08:00:00Z.");
}

TEST(EvaluateTest, ChecksInTheOrderOfTheDecisionsPage) {
  // Everything is wrong at once; putting right what was named lets the next check speak.
  Token token = MakeToken(TokenKind::kSecret, Environment::kTest);
  token.enabled = false;
  token.expires_at = kNow;
  Account account = MakeAccount();
  account.state = AccountState::kSuspended;
  account.premium_data = false;
  Facts facts = PremiumDataset();
  facts.from_browser = true;
  facts.action = Action::kWrite;
  EXPECT_EQ(ReasonOf(token, account, facts), Reason::kTokenDisabled);
  token.enabled = true;
  EXPECT_EQ(ReasonOf(token, account, facts), Reason::kTokenExpired);
  token.expires_at.reset();
  EXPECT_EQ(ReasonOf(token, account, facts), Reason::kAccountInactive);
  account.state = AccountState::kActive;
  EXPECT_EQ(ReasonOf(token, account, facts), Reason::kSecretTokenInBrowser);
  facts.from_browser = false;
  EXPECT_EQ(ReasonOf(token, account, facts), Reason::kDataRestricted);
  facts.action = Action::kRead;
  EXPECT_EQ(ReasonOf(token, account, facts), Reason::kPremiumRequired);
  account.premium_data = true;
  EXPECT_EQ(ReasonOf(token, account, facts), Reason::kTokenWrongEnvironment);
  token.environment = Environment::kLive;
  EXPECT_EQ(ReasonOf(token, account, facts), Reason::kNone);
  facts.dataset_exists = false;
  EXPECT_EQ(ReasonOf(token, account, facts), Reason::kNotFound);
}

TEST(EvaluateTest, AccountResourceTakesSecretTokensAlone) {
  Facts facts;
  facts.resource = ResourceKind::kAccount;
  for (Action action : {Action::kRead, Action::kWrite, Action::kDelete}) {
    facts.action = action;
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kPublishable), MakeAccount(), facts),
              Reason::kSecretTokenRequired);
    EXPECT_EQ(ReasonOf(MakeToken(TokenKind::kSecret), MakeAccount(), facts), Reason::kNone);
  }
}

TEST(EvaluateTest, CatalogueTakesAnyToken) {
  Facts facts;
  facts.resource = ResourceKind::kCatalogue;
  for (TokenKind kind : {TokenKind::kPublishable, TokenKind::kSecret}) {
    for (Environment environment : {Environment::kLive, Environment::kTest}) {
      EXPECT_EQ(ReasonOf(MakeToken(kind, environment), MakeAccount(), facts), Reason::kNone);
    }
  }
}

// ---- Properties over every combination there is.

struct Situation {
  Token token;
  Account account;
  Facts facts;
};

void ForEachSituation(const std::function<void(const Situation&)>& use) {
  const auto both = {false, true};
  for (TokenKind kind : {TokenKind::kPublishable, TokenKind::kSecret})
    for (Environment environment : {Environment::kLive, Environment::kTest})
      for (bool enabled : both)
        for (bool core : both)
          for (int expiry : {-1, 0, 1})
            for (AccountState state : {AccountState::kActive, AccountState::kSuspended})
              for (bool premium : both)
                for (bool guard : both)
                  for (ResourceKind resource : {ResourceKind::kCatalogue, ResourceKind::kDataset,
                                                ResourceKind::kWorkspace, ResourceKind::kAccount})
                    for (Action action :
                         {Action::kRead, Action::kWrite, Action::kDelete, Action::kDefine})
                      for (const char* workspace : {"core", "premium", "acme", "evil"})
                        for (bool exists : both)
                          for (bool test : both)
                            for (bool creates : both)
                              for (bool browser : both) {
                                Situation s{MakeToken(kind, environment), MakeAccount(), {}};
                                s.token.enabled = enabled;
                                s.token.core_data_access = core;
                                if (expiry != 0) s.token.expires_at = kNow + milliseconds(expiry);
                                s.account.state = state;
                                s.account.premium_data = premium;
                                s.account.browser_guard = guard;
                                s.facts.resource = resource;
                                s.facts.action = action;
                                s.facts.workspace = workspace;
                                s.facts.dataset_class =
                                    s.facts.workspace == "core"      ? DatasetClass::kCore
                                    : s.facts.workspace == "premium" ? DatasetClass::kPremium
                                                                     : DatasetClass::kWorkspace;
                                s.facts.dataset_exists = exists;
                                s.facts.dataset_test = exists && test;
                                s.facts.creates = creates;
                                s.facts.from_browser = browser;
                                use(s);
                              }
}

TEST(EvaluatePropertyTest, AForeignDatasetAndAnAbsentOneAnswerAlike) {
  std::size_t compared = 0;
  ForEachSituation([&](const Situation& s) {
    const bool own = s.token.kind == TokenKind::kSecret && s.facts.workspace == "acme";
    if (s.facts.dataset_class != DatasetClass::kWorkspace || own) return;
    if (s.facts.resource != ResourceKind::kDataset) return;
    Facts absent = s.facts;
    absent.dataset_exists = false;
    absent.dataset_test = false;
    const Decision one = Evaluate(s.token, s.account, s.facts, kNow);
    const Decision other = Evaluate(s.token, s.account, absent, kNow);
    ASSERT_FALSE(one.allowed());
    ASSERT_EQ(one.reason, other.reason);
    ASSERT_EQ(one.detail, other.detail);
    ++compared;
  });
  EXPECT_GT(compared, 1000U);
}

// Wherever existence shows (allowed, wrong environment, not found), the token has the right to it.
TEST(EvaluatePropertyTest, ExistenceShowsOnlyWhereTheTokenMayRead) {
  ForEachSituation([](const Situation& s) {
    if (s.facts.resource != ResourceKind::kDataset) return;
    Facts absent = s.facts;
    absent.dataset_exists = absent.dataset_test = false;
    if (Evaluate(s.token, s.account, s.facts, kNow).reason ==
        Evaluate(s.token, s.account, absent, kNow).reason) {
      return;
    }
    Facts readable = s.facts;
    readable.dataset_exists = readable.dataset_test = true;
    readable.action = Action::kRead;
    ASSERT_TRUE(Evaluate(s.token, s.account, readable, kNow).allowed());
  });
}

TEST(EvaluatePropertyTest, ARestrictionNeverTurnsARefusalIntoPermission) {
  const std::array<std::function<void(Situation&)>, 8> restrictions = {
      [](Situation& s) { s.token.enabled = false; },
      [](Situation& s) { s.token.core_data_access = false; },
      [](Situation& s) { s.token.expires_at = kNow; },
      [](Situation& s) {
        if (!s.token.expires_at) s.token.expires_at = kNow + milliseconds(1);
      },
      [](Situation& s) { s.account.state = AccountState::kSuspended; },
      [](Situation& s) { s.account.premium_data = false; },
      [](Situation& s) { s.account.browser_guard = true; },
      [](Situation& s) { s.token.environment = Environment::kTest; },
  };
  ForEachSituation([&](const Situation& s) {
    if (Evaluate(s.token, s.account, s.facts, kNow).allowed()) return;
    for (const auto& restrict : restrictions) {
      Situation narrower = s;
      restrict(narrower);
      ASSERT_FALSE(Evaluate(narrower.token, narrower.account, narrower.facts, kNow).allowed());
    }
  });
}

}  // namespace
}  // namespace latchkey::core
