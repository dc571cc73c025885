// What the data plane writes, over the real pieces: records, deletions, definitions and uploads;
// who may, what is told, and that nothing is done by halves.
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/gateway.h"
#include "test/support/gateway_house.h"

namespace latchkey::gateway {
namespace {

using testing::EndsWith;
using testing::MatchesRegex;

constexpr std::string_view kRecord = "/v1/record/acme/PRICES";
constexpr std::string_view kTwo =
    R"([{"symbol":"A","date":"2010-01-01","price":1},{"symbol":"B","date":"2010-01-02","price":2}])";

class GatewayWritesTest : public GatewayTest {
 protected:
  // The prices of acme's PRICES, all of them, newest first.
  std::string Prices(const MadeToken& token) {
    const Answer answer =
        Ask(WithToken("/v1/data/acme/PRICES?from=2000-01-01&filter=price", token));
    return answer.status == 200 ? answer.body : answer.Field("Latchkey-Reason");
  }
  static std::string Wrote(int count) {
    return R"({"success":true,"message":"wrote )" + std::to_string(count) + R"( messages"})";
  }
  void ExpectFree(const Answer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.raw;
    EXPECT_EQ(answer.Field("Content-Type"), "application/json; charset=utf-8");
    EXPECT_EQ(answer.Field("iexcloud-messages-used"), "0");
    ExpectSecurityFields(answer);
  }
  std::size_t UploadFiles() {
    std::size_t count = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder_ + "/uploads")) {
      count += file.is_regular_file() ? 1 : 0;
    }
    return count;
  }
};

// ---- records

TEST_F(GatewayWritesTest, WritesRecordsIntoADatasetThatItMakes) {
  Start();
  const MadeToken token = SecretToken();
  const Answer written = Post(WithToken(kRecord, token), kTwo);
  ExpectFree(written);
  EXPECT_EQ(written.body, Wrote(2));
  EXPECT_EQ(Prices(token), R"([{"price":2},{"price":1}])");
  // One record alone, as an object; whatever Content-Type says.
  EXPECT_EQ(Post(WithToken("/v1/record/ACME/prices?wait=true", token),
                 R"({"symbol":"C","date":"2010-01-03","price":3})", "Content-Type: text/csv\r\n")
                .body,
            Wrote(1));
  EXPECT_EQ(Prices(token), R"([{"price":3},{"price":2},{"price":1}])");
}

TEST_F(GatewayWritesTest, AnAcknowledgedWriteIsSeenByTheNextRequestThoughTheAnswerIsPrepared) {
  Start();
  const MadeToken token = SecretToken();
  ASSERT_EQ(Post(WithToken(kRecord, token), kTwo).status, 200);
  for (int price = 5; price < 8; ++price) {
    EXPECT_EQ(Prices(token), Prices(token));
    const std::string text = std::to_string(price);
    EXPECT_EQ(Post(WithToken(kRecord, token),
                   R"([{"symbol":"A","date":"2010-01-01","price":)" + text + "}]")
                  .body,
              Wrote(1));
    EXPECT_EQ(Prices(token), R"([{"price":2},{"price":)" + text + "}]");
  }
}

TEST_F(GatewayWritesTest, DuplicatesReplaceOrGiveWay) {
  Start();
  const MadeToken token = SecretToken();
  ASSERT_EQ(Post(WithToken(kRecord, token), kTwo).status, 200);
  const std::string_view changed =
      R"([{"symbol":"A","date":"2010-01-01","price":9},{"symbol":"C","date":"2010-01-03","price":3}])";
  EXPECT_EQ(
      Post(WithToken("/v1/record/acme/PRICES?duplicateKeyHandling=ignore", token), changed).body,
      Wrote(1));
  EXPECT_EQ(Prices(token), R"([{"price":3},{"price":2},{"price":1}])");
  EXPECT_EQ(
      Post(WithToken("/v1/record/acme/PRICES?duplicateKeyHandling=replace", token), changed).body,
      Wrote(2));
  EXPECT_EQ(Prices(token), R"([{"price":3},{"price":2},{"price":9}])");
}

TEST_F(GatewayWritesTest, ABadRecordRefusesTheWholeRequest) {
  Start();
  const MadeToken token = SecretToken();
  ASSERT_EQ(Post(WithToken(kRecord, token), kTwo).status, 200);
  for (
      const std::string_view body :
      {R"([{"symbol":"C","date":"2010-01-03","price":3},{"symbol":"D","date":"2010-01-04","price":"x"}])",
       R"([{"symbol":"C","date":"2010-01-03","price":3})", "[object Object]", "", "7"}) {
    const Answer answer = Post(WithToken(kRecord, token), body);
    EXPECT_EQ(answer.Field("Latchkey-Reason"), "invalid_values") << body;
    EXPECT_EQ(Prices(token), R"([{"price":2},{"price":1}])") << body;
  }
  EXPECT_THAT(
      Post(
          WithToken(kRecord, token),
          R"([{"symbol":"C","date":"2010-01-03","price":3},{"symbol":"D","date":"2010-01-04","price":"x"}])")
          .body,
      HasSubstr("price"));
}

