#include "http/server.h"

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/thread_annotations.h"
#include "http/file_source.h"
#include "test/support/socket_client.h"

namespace latchkey::http {
namespace {

using std::chrono::milliseconds;
using test::SocketClient;

constexpr milliseconds kPatience{20'000};

// Answers by a function that a test gives; notes protocol errors.
class FunctionHandler final : public Handler {
 public:
  using Function = std::function<void(Exchange&)>;
  explicit FunctionHandler(Function function) : function_(std::move(function)) {}
  void OnRequest(Exchange& exchange) override { function_(exchange); }
  void OnProtocolError(ProtocolError, std::string_view detail, const IpAddress&,
                       Response& answer) override {
    answer.header_lines = "Content-Type: text/plain\r\n";
    answer.body = detail;
  }

 private:
  Function function_;
};

// "METHOD path?query host" as the body.
void Echo(Exchange& exchange) {
  const Request& request = exchange.request();
  const std::string body = std::string(request.method_text) + " " + std::string(request.path) +
                           "?" + std::string(request.raw_query) + " " + std::string(request.host);
  Response response;
  response.header_lines = "X-Test: 1\r\n";
  response.body = body;
  exchange.Answer(std::move(response));
}

void AnswerText(Exchange& exchange, std::string_view text) {
  Response response;
  response.body = text;
  exchange.Answer(std::move(response));
}

class ServerTest : public testing::Test {
 protected:
  std::uint16_t Start(FunctionHandler::Function function, Limits limits = {},
                      std::vector<IpNetwork> trusted = {}) {
    server_.emplace(1);
    ListenerOptions options;
    options.name = "test";
    options.address = *IpAddress::Parse("127.0.0.1");
    options.limits = limits;
    options.trusted_proxies = std::move(trusted);
    options.make_handler = [function](int) { return std::make_unique<FunctionHandler>(function); };
    const auto port = server_->Listen(std::move(options));
    EXPECT_TRUE(port.ok());
    server_->Start();
    return *port;
  }
  ServerCounts Counts() const { return server_->Counts("test"); }

  std::optional<Server> server_;
};

std::string BodyOf(const std::string& answer) {
  const std::size_t head = answer.find("\r\n\r\n");
  return head == answer.npos ? "(no answer)" : answer.substr(head + 4);
}

TEST_F(ServerTest, AnswersWithDateLengthAndTheHandlersLines) {
  SocketClient client(Start(Echo));
  client.Send("GET /a//b?c=d HTTP/1.1\r\nHost: example.com\r\n\r\n");
  const std::string answer = client.ReadAnswer();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << answer;
  EXPECT_NE(answer.find(" GMT\r\nX-Test: 1\r\nContent-Length: 24\r\n\r\n"), answer.npos) << answer;
  EXPECT_EQ(BodyOf(answer), "GET /a/b?c=d example.com");
}

TEST_F(ServerTest, ReadsHeadsSplitAtEveryByte) {
  SocketClient client(Start(Echo));
  const std::string head = "GET /path?query HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
  for (std::size_t i = 1; i < head.size(); ++i) {
    client.Send(std::string_view(head).substr(0, i));
    client.Send(std::string_view(head).substr(i));
    ASSERT_EQ(BodyOf(client.ReadAnswer()), "GET /path?query a") << i;
  }
  for (char c : head) client.Send({&c, 1});
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /path?query a");
  EXPECT_EQ(Counts().accepted, 1u);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  SocketClient client(Start(Echo));
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  client.Send(requests);
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(BodyOf(client.ReadAnswer()), "GET /" + std::to_string(i) + "? a");
  }
}

TEST_F(ServerTest, KeepsPipelinedOrderWhenAnAnswerIsDeferred) {
  std::vector<std::thread> threads;
  SocketClient client(Start([&](Exchange& exchange) {
    if (exchange.request().path != "/slow") return Echo(exchange);
    auto deferred = std::make_shared<Deferred>(exchange.Defer());
    threads.emplace_back([deferred] { deferred->Post([](Exchange& later) { Echo(later); }); });
  }));
  client.Send(
      "GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /slow HTTP/1.1\r\nHost: b\r\n\r\nGET /fast HTTP/1.1\r\nHost: b\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /slow? a");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /fast? a");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /slow? b");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /fast? b");
  for (auto& thread : threads) thread.join();
}

TEST_F(ServerTest, AnswersHeadWithoutBody) {
  SocketClient client(Start(Echo));
  client.Send("HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = client.ReadAnswer(true);
  EXPECT_NE(answer.find("Content-Length: 12\r\n"), answer.npos) << answer;
  client.Send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /x? a");
}

TEST_F(ServerTest, PassesTheAsteriskAndAbsoluteForms) {
  SocketClient client(Start(Echo));
  client.Send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "OPTIONS *? a");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /c?d b");
}

TEST_F(ServerTest, ClosesOrKeepsAsTheClientAsks) {
  const std::uint16_t port = Start(Echo);
  for (std::string_view head :
       {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}) {
    SocketClient client(port);
    client.Send(head);
    bool closed = false;
    const std::string answer = client.ReadAll(&closed);
    EXPECT_TRUE(closed);
    EXPECT_NE(answer.find("Connection: close\r\n"), answer.npos) << answer;
  }
  SocketClient client(port);
  client.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(client.ReadAnswer().find("Connection: keep-alive\r\n"), std::string::npos);
  client.Send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /2? a");
}

TEST_F(ServerTest, AnswersAClientThatHasEndedItsSide) {
  SocketClient client(Start(Echo));
  client.Send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  client.EndSending();
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /1? a");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /2? a");
  EXPECT_TRUE(client.WaitForEnd());
}

