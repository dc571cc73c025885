#include "manage/datasets_api.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/planes.h"

namespace latchkey::manage {
namespace {

namespace json = boost::json;
using test::Object;
using testing::ElementsAre;
using Headers = test::Planes::Headers;

constexpr const char* kPrices =
    R"({"name":"PRICES","fields":[{"name":"symbol","type":"string","required":true},)"
    R"({"name":"day","type":"date","required":true},{"name":"close","type":"number"}],)"
    R"("key":"symbol","date":"day"})";

std::vector<std::string> Names(const http::ClientResponse& response) {
  std::vector<std::string> names;
  const json::object page = Object(response);
  for (const json::value& item : page.at("items").as_array()) {
    names.emplace_back(item.at("name").as_string());
  }
  return names;
}

std::string FirstError(const http::ClientResponse& response) {
  const json::object problem = Object(response);
  const json::value* errors = problem.if_contains("errors");
  return errors ? std::string(errors->at(0).at("field").as_string()) : std::string();
}

// An account of a plan that allows three datasets, its secret token, and another account.
class DatasetsApiTest : public testing::Test {
 protected:
  DatasetsApiTest() {
    EXPECT_EQ(planes_
                  .Operator("POST", "/operator/v1/plans",
                            R"({"name":"free","monthly_core_credits":1000,"max_datasets":3})")
                  .status,
              201);
    secret_ = MakeAccount("acme");
    other_ = MakeAccount("rival");
  }
  std::string MakeAccount(const std::string& workspace) {
    const auto made = planes_.Operator("POST", "/operator/v1/accounts",
                                       R"({"plan":"free","workspace":")" + workspace + "\"}");
    EXPECT_EQ(made.status, 201) << made.body;
    const json::object account = Object(made);
    for (const json::value& token : account.at("tokens").as_array()) {
      if (token.at("kind") == "secret") return std::string(token.at("token").as_string());
    }
    return {};
  }
  http::ClientResponse Manage(std::string method, std::string target, std::string body = {},
                              Headers headers = {}, std::string token = {}) const {
    return planes_.Manage(std::move(method), "/manage/v1" + std::move(target),
                          token.empty() ? secret_ : token, std::move(body), std::move(headers));
  }
  http::ClientResponse Operator(std::string method, std::string target, std::string body = {},
                                Headers headers = {}) const {
    return planes_.Operator(std::move(method), "/operator/v1" + std::move(target), std::move(body),
                            std::move(headers));
  }

  test::Planes planes_;
  std::string secret_;
  std::string other_;
};

TEST_F(DatasetsApiTest, MakesShowsChangesAndRemovesAnAccountsDataset) {
  const auto made = Manage("POST", "/datasets", kPrices);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.Header("Location"), "/manage/v1/datasets/PRICES");
  EXPECT_EQ(made.Header("ETag"), "\"1\"");
  const json::object dataset = Object(made);
  EXPECT_EQ(dataset.at("workspace"), "acme");
  EXPECT_EQ(dataset.at("class"), "workspace");
  EXPECT_EQ(dataset.at("title"), "PRICES");
  EXPECT_EQ(dataset.at("records"), 0);
  EXPECT_EQ(dataset.at("bytes"), 0);
  const std::string id(dataset.at("id").as_string());
  EXPECT_EQ(Manage("GET", "/datasets/prices").body, made.body);
  EXPECT_EQ(Manage("GET", "/datasets/" + id).body, made.body);
  EXPECT_EQ(Operator("GET", "/accounts/acme/datasets/PRICES").body, made.body);
  EXPECT_EQ(Operator("GET", "/datasets/acme/PRICES").body, made.body);

  EXPECT_EQ(Manage("PATCH", "/datasets/PRICES", R"({"title":"x"})").status, 428);
  const auto patched =
      Manage("PATCH", "/datasets/PRICES",
             R"({"title":"Daily","source":"exchange","name":"QUOTES"})", {{"If-Match", "\"1\""}});
  ASSERT_EQ(patched.status, 200) << patched.body;
  EXPECT_EQ(Object(patched).at("title"), "Daily");
  EXPECT_EQ(Object(patched).at("source"), "exchange");
  EXPECT_EQ(patched.Header("ETag"), "\"2\"");
  EXPECT_EQ(Manage("GET", "/datasets/PRICES").status, 404);
  EXPECT_EQ(Manage("PATCH", "/datasets/QUOTES", "{}", {{"If-Match", "\"1\""}}).status, 412);
  const auto cleared =
      Manage("PATCH", "/datasets/QUOTES", R"({"title":null})", {{"If-Match", "*"}});
  EXPECT_EQ(Object(cleared).at("title"), "QUOTES");