TEST_F(GatewayWritesTest, RefusesWhoMayNotWriteAndWhatCantBe) {
  Import("core", "STOCKS", kStocks);
  Import("premium", "GEMS", kStocks);
  Start({.max_record_body_bytes = 2000});
  const MadeToken secret = SecretToken();
  const MadeToken publishable = Publishable();
  const MadeToken test = MakeToken(core::TokenKind::kSecret, 1, core::Environment::kTest);
  const struct {
    const MadeToken& token;
    std::string method;
    std::string target;
    Reason reason;
    std::string detail;
  } kCases[] = {
      {publishable, "POST", "/v1/record/acme/X", Reason::kDataRestricted, ""},
      {publishable, "POST", "/v1/record/core/STOCKS", Reason::kDataRestricted, ""},
      {publishable, "POST", "/v1/data/acme/X", Reason::kDataRestricted, ""},
      {publishable, "DELETE", "/v1/data/acme/X/k", Reason::kDataRestricted, ""},
      {publishable, "DELETE", "/v1/data/core/STOCKS/AAPL", Reason::kDataRestricted, ""},
      {publishable, "POST", "/v1/datasets/acme", Reason::kSecretTokenRequired, ""},
      {publishable, "PATCH", "/v1/datasets/core/STOCKS", Reason::kSecretTokenRequired, ""},
      {publishable, "PUT", "/v1/datasets/core/STOCKS/NEW", Reason::kSecretTokenRequired, ""},
      {publishable, "DELETE", "/v1/datasets/rich/X", Reason::kSecretTokenRequired, ""},
      {secret, "POST", "/v1/record/core/STOCKS", Reason::kDataRestricted, "operator only"},
      {secret, "POST", "/v1/data/core/STOCKS", Reason::kDataRestricted, "operator only"},
      {secret, "DELETE", "/v1/data/core/STOCKS/AAPL", Reason::kDataRestricted, "operator only"},
      {secret, "DELETE", "/v1/data/premium/GEMS/AAPL", Reason::kDataRestricted, "operator only"},
      {secret, "POST", "/v1/datasets/core", Reason::kDataRestricted, "operator only"},
      {secret, "DELETE", "/v1/datasets/core/STOCKS", Reason::kDataRestricted, "operator only"},
      {secret, "POST", "/v1/record/rich/X", Reason::kDataRestricted, "own account"},
      {secret, "POST", "/v1/data/rich/X", Reason::kDataRestricted, "own account"},
      {secret, "POST", "/v1/datasets/rich", Reason::kDataRestricted, "own account"},
      {secret, "DELETE", "/v1/datasets/nobody/X", Reason::kDataRestricted, "own account"},
      {secret, "POST", "/v1/record/acme/X?createDatasetOnDemand=false", Reason::kNotFound,
       "no such dataset"},
      {secret, "POST", "/v1/data/acme/X?createDatasetOnDemand=false", Reason::kNotFound,
       "no such dataset"},
      {secret, "DELETE", "/v1/data/acme/X/k", Reason::kNotFound, "no such dataset"},
      {secret, "PATCH", "/v1/datasets/acme/X", Reason::kNotFound, "no such dataset"},
      {secret, "PUT", "/v1/datasets/acme/X/Y", Reason::kNotFound, "no such dataset"},
      {secret, "DELETE", "/v1/datasets/acme/X", Reason::kNotFound, "no such dataset"},
      {test, "POST", "/v1/record/acme/X", Reason::kTokenWrongEnvironment, "makes no datasets"},
      {test, "POST", "/v1/datasets/acme", Reason::kTokenWrongEnvironment, "makes no datasets"},
      {secret, "POST", "/v1/record/acme/X?colour=red", Reason::kInvalidValues,
       "The parameter colour"},
      {secret, "POST", "/v1/record/acme/X?duplicateKeyHandling=merge", Reason::kInvalidValues,
       "The parameter duplicateKeyHandling must be replace or ignore"},
      {secret, "POST", "/v1/record/acme/X?createDatasetOnDemand=1", Reason::kInvalidValues,
       "The parameter createDatasetOnDemand must be true or false"},
      {secret, "POST", "/v1/data/acme/X?maximumValidationErrors=-1", Reason::kInvalidValues,
       "The parameter maximumValidationErrors must be a whole number"},
      {secret, "POST", "/v1/data/acme/X?overwrite=yes", Reason::kInvalidValues,
       "The parameter overwrite must be true or false"},
      {secret, "POST", "/v1/datasets/acme?x=1", Reason::kInvalidValues, "The parameter x"},
      {publishable, "POST", "/v1/record/acme/X?colour=red", Reason::kDataRestricted, ""},
  };
  for (const auto& c : kCases) {
    // From the head alone: who waits for 100 Continue gets the refusal.
    const std::string target = WithToken(c.target, c.token);
    test::SocketClient client(port_);
    ASSERT_TRUE(
        client.Send(Head(c.method, target, "Content-Length: 10\r\nExpect: 100-continue\r\n")));
    const Answer answer(client.ReadAnswer(false));
    EXPECT_EQ(answer.status, core::Describe(c.reason).status) << c.method << target << answer.raw;
    EXPECT_EQ(answer.Field("Latchkey-Reason"), core::Describe(c.reason).name)
        << c.method << " " << c.target << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(c.detail)) << c.method << " " << c.target;
    ExpectSecurityFields(answer);
  }
  const Answer large = Post(WithToken(kRecord, secret), std::string(2001, ' '));
  EXPECT_EQ(large.Field("Latchkey-Reason"), "body_too_large");
  EXPECT_EQ(catalogue_.Snapshot()->size(), 2u);  // nothing was made
}