TEST_F(ServerTest, RefusesMalformedBytesAndCloses) {
  const std::uint16_t port = Start(Echo);
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"GET / HTTP/1.1\nHost: a\n\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"\x16\x03\x01", "400"},
      {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", "417"},
  };
  for (const auto& [bytes, status] : cases) {
    SocketClient client(port);
    // More than is read before the refusal: it must arrive nevertheless.
    client.Send(std::string(bytes) + std::string(100'000, 'x'));
    bool closed = false;
    const std::string answer = client.ReadAll(&closed);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::string(status) + " ")) << bytes << answer;
    EXPECT_NE(answer.find("Connection: close\r\n"), answer.npos);
    EXPECT_TRUE(closed);
  }
  SocketClient client(port);
  client.Send("GET /" + std::string(9000, 'a'));
  EXPECT_TRUE(client.ReadAll().starts_with("HTTP/1.1 414 "));
  EXPECT_EQ(Counts().protocol_errors, std::size(cases) + 1);
}

// ---- bodies ----

void EchoBody(Exchange& exchange) {
  exchange.ReadBody(1 << 20, [](Exchange& later, std::string_view body) {
    AnswerText(later, std::string(later.request().path) + ":" + std::string(body));
  });
}

TEST_F(ServerTest, CollectsABodyHoweverItArrives) {
  SocketClient client(Start(EchoBody));
  const std::string plain = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world";
  const std::string chunked =
      "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n";
  for (const std::string& text : {plain, chunked}) {
    for (std::size_t i = 1; i <= text.size(); ++i) {
      client.Send(std::string_view(text).substr(0, i));
      client.Send(std::string_view(text).substr(i));
      ASSERT_EQ(BodyOf(client.ReadAnswer()).substr(3), "hello world") << text << i;
    }
  }
  client.Send(plain + chunked + plain);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(BodyOf(client.ReadAnswer()).substr(3), "hello world");
  client.Send("GET /n HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "/n:");
}

TEST_F(ServerTest, CollectsALargeBodyAndTheRequestBehindIt) {
  SocketClient client(Start(EchoBody));
  const std::string body(1 << 20, 'x');
  std::string text = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n" + body;
  text += "POST /q HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nyz";
  std::thread sender([&] { client.Send(text); });
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "/p:" + body);
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "/q:yz");
  sender.join();
}

