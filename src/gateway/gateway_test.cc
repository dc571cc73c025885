// The whole chain over the real pieces: answers, refusals, prepared answers, the log. What is
// written, uploaded and defined is in gateway_data_test.cc.
#include "gateway/gateway.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "core/reason.h"
#include "gateway/respond.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"
#include "test/support/forwarding_dataset_store.h"
#include "test/support/gateway_house.h"
#include "test/support/parsed_request.h"
#include "test/support/socket_client.h"

namespace latchkey::gateway {
namespace {

// ---- answers

TEST_F(GatewayTest, AnswersTheNewestRecordOfAKey) {
  Import("core", "STOCKS", kStocks, 3);
  Start();
  const MadeToken token = Publishable();
  for (int round = 0; round < 2; ++round) {  // from the store, then from memory
    const Answer answer = Ask(WithToken("/v1/data/core/stocks/aapl", token));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body,
              R"([{"symbol":"AAPL","price":2.5,"id":"STOCKS","key":"AAPL","subkey":"",)"
              R"("date":1264982400000,"updated":1800000000000}])");
    EXPECT_EQ(answer.Field("Content-Type"), "application/json; charset=utf-8");
    EXPECT_EQ(answer.Field("iexcloud-messages-used"), "3");
    EXPECT_EQ(answer.Field("iexcloud-credits-used"), "3");
    EXPECT_EQ(answer.Field("iexcloud-premium-messages-used"), "0");
    EXPECT_EQ(answer.Field("iexcloud-premium-credits-used"), "0");
    EXPECT_EQ(answer.Field("Latchkey-Reason"), "(absent)");
    ExpectSecurityFields(answer);
  }
  EXPECT_EQ(records_->queries(), 1);
}

TEST_F(GatewayTest, TakesTheTokenFromQueryBearerAndBasic) {
  Import("core", "STOCKS", kStocks);
  Start();
  const MadeToken token = Publishable();
  const std::string target = "/v1/data/core/STOCKS/MSFT";
  EXPECT_EQ(Ask(WithToken(target, token)).status, 200);
  EXPECT_EQ(Ask(target, "Authorization: Bearer " + token.text + "\r\n").status, 200);
  EXPECT_EQ(Ask(target, "Authorization: Basic " + Base64Encode(token.text + ":") + "\r\n").status,
            200);
  EXPECT_EQ(records_->queries(), 1);  // the token is no part of what was asked
}

TEST_F(GatewayTest, TheOldPrefixesAndHarmlessSpellingsAreTheSameApi) {
  Import("core", "STOCKS", kStocks);
  Start();
  const MadeToken token = Publishable();
  const std::string expected = Ask(WithToken("/v1/data/core/STOCKS/MSFT", token)).body;
  for (const std::string_view target :
       {"/stable/data/core/STOCKS/MSFT", "/latest/data/core/STOCKS/MSFT",
        "/beta/data/core/STOCKS/MSFT", "/v1/data/core/STOCKS/MSFT/", "/v1/data/CORE/stocks/mSfT",
        "/v1//data/./core/STOCKS/%4dSFT", "/v1/data/core/STOCKS/MSFT?nonce=1"}) {
    const Answer answer = Ask(WithToken(target, token));
    EXPECT_EQ(answer.status, 200) << target;
    EXPECT_EQ(answer.body, expected) << target;
  }
}

TEST_F(GatewayTest, GivesAsMuchAsIsAskedForInTheFormatAskedFor) {
  Import("core", "STOCKS", kStocks, 2);
  Start();
  const MadeToken token = Publishable();
  const Answer all = Ask(WithToken("/v1/data/core/STOCKS/AAPL?last=10", token));
  EXPECT_THAT(all.body, StartsWith(R"([{"symbol":"AAPL","price":2.5,)"));
  EXPECT_EQ(all.Field("iexcloud-credits-used"), "4");
  EXPECT_EQ(Ask(WithToken("/v1/data/core/STOCKS/NONE", token)).body, "[]");
  EXPECT_EQ(Ask(WithToken("/v1/data/core/STOCKS/NONE", token)).Field("iexcloud-credits-used"), "0");

  const std::string csv =
      "symbol,price,id,key,subkey,date,updated\r\n"
      "AAPL,1.5,STOCKS,AAPL,\"\",1262304000000,1800000000000\r\n";
  const Answer by_format =
      Ask(WithToken("/v1/data/core/STOCKS/AAPL?on=2010-01-01&format=csv", token));
  EXPECT_EQ(by_format.body, csv);
  EXPECT_EQ(by_format.Field("Content-Type"), "text/csv; charset=utf-8");
  const std::string plain = WithToken("/v1/data/core/STOCKS/AAPL?on=2010-01-01", token);
  // The same target in both formats: what was prepared for one is not given to the other.
  EXPECT_THAT(Ask(plain).body, StartsWith("[{"));
  EXPECT_EQ(Ask(plain, "Accept: text/csv\r\n").body, csv);
  EXPECT_THAT(Ask(plain).body, StartsWith("[{"));
  EXPECT_EQ(Ask(plain, "Accept: text/csv\r\n").body, csv);
}

TEST_F(GatewayTest, HeadAnswersLikeGetAndCostsNothing) {
  Import("core", "STOCKS", kStocks, 5);
  Start();
  const MadeToken token = Publishable();
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL", token);
  for (int round = 0; round < 2; ++round) {  // from the store, then from memory
    const Answer head = Ask(target, {}, "HEAD");
    EXPECT_EQ(head.status, 200);
    EXPECT_TRUE(head.body.empty());
    EXPECT_EQ(head.Field("iexcloud-credits-used"), "0");
    EXPECT_EQ(head.Field("iexcloud-messages-used"), "0");
  }
  const Answer get = Ask(target);
  EXPECT_EQ(get.Field("iexcloud-credits-used"), "5");
  EXPECT_EQ(get.Field("Content-Length"), Ask(target, {}, "HEAD").Field("Content-Length"));
}

TEST_F(GatewayTest, PremiumCostsPremiumCredits) {
  Import("premium", "SECRETS", kStocks, 10);
  Start();
  const Answer answer = Ask(WithToken("/v1/data/premium/SECRETS/MSFT", SecretToken(2)));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Field("iexcloud-credits-used"), "0");
  EXPECT_EQ(answer.Field("iexcloud-premium-messages-used"), "10");
  EXPECT_EQ(answer.Field("iexcloud-premium-credits-used"), "10");
}

