// Tokens over both doors: each test of TokenDoorTest runs over /manage/v1/tokens with a secret
// token and over /operator/v1/accounts/{account}/tokens with the operator token.
#include "manage/tokens_api.h"

#include <algorithm>
#include <set>
#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/planes.h"
#include "test/support/socket_client.h"

namespace latchkey::manage {
namespace {

namespace json = boost::json;
using test::Object;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Headers = test::Planes::Headers;

std::string Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return "(no " + std::string(name) + ")";
  return std::string(value->get_string().data(), value->get_string().size());
}

std::vector<std::string> Nicknames(const http::ClientResponse& list) {
  std::vector<std::string> names;
  const json::object object = Object(list);
  for (const json::value& item : object.at("items").as_array()) {
    names.push_back(Text(item.as_object(), "nickname"));
  }
  return names;
}

enum class Door { kManage, kOperatorById, kOperatorByWorkspace };

class TokenDoorTest : public testing::TestWithParam<Door> {
 protected:
  TokenDoorTest() {
    EXPECT_EQ(planes_.Operator("POST", "/operator/v1/plans", R"({"name":"free"})").status, 201);
    const http::ClientResponse created =
        planes_.Operator("POST", "/operator/v1/accounts", R"({"workspace":"acme","plan":"free"})");
    EXPECT_EQ(created.status, 201) << created.body;
    const json::object account = Object(created);
    account_id_ = Text(account, "id");
    secret_ = Text(account.at("tokens").as_array().at(0).as_object(), "token");
    secret_id_ = Text(account.at("tokens").as_array().at(0).as_object(), "id");
    publishable_ = Text(account.at("tokens").as_array().at(1).as_object(), "token");
    switch (GetParam()) {
      case Door::kManage:
        prefix_ = "/manage/v1/tokens";
        break;
      case Door::kOperatorById:
        prefix_ = "/operator/v1/accounts/" + account_id_ + "/tokens";
        break;
      case Door::kOperatorByWorkspace:
        prefix_ = "/operator/v1/accounts/acme/tokens";
        break;
    }
  }

  http::ClientResponse Send(std::string method, std::string rest, std::string body = {},
                            Headers headers = {}) const {
    const bool manage = GetParam() == Door::kManage;
    return planes_.Send(manage ? planes_.manage_port : planes_.internal_port, std::move(method),
                        prefix_ + rest, manage ? secret_ : test::kOperatorToken, std::move(body),
                        std::move(headers));
  }
  // The id of a new publishable token.
  std::string Make(const std::string& nickname) const {
    const auto made = Send("POST", "", R"({"kind":"publishable","nickname":")" + nickname + "\"}");
    EXPECT_EQ(made.status, 201) << made.body;
    return Text(Object(made), "id");
  }
  // Whether the data plane's verifier would know the token: asked of the management plane, which
  // refuses a publishable token for another reason than an unknown one.
  int ManageStatus(std::string_view token) const {
    return planes_.Send(planes_.manage_port, "GET", "/manage/v1/tokens", token).status;
  }

  test::Planes planes_;
  std::string account_id_;
  std::string secret_;
  std::string secret_id_;
  std::string publishable_;
  std::string prefix_;
};

