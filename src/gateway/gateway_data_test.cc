// What the data plane does with data, over the real pieces: queries of several datasets, and the
// old forms. What it writes is in gateway_writes_test.cc.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/gateway.h"
#include "test/support/gateway_house.h"

namespace latchkey::gateway {
namespace {

using testing::EndsWith;

constexpr std::string_view kJson = "application/json; charset=utf-8";

class GatewayDataTest : public GatewayTest {
 protected:
  // Two core datasets, of two columns that differ.
  void ImportTwo() {
    Import("core", "STOCKS", kStocks, 3);
    Import("core", "FUNDS", "symbol,date,nav\nMSFT,2010-01-05,7\nAAPL,2010-01-06,8\n", 5);
  }
  // The values of every "symbol" in an answer, in order.
  static std::string Symbols(const Answer& answer) {
    std::string out;
    const std::string name = R"({"symbol":")";
    for (std::size_t at = 0; (at = answer.body.find(name, at)) != std::string::npos;) {
      at += name.size();
      out.append(answer.body, at, answer.body.find('"', at) - at).append(" ");
    }
    return out;
  }
};

// ---- several datasets and keys

TEST_F(GatewayDataTest, ListsAnswerDatasetsTimesKeysInTheirOrder) {
  ImportTwo();
  Start();
  const MadeToken token = Publishable();
  for (int round = 0; round < 2; ++round) {  // from the store, then from memory
    const Answer answer = Ask(WithToken("/v1/data/core/stocks,FUNDS/msft%2CNONE,aapl", token));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"([{"symbol":"MSFT","price":9,"id":"STOCKS","key":"MSFT","subkey":"",)"
                           R"("date":1262304000000,"updated":1800000000000},)"
                           R"({"symbol":"AAPL","price":2.5,"id":"STOCKS","key":"AAPL","subkey":"",)"
                           R"("date":1264982400000,"updated":1800000000000},)"
                           R"({"symbol":"MSFT","nav":7,"id":"FUNDS","key":"MSFT","subkey":"",)"
                           R"("date":1262649600000,"updated":1800000000000},)"
                           R"({"symbol":"AAPL","nav":8,"id":"FUNDS","key":"AAPL","subkey":"",)"
                           R"("date":1262736000000,"updated":1800000000000}])");
    EXPECT_EQ(answer.Field("Content-Type"), kJson);
    // Two records of weight 3, two of weight 5.
    EXPECT_EQ(answer.Field("iexcloud-credits-used"), "16");
    EXPECT_EQ(answer.Field("iexcloud-messages-used"), "16");
    ExpectSecurityFields(answer);
  }
  EXPECT_EQ(records_->queries(), 6);
  const Answer head =
      Ask(WithToken("/v1/data/core/stocks,FUNDS/msft%2CNONE,aapl", token), {}, "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Field("iexcloud-credits-used"), "0");
  EXPECT_EQ(records_->queries(), 6);
}

TEST_F(GatewayDataTest, LargeAnswersThatNobodyReadsAreBoundedForEachAccount) {
  std::string csv = "symbol,date,text\n";
  for (int i = 0; i < 400; ++i) {
    csv.append("A").append(std::to_string(i)).append(",2010-01-01,").append(60'000, 'x') += '\n';
  }
  Import("core", "LARGE", csv);
  Start({.max_held_answer_bytes_of_account = 0});  // then one of the largest size
  const MadeToken token = Publishable();
  const std::string target = "/v1/data/core/LARGE?limit=400";
  std::optional<test::SocketClient> lazy;
  lazy.emplace(port_, 4096);
  ASSERT_TRUE(lazy->Send(Head("GET", WithToken(target, token), {})));
  // It is on its way, and more than the kernel takes.
  char first = 0;
  ASSERT_EQ(::recv(lazy->fd(), &first, 1, MSG_PEEK), 1);
  const Answer refused = Ask(WithToken(target + "&offset=0", token));
  EXPECT_EQ(refused.Field("Latchkey-Reason"), "unavailable");
  EXPECT_EQ(refused.Field("Retry-After"), "1");
  EXPECT_EQ(Ask(WithToken("/v1/data/core/LARGE?limit=1", token)).status, 200);
  EXPECT_EQ(Ask(WithToken(target, Publishable(2))).status, 200);
  lazy.reset();
  while (Ask(WithToken(target, token)).status != 200) std::this_thread::yield();
}

TEST_F(GatewayDataTest, WholeDatasetsCountAsOneKeyEachAndTwiceNamedOnce) {
  ImportTwo();
  Start();
  const MadeToken token = Publishable();
  EXPECT_EQ(Symbols(Ask(WithToken("/v1/data/core/STOCKS,FUNDS/", token))), "AAPL AAPL ");
  EXPECT_EQ(Symbols(Ask(WithToken("/v1/data/core/FUNDS,stocks,funds", token))), "AAPL AAPL ");
  EXPECT_EQ(Symbols(Ask(WithToken("/v1/data/core/STOCKS/AAPL,aapl,MSFT?last=5", token))),
            "AAPL AAPL MSFT ");
}

TEST_F(GatewayDataTest, SeveralDatasetsAsCsvHaveTheColumnsOfAll) {
  ImportTwo();
  Start();
  const Answer answer = Ask(WithToken(
      "/v1/data/core/STOCKS,FUNDS/MSFT?format=csv&filter=symbol,price,nav", Publishable()));
  EXPECT_EQ(answer.Field("Content-Type"), "text/csv; charset=utf-8");
  EXPECT_EQ(answer.body, "symbol,price,nav\r\nMSFT,9,\r\nMSFT,,7\r\n");
}

TEST_F(GatewayDataTest, MoreCombinationsOrTextThanMayBeGivenAreRefused) {
  ImportTwo();
  Start({.max_answer_bytes = 500});
  const MadeToken token = Publishable();
  std::string keys = "/v1/data/core/STOCKS,FUNDS/";
  for (int i = 0; i < 1001; ++i) keys.append(std::to_string(i)).append(",");
  keys.pop_back();
  const Answer combinations = Ask(WithToken(keys, token));
  EXPECT_EQ(combinations.Field("Latchkey-Reason"), "invalid_values");
  EXPECT_THAT(combinations.body, HasSubstr("more than 2000 datasets times keys"));
  keys.resize(keys.rfind(','));
  EXPECT_EQ(Ask(WithToken(keys, token)).body, "[]");

  const Answer large = Ask(WithToken("/v1/data/core/STOCKS,FUNDS?last=10", token));
  EXPECT_EQ(large.Field("Latchkey-Reason"), "invalid_values");
  EXPECT_THAT(large.body, HasSubstr("larger than 500 bytes"));
  EXPECT_EQ(Ask(WithToken("/v1/data/core/STOCKS?last=10&filter=price", token)).status, 200);
}

TEST_F(GatewayDataTest, EveryDatasetOfAListIsVerified) {
  Import("core", "STOCKS", kStocks);
  Import("core", "SAMPLE", kStocks, 1, true);
  Import("premium", "GEMS", kStocks);
  Start();
  const MadeToken live = Publishable();
  const MadeToken test = MakeToken(core::TokenKind::kPublishable, 1, core::Environment::kTest);
  const std::string both = "/v1/data/core/SAMPLE,STOCKS/AAPL";
  for (int round = 0; round < 2; ++round) {  // cold, then prepared
    EXPECT_EQ(Ask(WithToken(both, live)).status, 200);
    EXPECT_EQ(Ask(WithToken(both, test)).Field("Latchkey-Reason"), "token_wrong_environment");
  }
  EXPECT_EQ(Ask(WithToken("/v1/data/core/SAMPLE/AAPL", test)).status, 200);
  // The right first: what is absent looks like what is foreign.
  const Answer there = Ask(WithToken("/v1/data/premium/GEMS,GEMS2", live));
  const Answer absent = Ask(WithToken("/v1/data/premium/NONE,NONE2?last=x", live));
  EXPECT_EQ(there.status, 401);
  EXPECT_EQ(there.body, absent.body);
}

// ---- what is free, filtered, and relative to today

TEST_F(GatewayDataTest, SchemaTellsTheDefinitionsForNothing) {
  ImportTwo();
  Start();
  const Answer answer = Ask(WithToken("/v1/data/core/STOCKS,FUNDS?schema=true", Publishable()));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Field("Content-Type"), kJson);
  EXPECT_EQ(answer.Field("iexcloud-credits-used"), "0");
  EXPECT_THAT(answer.body, StartsWith(R"([{"datasetId":"STOCKS",)"));
  EXPECT_THAT(answer.body, HasSubstr(R"({"datasetId":"FUNDS",)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("price":{"type":"number"})"));
  // What would be refused without it is refused.
  const Answer unknown =
      Ask(WithToken("/v1/data/core/STOCKS?schema=true&filter=nothing", Publishable()));
  EXPECT_EQ(unknown.Field("Latchkey-Reason"), "invalid_values");
  EXPECT_EQ(records_->queries(), 0);
}

TEST_F(GatewayDataTest, FilteredAnswersHoldWhatWasAskedForAlone) {
  Import("core", "STOCKS", kStocks);
  Start();
  const MadeToken token = Publishable();
  EXPECT_EQ(Ask(WithToken("/v1/data/core/STOCKS/AAPL?filter=price,symbol", token)).body,
            R"([{"price":2.5,"symbol":"AAPL"}])");
  const Answer unknown = Ask(WithToken("/v1/data/core/STOCKS/AAPL?filter=Price", token));
  EXPECT_EQ(unknown.Field("Latchkey-Reason"), "invalid_values");
  EXPECT_THAT(unknown.body, HasSubstr("Price"));
}

TEST_F(GatewayDataTest, ARelativeRangeIsPreparedUntilTheDayEnds) {
  Import("core", "STOCKS", "symbol,date,price\nAAPL,2027-01-15,1\nAAPL,2027-01-16,2\n");
  Start();
  const std::string target =
      WithToken("/v1/data/core/STOCKS/AAPL?range=today&filter=price", Publishable());
  EXPECT_EQ(Ask(target).body, R"([{"price":1}])");
  EXPECT_EQ(Ask(target).body, R"([{"price":1}])");
  EXPECT_EQ(records_->queries(), 1);
  clock_.Advance(std::chrono::hours(16) - milliseconds(1));  // it was 8 in the morning
  EXPECT_EQ(Ask(target).body, R"([{"price":1}])");
  EXPECT_EQ(records_->queries(), 1);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(Ask(target).body, R"([{"price":2}])");
  EXPECT_EQ(Ask(target).body, R"([{"price":2}])");
  EXPECT_EQ(records_->queries(), 2);
}

TEST_F(GatewayDataTest, WhatComesNextIsAskedEachTime) {
  Import("core", "STOCKS", "symbol,date,price\nAAPL,2027-01-16,1\nAAPL,2027-01-17,2\n");
  Start();
  const std::string target =
      WithToken("/v1/data/core/STOCKS/AAPL?next=1&filter=price", Publishable());
  EXPECT_EQ(Ask(target).body, R"([{"price":1}])");
  EXPECT_EQ(Ask(target).body, R"([{"price":1}])");
  EXPECT_EQ(records_->queries(), 2);
  clock_.Advance(std::chrono::hours(24));
  EXPECT_EQ(Ask(target).body, R"([{"price":2}])");
}

TEST_F(GatewayDataTest, AChangeOfTheRecordsOfOneDatasetMakesTheAnswerOldAndNoOther) {
  ImportTwo();
  Start();
  const MadeToken token = Publishable();
  const std::string both = WithToken("/v1/data/core/STOCKS,FUNDS/AAPL", token);
  const std::string one = WithToken("/v1/data/core/STOCKS/AAPL", token);
  EXPECT_EQ(Ask(both).status, 200);
  EXPECT_EQ(Ask(one).status, 200);
  EXPECT_EQ(records_->queries(), 3);
  // As a write does, after its commit.
  ++catalogue_.Find("core", "FUNDS")->live->version;
  EXPECT_EQ(Ask(one).status, 200);
  EXPECT_EQ(records_->queries(), 3);
  EXPECT_EQ(Ask(both).status, 200);
  EXPECT_EQ(records_->queries(), 5);
  EXPECT_EQ(Ask(both).status, 200);
  EXPECT_EQ(records_->queries(), 5);
}

TEST_F(GatewayDataTest, WhatWasReadWhileARecordWasWrittenIsNotKept) {
  Import("core", "STOCKS", kStocks);
  Start();
  const std::string target = WithToken("/v1/data/core/STOCKS/AAPL", Publishable());
  HoldQueries();
  std::future<Answer> early = std::async(std::launch::async, [&] { return Ask(target); });
  AwaitWaiting(1);
  ++catalogue_.Find("core", "STOCKS")->live->version;
  release_ = true;
  EXPECT_EQ(early.get().status, 200);
  EXPECT_EQ(Ask(target).status, 200);
  EXPECT_EQ(records_->queries(), 2);
}

// ---- old forms

TEST_F(GatewayDataTest, TheOldFormsHaveTheirExactShapes) {
  Import("core", "STOCKS", kStocks, 2);
  MapLegacy(core::LegacyKind::kQuote, {{"latestPrice", "price"}});
  MapLegacy(core::LegacyKind::kChart);
  Start();
  const MadeToken token = Publishable();
  const std::string quote = R"({"symbol":"AAPL","date":"2010-02-01","latestPrice":2.5})";
  const std::string chart = R"([{"symbol":"AAPL","date":"2010-01-01","price":1.5},)"
                            R"({"symbol":"AAPL","date":"2010-02-01","price":2.5}])";
  const struct {
    std::string_view target;
    std::string body;
    std::string_view cost;
  } kCases[] = {
      {"/stable/stock/aapl/quote", quote, "2"},
      {"/stable/stock/aapl/quote/", quote, "2"},
      {"/v1/stock/AAPL/quote?filter=latestPrice", R"({"latestPrice":2.5})", "2"},
      {"/stable/stock/aapl/quote/latestPrice", "2.5", "2"},
      {"/stable/stock/aapl/quote/symbol", "\"AAPL\"", "2"},
      {"/stable/stock/AAPL/chart/max", chart, "4"},
      {"/stable/stock/AAPL/chart/max?chartLast=1",
       R"([{"symbol":"AAPL","date":"2010-02-01","price":2.5}])", "2"},
      {"/stable/stock/AAPL/chart/max?sort=desc&filter=price", R"([{"price":2.5},{"price":1.5}])",
       "4"},
      {"/stable/stock/AAPL/chart/date/20100101?chartByDay=true",
       R"([{"symbol":"AAPL","date":"2010-01-01","price":1.5}])", "2"},
      {"/stable/stock/AAPL/chart/1m", "[]", "0"},
      {"/stable/stock/AAPL/chart", "[]", "0"},
      {"/v1/stock/AAPL/batch?types=quote,chart&range=max&last=10",
       "{\"quote\":" + quote + ",\"chart\":" + chart + "}", "6"},
      {"/v1/stock/market/batch?symbols=AAPL%2Cmsft,none&types=quote&range=1m&last=10",
       "{\"AAPL\":{\"quote\":" + quote +
           R"(},"MSFT":{"quote":{"symbol":"MSFT","date":"2010-01-01","latestPrice":9}}})",
       "4"},
      {"/v1/stock/market/batch?symbols=none&types=quote", "{}", "0"},
      {"/v1/stock/market/batch?symbols=msft&types=chart", R"({"MSFT":{"chart":[]}})", "0"},
  };
  for (int round = 0; round < 2; ++round) {  // from the store, then from memory
    const int queries = records_->queries();
    for (const auto& c : kCases) {
      const Answer answer = Ask(WithToken(c.target, token));
      EXPECT_EQ(answer.status, 200) << c.target << answer.body;
      EXPECT_EQ(answer.body, c.body) << c.target;
      EXPECT_EQ(answer.Field("Content-Type"), kJson) << c.target;
      EXPECT_EQ(answer.Field("iexcloud-messages-used"), c.cost) << c.target;
      ExpectSecurityFields(answer);
    }
    if (round == 1) {
      EXPECT_EQ(records_->queries(), queries);
    }
  }
}

TEST_F(GatewayDataTest, TheOldFormsAreRefusedInTheOldWords) {
  Import("core", "STOCKS", kStocks);
  MapLegacy(core::LegacyKind::kQuote);
  Start();
  const MadeToken token = Publishable();
  MadeToken no_core = Publishable();
  no_core.token.core_data_access = false;
  index_.Put(no_core.token);
  const struct {
    const MadeToken& token;
    std::string_view target;
    Reason reason;
    std::string_view body;
  } kCases[] = {
      {token, "/stable/stock/NONE/quote", Reason::kNotFound, "Unknown symbol"},
      {token, "/stable/stock/NONE/quote/price", Reason::kNotFound, "Unknown symbol"},
      {token, "/stable/stock/NONE/batch?types=quote", Reason::kNotFound, "Unknown symbol"},
      {token, "/stable/stock/AAPL/quote/none", Reason::kNotFound,
       "Not Found. The quote has no such field."},
      // Not mapped.
      {token, "/stable/stock/AAPL/chart/1m", Reason::kNotFound, "Unknown symbol"},
      {token, "/stable/stock/market/batch?symbols=AAPL&types=quote,chart", Reason::kNotFound,
       "Unknown symbol"},
      {token, "/stable/stock/market/batch?symbols=AAPL", Reason::kTypeRequired,
       "The batch needs types: send types=quote, types=chart or both."},
      {token, "/stable/stock/AAPL/quote?colour=red", Reason::kInvalidValues,
       "You have supplied invalid values for this request. The parameter colour is not known "
       "here."},
      {token, "/stable/stock/AAPL/quote?filter=cost", Reason::kInvalidValues,
       "You have supplied invalid values for this request. The parameter filter names cost, which "
       "is no field of the answer."},
      // Who has no right to core data learns nothing of the maps, the symbols or the parameters.
      {no_core, "/stable/stock/AAPL/quote", Reason::kDataRestricted, ""},
      {no_core, "/stable/stock/NONE/quote", Reason::kDataRestricted, ""},
      {no_core, "/stable/stock/AAPL/chart/1m", Reason::kDataRestricted, ""},
      {no_core, "/stable/stock/AAPL/chart/x?y=z", Reason::kDataRestricted, ""},
      {no_core, "/stable/stock/market/batch", Reason::kDataRestricted, ""},
  };
  for (const auto& c : kCases) {
    const Answer answer = Ask(WithToken(c.target, c.token));
    EXPECT_EQ(answer.Field("Latchkey-Reason"), core::Describe(c.reason).name) << c.target;
    EXPECT_EQ(answer.status, core::Describe(c.reason).status) << c.target;
    EXPECT_EQ(answer.Field("Content-Type"), "text/plain; charset=utf-8");
    if (!c.body.empty()) {
      EXPECT_EQ(answer.body, c.body) << c.target;
    }
  }
  EXPECT_EQ(Ask("/stable/stock/AAPL/quote").Field("Latchkey-Reason"), "token_required");
}

TEST_F(GatewayDataTest, TheOldFormsObeyANewMapAndANewRecordAtOnce) {
  Import("core", "STOCKS", kStocks);
  MapLegacy(core::LegacyKind::kQuote);
  Start();
  const std::string target = WithToken("/stable/stock/AAPL/quote?filter=price", Publishable());
  EXPECT_EQ(Ask(target).body, R"({"price":2.5})");
  EXPECT_EQ(Ask(target).body, R"({"price":2.5})");
  EXPECT_EQ(records_->queries(), 1);
  ++catalogue_.Find("core", "STOCKS")->live->version;
  EXPECT_EQ(Ask(target).body, R"({"price":2.5})");
  EXPECT_EQ(records_->queries(), 2);
  MapLegacy(core::LegacyKind::kQuote, {{"latestPrice", "price"}});
  EXPECT_EQ(Ask(target).Field("Latchkey-Reason"), "invalid_values");
  ASSERT_TRUE(legacy_maps_->Remove(core::LegacyKind::kQuote, {}, {"operator", "", ""}).ok());
  EXPECT_EQ(Ask(target).body, "Unknown symbol");
}

}  // namespace
}  // namespace latchkey::gateway
