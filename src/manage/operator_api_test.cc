#include "manage/operator_api.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/planes.h"

namespace latchkey::manage {
namespace {

namespace json = boost::json;
using test::Object;
using testing::HasSubstr;
using testing::Not;
using Headers = test::Planes::Headers;

std::string Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return "(no " + std::string(name) + ")";
  return std::string(value->get_string().data(), value->get_string().size());
}

class OperatorApiTest : public testing::Test {
 protected:
  http::ClientResponse Send(std::string method, std::string target, std::string body = {},
                            Headers headers = {}) const {
    return planes_.Operator(std::move(method), "/operator/v1" + std::move(target), std::move(body),
                            std::move(headers));
  }
  void MakePlan() const {
    const auto made = Send("POST", "/plans", R"({"name":"free","monthly_core_credits":1000})");
    ASSERT_EQ(made.status, 201) << made.body;
  }

  test::Planes planes_;
};

TEST_F(OperatorApiTest, MakesListsAndChangesPlans) {
  const auto made = Send("POST", "/plans",
                         R"({"name":"pro","title":"Pro","monthly_core_credits":5000000,)"
                         R"("pay_as_you_go":true,"premium_data":true,"max_tokens":100})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.Header("Location"), "/operator/v1/plans/pro");
  const std::string id = Text(Object(made), "id");
  EXPECT_EQ(Send("GET", "/plans/pro").body, made.body);
  EXPECT_EQ(Send("GET", "/plans/" + id).body, made.body);
  EXPECT_EQ(Object(Send("GET", "/plans")).at("items").as_array().size(), 1u);

  EXPECT_EQ(Send("PATCH", "/plans/pro", R"({"max_tokens":null})").status, 428);
  const auto patched = Send("PATCH", "/plans/pro", R"({"max_tokens":null})",
                            {{"If-Match", made.Header("ETag").data()}});
  ASSERT_EQ(patched.status, 200) << patched.body;
  EXPECT_TRUE(Object(patched).at("max_tokens").is_null());
  EXPECT_EQ(Send("PATCH", "/plans/pro", "{}", {{"If-Match", "\"1\""}}).status, 412);
  EXPECT_EQ(Send("PATCH", "/plans/pro", R"({"name":"x"})", {{"If-Match", "*"}}).status, 400);
  EXPECT_EQ(Send("PATCH", "/plans/none", "{}", {{"If-Match", "*"}}).status, 404);
  EXPECT_EQ(Send("POST", "/plans", R"({"name":"pro"})").status, 409);
  EXPECT_EQ(Send("POST", "/plans", R"({"name":"No Name"})").status, 400);
}

TEST_F(OperatorApiTest, MakesAnAccountWithBothTokensShownOnce) {
  MakePlan();
  const auto made =
      Send("POST", "/accounts", R"({"workspace":"acme","title":"Acme Inc","plan":"free"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.Header("Location"), "/operator/v1/accounts/acme");
  const json::object account = Object(made);
  EXPECT_EQ(Text(account, "workspace"), "acme");
  EXPECT_EQ(Text(account, "plan"), "free");
  EXPECT_EQ(Text(account, "state"), "active");
  const json::array& tokens = account.at("tokens").as_array();
  ASSERT_EQ(tokens.size(), 2u);
  const std::string secret = Text(tokens[0].as_object(), "token");
  EXPECT_EQ(Text(tokens[0].as_object(), "kind"), "secret");
  EXPECT_EQ(Text(tokens[1].as_object(), "kind"), "publishable");
  EXPECT_EQ(secret.size(), 39u);
  EXPECT_EQ(planes_.Send(planes_.manage_port, "GET", "/manage/v1/tokens", secret).status, 200);
  for (const char* path :
       {"/accounts/acme", "/accounts/ACME", "/accounts", "/accounts/acme/tokens"}) {
    const auto later = Send("GET", path);
    EXPECT_EQ(later.status, 200) << path;
    EXPECT_THAT(later.body, Not(HasSubstr(secret)));
  }
  EXPECT_EQ(Send("GET", "/accounts/" + Text(account, "id")).body,
            Send("GET", "/accounts/acme").body);
}

TEST_F(OperatorApiTest, RefusesAccountsThatCantBe) {
  MakePlan();
  EXPECT_EQ(Send("POST", "/accounts", R"({"workspace":"acme","plan":"free"})").status, 201);
  EXPECT_EQ(Send("POST", "/accounts", R"({"workspace":"acme","plan":"free"})").status, 409);
  const auto no_plan = Send("POST", "/accounts", R"({"workspace":"other","plan":"none"})");
  EXPECT_EQ(no_plan.status, 400);
  EXPECT_EQ(Text(Object(no_plan).at("errors").as_array().at(0).as_object(), "field"), "plan");
  for (const char* workspace : {"core", "premium", "operator", "A", "-a", "a_b", ""}) {
    EXPECT_EQ(Send("POST", "/accounts",
                   std::string(R"({"plan":"free","workspace":")") + workspace + "\"}")
                  .status,
              400)
        << workspace;
  }
}

TEST_F(OperatorApiTest, AnAccountsCreationIsIdempotentToo) {
  MakePlan();
  const Headers key = {{"Idempotency-Key", "k"}};
  const auto first = Send("POST", "/accounts", R"({"workspace":"acme","plan":"free"})", key);
  const auto again = Send("POST", "/accounts", R"({"workspace":"acme","plan":"free"})", key);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  const auto plan = Send("POST", "/plans", R"({"name":"x2"})", key);
  EXPECT_EQ(plan.status, 201) << "a key counts per route: " << plan.body;
  EXPECT_EQ(Send("POST", "/plans", R"({"name":"x2"})", key).body, plan.body);
}

TEST_F(OperatorApiTest, ChangesSuspendsAndResumesAnAccount) {
  MakePlan();
  ASSERT_EQ(Send("POST", "/plans", R"({"name":"pro"})").status, 201);
  const auto made = Send("POST", "/accounts", R"({"workspace":"acme","plan":"free"})");
  const std::string secret = Text(Object(made).at("tokens").as_array().at(0).as_object(), "token");
  const auto manage = [&] {
    return planes_.Send(planes_.manage_port, "GET", "/manage/v1/tokens", secret).status;
  };
  const auto patched =
      Send("PATCH", "/accounts/acme", R"({"title":"New","plan":"pro"})", {{"If-Match", "\"1\""}});
  ASSERT_EQ(patched.status, 200) << patched.body;
  EXPECT_EQ(Text(Object(patched), "title"), "New");
  EXPECT_EQ(Text(Object(patched), "plan"), "pro");
  EXPECT_EQ(patched.Header("ETag"), "\"2\"");
  EXPECT_EQ(Send("PATCH", "/accounts/acme", "{}").status, 428);
  EXPECT_EQ(Send("PATCH", "/accounts/acme", "{}", {{"If-Match", "\"1\""}}).status, 412);
  EXPECT_EQ(Send("PATCH", "/accounts/acme", R"({"plan":"none"})", {{"If-Match", "*"}}).status, 400);
  EXPECT_EQ(Send("PATCH", "/accounts/acme", R"({"workspace":"x"})", {{"If-Match", "*"}}).status,
            400);

  const auto suspended = Send("POST", "/accounts/acme:suspend");
  EXPECT_EQ(suspended.status, 200);
  EXPECT_EQ(Text(Object(suspended), "state"), "suspended");
  EXPECT_EQ(manage(), 403);
  EXPECT_EQ(Text(Object(Send("POST", "/accounts/acme:resume", "{}")), "state"), "active");
  EXPECT_EQ(manage(), 200);
  EXPECT_EQ(Send("POST", "/accounts/none:suspend").status, 404);
}

TEST_F(OperatorApiTest, StreamsABackupAndKeepsNoFileOfIt) {
  const std::string file = planes_.folder.File("archive");
  const std::string content(300'000, 'b');
  const test::Planes planes([&](InternalOptions& options) {
    options.backup = [&](const core::Actor& actor) -> Result<std::string> {
      EXPECT_EQ(actor.principal, "operator");
      std::ofstream(file) << content;
      return file;
    };
  });
  const auto backup = planes.Operator("POST", "/operator/v1/backup");
  EXPECT_EQ(backup.status, 200);
  EXPECT_EQ(backup.body, content);
  EXPECT_EQ(backup.Header("Latchkey-Content-Bytes"), "300000");
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(OperatorApiTest, SaysWhenABackupCantBeMade) {
  const auto refused = Send("POST", "/backup");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("There is no room."));
  EXPECT_THAT(refused.body, Not(HasSubstr("disk full")));
}

TEST_F(OperatorApiTest, RotatesTheMasterKey) {
  EXPECT_EQ(Send("POST", "/master-key:rotate").body, R"({"master_key_id":2})");
  EXPECT_EQ(planes_.keys->CurrentId(), 2u);
  EXPECT_EQ(Send("POST", "/master-key:rotate", R"({"x":1})").status, 400);
  EXPECT_EQ(planes_.keys->CurrentId(), 2u);
}

}  // namespace
}  // namespace latchkey::manage