TEST_F(GatewayWritesTest, WhoeverMayWriteIsAskedForTheBody) {
  Start();
  const MadeToken token = SecretToken();
  test::SocketClient client(port_);
  ASSERT_TRUE(client.Send(
      Head("POST", WithToken(kRecord, token),
           "Content-Length: " + std::to_string(kTwo.size()) + "\r\nExpect: 100-continue\r\n")));
  EXPECT_THAT(client.ReadAnswer(true), StartsWith("HTTP/1.1 100 Continue"));
  ASSERT_TRUE(client.Send(kTwo));
  EXPECT_EQ(Answer(client.ReadAnswer(false)).body, Wrote(2));
}

TEST_F(GatewayWritesTest, ATokenRemovedWhileTheBodyComesWritesNothing) {
  Start();
  const MadeToken other = SecretToken();
  for (const std::string_view target : {kRecord, std::string_view("/v1/data/acme/PRICES")}) {
    const MadeToken token = SecretToken();
    test::SocketClient client(port_);
    ASSERT_TRUE(client.Send(
        Head("POST", WithToken(target, token),
             "Content-Length: " + std::to_string(kTwo.size()) + "\r\nExpect: 100-continue\r\n")));
    EXPECT_THAT(client.ReadAnswer(true), StartsWith("HTTP/1.1 100 Continue"));  // it may write
    index_.Remove(token.token.id);
    ASSERT_TRUE(client.Send(kTwo));
    EXPECT_EQ(Answer(client.ReadAnswer(false)).Field("Latchkey-Reason"), "token_invalid");
    EXPECT_EQ(Prices(other), "not_found");
    EXPECT_EQ(Ask(WithToken("/v1/jobs/acme/ingest", other)).body, "[]");
  }
}

constexpr std::string_view kFunds =
    R"({"dataset":{"datasetId":"FUNDS","title":"Funds","schema":{"type":"object","properties":)"
    R"({"symbol":{"type":"string"},"date":{"type":"date"},"nav":{"type":"number"}},)"
    R"("required":["symbol"]},"columnMapping":{"key":"symbol","date":"date"}}})";