TEST_P(TokenDoorTest, CreatesWithEverySettingAndSaysWhereItIs) {
  const auto made = Send(
      "POST", "",
      R"({"kind":"publishable","environment":"test","nickname":"shop","labels":{"project":"x"},)"
      R"("end_user":"u1","enabled":false,"expires_at":"2030-01-01T00:00:00Z",)"
      R"("core_data_access":false})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.Header("ETag"), "\"1\"");
  EXPECT_EQ(made.Header("Content-Type"), "application/json; charset=utf-8");
  EXPECT_EQ(made.Header("Cache-Control"), "no-store");
  const json::object token = Object(made);
  EXPECT_EQ(made.Header("Location"), prefix_ + "/" + Text(token, "id"));
  EXPECT_THAT(Text(token, "token"), testing::StartsWith("Tpk_"));
  EXPECT_EQ(Text(token, "nickname"), "shop");
  EXPECT_EQ(Text(token, "end_user"), "u1");
  EXPECT_EQ(Text(token.at("labels").as_object(), "project"), "x");
  EXPECT_FALSE(token.at("enabled").as_bool());
  EXPECT_FALSE(token.at("core_data_access").as_bool());
  EXPECT_EQ(Text(token, "expires_at"), "2030-01-01T00:00:00Z");
  EXPECT_EQ(Text(token, "created_by"), GetParam() == Door::kManage ? secret_id_ : "operator");

  const auto read = Send("GET", "/" + Text(token, "id"));
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, made.body);
  EXPECT_EQ(read.Header("ETag"), "\"1\"");
}

TEST_P(TokenDoorTest, ShowsASecretWholeOnceAndNeverAgain) {
  const auto made = Send("POST", "", R"({"kind":"secret","nickname":"importer"})");
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string text = Text(Object(made), "token");
  const std::string id = Text(Object(made), "id");
  ASSERT_EQ(text.size(), 39u);
  EXPECT_EQ(ManageStatus(text), 200);
  EXPECT_THAT(made.body, Not(HasSubstr("core_data_access")));
  for (const auto& later : {Send("GET", "/" + id), Send("GET", ""),
                            Send("POST", "/" + id + ":disable"), Send("POST", "/" + id + ":enable"),
                            Send("PATCH", "/" + id, R"({"nickname":"y"})", {{"If-Match", "*"}})}) {
    EXPECT_EQ(later.status, 200) << later.body;
    EXPECT_THAT(later.body, Not(HasSubstr(text)));
    EXPECT_THAT(later.body, HasSubstr("sk_…" + text.substr(text.size() - 4)));
  }
}

TEST_P(TokenDoorTest, ListsOldestFirstInPagesThatStayStableWhileTokensAreAdded) {
  // Each a millisecond later: what is made in the same one stands in the order of ids.
  const auto make_later = [&](const std::string& nickname) {
    planes_.clock.Advance(std::chrono::milliseconds(1));
    Make(nickname);
  };
  for (int i = 0; i < 5; ++i) make_later("t" + std::to_string(i));
  std::vector<std::string> seen;
  std::string next;
  for (int page = 0; page < 10; ++page) {
    const auto list =
        Send("GET", "?page_size=2" + (next.empty() ? std::string() : "&page_token=" + next));
    ASSERT_EQ(list.status, 200) << list.body;
    const std::vector<std::string> names = Nicknames(list);
    EXPECT_LE(names.size(), 2u);
    seen.insert(seen.end(), names.begin(), names.end());
    const json::object object = Object(list);
    if (object.at("next_page_token").is_null()) break;
    next = Text(object, "next_page_token");
    if (page < 2) make_later("new" + std::to_string(page));
  }
  EXPECT_THAT(seen, ElementsAre("", "", "t0", "t1", "t2", "t3", "t4", "new0", "new1"));
}

TEST_P(TokenDoorTest, FindsByNicknameWithoutCase) {
  Make("Shop One");
  Make("other");
  EXPECT_THAT(Nicknames(Send("GET", "?q=shop%20o")), ElementsAre("Shop One"));
  EXPECT_THAT(Nicknames(Send("GET", "?q=nothing")), IsEmpty());
}

