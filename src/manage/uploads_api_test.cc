#include "manage/uploads_api.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "test/support/planes.h"

namespace latchkey::manage {
namespace {

namespace json = boost::json;
using test::Object;
using Headers = test::Planes::Headers;

class UploadsApiTest : public testing::Test {
 protected:
  UploadsApiTest() {
    EXPECT_EQ(planes_
                  .Operator("POST", "/operator/v1/plans",
                            R"({"name":"free","monthly_core_credits":1000,"max_jobs":2})")
                  .status,
              201);
    secret_ = MakeAccount("acme");
    EXPECT_EQ(Manage("POST", "/datasets",
                     R"({"name":"PRICES","fields":[{"name":"symbol","type":"string"},)"
                     R"({"name":"close","type":"number"}],"key":"symbol"})")
                  .status,
              201);
  }
  std::string MakeAccount(const std::string& workspace) {
    const auto made = planes_.Operator("POST", "/operator/v1/accounts",
                                       R"({"plan":"free","workspace":")" + workspace + "\"}");
    EXPECT_EQ(made.status, 201) << made.body;
    const json::object account = Object(made);
    for (const json::value& token : account.at("tokens").as_array()) {
      if (token.at("kind") != "secret") continue;
      secret_id_ = std::string(token.at("id").as_string());
      return std::string(token.at("token").as_string());
    }
    return {};
  }
  http::ClientResponse Manage(std::string method, std::string target, std::string body = {},
                              Headers headers = {}) const {
    return planes_.Manage(std::move(method), "/manage/v1" + std::move(target), secret_,
                          std::move(body), std::move(headers));
  }
  std::size_t CountRecords() const {
    return Object(Manage("GET", "/datasets/PRICES/records")).at("items").as_array().size();
  }

  test::Planes planes_;
  std::string secret_;
  std::string secret_id_;
};

TEST_F(UploadsApiTest, TakesAFileAndTellsOfItsJobToTheEnd) {
  const auto taken = Manage("POST", "/datasets/prices:upload?max_errors=1",
                            "symbol,close\nA,1\nB,x\nC,3\n", {{"Content-Type", "text/csv"}});
  ASSERT_EQ(taken.status, 201) << taken.body;
  const json::object job = Object(taken);
  const std::string id(job.at("id").as_string());
  EXPECT_EQ(taken.Header("Location"), "/manage/v1/jobs/" + id);
  EXPECT_EQ(job.at("state"), "validating");
  EXPECT_EQ(job.at("dataset"), "PRICES");
  EXPECT_EQ(std::string(job.at("created_by").as_string()), secret_id_);
  EXPECT_EQ(CountRecords(), 0u);
  EXPECT_EQ(Manage("GET", "/jobs/" + id + "/rejected").status, 404);

  planes_.RunJobs();
  const json::object done = Object(Manage("GET", "/jobs/" + id));
  EXPECT_EQ(done.at("state"), "ingested") << json::serialize(done);
  EXPECT_EQ(done.at("rejected"), 1);
  EXPECT_EQ(done.at("stored"), 2);
  EXPECT_EQ(CountRecords(), 2u);
  const auto rejected = Manage("GET", "/jobs/" + id + "/rejected");
  EXPECT_EQ(rejected.status, 200);
  EXPECT_TRUE(rejected.Header("Content-Type").starts_with("text/csv"));
  EXPECT_TRUE(rejected.body.starts_with("line,reason,text\r\n3,")) << rejected.body;
  EXPECT_EQ(planes_.Operator("GET", "/operator/v1/accounts/acme/jobs/" + id).body,
            json::serialize(done));
}

TEST_F(UploadsApiTest, TheOperatorUploadsForAnAccount) {
  const auto taken = planes_.Operator("POST", "/operator/v1/accounts/acme/datasets/PRICES:upload",
                                      R"([{"symbol":"A","close":1}])");
  ASSERT_EQ(taken.status, 201) << taken.body;
  const std::string id(Object(taken).at("id").as_string());
  EXPECT_EQ(taken.Header("Location"), "/operator/v1/accounts/acme/jobs/" + id);
  planes_.RunJobs();
  EXPECT_EQ(CountRecords(), 1u);
}

TEST_F(UploadsApiTest, ListsTheJobsOfTheAccountAloneInPages) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Manage("POST", "/datasets/PRICES:upload", R"([{"symbol":"A","close":1}])").status,
              201);
    planes_.RunJobs();
    planes_.clock.Advance(std::chrono::milliseconds(1));
  }
  const json::object first = Object(Manage("GET", "/jobs?page_size=2"));
  EXPECT_EQ(first.at("items").as_array().size(), 2u);
  const std::string token(first.at("next_page_token").as_string());
  EXPECT_EQ(
      Object(Manage("GET", "/jobs?page_size=2&page_token=" + token)).at("items").as_array().size(),
      1u);
  const std::string id(first.at("items").at(0).at("id").as_string());
  const std::string other = MakeAccount("rival");
  EXPECT_EQ(planes_.Manage("GET", "/manage/v1/jobs/" + id, other).status, 404);
  EXPECT_EQ(planes_.Manage("GET", "/manage/v1/jobs/" + id + "/rejected", other).status, 404);
  EXPECT_EQ(planes_.Manage("GET", "/manage/v1/jobs/" + id, secret_).status, 200);
}