// What was allowed when it came may wait for its turn on the pool.
TEST_F(GatewayWritesTest, ATokenDisabledWhileItsChangeWaitsChangesNothing) {
  Start({}, 1);
  const MadeToken other = SecretToken();
  ASSERT_EQ(Post(WithToken(kRecord, other), kTwo).status, 200);
  const std::string_view three = R"([{"symbol":"C","date":"2010-01-03","price":3}])";
  const struct {
    std::string_view method;
    std::string_view target;
    std::string_view body;
  } kCases[] = {
      {"POST", kRecord, three},
      {"POST", "/v1/data/acme/PRICES", three},
      {"DELETE", "/v1/data/acme/PRICES/A", ""},
      {"POST", "/v1/datasets/acme", kFunds},
      {"PATCH", "/v1/datasets/acme/PRICES", R"({"title":"New"})"},
      {"PUT", "/v1/datasets/acme/PRICES/OTHER", ""},
      {"DELETE", "/v1/datasets/acme/PRICES", ""},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(std::string(c.method).append(" ").append(c.target));
    MadeToken token = SecretToken();
    std::promise<void> begun;
    std::promise<void> release;
    ASSERT_TRUE(pool_->Submit(0, [&] {
      begun.set_value();
      release.get_future().wait();
    }));
    begun.get_future().wait();
    test::SocketClient client(port_);
    ASSERT_TRUE(client.Send(Head(c.method, WithToken(c.target, token),
                                 "Content-Length: " + std::to_string(c.body.size()) + "\r\n")
                                .append(c.body)));
    while (pool_->Queued() == 0) std::this_thread::yield();
    token.token.enabled = false;
    index_.Put(token.token);
    release.set_value();
    EXPECT_EQ(Answer(client.ReadAnswer(false)).Field("Latchkey-Reason"), "token_disabled");
  }
  EXPECT_EQ(Prices(other), R"([{"price":2},{"price":1}])");
  EXPECT_EQ(Ask(WithToken("/v1/jobs/acme/ingest", other)).body, "[]");
  const std::string definitions = Ask(WithToken("/v1/datasets/acme", other)).body;
  EXPECT_THAT(definitions, StartsWith(R"([{"datasetId":"PRICES","title":"PRICES")"));
  EXPECT_THAT(definitions, Not(HasSubstr("FUNDS")));
}

TEST_F(GatewayWritesTest, ATestTokenSeesTheJobsOfTestDataAlone) {
  Import("rich", "SHOWN", "symbol,date,price\nA,2010-01-01,1\n", 1, true);
  Start();
  const MadeToken live = SecretToken(2);
  const MadeToken tried = MakeToken(core::TokenKind::kSecret, 2, core::Environment::kTest);
  const std::string_view csv = "symbol,date,price\nB,2010-01-01,1\nC,2010-01-01,dear\n";
  ASSERT_EQ(Post(WithToken("/v1/record/rich/HIDDEN", live), kTwo).status, 200);
  const Answer hidden =
      AwaitJob(Post(WithToken("/v1/data/rich/HIDDEN?maximumValidationErrors=1", live), csv), live);
  const Answer shown =
      AwaitJob(Post(WithToken("/v1/data/rich/SHOWN?maximumValidationErrors=1", tried), csv), tried);
  ASSERT_EQ(JsonText(hidden.body, "status"), "INGESTED") << hidden.body;
  ASSERT_EQ(JsonText(shown.body, "status"), "INGESTED") << shown.body;
  for (const char* url : {"jobUrl", "rejectedUrl"}) {
    EXPECT_EQ(Ask(WithToken(JsonText(shown.body, url), tried)).status, 200) << url;
    EXPECT_EQ(Ask(WithToken(JsonText(hidden.body, url), live)).status, 200) << url;
    EXPECT_EQ(Ask(WithToken(JsonText(hidden.body, url), tried)).Field("Latchkey-Reason"),
              "token_wrong_environment")
        << url;
  }
  EXPECT_EQ(Ask(WithToken("/v1/jobs/rich/ingest", tried)).body, "[" + shown.body + "]");
}

TEST_F(GatewayWritesTest, AnOldPostBringsItsTokenInTheBody) {
  Start();
  const MadeToken token = SecretToken();
  const MadeToken other = SecretToken();
  const std::string definition =
      R"("dataset":{"datasetId":"D","schema":{"type":"object","properties":{"k":{"type":"string"}}},)"
      R"("columnMapping":{"key":"k"}})";
  const std::string body = R"({"token":")" + token.text + "\"," + definition + "}";
  EXPECT_EQ(Post("/v1/datasets/acme", body).Field("Latchkey-Reason"), "token_required");
  EXPECT_EQ(Post(WithToken("/stable/datasets/acme", other), body).Field("Latchkey-Reason"),
            "invalid_values");
  EXPECT_EQ(Post("/stable/datasets/acme", "{" + definition + "}").Field("Latchkey-Reason"),
            "token_required");
  EXPECT_EQ(Post("/stable/datasets/acme", R"({"token":"abc",)" + definition + "}")
                .Field("Latchkey-Reason"),
            "token_invalid");
  EXPECT_EQ(Post("/stable/datasets/acme?x=1", body).Field("Latchkey-Reason"), "invalid_values");
  const Answer made = Post("/stable/datasets/acme", body);
  EXPECT_EQ(made.status, 200) << made.body;
  // Twice the same is once.
  EXPECT_EQ(Post(WithToken("/stable/record/acme/D", token),
                 R"({"token":")" + token.text + R"(","k":"a"})")
                .body,
            Wrote(1));
  // In a record, what doesn't look like a token is data.
  EXPECT_EQ(Post(WithToken("/stable/record/acme/D", token), R"({"token":"BTC","k":"a"})")
                .Field("Latchkey-Reason"),
            "invalid_values");
  const std::string large = R"({"token":")" + token.text + R"(","k":")" + std::string(70000, 'x');
  EXPECT_EQ(Post("/stable/record/acme/D", large + "\"}").Field("Latchkey-Reason"),
            "body_too_large");
  EXPECT_THAT(AccessLines(), Not(HasSubstr(token.text.substr(4))));
}