TEST_P(TokenDoorTest, AsksForIfMatchOfEveryPatch) {
  const std::string id = "/" + Make("a");
  const struct {
    const char* if_match;  // null: not sent
    int status;
  } table[] = {
      {nullptr, 428}, {"\"2\"", 412}, {"\"0\"", 412}, {"W/\"1\"", 412},      {"1", 400},
      {"\"1\"", 200}, {"\"1\"", 412}, {"\"2\"", 200}, {"\"7\", \"3\"", 200}, {"*", 200},
  };
  int number = 0;
  int version = 1;
  for (const auto& [if_match, status] : table) {
    Headers headers;
    if (if_match != nullptr) headers.emplace_back("If-Match", if_match);
    const auto patched = Send("PATCH", id, R"({"nickname":"n)" + std::to_string(++number) + "\"}",
                              std::move(headers));
    EXPECT_EQ(patched.status, status) << (if_match == nullptr ? "none" : if_match) << patched.body;
    if (patched.status != 200) continue;
    EXPECT_EQ(patched.Header("ETag"), "\"" + std::to_string(++version) + "\"");
    EXPECT_EQ(Text(Object(patched), "nickname"), "n" + std::to_string(number));
  }
  EXPECT_EQ(Send("PATCH", "/tok_00000000001", "{}", {{"If-Match", "*"}}).status, 404);
}

TEST_P(TokenDoorTest, MarksAnUnconditionalPatchInTheAuditLog) {
  const std::string id = Make("a");
  ASSERT_EQ(Send("PATCH", "/" + id, R"({"nickname":"b"})", {{"If-Match", "*"}}).status, 200);
  const auto events = test::Must(planes_.store->ListAuditEvents(0, 100));
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().subject, id);
  EXPECT_EQ(events.back().actor.address, "127.0.0.1");
  EXPECT_THAT(events.back().actor.request_id, Not(IsEmpty()));
  EXPECT_THAT(events.back().after, HasSubstr("if_match"));
}

TEST_P(TokenDoorTest, RemovesForGoodWithOrWithoutIfMatch) {
  const std::string first = "/" + Make("a");
  EXPECT_EQ(Send("DELETE", first, "", {{"If-Match", "\"9\""}}).status, 412);
  EXPECT_EQ(Send("DELETE", first, "", {{"If-Match", "\"1\""}}).status, 204);
  EXPECT_EQ(Send("DELETE", first).status, 404);
  EXPECT_EQ(Send("GET", first).status, 404);
  EXPECT_EQ(Send("DELETE", "/" + Make("b")).status, 204);

  const auto made = Send("POST", "", R"({"kind":"secret"})");
  const std::string text = Text(Object(made), "token");
  EXPECT_EQ(ManageStatus(text), 200);
  const auto removed = Send("DELETE", "/" + Text(Object(made), "id"));
  EXPECT_EQ(removed.status, 204);
  EXPECT_EQ(removed.body, "");
  EXPECT_EQ(ManageStatus(text), 403);
}

TEST_P(TokenDoorTest, DisablesAndEnablesFromTheNextRequestOn) {
  const auto made = Send("POST", "", R"({"kind":"secret"})");
  const std::string text = Text(Object(made), "token");
  const std::string id = "/" + Text(Object(made), "id");
  const auto disabled = Send("POST", id + ":disable");
  EXPECT_EQ(disabled.status, 200);
  EXPECT_FALSE(Object(disabled).at("enabled").as_bool());
  EXPECT_EQ(disabled.Header("ETag"), "\"2\"");
  const auto refused = planes_.Send(planes_.manage_port, "GET", "/manage/v1/tokens", text);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.Header("Latchkey-Reason"), "token_disabled");
  EXPECT_EQ(Send("POST", id + ":enable", "{}").status, 200);
  EXPECT_EQ(ManageStatus(text), 200);
  EXPECT_EQ(Send("POST", id + ":disable", R"({"why":"x"})").status, 400);
  EXPECT_EQ(Send("POST", "/tok_00000000001:disable").status, 404);
  EXPECT_EQ(Send("POST", id + ":destroy").status, 404);
}