  EXPECT_EQ(Manage("DELETE", "/datasets/QUOTES", {}, {{"If-Match", "\"1\""}}).status, 412);
  EXPECT_EQ(Manage("DELETE", "/datasets/QUOTES").status, 204);
  EXPECT_EQ(Manage("DELETE", "/datasets/QUOTES").status, 404);
}

// wire.md §9: "`*` accepted and marked in the audit log".
TEST_F(DatasetsApiTest, MarksAnUnconditionalPatchInTheAuditLog) {
  ASSERT_EQ(Manage("POST", "/datasets", kPrices).status, 201);
  for (const char* version : {"\"1\"", "*"}) {
    ASSERT_EQ(
        Manage("PATCH", "/datasets/PRICES", R"({"title":"x"})", {{"If-Match", version}}).status,
        200);
    const auto events = test::Must(planes_.store->ListAuditEvents(0, 100));
    EXPECT_EQ(events.back().action, "dataset.update");
    EXPECT_EQ(events.back().after.find(R"(,"if_match":"*"})") != std::string::npos,
              std::string(version) == "*")
        << events.back().after;
  }
}

TEST_F(DatasetsApiTest, AnotherAccountsDatasetIsAsIfItWereNotThere) {
  const auto made = Manage("POST", "/datasets", kPrices);
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string id(Object(made).at("id").as_string());
  for (const std::string& name : {std::string("PRICES"), id}) {
    const auto foreign = Manage("GET", "/datasets/" + name, {}, {}, other_);
    const auto absent = Manage("GET", "/datasets/NONE", {}, {}, other_);
    EXPECT_EQ(foreign.status, 404) << name;
    EXPECT_EQ(Object(foreign).at("detail"), Object(absent).at("detail"));
    EXPECT_EQ(Manage("DELETE", "/datasets/" + name, {}, {}, other_).status, 404);
    EXPECT_EQ(Operator("GET", "/accounts/rival/datasets/" + name).status, 404);
  }
  EXPECT_THAT(Names(Manage("GET", "/datasets", {}, {}, other_)), ElementsAre());
  EXPECT_EQ(Manage("GET", "/datasets/PRICES").status, 200);
  // What the path or the token names is the only account there is to it.
  EXPECT_EQ(Operator("GET", "/accounts/none/datasets").status, 404);
}

TEST_F(DatasetsApiTest, NamesEachFieldThatCantHold) {
  const struct {
    const char* body;
    const char* field;
  } cases[] = {
      {R"({"fields":[]})", "name"},
      {R"({"name":"A"})", "fields"},
      {R"({"name":"A","fields":{}})", "fields"},
      {R"({"name":"A","fields":[7]})", "fields[0]"},
      {R"({"name":"A","fields":[{"name":"a"}]})", "fields[0].type"},
      {R"({"name":"A","fields":[{"name":"a","type":"text"}]})", "fields[0].type"},
      {R"({"name":"A","fields":[{"name":"a","type":"string","size":1}]})", "fields[0].size"},
      {R"({"name":"A","fields":[{"name":"a","type":"string","required":1}]})",
       "fields[0].required"},
      {R"({"name":"A","fields":[{"name":"a","type":"string"}],"key":"a","weight":2})", "weight"},
      {R"({"name":"A","fields":[{"name":"a","type":"string"}],"key":"a","test":true})", "test"},
      {R"({"name":"A","fields":[{"name":"a","type":"string"}],"workspace":"core"})", "workspace"},
      {R"({"name":"A","fields":[{"name":"a","type":"string"}],"records":1})", "records"},
      {R"({"name":"A","fields":[{"name":"a","type":"string"}],"other":1})", "other"},
  };
  for (const auto& c : cases) {
    const auto answer = Manage("POST", "/datasets", c.body);
    EXPECT_EQ(answer.status, 400) << c.body << answer.body;
    EXPECT_EQ(FirstError(answer), c.field) << c.body << answer.body;
  }
  // These the use case knows.
  for (const char* body :
       {R"({"name":"_systemX","fields":[{"name":"a","type":"string"}],"key":"a"})",
        R"({"name":"A","fields":[{"name":"a","type":"string"}],"key":"b"})",
        R"({"name":"A","fields":[{"name":"a","type":"string"}],"date":"a"})",
        R"({"name":"A","fields":[{"name":"a","type":"string"},{"name":"A","type":"any"}],)"
        R"("key":"a"})"}) {
    const auto answer = Manage("POST", "/datasets", body);
    EXPECT_EQ(answer.status, 400) << body << answer.body;
    EXPECT_NE(FirstError(answer), "") << body << answer.body;
    // The field leads in the sentence too, as where the body is read.
    EXPECT_NE(answer.body.find("request. " + FirstError(answer) + ": "), std::string::npos)
        << body << answer.body;
  }
  ASSERT_EQ(Manage("POST", "/datasets", kPrices).status, 201);
  for (const char* body : {R"({"key":"close"})", R"({"date":null})", R"({"weight":3})",
                           R"({"id":"x"})", R"({"name":null})", R"({"fields":[]})",
                           R"({"fields":[{"name":"symbol","type":"string"}]})"}) {
    const auto answer = Manage("PATCH", "/datasets/PRICES", body, {{"If-Match", "*"}});
    EXPECT_EQ(answer.status, 400) << body << answer.body;
    EXPECT_NE(FirstError(answer), "") << body << answer.body;
  }
}

