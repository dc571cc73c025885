#include "core/account.h"

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

TEST(AccountTest, TakesWorkspaceNamesOfTheRule) {
  for (const std::string& name :
       {std::string("ab"), std::string("a1"), std::string("demo"), std::string("acme-data-2"),
        std::string("a--b"), std::string(63, 'a'), std::string("core-1")}) {
    EXPECT_TRUE(CheckWorkspaceName(name).ok()) << name;
    EXPECT_TRUE(CheckPlanName(name).ok()) << name;
  }
}

TEST(AccountTest, SaysWhichRuleAWorkspaceNameBreaks) {
  const struct {
    std::string name;
    const char* rule;
  } cases[] = {
      {"", "2 to 63"},        {"a", "2 to 63"},        {std::string(64, 'a'), "2 to 63"},
      {"Acme", "a-z"},        {"a_b", "a-z"},          {"a.b", "a-z"},
      {"a b", "a-z"},         {"\xC3\xA4tna", "a-z"},  {std::string("a\0b", 3), "a-z"},
      {"1a", "start"},        {"-a", "start"},         {"a-", "end with"},
      {"core", "reserved"},   {"premium", "reserved"}, {"operator", "reserved"},
      {"system", "reserved"},
  };
  for (const auto& c : cases) {
    const Status status = CheckWorkspaceName(c.name);
    ASSERT_FALSE(status.ok()) << c.name;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalid);
    EXPECT_NE(status.error().public_text.find(c.rule), std::string::npos)
        << status.error().public_text;
  }
}

TEST(AccountTest, ReservesNoPlanName) { EXPECT_TRUE(CheckPlanName("premium").ok()); }

TEST(AccountTest, StatesParseBack) {
  for (AccountState state : {AccountState::kActive, AccountState::kSuspended}) {
    EXPECT_EQ(ParseAccountState(ToString(state)), state);
  }
  EXPECT_FALSE(ParseAccountState("closed"));
}

}  // namespace
}  // namespace latchkey::core