TEST_P(TokenDoorTest, NullClearsAndLabelsMerge) {
  const auto made = Send("POST", "",
                         R"({"kind":"publishable","nickname":"n","labels":{"a":"1","b":"2"},)"
                         R"("end_user":"u","expires_at":"2030-01-01T00:00:00Z"})");
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string id = "/" + Text(Object(made), "id");
  const auto patched =
      Send("PATCH", id,
           R"({"nickname":null,"labels":{"a":null,"c":"3"},"end_user":null,"expires_at":null})",
           {{"If-Match", "\"1\""}, {"Content-Type", "application/merge-patch+json"}});
  ASSERT_EQ(patched.status, 200) << patched.body;
  const json::object token = Object(patched);
  EXPECT_EQ(Text(token, "nickname"), "");
  EXPECT_EQ(json::serialize(token.at("labels")), R"({"b":"2","c":"3"})");
  EXPECT_TRUE(token.at("end_user").is_null());
  EXPECT_TRUE(token.at("expires_at").is_null());
}

TEST_P(TokenDoorTest, RefusesWhatIsNotAllowedAndNamesTheField) {
  const struct {
    const char* body;
    const char* field;
  } table[] = {
      {"{}", "kind"},
      {R"({"kind":"key"})", "kind"},
      {R"({"kind":"secret","core_data_access":true})", "core_data_access"},
      {R"({"kind":"secret","end_user":"u"})", "end_user"},
      {R"({"kind":"publishable","id":"tok_1"})", "id"},
      {R"({"kind":"publishable","signed_requests":true})", "signed_requests"},
      {R"({"kind":"publishable","labels":{"a":7}})", "labels.a"},
      {R"({"kind":"publishable","expires_at":"2020-01-01T00:00:00Z"})", "expires_at"},
  };
  for (const auto& [body, field] : table) {
    const auto refused = Send("POST", "", body);
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_EQ(refused.Header("Content-Type"), "application/problem+json");
    EXPECT_EQ(refused.Header("Latchkey-Reason"), "invalid_values");
    const json::object problem = Object(refused);
    EXPECT_EQ(Text(problem, "reason"), "invalid_values");
    EXPECT_EQ(Text(problem, "request_id"), refused.Header("Latchkey-Request-Id"));
    ASSERT_TRUE(problem.contains("errors")) << refused.body;
    EXPECT_EQ(Text(problem.at("errors").as_array().at(0).as_object(), "field"), field);
  }
  EXPECT_EQ(Send("POST", "", "[1]").status, 400);
  EXPECT_EQ(Send("POST", "", "{\"kind\":").status, 400);
  EXPECT_EQ(Send("POST", "").status, 400);
  EXPECT_EQ(Send("POST", "", R"({"kind":"secret"})", {{"Content-Type", "text/plain"}}).status, 415);
  EXPECT_EQ(Send("POST", "", std::string(64 * 1024 + 1, ' ')).status, 413);
  for (const char* query : {"?page_size=0", "?page_size=501", "?page_token=x", "?token=sk_x",
                            "?limit=1", "?q=a&q=b", "?q=%zz"}) {
    EXPECT_EQ(Send("GET", query).status, 400) << query;
  }
  EXPECT_EQ(Send("GET", "/tok_nonsense").status, 404);
  EXPECT_EQ(Send("PUT", "", "{}").status, 405);
  EXPECT_EQ(Send("PUT", "", "{}").Header("Allow"), "GET, HEAD, POST");
}

TEST_P(TokenDoorTest, SeesNothingOfOtherAccounts) {
  const auto other =
      planes_.Operator("POST", "/operator/v1/accounts", R"({"workspace":"other","plan":"free"})");
  ASSERT_EQ(other.status, 201);
  const std::string id = "/" + Text(Object(other).at("tokens").as_array().at(0).as_object(), "id");
  EXPECT_EQ(Send("GET", id).status, 404);
  EXPECT_EQ(Send("PATCH", id, "{}", {{"If-Match", "*"}}).status, 404);
  EXPECT_EQ(Send("POST", id + ":disable").status, 404);
  EXPECT_EQ(Send("DELETE", id).status, 404);
  EXPECT_EQ(Object(Send("GET", "")).at("items").as_array().size(), 2u);
}