TEST_F(GatewayTest, TheCatalogueShowsWhatTheTokenMayRead) {
  Import("core", "STOCKS", kStocks);
  Import("premium", "GEMS", kStocks);
  Define("acme", "OWN");
  Define("acmes", "NEIGHBOUR");
  Define("rich", "THEIRS");
  Start();
  auto ids = [](const Answer& answer) {
    std::string out;
    for (std::size_t at = 0; (at = answer.body.find(R"({"id":")", at)) != std::string::npos;) {
      at += 7;
      out.append(answer.body, at, answer.body.find('"', at) - at).append(" ");
    }
    return out;
  };
  const Answer all = Ask(WithToken("/v1/data", Publishable()));
  EXPECT_EQ(ids(all), "STOCKS ");
  EXPECT_EQ(all.Field("Content-Type"), "application/json; charset=utf-8");
  EXPECT_EQ(all.Field("iexcloud-credits-used"), "0");
  ExpectSecurityFields(all);
  EXPECT_EQ(ids(Ask(WithToken("/v1/data", SecretToken()))), "OWN STOCKS ");
  EXPECT_EQ(ids(Ask(WithToken("/v1/data", SecretToken(2)))), "STOCKS GEMS THEIRS ");
  EXPECT_EQ(ids(Ask(WithToken("/v1/data/Core/", SecretToken(2)))), "STOCKS ");
  EXPECT_EQ(ids(Ask(WithToken("/v1/data/acme", SecretToken()))), "OWN ");
  EXPECT_EQ(Ask(WithToken("/v1/data/rich", SecretToken())).body, "[]");
  EXPECT_EQ(Ask(WithToken("/v1/data/nobody", SecretToken())).body, "[]");
}

TEST_F(GatewayTest, StatusNeedsNoToken) {
  Start();
  for (const std::string_view target : {"/v1/status", "/stable/status/", "/v1/status?token=x"}) {
    const Answer answer = Ask(target);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"({"status":"up","version":"1.2.3","time":1800000000000})");
    ExpectSecurityFields(answer);
  }
}

TEST_F(GatewayTest, APreflightNeedsNoToken) {
  Start();
  for (const std::string_view target : {"/v1/data/core/STOCKS", "/v1/status", "/nowhere"}) {
    const Answer answer = Ask(target, "Origin: https://example.com\r\n", "OPTIONS");
    EXPECT_EQ(answer.status, 204) << target;
    EXPECT_EQ(answer.Field("Access-Control-Allow-Methods"),
              "GET, POST, PUT, PATCH, DELETE, OPTIONS");
    EXPECT_EQ(answer.Field("Access-Control-Max-Age"), "7200");
    EXPECT_THAT(answer.Field("Access-Control-Allow-Headers"), HasSubstr("Authorization"));
    ExpectSecurityFields(answer);
  }
}

