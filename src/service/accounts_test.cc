#include "service/accounts.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/service_house.h"

namespace latchkey::service {
namespace {

using core::Reason;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing_support::Fault;
using testing_support::ServiceHouse;

class AccountsTest : public testing::Test {
 protected:
  static std::vector<std::string> Fields(const Error& error) {
    std::vector<std::string> fields;
    for (const FieldError& field : error.fields) fields.push_back(field.field);
    return fields;
  }
  static PlanSettings Premium(bool on) {
    PlanSettings settings;
    settings.premium_data = on;
    return settings;
  }

  ServiceHouse house_;
  const core::Actor actor_ = ServiceHouse::Operator();
};

TEST_F(AccountsTest, ANewAccountHasOneSecretAndOnePublishableTokenThatWork) {
  const core::Plan plan = house_.MakePlan("basic");
  const CreatedAccount created = house_.MakeAccount("acme", plan.id);
  EXPECT_EQ(created.account.title, "acme");
  EXPECT_EQ(created.secret.record.token.kind, core::TokenKind::kSecret);
  EXPECT_EQ(created.publishable.record.token.kind, core::TokenKind::kPublishable);
  for (int start = 0; start < 2; ++start) {
    EXPECT_EQ(house_.Ask(created.secret.text, "acme"), Reason::kNone);
    EXPECT_EQ(house_.Ask(created.publishable.text), Reason::kNone);
    EXPECT_EQ(house_.Ask(created.publishable.text, "acme"), Reason::kDataRestricted);
    house_.Restart();
  }
  const core::AuditEvent event = house_.LastEvent();
  EXPECT_EQ(event.action, "account.create");
  EXPECT_EQ(event.account, created.account.id);
  EXPECT_THAT(event.after, HasSubstr(created.secret.record.token.id.ToString()));
  EXPECT_THAT(event.after, Not(HasSubstr(created.publishable.text.Reveal())));
}

TEST_F(AccountsTest, TheSecretTokenOfANewAccountIsListedFirst) {
  const core::Plan plan = house_.MakePlan("basic");
  for (int i = 0; i < 8; ++i) {
    const CreatedAccount created = house_.MakeAccount("acme-" + std::to_string(i), plan.id);
    const auto listed = house_.tokens().List(created.account.id, {});
    ASSERT_TRUE(listed.ok());
    ASSERT_EQ(listed->items.size(), 2U);
    EXPECT_EQ(listed->items[0].token.id, created.secret.record.token.id);
  }
}

TEST_F(AccountsTest, FindsPlansAndAccountsByNameAndId) {
  const core::Plan plan = house_.MakePlan("basic");
  const core::Account account = house_.MakeAccount("acme", plan.id).account;
  for (int start = 0; start < 2; ++start) {
    for (const std::string& name :
         {std::string("acme"), std::string("ACME"), account.id.ToString()}) {
      const auto found = house_.accounts().FindAccount(name);
      ASSERT_TRUE(found.ok()) << name;
      EXPECT_EQ(found->id, account.id);
    }
    for (const std::string& name : {std::string("basic"), plan.id.ToString()}) {
      const auto found = house_.accounts().FindPlan(name);
      ASSERT_TRUE(found.ok()) << name;
      EXPECT_EQ(found->id, plan.id);
    }
    house_.Restart();
  }
  EXPECT_EQ(house_.accounts().FindAccount("acm").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(house_.accounts().FindAccount(plan.id.ToString()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(house_.accounts().FindPlan("acme").error().code, ErrorCode::kNotFound);
}

TEST_F(AccountsTest, NamesAreUnique) {
  const core::Plan plan = house_.MakePlan("basic");
  house_.MakeAccount("acme", plan.id);
  EXPECT_EQ(house_.accounts().CreatePlan({"basic", {}}, actor_).error().code, ErrorCode::kConflict);
  EXPECT_EQ(house_.accounts().CreateAccount({"acme", {}, plan.id}, actor_).error().code,
            ErrorCode::kConflict);
}

TEST_F(AccountsTest, EveryFieldThatCannotHoldIsNamed) {
  PlanSettings settings;
  settings.title = "a\nb";
  settings.monthly_core_credits = kMaxMonthlyCredits + 1;
  EXPECT_THAT(Fields(house_.accounts().CreatePlan({"Basic", settings}, actor_).error()),
              ElementsAre("name", "title", "monthly_core_credits"));
  EXPECT_THAT(
      Fields(house_.accounts().CreateAccount({"core", "\x01", core::PlanId{5}}, actor_).error()),
      ElementsAre("workspace", "title", "plan"));
  const core::Plan plan = house_.MakePlan("basic");
  const core::Account account = house_.MakeAccount("acme", plan.id).account;
  AccountSettings change;
  change.title = "";
  change.plan = core::PlanId{5};
  EXPECT_THAT(Fields(house_.accounts().PatchAccount(account.id, change, 1, actor_).error()),
              ElementsAre("title", "plan"));
}

TEST_F(AccountsTest, APlanForFewerThanTwoTokensMakesNoAccount) {
  PlanSettings settings;
  settings.max_tokens = 1;
  const core::Plan plan = house_.MakePlan("tiny", settings);
  EXPECT_EQ(house_.accounts().CreateAccount({"acme", {}, plan.id}, actor_).error().code,
            ErrorCode::kLimit);
  EXPECT_EQ(house_.accounts().FindAccount("acme").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(house_.index().GetSize().tokens, 0U);
}

TEST_F(AccountsTest, SuspendingIsInForceWhenItReturnsAndResumingToo) {
  const core::Plan plan = house_.MakePlan("basic");
  const CreatedAccount acme = house_.MakeAccount("acme", plan.id);
  const CreatedAccount other = house_.MakeAccount("other", plan.id);
  ASSERT_TRUE(house_.accounts().Suspend(acme.account.id, actor_).ok());
  EXPECT_EQ(house_.LastEvent().action, "account.suspend");
  EXPECT_EQ(house_.Ask(acme.publishable.text), Reason::kAccountInactive);
  EXPECT_EQ(house_.Ask(acme.secret.text), Reason::kAccountInactive);
  EXPECT_EQ(house_.Ask(other.secret.text), Reason::kNone);
  house_.Restart();
  EXPECT_EQ(house_.Ask(acme.secret.text), Reason::kAccountInactive);
  const auto resumed = house_.accounts().Resume(acme.account.id, actor_);
  ASSERT_TRUE(resumed.ok());
  EXPECT_EQ(resumed->version, 3);
  EXPECT_EQ(house_.Ask(acme.secret.text), Reason::kNone);
  EXPECT_EQ(house_.accounts().Suspend(core::AccountId{5}, actor_).error().code,
            ErrorCode::kNotFound);
}

TEST_F(AccountsTest, AChangeOfAPlanReachesAllItsAccountsAtOnce) {
  const core::Plan plan = house_.MakePlan("basic", Premium(true));
  const core::Plan plain = house_.MakePlan("plain");
  const CreatedAccount acme = house_.MakeAccount("acme", plan.id);
  const CreatedAccount other = house_.MakeAccount("other", plan.id);
  const CreatedAccount third = house_.MakeAccount("third", plain.id);
  EXPECT_EQ(house_.Ask(acme.secret.text, "premium"), Reason::kNone);
  EXPECT_EQ(house_.Ask(third.secret.text, "premium"), Reason::kPremiumRequired);
  ASSERT_TRUE(house_.accounts().PatchPlan(plan.id, Premium(false), 1, actor_).ok());
  for (int start = 0; start < 2; ++start) {
    for (const CreatedAccount* account : {&acme, &other}) {
      EXPECT_EQ(house_.Ask(account->secret.text, "premium"), Reason::kPremiumRequired);
      EXPECT_EQ(house_.Ask(account->secret.text), Reason::kNone);
    }
    house_.Restart();
  }
  ASSERT_TRUE(house_.accounts().PatchPlan(plain.id, Premium(true), 1, actor_).ok());
  EXPECT_EQ(house_.Ask(third.secret.text, "premium"), Reason::kNone);
  // An account that takes another plan has that plan's rights.
  AccountSettings change;
  change.plan = plain.id;
  const auto moved = house_.accounts().PatchAccount(acme.account.id, change, 1, actor_);
  ASSERT_TRUE(moved.ok());
  EXPECT_TRUE(moved->premium_data);
  EXPECT_EQ(house_.Ask(acme.secret.text, "premium"), Reason::kNone);
  EXPECT_EQ(house_.Ask(other.secret.text, "premium"), Reason::kPremiumRequired);
}

TEST_F(AccountsTest, AVersionThatNoLongerStandsIsStale) {
  const core::Plan plan = house_.MakePlan("basic");
  const core::Account account = house_.MakeAccount("acme", plan.id).account;
  EXPECT_EQ(house_.accounts().PatchPlan(plan.id, Premium(true), 2, actor_).error().code,
            ErrorCode::kStale);
  AccountSettings change;
  change.title = "Acme";
  EXPECT_EQ(house_.accounts().PatchAccount(account.id, change, 2, actor_).error().code,
            ErrorCode::kStale);
  const auto changed = house_.accounts().PatchAccount(account.id, change, 1, actor_);
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(changed->version, 2);
  EXPECT_EQ(house_.LastEvent().before, R"({"title":"acme"})");
  EXPECT_EQ(house_.LastEvent().after, R"({"title":"Acme"})");
  EXPECT_EQ(house_.accounts().PatchAccount(account.id, change, 2, actor_)->version, 2);
}

TEST_F(AccountsTest, ListsWithThePlansRights) {
  const core::Plan plan = house_.MakePlan("basic", Premium(true));
  house_.MakeAccount("acme", plan.id);
  house_.clock().Advance(std::chrono::milliseconds(1));
  house_.MakeAccount("other", plan.id);
  PageRequest page;
  page.size = 1;
  const auto first = house_.accounts().ListAccounts(page);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->items.size(), 1U);
  EXPECT_EQ(first->items[0].workspace, "acme");
  EXPECT_TRUE(first->items[0].premium_data);
  page.after = first->next;
  const auto second = house_.accounts().ListAccounts(page);
  ASSERT_EQ(second->items.size(), 1U);
  EXPECT_EQ(second->items[0].workspace, "other");
  EXPECT_FALSE(second->next);
  EXPECT_EQ(house_.accounts().ListPlans({})->items.size(), 1U);
}

TEST_F(AccountsTest, OfAnUnknownOutcomeTheStricterSideIsInForce) {
  for (const Fault fault : {Fault::kUnknownDone, Fault::kUnknownNotDone}) {
    const std::string suffix = fault == Fault::kUnknownDone ? "-done" : "-not-done";
    const core::Plan plan = house_.MakePlan("basic" + suffix, Premium(true));
    const CreatedAccount acme = house_.MakeAccount("acme" + suffix, plan.id);
    house_.store().FailNextChange(fault);
    EXPECT_EQ(house_.accounts().PatchPlan(plan.id, Premium(false), 1, actor_).error().code,
              ErrorCode::kUnknown);
    EXPECT_EQ(house_.Ask(acme.secret.text, "premium"), Reason::kPremiumRequired);
    house_.store().FailNextChange(fault);
    EXPECT_EQ(house_.accounts().Suspend(acme.account.id, actor_).error().code, ErrorCode::kUnknown);
    EXPECT_EQ(house_.Ask(acme.secret.text), Reason::kAccountInactive);
    ASSERT_TRUE(house_.accounts().Suspend(acme.account.id, actor_).ok());
    house_.store().FailNextChange(fault);
    EXPECT_FALSE(house_.accounts().Resume(acme.account.id, actor_).ok());
    EXPECT_EQ(house_.Ask(acme.secret.text),
              fault == Fault::kUnknownDone ? Reason::kNone : Reason::kAccountInactive);

    house_.store().FailNextChange(fault);
    const std::size_t tokens = house_.index().GetSize().tokens;
    EXPECT_EQ(house_.accounts().CreateAccount({"new" + suffix, {}, plan.id}, actor_).error().code,
              ErrorCode::kUnknown);
    // What the store shows is there at once; its name is taken there.
    const bool done = fault == Fault::kUnknownDone;
    EXPECT_EQ(house_.index().GetSize().tokens, tokens + (done ? 2 : 0));
    EXPECT_EQ(house_.accounts().FindAccount("new" + suffix).ok(), done);
    house_.store().FailNextChange(fault);
    EXPECT_EQ(house_.accounts().CreatePlan({"other" + suffix, {}}, actor_).error().code,
              ErrorCode::kUnknown);
    EXPECT_EQ(house_.accounts().FindPlan("other" + suffix).ok(), done);
  }
}

TEST_F(AccountsTest, TheAnswersOfCreationsAreKept) {
  Answers answers(house_.store(), house_.clock());
  IdempotencyRecord<core::Plan> plan_record{"operator POST plans", Sha256("k1"), Sha256("b1"),
                                            [](const core::Plan& plan) { return plan.name; }};
  const auto plan = house_.accounts().CreatePlan({"basic", {}}, actor_, &plan_record);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ((*answers.Find("operator POST plans", Sha256("k1")))->sealed_answer, "basic");
  IdempotencyRecord<CreatedAccount> account_record{
      "operator POST accounts", Sha256("k2"), Sha256("b2"),
      [](const CreatedAccount& created) { return std::string(created.secret.text.Reveal()); }};
  const auto account =
      house_.accounts().CreateAccount({"acme", {}, plan->id}, actor_, &account_record);
  ASSERT_TRUE(account.ok());
  EXPECT_EQ((*answers.Find("operator POST accounts", Sha256("k2")))->sealed_answer,
            account->secret.text.Reveal());
}

}  // namespace
}  // namespace latchkey::service
