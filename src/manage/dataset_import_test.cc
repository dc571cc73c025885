#include "manage/dataset_import.h"

#include <algorithm>
#include <future>
#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "test/support/planes.h"
#include "test/support/socket_client.h"

namespace latchkey::manage {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kPath = "/operator/v1/datasets/core/STOCKS:import";
constexpr std::string_view kCsv =
    "symbol,date,price\nAAPL,2010-03-01,223.02\nMSFT,2010-03-01,28.8\n";

Call Query(std::vector<http::QueryParameter> query) {
  Call call;
  call.captures = {"Core", "STOCKS"};
  call.query = std::move(query);
  return call;
}

TEST(ParseImportOptionsTest, ReadsEveryParameter) {
  const auto options = ParseImportOptions(Query({{"title", "T"},
                                                 {"key", "symbol"},
                                                 {"subkey", ""},
                                                 {"date", "date"},
                                                 {"weight", "7"},
                                                 {"test", "true"},
                                                 {"max_errors", "3"},
                                                 {"fields", "a:b:string,date:date"}}));
  ASSERT_TRUE(options.ok()) << options.error().public_text;
  EXPECT_EQ(options->workspace, "core");
  EXPECT_EQ(options->name, "STOCKS");
  EXPECT_EQ(options->title, "T");
  EXPECT_EQ(options->key_field, "symbol");
  EXPECT_EQ(options->subkey_field, "");
  EXPECT_EQ(options->date_field, "date");
  EXPECT_EQ(options->weight, 7u);
  EXPECT_EQ(options->test, true);
  EXPECT_EQ(options->max_errors, 3u);
  ASSERT_EQ(options->fields->size(), 2u);
  EXPECT_EQ(options->fields->at(0).name, "a:b");
  EXPECT_EQ(options->fields->at(1).type, core::FieldType::kDate);
  const auto nothing = ParseImportOptions(Query({}));
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->title || nothing->fields || nothing->key_field || nothing->weight ||
               nothing->test);
  EXPECT_EQ(nothing->max_errors, 0u);
}

TEST(ParseImportOptionsTest, RefusesAndNamesTheParameter) {
  for (const auto& [name, value] : std::vector<http::QueryParameter>{{"weight", "-1"},
                                                                     {"weight", "1000001"},
                                                                     {"weight", ""},
                                                                     {"test", "yes"},
                                                                     {"max_errors", "x"},
                                                                     {"fields", ""},
                                                                     {"fields", "a"},
                                                                     {"fields", "a:text"},
                                                                     {"fields", ":string"},
                                                                     {"fields", "a:string,"}}) {
    const auto options = ParseImportOptions(Query({{name, value}}));
    ASSERT_FALSE(options.ok()) << name << "=" << value;
    EXPECT_EQ(options.error().fields.front().field, name);
  }
}

class DatasetImportTest : public testing::Test {
 protected:
  http::ClientResponse Import(std::string query, std::string csv) const {
    return planes_.Operator("POST", std::string(kPath) + query, std::move(csv),
                            {{"Content-Type", "text/csv"}});
  }
  // The head of an import that says it has `length` bytes.
  std::string Head(std::size_t length) const {
    return "POST " + std::string(kPath) + "?key=symbol&date=date HTTP/1.1\r\nHost: localhost\r\n" +
           "Authorization: Bearer " + std::string(test::kOperatorToken) +
           "\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  }
  std::size_t Datasets() const { return planes_.catalogue.Snapshot()->size(); }
  // Waits until no import runs, by starting one that would be refused for lack of options.
  void AwaitFreeSlot() const {
    while (Import("", "a\n1\n").status == 503) std::this_thread::yield();
  }

  test::Planes planes_;
};

TEST_F(DatasetImportTest, MakesADatasetThenReplacesItsRecords) {
  const auto made =
      Import("?key=symbol&date=date&title=Prices&test=true&weight=2", std::string(kCsv));
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.Header("Location"), "/operator/v1/datasets/core/STOCKS");
  EXPECT_THAT(made.body,
              HasSubstr(R"("imported":2,"replaced":0,"rejected":0,"rejected_lines":[])"));
  const auto replaced = Import("", std::string(kCsv) + "IBM,2010-03-02,5\n");
  ASSERT_EQ(replaced.status, 200) << replaced.body;
  EXPECT_THAT(replaced.body, HasSubstr("\"imported\":3"));
  const auto read = planes_.Operator("GET", "/operator/v1/datasets/CORE/stocks");
  EXPECT_EQ(read.status, 200);
  EXPECT_THAT(read.body, HasSubstr(R"("title":"Prices")"));
  EXPECT_THAT(read.body, HasSubstr(R"("records":3)"));
  EXPECT_EQ(read.Header("ETag"), replaced.Header("ETag"));
  EXPECT_THAT(planes_.Operator("GET", "/operator/v1/datasets?q=prices").body, HasSubstr("STOCKS"));
  EXPECT_THAT(planes_.Operator("GET", "/operator/v1/datasets?q=other").body,
              HasSubstr("\"items\":[]"));
  EXPECT_EQ(
      planes_.Operator("DELETE", "/operator/v1/datasets/core/STOCKS", "", {{"If-Match", "\"x\""}})
          .status,
      412);
  EXPECT_EQ(planes_.Operator("DELETE", "/operator/v1/datasets/core/STOCKS").status, 204);
  EXPECT_EQ(planes_.Operator("DELETE", "/operator/v1/datasets/core/STOCKS").status, 404);
  EXPECT_EQ(Datasets(), 0u);
}