TEST_F(GatewayTest, EveryAnswerHasAnIdOfItsOwn) {
  Import("core", "STOCKS", kStocks);
  Start();
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL", Publishable());
  std::map<std::string, int> ids;
  for (int i = 0; i < 200; ++i)
    ++ids[Ask(i % 2 == 0 ? target : "/none").Field("Latchkey-Request-Id")];
  EXPECT_EQ(ids.size(), 200u);
}

// ---- refusals

TEST_F(GatewayTest, RefusesWithStatusReasonAndSentence) {
  Import("core", "STOCKS", kStocks);
  Import("core", "SAMPLE", kStocks, 1, true);
  Import("premium", "GEMS", kStocks);
  Define("acme", "OWN");
  Define("rich", "THEIRS");
  Start({.max_records = 2});

  const MadeToken good = Publishable();
  const MadeToken secret = SecretToken();
  MadeToken disabled = Publishable();
  disabled.token.enabled = false;
  index_.Put(disabled.token);
  MadeToken expired = Publishable();
  expired.token.expires_at = clock_.Now();
  index_.Put(expired.token);
  const MadeToken removed = Publishable();
  index_.Remove(removed.token.id);
  MadeToken no_core = Publishable();
  no_core.token.core_data_access = false;
  index_.Put(no_core.token);
  const MadeToken suspended = Publishable(3);
  const MadeToken test_token =
      MakeToken(core::TokenKind::kPublishable, 1, core::Environment::kTest);

  const std::string aapl = "/v1/data/core/STOCKS/AAPL";
  const std::string bad_values = "You have supplied invalid values for this request";
  const struct {
    std::string target;
    std::string fields;
    std::string method;
    Reason reason;
    std::string starts;
  } kCases[] = {
      {aapl, "", "GET", Reason::kTokenRequired, "A token is required"},
      {aapl + "?token=", "", "GET", Reason::kTokenRequired, "A token is required"},
      {"/v1/data", "", "GET", Reason::kTokenRequired, "A token is required"},
      {aapl + "?token=abc", "", "GET", Reason::kTokenInvalid, "The API key provided is not valid."},
      {WithToken(aapl, removed), "", "GET", Reason::kTokenInvalid,
       "The API key provided is not valid."},
      {WithToken("/v1/data", removed), "", "GET", Reason::kTokenInvalid,
       "The API key provided is not valid."},
      {WithToken(aapl, disabled), "", "GET", Reason::kTokenDisabled, "The token is disabled"},
      {WithToken(aapl, expired), "", "GET", Reason::kTokenExpired, "The token has expired"},
      {WithToken(aapl, suspended), "", "GET", Reason::kAccountInactive, "The account is suspended"},
      {WithToken(aapl, secret), "Origin: https://x.example\r\n", "GET",
       Reason::kSecretTokenInBrowser, "A secret token must not be used in a browser"},
      {WithToken(aapl, secret), "Sec-Fetch-Site: none\r\n", "GET", Reason::kSecretTokenInBrowser,
       "A secret token must not be used in a browser"},
      {WithToken(aapl, no_core), "", "GET", Reason::kDataRestricted, "The token has no right"},
      {WithToken("/v1/data/premium/GEMS", good), "", "GET", Reason::kDataRestricted,
       "The token has no right"},
      {WithToken("/v1/data/premium/NONE", good), "", "GET", Reason::kDataRestricted,
       "The token has no right"},
      {WithToken("/v1/data/acme/OWN", good), "", "GET", Reason::kDataRestricted,
       "The token has no right"},
      {WithToken("/v1/data/rich/THEIRS", secret), "", "GET", Reason::kDataRestricted,
       "The token has no right"},
      {WithToken("/v1/data/premium/GEMS", secret), "", "GET", Reason::kPremiumRequired,
       "This is premium data"},
      {WithToken(aapl, test_token), "", "GET", Reason::kTokenWrongEnvironment,
       "A test token reads only"},
      {WithToken("/v1/data/core/NONE", good), "", "GET", Reason::kNotFound, "Not Found"},
      {WithToken("/v1/data/acme/NONE", secret), "", "GET", Reason::kNotFound, "Not Found"},
      {"/", "", "GET", Reason::kNotFound, "Not Found"},
      {"/v1/nothing", "", "GET", Reason::kNotFound, "Not Found"},
      {"/v1/nothing", "", "DELETE", Reason::kNotFound, "Not Found"},
      {WithToken("/v1/data", good), "", "POST", Reason::kMethodNotAllowed,
       "The path does not take"},
      {"/v1/status", "", "DELETE", Reason::kMethodNotAllowed, "The path does not take"},
      {"/v1/data/core", "", "BREW", Reason::kMethodNotAllowed, "The path does not take"},
      {WithToken(aapl + "?colour=red", good), "", "GET", Reason::kInvalidValues,
       bad_values + ". The parameter colour"},
      {WithToken(aapl + "?last=0", good), "", "GET", Reason::kInvalidValues,
       bad_values + ". The parameter last"},
      {WithToken(aapl + "?last=3", good), "", "GET", Reason::kInvalidValues,
       bad_values + ". The parameter last"},
      {WithToken("/v1/data/core/STOCKS?from=2010-01-01", good), "", "GET", Reason::kInvalidValues,
       bad_values + ". The range holds more than 2 records"},
      {WithToken(aapl + "?format=xml", good), "", "GET", Reason::kInvalidValues,
       bad_values + ". The parameter format"},
      {WithToken(aapl + "?%FF=1", good), "", "GET", Reason::kInvalidValues, bad_values},
      {WithToken("/v1/data?last=1", good), "", "GET", Reason::kInvalidValues,
       bad_values + ". The parameter last"},
      {WithToken("/v1/data/core/STOCKS,NONE", good), "", "GET", Reason::kNotFound, "Not Found"},
      {WithToken("/v1/data/core/SAMPLE,STOCKS", test_token), "", "GET",
       Reason::kTokenWrongEnvironment, "A test token reads only"},
      {WithToken("/v1/data/core/STOCKS,SAMPLE?last=2", good), "", "GET", Reason::kInvalidValues,
       bad_values + ". The answer would hold more than 2 records"},
      {WithToken("/v1/data/core/STOCKS/AAPL%2CMSFT,NONE?last=2", good), "", "GET",
       Reason::kInvalidValues, bad_values + ". The answer would hold more than 2 records"},
      {WithToken("/v1/data/premium/GEMS,NONE", good), "", "GET", Reason::kDataRestricted,
       "The token has no right"},
      {WithToken(WithToken(aapl, good), secret), "", "GET", Reason::kInvalidValues,
       bad_values + ". Two different tokens"},
      {WithToken(aapl, good), "Authorization: Bearer " + secret.text + "\r\n", "GET",
       Reason::kInvalidValues, bad_values + ". Two different tokens"},
  };
  for (const auto& c : kCases) {
    const Answer answer = Ask(c.target, c.fields, c.method);
    const core::ReasonInfo& info = core::Describe(c.reason);
    EXPECT_EQ(answer.status, info.status) << c.method << " " << c.target << "\n" << answer.raw;
    EXPECT_EQ(answer.Field("Latchkey-Reason"), info.name) << c.target;
    EXPECT_EQ(answer.Field("Content-Type"), "text/plain; charset=utf-8") << c.target;
    EXPECT_THAT(answer.body, StartsWith(c.starts)) << c.target;
    EXPECT_THAT(answer.body, StartsWith(std::string(info.sentence))) << c.target;
    EXPECT_EQ(answer.Field("iexcloud-credits-used"), "(absent)") << c.target;
    EXPECT_EQ(answer.Field("WWW-Authenticate"),
              c.reason == Reason::kTokenRequired ? "Bearer" : "(absent)");
    EXPECT_EQ(answer.Field("Allow"),
              c.reason == Reason::kMethodNotAllowed ? "GET, HEAD, OPTIONS" : "(absent)");
    for (const MadeToken* token :
         std::initializer_list<const MadeToken*>{&good, &secret, &removed}) {
      EXPECT_THAT(answer.raw, Not(HasSubstr(token->text.substr(4))));
    }
    ExpectSecurityFields(answer);

    // The same as problem+json: same status and reason, the text as its detail.
    const Answer problem =
        Ask(c.target, c.fields + "Accept: application/problem+json\r\n", c.method);
    EXPECT_EQ(problem.status, info.status);
    EXPECT_EQ(problem.Field("Content-Type"), "application/problem+json");
    std::string detail;
    AppendJsonString(detail, answer.body);
    EXPECT_THAT(problem.body,
                HasSubstr("\"detail\":" + detail + ",\"reason\":\"" + std::string(info.name) +
                          "\",\"request_id\":\"" + problem.Field("Latchkey-Request-Id") + "\"}"));
    ExpectSecurityFields(problem);
  }
  EXPECT_EQ(Ask(WithToken("/v1/data/core/SAMPLE/AAPL", test_token)).status, 200);
}