TEST_P(TokenDoorTest, KeepsToThePlansMaximum) {
  EXPECT_EQ(
      planes_
          .Operator("PATCH", "/operator/v1/plans/free", R"({"max_tokens":3})", {{"If-Match", "*"}})
          .status,
      200);
  EXPECT_EQ(Send("POST", "", R"({"kind":"publishable"})").status, 201);
  const auto refused = Send("POST", "", R"({"kind":"publishable"})");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.Header("Latchkey-Reason"), "plan_limit_reached");
}

TEST_P(TokenDoorTest, GivesTheSameAnswerAgainForTheSameIdempotencyKey) {
  const Headers key = {{"Idempotency-Key", "order-7"}};
  const auto first = Send("POST", "", R"({"kind":"secret"})", key);
  ASSERT_EQ(first.status, 201) << first.body;
  EXPECT_EQ(first.Header("Idempotency-Replayed"), "");
  planes_.clock.Advance(std::chrono::hours(23));
  const auto again = Send("POST", "", R"({"kind":"secret"})", key);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.Header("ETag"), first.Header("ETag"));
  EXPECT_EQ(again.Header("Location"), first.Header("Location"));
  EXPECT_EQ(again.Header("Idempotency-Replayed"), "true");
  EXPECT_EQ(Send("POST", "", R"({"kind":"publishable"})", key).status, 409);
  EXPECT_EQ(Object(Send("GET", "")).at("items").as_array().size(), 3u);
  EXPECT_EQ(Send("POST", "", R"({"kind":"secret"})", {{"Idempotency-Key", "order-8"}}).status, 201);
  EXPECT_EQ(Send("POST", "", R"({"kind":"secret"})", {{"Idempotency-Key", "a b"}}).status, 400);
  // A day later the key is free again.
  planes_.clock.Advance(std::chrono::hours(2));
  const auto later = Send("POST", "", R"({"kind":"secret"})", key);
  EXPECT_EQ(later.status, 201) << later.body;
  EXPECT_NE(later.body, first.body);
}

TEST_P(TokenDoorTest, MakesOneTokenOfManyCallsAtOnceWithOneKey) {
  std::vector<std::string> bodies(6);
  std::vector<std::thread> callers;
  for (std::string& body : bodies) {
    callers.emplace_back([this, &body] {
      const auto made = Send("POST", "", R"({"kind":"secret"})", {{"Idempotency-Key", "the-same"}});
      EXPECT_EQ(made.status, 201) << made.body;
      body = made.body;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(std::set<std::string>(bodies.begin(), bodies.end()).size(), 1u);
  EXPECT_EQ(Object(Send("GET", "")).at("items").as_array().size(), 3u);
}

TEST_P(TokenDoorTest, StoresNothingThatGivesASecretBack) {
  const auto made =
      Send("POST", "", R"({"kind":"secret"})", {{"Idempotency-Key", "a-key-of-mine"}});
  const std::string text = Text(Object(made), "token");
  const std::string log = planes_.StopAndReadAccessLog();
  EXPECT_THAT(log, HasSubstr("\"POST\""));
  EXPECT_THAT(log, Not(HasSubstr(text)));
  EXPECT_THAT(log, Not(HasSubstr(secret_)));
  EXPECT_THAT(log, Not(HasSubstr(std::string(test::kOperatorToken))));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(planes_.folder.path())) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    EXPECT_EQ(bytes.str().find(text), std::string::npos) << entry.path();
    EXPECT_EQ(bytes.str().find("a-key-of-mine"), std::string::npos) << entry.path();
  }
}

INSTANTIATE_TEST_SUITE_P(BothDoors, TokenDoorTest,
                         testing::Values(Door::kManage, Door::kOperatorById,
                                         Door::kOperatorByWorkspace),
                         [](const testing::TestParamInfo<Door>& info) {
                           switch (info.param) {
                             case Door::kManage:
                               return "Manage";
                             case Door::kOperatorById:
                               return "OperatorById";
                             default:
                               return "OperatorByWorkspace";
                           }
                         });

}  // namespace
}  // namespace latchkey::manage