TEST_F(DatasetImportTest, RefusesABadFileWithLinesAndReasons) {
  const auto refused = Import("?key=symbol&date=date&fields=symbol:string,date:date,price:number",
                              std::string(kCsv) + "IBM,2010-03-02,cheap\nGOOG,never,5\n");
  ASSERT_EQ(refused.status, 400) << refused.body;
  EXPECT_EQ(refused.Header("Latchkey-Reason"), "invalid_values");
  EXPECT_THAT(refused.body, HasSubstr(R"("field":"line 4")"));
  EXPECT_EQ(Datasets(), 0u);
  const auto tolerant =
      Import("?key=symbol&date=date&fields=symbol:string,date:date,price:number&max_errors=2",
             std::string(kCsv) + "IBM,2010-03-02,cheap\nGOOG,never,5\n");
  ASSERT_EQ(tolerant.status, 201) << tolerant.body;
  EXPECT_THAT(tolerant.body, HasSubstr(R"("imported":2,"replaced":0,"rejected":2)"));
}

TEST_F(DatasetImportTest, RefusesWhatCantBeBeforeItTakesTheBody) {
  for (const char* query : {"?weight=x", "?unknown=1", "?key=a&key=b", "?fields=x"}) {
    EXPECT_EQ(Import(query, std::string(kCsv)).status, 400) << query;
  }
  const auto nobody = planes_.Operator("POST", "/operator/v1/datasets/nobody/X:import?key=symbol",
                                       std::string(kCsv));
  EXPECT_EQ(nobody.status, 404) << nobody.body;
  EXPECT_EQ(
      planes_.Send(planes_.internal_port, "POST", std::string(kPath), "", std::string(kCsv)).status,
      401);
  EXPECT_EQ(Import("?key=symbol", "").status, 400);
  EXPECT_EQ(Datasets(), 0u);
}

TEST_F(DatasetImportTest, StreamsMoreThanTheQueueHolds) {
  // Long lines: it is the bytes that count here.
  std::string csv = "symbol,date,note\n";
  int lines = 0;
  while (csv.size() < 3'000'000) {
    csv += "SYMBOL" + std::to_string(lines++) + ",2010-03-01," + std::string(4000, 'x') + "\n";
  }
  const auto made = Import("?key=symbol&date=date", csv);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_THAT(made.body, HasSubstr("\"imported\":" + std::to_string(lines) + ","));
}

TEST_F(DatasetImportTest, TakesABodyInChunksOfAnySize) {
  test::SocketClient client(planes_.internal_port);
  ASSERT_TRUE(client.Send("POST " + std::string(kPath) +
                          "?key=symbol HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                          std::string(test::kOperatorToken) +
                          "\r\nTransfer-Encoding: chunked\r\n\r\n"));
  for (const char c : kCsv) ASSERT_TRUE(client.Send(std::string("1\r\n") + c + "\r\n"));
  ASSERT_TRUE(client.Send("0\r\n\r\n"));
  EXPECT_THAT(client.ReadAnswer(), StartsWith("HTTP/1.1 201 "));
}

TEST_F(DatasetImportTest, AnUploadThatBreaksOffLeavesNothing) {
  {
    test::SocketClient client(planes_.internal_port);
    ASSERT_TRUE(client.Send(Head(1000)));
    ASSERT_THAT(client.ReadAnswer(), HasSubstr("100 Continue"));
    ASSERT_TRUE(client.Send(kCsv));
    client.Reset();
  }
  AwaitFreeSlot();
  EXPECT_EQ(Datasets(), 0u);
  const auto made = Import("?key=symbol&date=date", std::string(kCsv));
  EXPECT_EQ(made.status, 201) << made.body;
}