TEST_F(ServerTest, SendsContinueOnlyWhenTheBodyIsWanted) {
  const std::uint16_t port = Start([](Exchange& exchange) {
    if (exchange.request().path == "/no") return AnswerText(exchange, "no");
    EchoBody(exchange);
  });
  const std::string rest =
      " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  SocketClient wanted(port);
  wanted.Send("POST /yes" + rest);
  EXPECT_EQ(wanted.ReadAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  wanted.Send("hello");
  EXPECT_EQ(BodyOf(wanted.ReadAnswer()), "/yes:hello");

  SocketClient refused(port);
  refused.Send("POST /no" + rest);
  const std::string answer = refused.ReadAll();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK")) << answer;
  EXPECT_NE(answer.find("Connection: close"), answer.npos) << answer;

  SocketClient too_large(port);
  too_large.Send(
      "POST /yes HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(too_large.ReadAll().starts_with("HTTP/1.1 413 "));
}

TEST_F(ServerTest, RefusesABodyBeyondItsBound) {
  const std::uint16_t port = Start([](Exchange& exchange) {
    exchange.ReadBody(10, [](Exchange& later, std::string_view body) { AnswerText(later, body); });
  });
  // The size in a chunk's line is enough; the bytes need not come.
  for (std::string_view text :
       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello "
        "\r\n5\r\nworld\r\n"}) {
    SocketClient client(port);
    client.Send(text);
    EXPECT_TRUE(client.ReadAll().starts_with("HTTP/1.1 413 ")) << text;
  }
  SocketClient bad(port);
  bad.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\n");
  EXPECT_TRUE(bad.ReadAll().starts_with("HTTP/1.1 400 "));
  SocketClient exact(port);
  exact.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_EQ(BodyOf(exact.ReadAnswer()), "0123456789");
}

TEST_F(ServerTest, DrainsASmallUnreadBodyAndClosesOnALargeOne) {
  const std::uint16_t port = Start(Echo);
  SocketClient small(port);
  small.Send(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\nHost: "
      "a\r\n\r\n");
  EXPECT_EQ(BodyOf(small.ReadAnswer()), "POST /1? a");
  EXPECT_EQ(BodyOf(small.ReadAnswer()), "GET /2? a");
  small.Send("POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(BodyOf(small.ReadAnswer()), "POST /3? a");
  small.Send("3\r\nabc\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(small.ReadAnswer()), "GET /4? a");

  SocketClient large(port);
  large.Send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
  const std::string answer = large.ReadAnswer();
  EXPECT_NE(answer.find("Connection: close\r\n"), answer.npos);
  // Still sending, as a client does that reads only afterwards.
  large.Send(std::string(100'000, 'x'));
  EXPECT_TRUE(large.WaitForEnd());
}

// A sink that pauses after every piece and is resumed from another thread.
class PausingSink final : public BodySink {
 public:
  PausingSink(Deferred deferred, std::atomic<int>& pauses, std::string& received)
      : deferred_(std::make_shared<Deferred>(std::move(deferred))),
        pauses_(pauses),
        received_(received) {}
  bool OnData(std::string_view bytes) override {
    EXPECT_FALSE(paused_.exchange(true)) << "data while paused";
    received_ += bytes;
    ++pauses_;
    resumer_ = std::async(std::launch::async, [this] {
      paused_ = false;
      deferred_->ResumeBody();
    });
    return false;
  }
  void OnEnd() override {
    deferred_->Post([size = received_.size()](Exchange& exchange) {
      AnswerText(exchange, std::to_string(size));
    });
  }
  void OnAbort(ProtocolError) override {}

 private:
  std::shared_ptr<Deferred> deferred_;
  std::atomic<int>& pauses_;
  std::string& received_;
  std::atomic<bool> paused_{false};
  std::future<void> resumer_;
};

TEST_F(ServerTest, StreamsABodyWithBackPressure) {
  std::atomic<int> pauses{0};
  std::string received;
  SocketClient client(Start([&](Exchange& exchange) {
    exchange.StreamBody(1 << 30, std::make_unique<PausingSink>(exchange.Defer(), pauses, received));
  }));
  std::string body;
  for (int i = 0; body.size() < (4u << 20); ++i) body += std::to_string(i) + ",";
  std::thread sender([&] {
    client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
    client.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.Send("3\r\nabc\r\n0\r\n\r\n");
  });
  EXPECT_EQ(BodyOf(client.ReadAnswer()), std::to_string(body.size()));
  EXPECT_EQ(BodyOf(client.ReadAnswer()), std::to_string(body.size() + 3));
  sender.join();
  EXPECT_EQ(received, body + "abc");
  EXPECT_GT(pauses, 10);
}

class NotingSink final : public BodySink {
 public:
  NotingSink(Deferred deferred, std::promise<ProtocolError>& aborted)
      : deferred_(std::move(deferred)), aborted_(aborted) {}
  bool OnData(std::string_view) override { return true; }
  void OnEnd() override { ADD_FAILURE() << "an end"; }
  void OnAbort(ProtocolError why) override { aborted_.set_value(why); }

 private:
  Deferred deferred_;
  std::promise<ProtocolError>& aborted_;
};

TEST_F(ServerTest, TellsTheSinkWhenABodyBreaksOff) {
  std::promise<ProtocolError> aborted[4];
  int next = 0;
  Limits limits;
  limits.body_timeout = milliseconds(50);
  const std::uint16_t port = Start(
      [&](Exchange& exchange) {
        exchange.StreamBody(10, std::make_unique<NotingSink>(exchange.Defer(), aborted[next++]));
      },
      limits);
  const std::string chunked =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
  {
    SocketClient too_much(port);
    too_much.Send(chunked + "6\r\n world\r\n");
    EXPECT_EQ(aborted[0].get_future().get(), ProtocolError::kBodyTooLarge);
    EXPECT_TRUE(too_much.ReadAll().starts_with("HTTP/1.1 413 "));
  }
  {
    SocketClient malformed(port);
    malformed.Send(chunked + "x\r\n");
    EXPECT_EQ(aborted[1].get_future().get(), ProtocolError::kBadRequest);
    EXPECT_TRUE(malformed.ReadAll().starts_with("HTTP/1.1 400 "));
  }
  {
    SocketClient slow(port);
    slow.Send(chunked);
    EXPECT_EQ(aborted[2].get_future().get(), ProtocolError::kRequestTimeout);
    EXPECT_TRUE(slow.ReadAll().starts_with("HTTP/1.1 408 "));
    EXPECT_EQ(Counts().closed_body_timeout, 1u);
  }
  {
    SocketClient gone(port);
    gone.Send(chunked);
    gone.EndSending();
    EXPECT_EQ(aborted[3].get_future().get(), ProtocolError::kBadRequest);
    EXPECT_EQ(gone.ReadAll(), "");
  }
}

class CountingSource final : public BodySource {
 public:
  explicit CountingSource(int pieces) : left_(pieces) {}
  bool Next(std::string& out) override {
    out += std::string(10'000, static_cast<char>('a' + left_ % 26));
    return --left_ > 0;
  }

 private:
  int left_;
};

TEST_F(ServerTest, SendsAMadeBodyInChunks) {
  const std::uint16_t port = Start([](Exchange& exchange) {
    Response response;
    response.source = std::make_unique<CountingSource>(500);
    exchange.Answer(std::move(response));
  });
  std::string expected;
  CountingSource source(500);
  while (source.Next(expected)) {
  }
  SocketClient client(port);
  client.Send(
      "GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: "
      "a\r\n\r\n");
  for (bool head : {false, true, false}) {
    const std::string answer = client.ReadAnswer(head);
    ASSERT_NE(answer.find("Transfer-Encoding: chunked\r\n"), answer.npos);
    std::string body;
    for (std::string_view rest = std::string_view(answer).substr(answer.find("\r\n\r\n") + 4);
         !rest.empty();) {
      const std::size_t size = std::strtoull(rest.data(), nullptr, 16);
      rest.remove_prefix(rest.find("\r\n") + 2);
      body += rest.substr(0, size);
      rest.remove_prefix(size + 2);
    }
    EXPECT_EQ(body, head ? "" : expected);
  }
  SocketClient old(port);
  old.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string answer = old.ReadAll();
  EXPECT_EQ(answer.find("chunked"), answer.npos);
  EXPECT_EQ(BodyOf(answer), expected);
}

// A disk that failed while a file was sent used to end the body in good form, and the receiver kept
// a part for the whole.
TEST_F(ServerTest, CutsTheConnectionWhereAMadeBodyBreaksOff) {
  class BrokenSource final : public BodySource {
   public:
    bool Next(std::string& out) override {
      out += "half";
      return false;
    }
    bool broken() const override { return true; }
  };
  SocketClient client(Start([](Exchange& exchange) {
    Response response;
    response.source = std::make_unique<BrokenSource>();
    exchange.Answer(std::move(response));
  }));
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAll()), "4\r\nhalf\r\n");
}

TEST(FileBodyTest, IsBrokenIfTheFileIsShorterThanWasSaid) {
  for (const std::size_t there : {100'000U, 70'000U, 0U}) {
    const int fd = ::memfd_create("body", 0);
    ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(there)), 0);
    const FileBody file = TakeFileBody(fd, 100'000);
    std::string body;
    while (file.source->Next(body)) {
    }
    EXPECT_EQ(body.size(), there);
    EXPECT_EQ(file.source->broken(), there < 100'000U);
  }
}

TEST_F(ServerTest, SendsALargeSharedBodyToASlowReader) {
  auto body = std::make_shared<std::string>();
  for (int i = 0; body->size() < (8u << 20); ++i) *body += std::to_string(i) + ",";
  SocketClient client(Start([body](Exchange& exchange) {
                        Response response;
                        response.shared_body = body;
                        exchange.Answer(std::move(response));
                      }),
                      4096);
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), *body);
  EXPECT_EQ(BodyOf(client.ReadAnswer()), *body);
}

TEST_F(ServerTest, LeavesOutTheBodyWhereTheStatusHasNone) {
  SocketClient client(Start([](Exchange& exchange) {
    Response response;
    response.status = exchange.request().path == "/204" ? 204 : 304;
    response.body = "ignored";
    exchange.Answer(std::move(response));
  }));
  client.Send("GET /204 HTTP/1.1\r\nHost: a\r\n\r\nGET /304 HTTP/1.1\r\nHost: a\r\n\r\n");
  for (std::string_view status : {"204 No Content", "304 Not Modified"}) {
    const std::string answer = client.ReadAnswer();
    EXPECT_NE(answer.find(status), answer.npos) << answer;
    EXPECT_EQ(answer.find("Content-Length"), answer.npos);
    EXPECT_EQ(BodyOf(answer), "");
  }
}

// ---- deferred ----

TEST_F(ServerTest, ClosesWhenADeferredIsDroppedUnanswered) {
  const std::uint16_t port = Start([](Exchange& exchange) {
    if (exchange.request().path == "/nothing") return;
    const Deferred deferred = exchange.Defer();
  });
  for (std::string_view path : {"/dropped", "/nothing"}) {
    SocketClient client(port);
    client.Send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(client.WaitForEnd()) << path;
  }
}

TEST_F(ServerTest, WorkForAConnectionThatIsGoneIsNotRun) {
  std::promise<Deferred> kept;
  const std::uint16_t port = Start([&](Exchange& exchange) { kept.set_value(exchange.Defer()); });
  std::optional<Deferred> deferred;
  {
    SocketClient client(port);
    client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    deferred.emplace(kept.get_future().get());
    EXPECT_FALSE(deferred->Abandoned());
    client.Reset();
  }
  while (Counts().open > 0) std::this_thread::yield();
  EXPECT_TRUE(deferred->Abandoned());
  deferred->Post([](Exchange&) { ADD_FAILURE() << "ran"; });
  deferred->ResumeBody();
  server_.reset();
  deferred->Post([](Exchange&) { ADD_FAILURE() << "ran"; });
  deferred.reset();
}

TEST_F(ServerTest, ADeferredOutlivesTheServer) {
  std::promise<Deferred> kept;
  const std::uint16_t port = Start([&](Exchange& exchange) { kept.set_value(exchange.Defer()); });
  SocketClient client(port);
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Deferred deferred = kept.get_future().get();
  EXPECT_FALSE(server_->Stop(milliseconds(0)));
  server_.reset();
  EXPECT_TRUE(deferred.Abandoned());
  deferred.Post([](Exchange&) { ADD_FAILURE() << "ran"; });
}

// ---- limits ----

TEST_F(ServerTest, ClosesSlowHeadsHalfOpenAndIdleConnections) {
  Limits limits;
  limits.head_timeout = milliseconds(50);
  limits.idle_timeout = milliseconds(50);
  const std::uint16_t port = Start(Echo, limits);
  SocketClient silent(port);
  EXPECT_TRUE(silent.WaitForEnd());
  EXPECT_EQ(Counts().closed_head_timeout, 1u);
  SocketClient slow(port);
  slow.Send("GET / HTTP/1.1\r\nHo");
  EXPECT_TRUE(slow.ReadAll().starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(Counts().closed_head_timeout, 2u);
  SocketClient idle(port);
  idle.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(idle.ReadAnswer()), "GET /? a");
  EXPECT_TRUE(idle.WaitForEnd());
  EXPECT_EQ(Counts().closed_idle, 1u);
}

TEST_F(ServerTest, AHeadThatTricklesInIsCutAtItsLimit) {
  Limits limits;
  limits.head_timeout = milliseconds(150);
  SocketClient client(Start(Echo, limits));
  client.Send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  // A byte whenever there is room for one, until the server has had enough.
  std::atomic<bool> done{false};
  std::thread sender([&] {
    for (int i = 0; i < 10'000 && !done; ++i) {
      if (!client.Send("x")) break;
      std::this_thread::yield();
    }
  });
  const std::string answer = client.ReadAll();
  done = true;
  sender.join();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ") || answer.empty()) << answer;
  EXPECT_EQ(Counts().closed_head_timeout, 1u);
}

TEST_F(ServerTest, RefusesABodyThatStops) {
  Limits limits;
  limits.body_timeout = milliseconds(50);
  SocketClient client(Start(EchoBody, limits));
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  EXPECT_TRUE(client.ReadAll().starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(Counts().closed_body_timeout, 1u);
}

TEST_F(ServerTest, CutsOffAPeerThatDoesNotRead) {
  Limits limits;
  limits.write_timeout = milliseconds(50);
  const auto body = std::make_shared<const std::string>(32 << 20, 'x');
  SocketClient client(Start(
                          [body](Exchange& exchange) {
                            Response response;
                            response.shared_body = body;
                            exchange.Answer(std::move(response));
                          },
                          limits),
                      4096);
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  while (Counts().closed_write_timeout == 0) std::this_thread::yield();
  while (Counts().open > 0) std::this_thread::yield();
}

TEST_F(ServerTest, BoundsConnectionsInAllAndPerAddress) {
  Limits limits;
  limits.max_connections_per_address = 2;
  {
    const std::uint16_t port = Start(Echo, limits);
    SocketClient first(port);
    auto second = std::make_unique<SocketClient>(port);
    SocketClient third(port);
    EXPECT_TRUE(third.WaitForEnd());
    EXPECT_EQ(Counts().rejected_per_address, 1u);
    second.reset();
    while (Counts().open > 1) std::this_thread::yield();
    SocketClient fourth(port);
    fourth.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(BodyOf(fourth.ReadAnswer()), "GET /? a");
  }
  {
    const std::uint16_t port = Start(Echo, limits, {*IpNetwork::Parse("127.0.0.0/8")});
    SocketClient clients[] = {SocketClient(port), SocketClient(port), SocketClient(port)};
    for (SocketClient& client : clients) {
      client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /? a");
    }
  }
  limits.max_connections = 1;
  const std::uint16_t port = Start(Echo, limits);
  SocketClient first(port);
  SocketClient second(port);
  EXPECT_TRUE(second.WaitForEnd());
  EXPECT_EQ(Counts().rejected_total, 1u);
  EXPECT_EQ(Counts().rejected_per_address, 0u);
}

// Counts its thread's ticks and echoes.
class TickCounter final : public Handler {
 public:
  explicit TickCounter(std::atomic<int>& ticks) : ticks_(ticks) {}
  void OnRequest(Exchange& exchange) override { Echo(exchange); }
  void OnProtocolError(ProtocolError, std::string_view, const IpAddress&, Response&) override {}
  void OnTick() override { ++ticks_; }

 private:
  std::atomic<int>& ticks_;
};

TEST_F(ServerTest, AcceptsAgainAfterItRanOutOfDescriptors) {
  std::atomic<int> ticks{0};
  Server server(1);
  ListenerOptions options;
  options.name = "tick";
  options.address = *IpAddress::Parse("127.0.0.1");
  options.make_handler = [&](int) { return std::make_unique<TickCounter>(ticks); };
  const auto port = server.Listen(std::move(options));
  ASSERT_TRUE(port.ok());
  server.Start();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  // A sanitizer looks at an object's type by a pipe the first time it meets it: so meet it before.
  while (ticks == 0) std::this_thread::yield();
  // Room for the client's socket and no more.
  const int next = ::dup(0);
  ASSERT_GE(next, 0);
  ::close(next);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  SocketClient client(*port);
  const bool connected = client.connected();
  const int seen = ticks;
  while (ticks < seen + 3) std::this_thread::yield();
  const std::uint64_t accepted = server.Counts("tick").accepted;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(connected);
  EXPECT_EQ(accepted, 0u);
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /? a");
}

// ---- listening and stopping ----

TEST_F(ServerTest, SaysWhichPortIsTaken) {
  const std::uint16_t port = Start(Echo);
  Server other(1);
  ListenerOptions options;
  options.name = "other";
  options.address = *IpAddress::Parse("127.0.0.1");
  options.port = port;
  const auto taken = other.Listen(std::move(options));
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(taken.error().public_text.find("127.0.0.1:" + std::to_string(port)), std::string::npos);
}

TEST_F(ServerTest, ServesIpv4OnTheIpv6Wildcard) {
  Server server(2);
  ListenerOptions options;
  options.name = "any";
  options.make_handler = [](int) {
    return std::make_unique<FunctionHandler>(
        [](Exchange& exchange) { AnswerText(exchange, exchange.request().peer.ToString()); });
  };
  const auto port = server.Listen(std::move(options));
  ASSERT_TRUE(port.ok()) << port.error().public_text;
  server.Start();
  for (int i = 0; i < 20; ++i) {
    SocketClient client(*port);
    client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_EQ(BodyOf(client.ReadAnswer()), "127.0.0.1");
  }
  EXPECT_EQ(server.Counts("any").accepted, 20u);
  EXPECT_TRUE(server.Stop(kPatience));
}

TEST_F(ServerTest, DrainsAtStop) {
  std::promise<Deferred> kept;
  const std::uint16_t port = Start([&](Exchange& exchange) {
    if (exchange.request().path == "/slow") return kept.set_value(exchange.Defer());
    Echo(exchange);
  });
  SocketClient idle(port);
  idle.Send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(BodyOf(idle.ReadAnswer()), "GET /1? a");
  SocketClient busy(port);
  busy.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  Deferred deferred = kept.get_future().get();
  auto stopped = std::async(std::launch::async, [&] { return server_->Stop(kPatience); });
  EXPECT_TRUE(idle.WaitForEnd());
  EXPECT_FALSE(SocketClient(port).connected());
  deferred.Post([](Exchange& exchange) { Echo(exchange); });
  const std::string answer = busy.ReadAnswer();
  EXPECT_EQ(BodyOf(answer), "GET /slow? a");
  EXPECT_NE(answer.find("Connection: close\r\n"), answer.npos);
  EXPECT_TRUE(busy.WaitForEnd());
  EXPECT_TRUE(stopped.get());
}

// Such a connection was answered with keep-alive, before the drain; it must not be waited for as if
// it might ask once more.
TEST_F(ServerTest, DrainsAConnectionWhoseLastAnswerWasStillOnItsWay) {
  const auto large = std::make_shared<const std::string>(16 << 20, 'x');
  const std::uint16_t port = Start([&](Exchange& exchange) {
    Response response;
    response.shared_body = large;
    exchange.Answer(std::move(response));
  });
  SocketClient idle(port);
  idle.Send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  idle.ReadAnswer(true);
  SocketClient slow(port, 4096);
  slow.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(slow.WaitForBytes());
  auto stopped = std::async(std::launch::async, [&] { return server_->Stop(kPatience); });
  EXPECT_TRUE(idle.WaitForEnd());
  EXPECT_EQ(BodyOf(slow.ReadAnswer()).size(), large->size());
  EXPECT_TRUE(slow.WaitForEnd());
  EXPECT_TRUE(stopped.get());
}

TEST_F(ServerTest, CutsWhatOutlastsThePatience) {
  std::promise<Deferred> kept;
  const std::uint16_t port = Start([&](Exchange& exchange) { kept.set_value(exchange.Defer()); });
  SocketClient busy(port);
  busy.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const Deferred deferred = kept.get_future().get();
  auto stopped = std::async(std::launch::async, [&] { return server_->Stop(kPatience); });
  server_->StopNow();
  EXPECT_FALSE(stopped.get());
  EXPECT_TRUE(busy.WaitForEnd());
}

TEST_F(ServerTest, HandlersLiveAndTickOnTheirThread) {
  class Ticking final : public Handler {
   public:
    Ticking(std::promise<void>& ticked, std::thread::id& died) : ticked_(ticked), died_(died) {
      made_ = std::this_thread::get_id();
    }
    ~Ticking() override {
      EXPECT_EQ(made_, std::this_thread::get_id());
      died_ = made_;
    }
    void OnRequest(Exchange& exchange) override { Echo(exchange); }
    void OnProtocolError(ProtocolError, std::string_view, const IpAddress&, Response&) override {}
    void OnTick() override {
      EXPECT_EQ(made_, std::this_thread::get_id());
      if (!told_) ticked_.set_value();
      told_ = true;
    }

   private:
    std::promise<void>& ticked_;
    std::thread::id& died_;
    std::thread::id made_;
    bool told_ = false;
  };
  std::promise<void> ticked;
  std::thread::id died;
  Server server(1);
  ListenerOptions options;
  options.address = *IpAddress::Parse("127.0.0.1");
  options.make_handler = [&](int) { return std::make_unique<Ticking>(ticked, died); };
  ASSERT_TRUE(server.Listen(std::move(options)).ok());
  server.Start();
  ticked.get_future().wait();
  EXPECT_TRUE(server.Stop(kPatience));
  EXPECT_NE(died, std::thread::id());
}

}  // namespace
}  // namespace latchkey::http