TEST_F(GatewayTest, AForeignDatasetAndAnAbsentOneAnswerAlike) {
  Import("premium", "GEMS", kStocks);
  Define("rich", "THEIRS");
  Define("acme", "OWN");
  Start();
  auto anonymous = [](Answer answer) {
    const std::string id = answer.Field("Latchkey-Request-Id");
    answer.raw.replace(answer.raw.find(id), id.size(), "ID");
    answer.raw.replace(answer.raw.find(answer.Field("Date")), answer.Field("Date").size(), "DATE");
    return answer.raw;
  };
  const MadeToken publishable = Publishable();
  const MadeToken secret = SecretToken();
  const struct {
    const MadeToken& token;
    std::string_view there;
    std::string_view absent;
  } kCases[] = {
      {publishable, "/v1/data/premium/GEMS", "/v1/data/premium/NONE"},
      {publishable, "/v1/data/acme/OWN", "/v1/data/acme/NONE"},
      {publishable, "/v1/data/rich/THEIRS", "/v1/data/nobody/THEIRS"},
      {secret, "/v1/data/rich/THEIRS", "/v1/data/rich/NONE"},
      {secret, "/v1/data/rich/THEIRS?last=x", "/v1/data/nobody/THEIRS?last=x"},
      {secret, "/v1/data/rich/THEIRS/k,k", "/v1/data/nobody/THEIRS/k,k"},
      {secret, "/v1/data/rich", "/v1/data/nobody"},
      {secret, "/v1/data/premium/GEMS", "/v1/data/premium/NONE"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(anonymous(Ask(WithToken(c.there, c.token))),
              anonymous(Ask(WithToken(c.absent, c.token))))
        << c.there;
  }
}

// ---- prepared answers obey every change

TEST_F(GatewayTest, AfterAnImportTheNextAnswerIsNew) {
  Import("core", "STOCKS", kStocks);
  Start();
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL", Publishable());
  EXPECT_THAT(Ask(target).body, HasSubstr("2.5"));
  EXPECT_THAT(Ask(target).body, HasSubstr("2.5"));
  Import("core", "STOCKS", "symbol,date,price\nAAPL,2010-03-01,7.75\n", 4);
  const Answer answer = Ask(target);
  EXPECT_THAT(answer.body, HasSubstr("7.75"));
  EXPECT_EQ(answer.Field("iexcloud-credits-used"), "4");
  // A change of another dataset costs no query.
  const int queries = records_->queries();
  Import("core", "OTHER", kStocks);
  EXPECT_THAT(Ask(target).body, HasSubstr("7.75"));
  EXPECT_EQ(records_->queries(), queries);
}

TEST_F(GatewayTest, AfterARemovalTheNextRequestIsRefusedThoughTheAnswerIsPrepared) {
  Import("core", "STOCKS", kStocks);
  Start();
  MadeToken token = Publishable();
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL", token);
  ASSERT_EQ(Ask(target).status, 200);
  ASSERT_EQ(Ask(target).status, 200);

  token.token.enabled = false;
  index_.Put(token.token);
  EXPECT_EQ(Ask(target).Field("Latchkey-Reason"), "token_disabled");
  token.token.enabled = true;
  token.token.expires_at = clock_.Now() + milliseconds(10);
  index_.Put(token.token);
  EXPECT_EQ(Ask(target).status, 200);
  clock_.Advance(milliseconds(10));
  EXPECT_EQ(Ask(target).Field("Latchkey-Reason"), "token_expired");
  token.token.expires_at.reset();
  index_.Put(token.token);
  EXPECT_EQ(Ask(target).status, 200);
  index_.Remove(token.token.id);
  EXPECT_EQ(Ask(target).Field("Latchkey-Reason"), "token_invalid");
}

TEST_F(GatewayTest, APreparedAnswerIsGivenOnlyToWhoMayReadIt) {
  Import("premium", "GEMS", kStocks);
  Start();
  const std::string target = "/v1/data/premium/GEMS/AAPL";
  ASSERT_EQ(Ask(WithToken(target, SecretToken(2))).status, 200);
  ASSERT_EQ(Ask(WithToken(target, SecretToken(2))).status, 200);
  EXPECT_EQ(Ask(WithToken(target, Publishable(2))).Field("Latchkey-Reason"), "data_restricted");
  EXPECT_EQ(Ask(WithToken(target, SecretToken(1))).Field("Latchkey-Reason"), "premium_required");
  EXPECT_EQ(Ask(target).Field("Latchkey-Reason"), "token_required");
  EXPECT_EQ(records_->queries(), 1);
}

TEST_F(GatewayTest, AfterItsDatasetIsGoneAPreparedAnswerIsGoneToo) {
  Import("core", "STOCKS", kStocks);
  Start();
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL", Publishable());
  ASSERT_EQ(Ask(target).status, 200);
  catalogue_.Remove(catalogue_.Snapshot()->at("core/stocks")->dataset.id);
  EXPECT_EQ(Ask(target).Field("Latchkey-Reason"), "not_found");
}

TEST_F(GatewayTest, WithoutRoomForPreparedAnswersEachOneIsAskedOfTheStore) {
  Import("core", "STOCKS", kStocks);
  Start({.answer_cache_bytes = 0});
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL", Publishable());
  EXPECT_EQ(Ask(target).status, 200);
  EXPECT_EQ(Ask(target).status, 200);
  EXPECT_EQ(records_->queries(), 2);
}

// Looks at what a handler answers with, and hands it on.
class WatchedExchange final : public http::Exchange {
 public:
  using Bodies = std::vector<std::shared_ptr<const std::string>>;

  WatchedExchange(http::Exchange& inner, Bodies& bodies) : inner_(inner), bodies_(bodies) {}
  const http::Request& request() const override { return inner_.request(); }
  void Answer(http::Response&& response) override {
    bodies_.push_back(response.shared_body);
    inner_.Answer(std::move(response));
  }
  void ReadBody(std::size_t, std::function<void(Exchange&, std::string_view)>) override { abort(); }
  void StreamBody(std::uint64_t, std::unique_ptr<http::BodySink>) override { abort(); }
  http::Deferred Defer() override { return inner_.Defer(); }

 private:
  http::Exchange& inner_;
  Bodies& bodies_;
};

class WatchingHandler final : public http::Handler {
 public:
  WatchingHandler(std::unique_ptr<http::Handler> inner, WatchedExchange::Bodies& bodies)
      : inner_(std::move(inner)), bodies_(bodies) {}
  void OnRequest(http::Exchange& exchange) override {
    WatchedExchange watched(exchange, bodies_);
    inner_->OnRequest(watched);
  }
  void OnProtocolError(http::ProtocolError error, std::string_view detail, const IpAddress& peer,
                       http::Response& answer) override {
    inner_->OnProtocolError(error, detail, peer, answer);
  }

 private:
  const std::unique_ptr<http::Handler> inner_;
  WatchedExchange::Bodies& bodies_;
};

// A copy for each of a thousand slow readers of a large answer would be gigabytes.
TEST_F(GatewayTest, APreparedAnswerIsSharedByWhoeverReadsIt) {
  std::string csv = "symbol,date,price\n";
  for (int day = 10; day < 29; ++day) {
    csv.append("AAPL,2010-01-").append(std::to_string(day)).append(",");
    csv.append(std::string(2000, '1')).append("\n");
  }
  Import("core", "STOCKS", csv);
  MakePlane();
  WatchedExchange::Bodies bodies;
  server_.emplace(1);
  http::ListenerOptions listener;
  listener.name = "data";
  listener.address = *IpAddress::Parse("127.0.0.1");
  listener.make_handler = [&](int thread) {
    return std::make_unique<WatchingHandler>(plane_->MakeHandler(thread), bodies);
  };
  port_ = server_->Listen(std::move(listener)).value();
  server_->Start();
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL?last=19", Publishable());
  const std::string first = Ask(target).body;  // from the store, by another exchange
  EXPECT_GT(first.size(), 19 * 2000u);
  EXPECT_EQ(Ask(target).body, first);
  EXPECT_EQ(Ask(target).body, first);
  server_.reset();
  ASSERT_EQ(bodies.size(), 2u);
  ASSERT_NE(bodies[0], nullptr);
  EXPECT_EQ(bodies[0], bodies[1]);
}

// ---- while a query runs

TEST_F(GatewayTest, ATokenRemovedDuringTheQueryGetsNothing) {
  Import("core", "STOCKS", kStocks);
  Start();
  const MadeToken token = Publishable();
  HoldQueries();
  std::future<Answer> answer = std::async(
      std::launch::async, [&] { return Ask(WithToken("/v1/data/core/STOCKS/AAPL", token)); });
  AwaitWaiting(1);
  index_.Remove(token.token.id);
  release_ = true;
  EXPECT_EQ(answer.get().Field("Latchkey-Reason"), "token_invalid");
}

TEST_F(GatewayTest, WhatWasReadBeforeAnImportIsNotKept) {
  Import("core", "STOCKS", kStocks);
  Start();
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL", Publishable());
  HoldQueries();
  std::future<Answer> early = std::async(std::launch::async, [&] { return Ask(target); });
  AwaitWaiting(1);
  Import("core", "STOCKS", "symbol,date,price\nAAPL,2010-03-01,7.75\n");
  release_ = true;
  EXPECT_EQ(early.get().status, 200);
  EXPECT_THAT(Ask(target).body, HasSubstr("7.75"));
}

TEST_F(GatewayTest, AQueryThatTakesTooLongIsGivenUp) {
  Import("core", "STOCKS", kStocks);
  Start({.query_timeout = milliseconds(500)});
  std::atomic<bool> asked{false};
  records_->SetBefore([&](const WrappedRecords::Interrupted& interrupted) -> Status {
    asked = true;
    while (!interrupted()) std::this_thread::yield();
    return MakeError(ErrorCode::kUnavailable, "interrupted");
  });
  std::future<Answer> answer = std::async(std::launch::async, [&] {
    return Ask(WithToken("/v1/data/core/STOCKS/AAPL", Publishable()));
  });
  while (!asked) std::this_thread::yield();
  clock_.Advance(milliseconds(500));
  const Answer late = answer.get();
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.Field("Latchkey-Reason"), "unavailable");
  EXPECT_THAT(late.body, HasSubstr("The query took too long"));
  EXPECT_EQ(late.Field("Retry-After"), "1");
}