TEST_F(DatasetsApiTest, AddsFieldsAndWidensTypes) {
  ASSERT_EQ(Manage("POST", "/datasets", kPrices).status, 201);
  const auto changed =
      Manage("PATCH", "/datasets/PRICES",
             R"({"fields":[{"name":"volume","type":"integer"},{"name":"symbol","type":"string",)"
             R"("required":true},{"name":"day","type":"date","required":true},)"
             R"({"name":"close","type":"any"}]})",
             {{"If-Match", "*"}});
  ASSERT_EQ(changed.status, 200) << changed.body;
  std::vector<std::string> fields;
  const json::object dataset = Object(changed);
  for (const json::value& field : dataset.at("fields").as_array()) {
    fields.push_back(std::string(field.at("name").as_string()) + ":" +
                     std::string(field.at("type").as_string()));
  }
  EXPECT_THAT(fields, ElementsAre("symbol:string", "day:date", "close:any", "volume:integer"));
}

TEST_F(DatasetsApiTest, ThePlanBoundsTheDatasetsOfAnAccountAlone) {
  const auto create = [&](const std::string& name) {
    return Manage(
        "POST", "/datasets",
        R"({"name":")" + name + R"(","fields":[{"name":"a","type":"string"}],"key":"a"})");
  };
  for (const char* name : {"A", "B", "C"}) ASSERT_EQ(create(name).status, 201) << name;
  const auto refused = create("D");
  EXPECT_EQ(refused.status, 403) << refused.body;
  EXPECT_EQ(refused.Header("Latchkey-Reason"), "plan_limit_reached");
  EXPECT_NE(std::string(Object(refused).at("detail").as_string()).find("datasets"),
            std::string::npos);
  EXPECT_EQ(Manage("DELETE", "/datasets/B").status, 204);
  EXPECT_EQ(create("D").status, 201);
}

TEST_F(DatasetsApiTest, ARepeatWithTheSameKeyGetsTheFirstAnswerAgain) {
  const auto first = Manage("POST", "/datasets", kPrices, {{"Idempotency-Key", "k1"}});
  ASSERT_EQ(first.status, 201) << first.body;
  const auto again = Manage("POST", "/datasets", kPrices, {{"Idempotency-Key", "k1"}});
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.Header("Location"), first.Header("Location"));
  EXPECT_EQ(again.Header("Idempotency-Replayed"), "true");
  EXPECT_EQ(Manage("POST", "/datasets", kPrices).status, 409);
  EXPECT_EQ(
      Manage("POST", "/datasets", R"({"name":"OTHER","fields":[]})", {{"Idempotency-Key", "k1"}})
          .status,
      409);
}

