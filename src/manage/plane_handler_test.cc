// The chain around the API functions: host names, credentials, browsers, bodies that arrive late.
#include "manage/plane_handler.h"

#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/planes.h"
#include "test/support/socket_client.h"

namespace latchkey::manage {
namespace {

using testing::HasSubstr;
using testing::Not;
using Headers = test::Planes::Headers;

class PlaneHandlerTest : public testing::Test {
 protected:
  // Makes the account "acme".
  void MakeAccount() {
    const auto plan =
        test::Must(planes_.accounts->CreatePlan({.name = "free", .settings = {}}, actor_));
    auto created = test::Must(planes_.accounts->CreateAccount(
        {.workspace = "acme", .title = "", .plan = plan.id}, actor_));
    account_ = created.account.id;
    secret_id_ = created.secret.record.token.id;
    secret_ = created.secret.text.Reveal();
    publishable_ = created.publishable.text.Reveal();
  }
  http::ClientResponse Manage(std::string_view token, Headers headers = {},
                              std::string method = "GET",
                              std::string target = "/manage/v1/tokens") const {
    return planes_.Send(planes_.manage_port, std::move(method), std::move(target), token, {},
                        std::move(headers));
  }

  test::Planes planes_;
  core::Actor actor_{"operator", "", ""};
  core::AccountId account_;
  core::TokenId secret_id_;
  std::string secret_;
  std::string publishable_;
};

TEST_F(PlaneHandlerTest, AnswersOnlyUnderItsOwnNames) {
  MakeAccount();
  for (const char* host : {"localhost", "localhost:1", "127.0.0.1", "[::1]:8444",
                           "manage.example.com", "MANAGE.EXAMPLE.COM:443"}) {
    EXPECT_EQ(Manage(secret_, {{"Host", host}}).status, 200) << host;
  }
  for (const char* host :
       {"evil.example", "latchkey.internal", "manage.example.com.evil.example", "10.0.0.1"}) {
    const auto refused = Manage(secret_, {{"Host", host}});
    EXPECT_EQ(refused.status, 421) << host;
    EXPECT_EQ(refused.Header("Latchkey-Reason"), "misdirected");
  }
  for (const char* path : {"/healthz", "/readyz", "/metrics", "/operator/v1/plans"}) {
    EXPECT_EQ(planes_.Operator("GET", path, "", {{"Host", "latchkey.internal:8445"}}).status, 200);
    EXPECT_EQ(planes_.Operator("GET", path, "", {{"Host", "evil.example"}}).status, 421) << path;
    EXPECT_EQ(planes_.Operator("GET", path, "", {{"Host", "manage.example.com"}}).status, 421);
  }
}

TEST_F(PlaneHandlerTest, NeverSendsAHeaderOfCors) {
  MakeAccount();
  const Headers preflight = {{"Origin", "https://evil.example"},
                             {"Access-Control-Request-Method", "POST"}};
  for (const auto& response :
       {Manage("", preflight, "OPTIONS"), Manage(secret_, {{"Origin", "https://a.example"}}),
        Manage(secret_), planes_.Operator("OPTIONS", "/operator/v1/plans", "", preflight),
        planes_.Operator("GET", "/healthz", "", preflight)}) {
    for (const auto& [name, value] : response.headers) {
      EXPECT_THAT(name, Not(testing::StartsWith("Access-Control"))) << value;
    }
    EXPECT_EQ(response.Header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(response.Header("Cache-Control"), "no-store");
  }
  EXPECT_EQ(Manage("", preflight, "OPTIONS").status, 405);
}

TEST_F(PlaneHandlerTest, TakesASecretTokenOfAnActiveAccountAndNothingElse) {
  MakeAccount();
  const auto refused_with = [&](std::string_view token, Headers headers = {}) {
    const auto response = Manage(token, std::move(headers));
    EXPECT_EQ(response.Header("Content-Type"), "application/problem+json");
    return std::to_string(response.status) + " " + std::string(response.Header("Latchkey-Reason"));
  };
  EXPECT_EQ(Manage(secret_).status, 200);
  EXPECT_EQ(Manage(secret_, {}, "HEAD").status, 200);
  EXPECT_EQ(refused_with(""), "401 sign_in_required");
  EXPECT_EQ(Manage("").Header("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(refused_with("", {{"Authorization", "Basic " + secret_}}), "401 sign_in_required");
  EXPECT_EQ(refused_with("", {{"Authorization", "Bearer "}}), "401 sign_in_required");
  EXPECT_EQ(refused_with(publishable_), "401 secret_token_required");
  EXPECT_EQ(refused_with("sk_0000000000000000000000000000004LUZwA"), "403 token_invalid");
  EXPECT_EQ(refused_with("rubbish"), "403 token_invalid");
  EXPECT_EQ(refused_with(test::kOperatorToken), "403 token_invalid");
  EXPECT_EQ(refused_with(secret_, {{"Origin", "https://localhost"}}),
            "403 secret_token_in_browser");
  EXPECT_EQ(refused_with(secret_, {{"Sec-Fetch-Site", "same-origin"}}),
            "403 secret_token_in_browser");
  ASSERT_TRUE(planes_.accounts->Suspend(account_, actor_).ok());
  EXPECT_EQ(refused_with(secret_), "403 account_inactive");
  ASSERT_TRUE(planes_.accounts->Resume(account_, actor_).ok());
  ASSERT_TRUE(planes_.tokens->Disable(account_, secret_id_, actor_).ok());
  EXPECT_EQ(refused_with(secret_), "403 token_disabled");
  ASSERT_TRUE(planes_.tokens->Remove(account_, secret_id_, std::nullopt, actor_).ok());
  EXPECT_EQ(refused_with(secret_), "403 token_invalid");
}

TEST_F(PlaneHandlerTest, OpensTheOperatorsDoorToTheOperatorTokenAndNeverToBrowsers) {
  MakeAccount();
  const auto status = [&](std::string_view token, Headers headers = {}) {
    const auto response = planes_.Send(planes_.internal_port, "GET", "/operator/v1/plans", token,
                                       {}, std::move(headers));
    return std::to_string(response.status) + " " + std::string(response.Header("Latchkey-Reason"));
  };
  EXPECT_EQ(status(test::kOperatorToken), "200 ");
  EXPECT_EQ(status(""), "401 sign_in_required");
  EXPECT_EQ(status("op_wrong"), "401 sign_in_required");
  EXPECT_EQ(status(std::string(test::kOperatorToken) + "x"), "401 sign_in_required");
  EXPECT_EQ(status(secret_), "401 sign_in_required");
  EXPECT_EQ(status(test::kOperatorToken, {{"Origin", "null"}}), "403 not_permitted");
  EXPECT_EQ(status(test::kOperatorToken, {{"Sec-Fetch-Site", "none"}}), "403 not_permitted");
}

TEST_F(PlaneHandlerTest, KeepsThePlanesApart) {
  MakeAccount();
  for (const char* path : {"/operator/v1/plans", "/healthz", "/metrics", "/v1/status", "/", "/x"}) {
    EXPECT_EQ(Manage(secret_, {}, "GET", path).status, 404) << path;
  }
  for (const char* path : {"/manage/v1/tokens", "/v1/data", "/", "/operator/v1/accounts/none",
                           "/operator/v1/accounts/none/tokens", "/operator/v1/plans/none",
                           "/operator/v1/datasets/core/none"}) {
    EXPECT_EQ(planes_.Operator("GET", path).status, 404) << path;
  }
}

TEST_F(PlaneHandlerTest, JudgesTheCallerAgainWhenTheBodyHasArrived) {
  MakeAccount();
  test::SocketClient slow(planes_.manage_port);
  ASSERT_TRUE(slow.Send(
      "POST /manage/v1/tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + secret_ +
      "\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
      "Content-Length: 17\r\n\r\n"));
  // The server has read the head, and let the caller in, when it asks for the body.
  ASSERT_THAT(slow.ReadAnswer(), HasSubstr("100 Continue"));
  ASSERT_TRUE(planes_.tokens->Disable(account_, secret_id_, actor_).ok());
  ASSERT_TRUE(slow.Send(R"({"kind":"secret"})"));
  const std::string answer = slow.ReadAnswer();
  EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(answer, HasSubstr("token_disabled"));
  const auto tokens = test::Must(planes_.tokens->List(account_, {}));
  EXPECT_EQ(tokens.items.size(), 2u);
}

TEST_F(PlaneHandlerTest, RefusesMalformedBytesAsAProblem) {
  test::SocketClient client(planes_.manage_port);
  ASSERT_TRUE(
      client.Send("GET /manage/v1/tokens?token=sk_0000000000000000000000000000004LUZwA HTTP/1.1\r\n"
                  "Host: a\r\nHost: b\r\n\r\n"));
  const std::string answer = client.ReadAll();
  EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer, HasSubstr("Latchkey-Reason: bad_request"));
  EXPECT_THAT(answer, HasSubstr("application/problem+json"));
  EXPECT_THAT(planes_.StopAndReadAccessLog(), Not(HasSubstr("4LUZwA")));
}

TEST_F(PlaneHandlerTest, TellsHealthAndMetricsToAnyone) {
  const auto health = planes_.Send(planes_.internal_port, "GET", "/healthz", "");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, "ok\n");
  EXPECT_EQ(planes_.Send(planes_.internal_port, "GET", "/readyz", "").body, "ready\n");
  const auto metrics = planes_.Send(planes_.internal_port, "GET", "/metrics", "");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_EQ(metrics.Header("Content-Type"), kMetricsContentType);
  EXPECT_THAT(metrics.body, HasSubstr("internal"));
}

TEST(PlaneReadinessTest, SaysWhatIsWrong) {
  const test::Planes planes([](InternalOptions& options) {
    options.readiness = [] {
      return std::vector<std::string>{"the store does not answer", "the server is draining"};
    };
  });
  const auto ready = planes.Send(planes.internal_port, "GET", "/readyz", "");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.Header("Latchkey-Reason"), "unavailable");
  EXPECT_THAT(ready.body, HasSubstr("the store does not answer; the server is draining"));
}

TEST(PlaneOverloadTest, RefusesWhenThePoolIsFullButStillGivesMetrics) {
  test::Planes planes(nullptr, 1, 1);
  std::promise<void> release;
  const std::shared_future<void> released(release.get_future());
  std::promise<void> started;
  ASSERT_TRUE(planes.pool->Submit(0, [&started, released] {
    started.set_value();
    released.wait();
  }));
  started.get_future().wait();
  ASSERT_TRUE(planes.pool->Submit(0, [released] { released.wait(); }));
  const auto refused = planes.Operator("GET", "/operator/v1/plans");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Header("Latchkey-Reason"), "unavailable");
  EXPECT_EQ(refused.Header("Retry-After"), "1");
  EXPECT_EQ(planes.Operator("GET", "/metrics").status, 200);
  EXPECT_EQ(planes.Operator("GET", "/healthz").status, 200);
  release.set_value();
}

}  // namespace
}  // namespace latchkey::manage