TEST_F(GatewayTest, ABusyPoolIsAnsweredWithRetryAfter) {
  Import("core", "STOCKS", kStocks);
  Start({}, 1, 1);
  const MadeToken token = Publishable();
  HoldQueries();
  auto ask = [&](std::string_view key) {
    return std::async(std::launch::async, [this, &token, key] {
      return Ask(WithToken(std::string("/v1/data/core/STOCKS/").append(key), token));
    });
  };
  std::future<Answer> running = ask("a");
  AwaitWaiting(1);
  std::future<Answer> queued = ask("b");
  while (pool_->Queued() < 1) std::this_thread::yield();
  const Answer refused = ask("c").get();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Field("Retry-After"), "1");
  EXPECT_THAT(refused.body, HasSubstr("Too many requests wait"));
  release_ = true;
  EXPECT_EQ(running.get().status, 200);
  EXPECT_EQ(queued.get().status, 200);
}

TEST_F(GatewayTest, AFailureOfTheStoreIsToldWithoutItsInnerText) {
  Import("core", "STOCKS", kStocks);
  Start();
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL", Publishable());
  records_->SetBefore([](const WrappedRecords::Interrupted&) -> Status {
    return MakeError(ErrorCode::kCorrupt, "never shown", "page 17");
  });
  const Answer corrupt = Ask(target);
  EXPECT_EQ(corrupt.status, 500);
  EXPECT_EQ(corrupt.body, core::Describe(Reason::kInternal).sentence);
  records_->SetBefore(nullptr);
  EXPECT_EQ(Ask(target).status, 200);  // nothing of the failure was kept
}