TEST_F(GatewayWritesTest, DeletesWhatThePathNamesAndSaysHowMany) {
  Start();
  const MadeToken token = SecretToken();
  ASSERT_EQ(Post(WithToken(kRecord, token), R"([{"symbol":"A","date":"2010-01-01","price":1},)"
                                            R"({"symbol":"A","date":"2010-01-02","price":2},)"
                                            R"({"symbol":"A","date":"2010-01-03","price":3},)"
                                            R"({"symbol":"B","date":"2010-01-04","price":4}])")
                .body,
            Wrote(4));
  const auto remove = [&](std::string_view target) {
    // As the published client sends it.
    const Answer answer = Ask(WithToken(target, token), "Content-Type: undefined\r\n", "DELETE");
    ExpectFree(answer);
    return answer.body;
  };
  EXPECT_EQ(Prices(token), R"([{"price":4},{"price":3},{"price":2},{"price":1}])");
  EXPECT_EQ(remove("/v1/data/acme/PRICES/NONE"),
            R"({"success":true,"message":"deleted 0 records"})");
  EXPECT_EQ(remove("/v1/data/acme/prices/a/2010-01-02/"),
            R"({"success":true,"message":"deleted 1 records"})");
  EXPECT_EQ(Prices(token), R"([{"price":4},{"price":3},{"price":1}])");
  EXPECT_EQ(remove("/v1/data/acme/PRICES/A?from=2010-01-02"),
            R"({"success":true,"message":"deleted 1 records"})");
  EXPECT_EQ(Prices(token), R"([{"price":4},{"price":1}])");
  EXPECT_EQ(remove("/v1/data/acme/PRICES/B"), R"({"success":true,"message":"deleted 1 records"})");
  EXPECT_EQ(remove("/v1/data/acme/PRICES/A"), R"({"success":true,"message":"deleted 1 records"})");
  EXPECT_EQ(Prices(token), "[]");
}

// ---- definitions

TEST_F(GatewayWritesTest, DatasetsAreCreatedShownChangedRenamedAndRemoved) {
  Start();
  const MadeToken token = SecretToken();
  const auto message = [](std::string_view text, std::string_view name) {
    return R"({"success":true,"message":")" + std::string(text) + R"(","datasetId":")" +
           std::string(name) + "\"}";
  };
  const Answer made = Post(WithToken("/v1/datasets/ACME", token), kFunds);
  ExpectFree(made);
  EXPECT_EQ(made.body, message("Dataset has been created", "FUNDS"));
  EXPECT_EQ(Post(WithToken("/v1/datasets/acme", token), kFunds).Field("Latchkey-Reason"),
            "conflict");

  const Answer shown = Ask(WithToken("/v1/datasets/acme/funds", token));
  ExpectFree(shown);
  EXPECT_EQ(shown.body,
            R"({"datasetId":"FUNDS","title":"Funds","source":"","schema":{"type":"object",)"
            R"("properties":{"symbol":{"type":"string"},"date":{"type":"date"},)"
            R"("nav":{"type":"number"}},"required":["symbol"]},)"
            R"("columnMapping":{"key":"symbol","date":"date"}})");
  EXPECT_EQ(Ask(WithToken("/v1/datasets/acme?limit=5", token)).body, "[" + shown.body + "]");
  EXPECT_EQ(Ask(WithToken("/v1/datasets", token), {}, "HEAD").status, 200);

  // What was shown can be sent back; PUT, PATCH and POST are the same.
  for (const std::string_view method : {"PUT", "PATCH", "POST"}) {
    const Answer changed = Send(method, WithToken("/v1/datasets/acme/FUNDS", token), shown.body);
    EXPECT_EQ(changed.body, message("Dataset has been updated", "FUNDS")) << changed.raw;
  }
  EXPECT_EQ(Send("PATCH", WithToken("/v1/datasets/acme/FUNDS", token), R"({"title":"New"})").status,
            200);
  EXPECT_THAT(Ask(WithToken("/v1/datasets/acme/FUNDS", token)).body, HasSubstr(R"("title":"New")"));
  const Answer index = Send("PATCH", WithToken("/v1/datasets/acme/FUNDS", token),
                            R"({"dataset":{"columnMapping":{"key":"nav"}}})");
  EXPECT_EQ(index.Field("Latchkey-Reason"), "invalid_values");
  EXPECT_THAT(index.body, HasSubstr("columnMapping.key can't change"));

  // As the published client sends it: no body.
  const Answer renamed = Send("PUT", WithToken("/v1/datasets/acme/FUNDS/TRUSTS", token), "");
  ExpectFree(renamed);
  EXPECT_EQ(renamed.body, message("Dataset has been renamed", "TRUSTS"));
  EXPECT_EQ(Ask(WithToken("/v1/data/acme/FUNDS", token)).Field("Latchkey-Reason"), "not_found");
  EXPECT_EQ(Ask(WithToken("/v1/data/acme/TRUSTS", token)).body, "[]");

  const Answer removed = Ask(WithToken("/v1/datasets/acme/TRUSTS", token), {}, "DELETE");
  ExpectFree(removed);
  EXPECT_EQ(removed.body, message("Dataset has been deleted", "TRUSTS"));
  EXPECT_EQ(Ask(WithToken("/v1/datasets/acme/TRUSTS", token)).Field("Latchkey-Reason"),
            "not_found");
  EXPECT_EQ(Ask(WithToken("/v1/datasets/acme", token)).body, "[]");
}