TEST_F(UploadsApiTest, RefusesWhatCantHoldBeforeTheFileCounts) {
  const auto upload = [&](const std::string& query, const std::string& dataset = "PRICES") {
    return Manage("POST", "/datasets/" + dataset + ":upload" + query,
                  R"([{"symbol":"A","close":1}])");
  };
  for (const char* query : {"?overwrite=yes", "?duplicates=keep", "?max_errors=-1", "?other=1",
                            "?overwrite=true&overwrite=true"}) {
    EXPECT_EQ(upload(query).status, 400) << query;
  }
  EXPECT_EQ(upload("", "NONE").status, 404);
  EXPECT_EQ(Object(Manage("GET", "/jobs")).at("items").as_array().size(), 0u);
  // The plan's two, and no third while they run.
  EXPECT_EQ(upload("").status, 201);
  EXPECT_EQ(upload("").status, 201);
  const auto third = upload("");
  EXPECT_EQ(third.status, 403) << third.body;
  EXPECT_EQ(third.Header("Latchkey-Reason"), "plan_limit_reached");
  planes_.RunJobs();
  EXPECT_EQ(upload("").status, 201);
}

// A test token reached all data of its account by this door, while the data plane refused it.
TEST_F(UploadsApiTest, ATestTokenReachesOnlyWhatIsMarkedAsTest) {
  const auto made = Manage("POST", "/tokens", R"({"kind":"secret","environment":"test"})");
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string token(Object(made).at("token").as_string());
  const auto test = [&](const char* method, const std::string& target, const char* body = "") {
    return planes_.Manage(method, "/manage/v1" + target, token, body,
                          {{"If-Match", "*"}, {"Content-Type", "application/json"}});
  };
  const auto sent = Manage("POST", "/datasets/PRICES:upload", "symbol,close\nA,1\n");
  ASSERT_EQ(sent.status, 201) << sent.body;
  const std::string job = "/jobs/" + std::string(Object(sent).at("id").as_string());
  const struct {
    const char* method;
    std::string target;
    const char* body;
  } calls[] = {
      {"GET", "/datasets/PRICES", ""},
      {"GET", "/datasets/PRICES/records", ""},
      {"POST", "/datasets/PRICES:upload", "symbol,close\nB,1\n"},
      {"GET", job, ""},
      {"GET", job + "/rejected", ""},
      {"PATCH", "/datasets/PRICES", R"({"title":"x"})"},
      {"DELETE", "/datasets/PRICES", ""},
      {"POST", "/datasets", R"({"name":"B","fields":[{"name":"a","type":"string"}],"key":"a"})"}};
  for (const auto& call : calls) {
    const auto refused = test(call.method, call.target, call.body);
    EXPECT_EQ(refused.status, 403) << call.method << call.target << refused.body;
    EXPECT_EQ(refused.Header("Latchkey-Reason"), "token_wrong_environment");
  }
  EXPECT_TRUE(Object(test("GET", "/datasets")).at("items").as_array().empty());
  EXPECT_TRUE(Object(test("GET", "/jobs")).at("items").as_array().empty());

  ASSERT_EQ(planes_
                .Operator("PATCH", "/operator/v1/datasets/acme/PRICES", R"({"test":true})",
                          {{"If-Match", "*"}})
                .status,
            200);
  EXPECT_EQ(Object(test("GET", "/datasets")).at("items").as_array().size(), 1u);
  EXPECT_EQ(Object(test("GET", "/jobs")).at("items").as_array().size(), 1u);
  EXPECT_EQ(test("GET", "/datasets/PRICES/records").status, 200);
  EXPECT_EQ(test("GET", job).status, 200);
  EXPECT_EQ(test("DELETE", "/datasets/PRICES").status, 204);
}

}  // namespace
}  // namespace latchkey::manage