// ---- the log

TEST_F(GatewayTest, EachRequestIsOneLineWithoutToken) {
  Import("core", "STOCKS", kStocks, 2);
  Start();
  const MadeToken token = Publishable();
  const Answer good = Ask(WithToken("/v1/data/core/STOCKS/AAPL?last=2", token));
  Ask(WithToken("/v1/data/core/STOCKS/AAPL?last=2", token));
  Ask("/v1/data/core/STOCKS/AAPL?token=" + token.text + "x");
  Ask("/v1/data/" + token.text);
  {
    test::SocketClient client(port_);
    ASSERT_TRUE(client.Send("GET /?token=" + token.text + " HTTP/9.9\r\n\r\n"));
    client.ReadAll();
  }
  const std::string lines = AccessLines();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 5) << lines;
  EXPECT_THAT(lines, Not(HasSubstr(token.text.substr(6, 20))));
  EXPECT_THAT(lines, HasSubstr("\"id\":\"" + good.Field("Latchkey-Request-Id") + "\""));
  EXPECT_THAT(lines, HasSubstr("\"token\":\"" + token.token.id.ToString() + "\""));
  EXPECT_THAT(lines, HasSubstr("\"account\":\"" + token.token.account.ToString() + "\""));
  EXPECT_THAT(lines, HasSubstr("\"path\":\"/v1/data/core/STOCKS/AAPL\""));
  EXPECT_THAT(lines, HasSubstr("\"records\":2,\"cost\":4"));
  EXPECT_THAT(lines, HasSubstr("\"reason\":\"token_invalid\",\"status\":403"));
  EXPECT_THAT(lines, HasSubstr("\"reason\":\"http_version\",\"status\":505"));
}