TEST_F(GatewayWritesTest, APlanBoundsItsDatasets) {
  Start();
  const MadeToken token = SecretToken();
  EXPECT_EQ(Post(WithToken("/v1/datasets/acme", token), kFunds).status, 200);
  EXPECT_EQ(Post(WithToken("/v1/record/acme/SECOND", token), kTwo).status, 200);
  for (const std::string_view target : {"/v1/record/acme/THIRD", "/v1/datasets/acme"}) {
    std::string body(target.find("record") == target.npos ? kFunds : kTwo);
    const std::size_t name = body.find("FUNDS");
    if (name != body.npos) body.replace(name, 5, "THIRD");
    const Answer refused = Post(WithToken(target, token), body);
    EXPECT_EQ(refused.status, 403) << target;
    EXPECT_EQ(refused.Field("Latchkey-Reason"), "plan_limit_reached") << target;
    EXPECT_THAT(refused.body, HasSubstr("dataset"));
  }
}

TEST_F(GatewayWritesTest, WhoMayReadADatasetMayReadItsDefinition) {
  Import("core", "STOCKS", kStocks);
  Import("premium", "GEMS", kStocks);
  Start();
  const MadeToken token = Publishable();
  EXPECT_EQ(Ask(WithToken("/v1/datasets/core/STOCKS", token)).status, 200);
  EXPECT_THAT(Ask(WithToken("/v1/datasets/core", token)).body,
              StartsWith(R"([{"datasetId":"STOCKS")"));
  EXPECT_EQ(Ask(WithToken("/v1/datasets/premium", token)).body, "[]");
  EXPECT_EQ(Ask(WithToken("/v1/datasets/premium/GEMS", token)).body,
            Ask(WithToken("/v1/datasets/premium/NONE", token)).body);
}

// ---- uploads

TEST_F(GatewayWritesTest, AFileBecomesAJobAndItsRecords) {
  Start();
  const MadeToken token = SecretToken();
  const Answer taken =
      Post(WithToken("/v1/data/acme/PRICES?wait=true", token),
           "symbol,date,price\nA,2010-01-01,1\nB,2010-01-02,2\n", "Content-Type: undefined\r\n");
  ExpectFree(taken);
  const std::string id = JsonText(taken.body, "jobId");
  const std::string url = "/v1/jobs/acme/ingest/" + id;
  EXPECT_EQ(taken.body,
            R"({"success":true,"message":"The file for PRICES was taken; its job is at )" + url +
                R"(","jobId":")" + id + R"(","jobUrl":")" + url + "\"}");
  const Answer job = AwaitJob(taken, token);
  ExpectFree(job);
  EXPECT_THAT(job.body, StartsWith(R"({"jobId":")" + id + R"(","jobUrl":")" + url +
                                   R"(","type":"ingest","workspace":"acme","datasetId":"PRICES",)" +
                                   R"("status":"INGESTED","message":null,)"));
  EXPECT_THAT(job.body, HasSubstr(R"("lines":2,"valid":2,"rejected":0,"stored":2,)"));
  EXPECT_EQ(Prices(token), R"([{"price":2},{"price":1}])");
  EXPECT_THAT(Ask(WithToken("/v1/jobs/acme/ingest?limit=5", token)).body,
              StartsWith(R"([{"jobId":")" + id));
  EXPECT_EQ(Ask(WithToken(url + "/rejected", token)).Field("Latchkey-Reason"), "not_found");

  // overwrite: what is not in the file is gone.
  AwaitJob(Post(WithToken("/v1/data/acme/PRICES?overwrite=true", token),
                R"({"symbol":"C","date":"2010-01-03","price":3})"
                "\n"),
           token);
  EXPECT_EQ(Prices(token), R"([{"price":3}])");
}