TEST_F(DatasetsApiTest, ListsInPagesOldestFirstAndSearches) {
  for (const char* name : {"ACME_B", "ACME_A", "RATES"}) {
    ASSERT_EQ(Manage("POST", "/datasets",
                     std::string(R"({"name":")") + name + R"(","title":"of )" + name +
                         R"(","fields":[{"name":"a","type":"string"}],"key":"a"})")
                  .status,
              201);
    planes_.clock.Advance(std::chrono::milliseconds(1));
  }
  ASSERT_EQ(Operator("POST", "/datasets",
                     R"({"workspace":"core","name":"STOCKS","weight":7,"test":true,)"
                     R"("fields":[{"name":"a","type":"string"}],"key":"a"})")
                .status,
            201);
  EXPECT_THAT(Names(Manage("GET", "/datasets")), ElementsAre("ACME_B", "ACME_A", "RATES"));
  // The workspace's name is no part of each name.
  EXPECT_THAT(Names(Manage("GET", "/datasets?q=acme")), ElementsAre("ACME_B", "ACME_A"));
  EXPECT_THAT(Names(Manage("GET", "/datasets?q=of%20r")), ElementsAre("RATES"));
  const auto first = Manage("GET", "/datasets?page_size=2");
  EXPECT_THAT(Names(first), ElementsAre("ACME_B", "ACME_A"));
  const std::string token(Object(first).at("next_page_token").as_string());
  const auto second = Manage("GET", "/datasets?page_size=2&page_token=" + token);
  EXPECT_THAT(Names(second), ElementsAre("RATES"));
  EXPECT_TRUE(Object(second).at("next_page_token").is_null());
  EXPECT_EQ(Names(Operator("GET", "/datasets")).size(), 4u);
  EXPECT_THAT(Names(Operator("GET", "/accounts/acme/datasets")),
              ElementsAre("ACME_B", "ACME_A", "RATES"));
}

TEST_F(DatasetsApiTest, TheOperatorSetsWeightAndTest) {
  const auto made = Operator("POST", "/datasets",
                             R"({"workspace":"Premium","name":"RATES","weight":10,"test":true,)"
                             R"("fields":[{"name":"a","type":"string"}],"key":"a"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.Header("Location"), "/operator/v1/datasets/premium/RATES");
  EXPECT_EQ(Object(made).at("weight"), 10);
  EXPECT_EQ(Object(made).at("class"), "premium");
  const auto patched = Operator("PATCH", "/datasets/premium/rates", R"({"weight":20,"test":false})",
                                {{"If-Match", "\"1\""}});
  ASSERT_EQ(patched.status, 200) << patched.body;
  EXPECT_EQ(Object(patched).at("weight"), 20);
  EXPECT_EQ(Object(patched).at("test"), false);
  EXPECT_EQ(FirstError(Operator("PATCH", "/datasets/premium/RATES", R"({"weight":1000001})",
                                {{"If-Match", "*"}})),
            "weight");
  const auto nobodys =
      Operator("POST", "/datasets",
               R"({"workspace":"nobody","name":"A","fields":[{"name":"a","type":"string"}],)"
               R"("key":"a"})");
  EXPECT_EQ(nobodys.status, 400);
  EXPECT_EQ(FirstError(nobodys), "workspace");
}

TEST_F(DatasetsApiTest, GivesTheFirstRecordsInPages) {
  ASSERT_EQ(planes_
                .Operator("POST", "/operator/v1/datasets/acme/PRICES:import?key=symbol&date=day",
                          "symbol,day,close\nA,2024-01-01,1\nA,2024-01-02,2\nB,2024-01-03,3\n")
                .status,
            201);
  const json::object first = Object(Manage("GET", "/datasets/PRICES/records?page_size=2"));
  ASSERT_EQ(first.at("items").as_array().size(), 2u);
  EXPECT_EQ(first.at("items").at(0).at("close"), 3);
  EXPECT_EQ(first.at("items").at(0).at("_systemRecordProperties").at("key"), "B");
  const std::string token(first.at("next_page_token").as_string());
  const json::object second =
      Object(Manage("GET", "/datasets/PRICES/records?page_size=2&page_token=" + token));
  ASSERT_EQ(second.at("items").as_array().size(), 1u);
  EXPECT_EQ(second.at("items").at(0).at("close"), 1);
  EXPECT_TRUE(second.at("next_page_token").is_null());
  EXPECT_EQ(Manage("GET", "/datasets/PRICES/records?page_token=x").status, 400);
  EXPECT_EQ(Manage("GET", "/datasets/PRICES/records?q=x").status, 400);
  EXPECT_EQ(Manage("GET", "/datasets/NONE/records").status, 404);
  EXPECT_EQ(Object(Operator("GET", "/accounts/acme/datasets/PRICES/records"))
                .at("items")
                .as_array()
                .size(),
            3u);
}

}  // namespace
}  // namespace latchkey::manage