// ---- what needs another peer than loopback: the handler alone, without sockets

class HeldExchange final : public http::Exchange {
 public:
  explicit HeldExchange(const http::Request& request) : request_(request) {}
  const http::Request& request() const override { return request_; }
  void Answer(http::Response&& response) override {
    status = response.status;
    lines = response.header_lines;
    body = response.Body();
  }
  void ReadBody(std::size_t, std::function<void(Exchange&, std::string_view)>) override { abort(); }
  void StreamBody(std::uint64_t, std::unique_ptr<http::BodySink>) override { abort(); }
  http::Deferred Defer() override { abort(); }

  int status = 0;
  std::string lines;
  std::string body;

 private:
  const http::Request& request_;
};

TEST_F(GatewayTest, ASecretTokenOverPlainHttpFromElsewhereIsRefused) {
  Define("core", "STOCKS");
  const MadeToken secret = SecretToken();
  const MadeToken publishable = Publishable();
  const MadeToken unknown = SecretToken();
  index_.Remove(unknown.token.id);
  const struct {
    const MadeToken& token;
    std::string_view peer;
    bool tls;
    bool guard;
    std::string_view reason;
  } kCases[] = {
      {secret, "203.0.113.9", false, true, "not_permitted"},
      {unknown, "203.0.113.9", false, true, "not_permitted"},  // says nothing of its validity
      {secret, "203.0.113.9", false, false, ""},
      {secret, "203.0.113.9", true, true, ""},
      {secret, "127.0.0.1", false, true, ""},
      {secret, "::1", false, true, ""},
      {secret, "10.0.0.1", false, true, ""},  // a trusted proxy: TLS ended there
      {publishable, "203.0.113.9", false, true, ""},
  };
  for (const auto& c : kCases) {
    DataPlaneOptions options;
    options.refuse_secret_tokens_over_http = c.guard;
    options.trusted_proxies = {*IpNetwork::Parse("10.0.0.0/8")};
    plane_.reset();
    pool_.reset();
    MakePlane(options);
    const std::unique_ptr<http::Handler> handler = plane_->MakeHandler(0);
    // The catalogue, which is answered at once.
    test::ParsedRequest request("GET /v1/data?token=" + c.token.text + " HTTP/1.1\nHost: x\n",
                                c.peer, c.tls);
    ASSERT_TRUE(request.ok());
    HeldExchange exchange(*request);
    handler->OnRequest(exchange);
    EXPECT_EQ(exchange.status, c.reason.empty() ? 200 : 403) << c.peer;
    if (c.reason.empty()) continue;
    EXPECT_THAT(exchange.lines, HasSubstr("Latchkey-Reason: " + std::string(c.reason)));
    EXPECT_THAT(exchange.body, HasSubstr("https only"));
  }
}