TEST_F(GatewayWritesTest, RejectedLinesAreToldAndDownloadable) {
  Start();
  const MadeToken token = SecretToken();
  ASSERT_EQ(Post(WithToken(kRecord, token), kTwo).status, 200);
  const std::string_view csv = "symbol,date,price\nC,2010-01-03,3\nD,2010-01-04,dear\n";
  const Answer failed = AwaitJob(Post(WithToken("/v1/data/acme/PRICES", token), csv), token);
  EXPECT_EQ(JsonText(failed.body, "status"), "FAILED");
  EXPECT_NE(JsonText(failed.body, "message"), "");
  EXPECT_EQ(Prices(token), R"([{"price":2},{"price":1}])");

  const Answer job = AwaitJob(
      Post(WithToken("/v1/data/acme/PRICES?maximumValidationErrors=1", token), csv), token);
  EXPECT_EQ(JsonText(job.body, "status"), "INGESTED");
  EXPECT_THAT(job.body, HasSubstr(R"("lines":2,"valid":1,"rejected":1,"stored":1,)"));
  EXPECT_EQ(Prices(token), R"([{"price":3},{"price":2},{"price":1}])");
  const Answer rejected = Ask(WithToken(JsonText(job.body, "rejectedUrl"), token));
  EXPECT_EQ(rejected.status, 200);
  EXPECT_EQ(rejected.Field("Content-Type"), "text/csv; charset=utf-8");
  EXPECT_THAT(rejected.body, HasSubstr("line,reason,text"));
  EXPECT_THAT(rejected.body, HasSubstr("dear"));
  ExpectSecurityFields(rejected);
}

TEST_F(GatewayWritesTest, ALargeFileIsTakenInPiecesThoughTheQueueIsSmaller) {
  Start();
  const MadeToken token = SecretToken();
  std::string csv = "symbol,date,price\n";
  for (int i = 0; i < 120'000; ++i) {
    csv.append("S").append(std::to_string(i)).append(",2010-01-01,").append("12345.678901\n");
  }
  ASSERT_GT(csv.size(), 3u * 1024 * 1024);
  const Answer job = AwaitJob(Post(WithToken("/v1/data/acme/PRICES", token), csv), token);
  EXPECT_THAT(job.body, HasSubstr(R"("lines":120000,"valid":120000,"rejected":0,"stored":120000,)"))
      << job.body;
}

TEST_F(GatewayWritesTest, AFileThatBreaksOffLeavesNothing) {
  Start({.max_upload_bytes = 1000});
  const MadeToken token = SecretToken();
  {
    test::SocketClient client(port_);
    ASSERT_TRUE(client.Send(Head("POST", WithToken("/v1/data/acme/PRICES", token),
                                 "Content-Length: 500\r\nExpect: 100-continue\r\n")));
    EXPECT_THAT(client.ReadAnswer(true), StartsWith("HTTP/1.1 100 Continue"));
    ASSERT_TRUE(client.Send("symbol,date,price\nA,2010-01-01,1\n"));
    client.Reset();
  }
  const Answer large = Post(WithToken("/v1/data/acme/PRICES", token), std::string(1001, 'x'));
  EXPECT_EQ(large.Field("Latchkey-Reason"), "body_too_large");
  while (UploadFiles() > 0) std::this_thread::yield();
  EXPECT_EQ(Ask(WithToken("/v1/jobs/acme/ingest", token)).body, "[]");
  EXPECT_EQ(Prices(token), "not_found");
}