TEST_F(DatasetImportTest, RefusesMoreImportsAtOnceThanAreAllowed) {
  test::SocketClient first(planes_.internal_port);
  test::SocketClient second(planes_.internal_port);
  for (test::SocketClient* client : {&first, &second}) {
    ASSERT_TRUE(client->Send(Head(kCsv.size())));
    ASSERT_THAT(client->ReadAnswer(), HasSubstr("100 Continue"));
  }
  const auto third = Import("?key=symbol&date=date", std::string(kCsv));
  EXPECT_EQ(third.status, 503);
  EXPECT_EQ(third.Header("Latchkey-Reason"), "unavailable");
  // One that waits for bytes holds no thread: with both pool threads' worth of imports open, others
  // are served.
  EXPECT_EQ(planes_.Operator("GET", "/operator/v1/datasets").status, 200);
  ASSERT_TRUE(first.Send(kCsv));
  EXPECT_THAT(first.ReadAnswer(), StartsWith("HTTP/1.1 201 "));
  // Two at once for one dataset: the first to finish wins.
  ASSERT_TRUE(second.Send(kCsv));
  EXPECT_THAT(second.ReadAnswer(), StartsWith("HTTP/1.1 409 "));
}

TEST(DatasetImportBoundTest, RefusesABodyOverTheMaximum) {
  const test::Planes planes([](InternalOptions& options) { options.max_import_bytes = 20; });
  EXPECT_EQ(planes.Operator("POST", std::string(kPath) + "?key=symbol", std::string(kCsv)).status,
            413);
  EXPECT_EQ(planes.catalogue.Snapshot()->size(), 0u);
}

TEST(DatasetImportOverloadTest, TakesNoMoreBytesThanItCanHoldWhileThePoolIsBusy) {
  constexpr std::size_t kFarTooMuch = 64 * 1024 * 1024;
  std::promise<void> release;
  const std::shared_future<void> released(release.get_future());
  test::Planes planes(nullptr, 1, 4);
  std::promise<void> started;
  ASSERT_TRUE(planes.pool->Submit(0, [&started, released] {
    started.set_value();
    released.wait();
  }));
  started.get_future().wait();
  test::SocketClient client(planes.internal_port);
  ASSERT_TRUE(client.Send("POST " + std::string(kPath) +
                          "?key=symbol HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                          std::string(test::kOperatorToken) +
                          "\r\nContent-Length: " + std::to_string(kFarTooMuch) + "\r\n\r\n"));
  // Until the server has not read for so long that the kernel's buffers are full. A machine so slow
  // that it seems so early lets the test pass; none makes it fail.
  const std::string piece(64 * 1024, 'x');
  std::size_t sent = 0;
  pollfd writable{client.fd(), POLLOUT, 0};
  while (sent < kFarTooMuch && ::poll(&writable, 1, 500) == 1) {
    const ssize_t count =
        ::send(client.fd(), piece.data(), std::min(piece.size(), kFarTooMuch - sent),
               MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  EXPECT_LT(sent, kFarTooMuch);
  client.Reset();
  release.set_value();
}

TEST(DatasetImportOverloadTest, GoesOnWhenAFullPoolHasRoomAgain) {
  test::Planes planes(nullptr, 1, 1);
  test::SocketClient client(planes.internal_port);
  ASSERT_TRUE(client.Send(
      "POST " + std::string(kPath) +
      "?key=symbol HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
      std::string(test::kOperatorToken) +
      "\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(kCsv.size()) + "\r\n\r\n"));
  ASSERT_THAT(client.ReadAnswer(), HasSubstr("100 Continue"));
  std::promise<void> release;
  const std::shared_future<void> released(release.get_future());
  std::promise<void> started;
  while (!planes.pool->Submit(0, [&started, released] {
    started.set_value();
    released.wait();
  })) {
    std::this_thread::yield();
  }
  started.get_future().wait();
  ASSERT_TRUE(planes.pool->Submit(0, [] {}));
  ASSERT_TRUE(client.Send(kCsv));
  // The server has seen the bytes when it answers a later request of the same thread or another's;
  // whether it has or not, the import must end well.
  EXPECT_EQ(planes.Operator("GET", "/healthz").status, 200);
  release.set_value();
  EXPECT_THAT(client.ReadAnswer(), StartsWith("HTTP/1.1 201 "));
}

}  // namespace
}  // namespace latchkey::manage