TEST_F(GatewayTest, ProtocolErrorsAreRefusalsToo) {
  MakePlane({});
  const std::unique_ptr<http::Handler> handler = plane_->MakeHandler(0);
  const struct {
    http::ProtocolError error;
    Reason reason;
  } kCases[] = {
      {http::ProtocolError::kBadRequest, Reason::kBadRequest},
      {http::ProtocolError::kRequestTimeout, Reason::kRequestTimeout},
      {http::ProtocolError::kBodyTooLarge, Reason::kBodyTooLarge},
      {http::ProtocolError::kUrlTooLong, Reason::kUrlTooLong},
      {http::ProtocolError::kExpectationFailed, Reason::kExpectationFailed},
      {http::ProtocolError::kHeadTooLarge, Reason::kHeadTooLarge},
      {http::ProtocolError::kNotImplemented, Reason::kNotImplemented},
      {http::ProtocolError::kVersion, Reason::kHttpVersion},
  };
  for (const auto& c : kCases) {
    http::Response response;
    handler->OnProtocolError(c.error, "two lengths", IpAddress(), response);
    const core::ReasonInfo& info = core::Describe(c.reason);
    EXPECT_EQ(response.status, info.status);
    EXPECT_EQ(response.body, std::string(info.sentence) + " Two lengths.");
    const std::string lines(response.header_lines);
    EXPECT_THAT(lines, HasSubstr("Latchkey-Reason: " + std::string(info.name) + "\r\n"));
    EXPECT_THAT(lines, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
    EXPECT_THAT(lines, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
    EXPECT_THAT(lines, HasSubstr("Latchkey-Request-Id: "));
  }
}

}  // namespace
}  // namespace latchkey::gateway