TEST_F(GatewayWritesTest, OneAccountsSlowFilesLeavePlacesForOthers) {
  Start({.max_uploads_at_once = 4, .max_uploads_at_once_of_account = 2});
  const MadeToken token = SecretToken();
  const MadeToken other = SecretToken(2);
  std::optional<test::SocketClient> slow[2];
  for (std::optional<test::SocketClient>& client : slow) {
    client.emplace(port_);
    ASSERT_TRUE(client->Send(Head("POST", WithToken("/v1/data/acme/PRICES", token),
                                  "Content-Length: 500\r\nExpect: 100-continue\r\n")));
    ASSERT_THAT(client->ReadAnswer(true), StartsWith("HTTP/1.1 100 Continue"));
  }
  const Answer refused = Post(WithToken("/v1/data/acme/PRICES", token), kTwo);
  EXPECT_EQ(refused.Field("Latchkey-Reason"), "unavailable");
  EXPECT_EQ(refused.Field("Retry-After"), "1");
  EXPECT_EQ(Post(WithToken("/v1/data/rich/PRICES", other), kTwo).status, 200);
  // A place is free as soon as a file breaks off.
  slow[0]->Reset();
  while (Post(WithToken("/v1/data/acme/PRICES", token), kTwo).status != 200) {
    std::this_thread::yield();
  }
}

TEST_F(GatewayWritesTest, BodiesInMemoryAreBoundedInAllAndOfOneAccount) {
  Start({.max_record_body_bytes = 1000,
         .max_held_body_bytes = 3000,
         .max_held_body_bytes_of_account = 2000});
  const MadeToken token = SecretToken();
  const MadeToken other = SecretToken(2);
  ASSERT_EQ(Post(WithToken(kRecord, token), kTwo).status, 200);
  std::optional<test::SocketClient> slow[2];
  for (std::optional<test::SocketClient>& client : slow) {
    client.emplace(port_);
    // The second one does not say how long it will be.
    const std::string_view length =
        &client == &slow[0] ? "Content-Length: 1000\r\n" : "Transfer-Encoding: chunked\r\n";
    ASSERT_TRUE(client->Send(Head("POST", WithToken(kRecord, token),
                                  std::string(length).append("Expect: 100-continue\r\n"))));
    ASSERT_THAT(client->ReadAnswer(true), StartsWith("HTTP/1.1 100 Continue"));
  }
  const Answer refused = Post(WithToken(kRecord, token), kTwo);
  EXPECT_EQ(refused.Field("Latchkey-Reason"), "unavailable");
  EXPECT_EQ(refused.Field("Retry-After"), "1");
  // What is too large is told so, and what has no body is none of them.
  EXPECT_EQ(Post(WithToken(kRecord, token), std::string(1001, 'x')).Field("Latchkey-Reason"),
            "body_too_large");
  EXPECT_EQ(Ask(WithToken(kRecord, token), {}, "POST").Field("Latchkey-Reason"), "invalid_values");
  // Another account has its own share, and so have old POSTs, whose token nobody knows yet.
  EXPECT_EQ(Post(WithToken("/v1/record/rich/PRICES", other), kTwo).status, 200);
  EXPECT_EQ(
      Post("/stable/datasets/rich", R"({"token":")" + other.text + "\"}").Field("Latchkey-Reason"),
      "invalid_values");
  slow[0]->Reset();
  while (Post(WithToken(kRecord, token), kTwo).status != 200) std::this_thread::yield();
}

TEST_F(GatewayWritesTest, JobsAreTheirAccountsAlone) {
  Start();
  const MadeToken token = SecretToken();
  const Answer taken = Post(WithToken("/v1/data/acme/PRICES", token), kTwo);
  const std::string id = JsonText(taken.body, "jobId");
  AwaitJob(taken, token);
  const struct {
    const MadeToken& token;
    std::string target;
    std::string_view reason;
  } kCases[] = {
      {SecretToken(2), "/v1/jobs/acme/ingest/" + id, "data_restricted"},
      {SecretToken(2), "/v1/jobs/acme/ingest/job_00000000001", "data_restricted"},
      {SecretToken(2), "/v1/jobs/rich/ingest/" + id, "not_found"},
      {SecretToken(2), "/v1/jobs/rich/ingest/" + id + "/rejected", "not_found"},
      {SecretToken(2), "/v1/jobs/acme/ingest", "data_restricted"},
      {Publishable(), "/v1/jobs/acme/ingest/" + id, "secret_token_required"},
      {Publishable(), "/v1/jobs/rich/ingest", "secret_token_required"},
      {token, "/v1/jobs/acme/ingest/job_00000000001", "not_found"},
      {token, "/v1/jobs/acme/ingest/nonsense", "not_found"},
      {token, "/v1/jobs/core/ingest", "data_restricted"},
      {token, "/v1/jobs/acme/ingest?limit=0", "invalid_values"},
      {token, "/v1/jobs/acme/ingest/" + id + "?x=1", "invalid_values"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Ask(WithToken(c.target, c.token)).Field("Latchkey-Reason"), c.reason) << c.target;
  }
}

}  // namespace
}  // namespace latchkey::gateway
