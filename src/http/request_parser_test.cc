#include "http/request_parser.h"

#include <string>

#include <gtest/gtest.h>

namespace latchkey::http {
namespace {

using Outcome = RequestParser::Outcome;

struct Parsed {
  Outcome outcome;
  RequestParser parser;
  Request request;
};

void Parse(std::string_view bytes, Parsed& out, const Limits& limits = {}) {
  out.parser.Reset();
  out.outcome = out.parser.Parse(bytes, limits, out.request);
}

TEST(RequestParserTest, ReadsAHeadIntoViews) {
  const std::string text =
      "GET /v1//data/%41?token=pk_1&x HTTP/1.1\r\nHost: example.com:8443\r\nAccept:  */* \r\n"
      "X-Other:\r\nreferer: https://a/\r\nX-IEX-Date: 20240102T030405Z\r\n\r\nREST";
  Parsed p;
  Parse(text, p);
  ASSERT_EQ(p.outcome, Outcome::kDone) << p.parser.detail();
  EXPECT_EQ(p.request.method, Method::kGet);
  EXPECT_EQ(p.request.method_text, "GET");
  EXPECT_EQ(p.request.raw_path, "/v1//data/%41");
  EXPECT_EQ(p.request.raw_query, "token=pk_1&x");
  EXPECT_EQ(p.request.path, "/v1/data/A");
  EXPECT_EQ(p.request.host, "example.com:8443");
  EXPECT_EQ(p.request.fields.size(), 5u);
  EXPECT_EQ(p.request.Field(KnownField::kAccept), "*/*");
  EXPECT_EQ(p.request.Field(KnownField::kReferer), "https://a/");
  EXPECT_EQ(p.request.Field(KnownField::kIexDate), "20240102T030405Z");
  EXPECT_FALSE(p.request.Has(KnownField::kOrigin));
  EXPECT_EQ(p.request.Find("x-OTHER"), "");
  EXPECT_NE(p.request.Find("x-OTHER").data(), nullptr);
  EXPECT_EQ(p.request.Find("absent").data(), nullptr);
  EXPECT_FALSE(p.request.has_body);
  EXPECT_TRUE(p.parser.info().keep_alive);
  EXPECT_EQ(p.parser.info().head_bytes, text.size() - 4);
  EXPECT_GE(p.request.raw_query.data(), text.data());
  EXPECT_LT(p.request.raw_query.data(), text.data() + text.size());
}

TEST(RequestParserTest, ForgetsTheLastMessage) {
  Parsed p;
  Parse(
      "POST /a HTTP/1.1\r\nHost: a\r\nOrigin: x\r\nContent-Length: 5\r\nExpect: "
      "100-continue\r\n\r\n",
      p);
  ASSERT_EQ(p.outcome, Outcome::kDone);
  EXPECT_TRUE(p.request.has_body);
  EXPECT_TRUE(p.parser.info().expect_continue);
  Parse("GET / HTTP/1.1\r\nHost: b\r\n\r\n", p);
  ASSERT_EQ(p.outcome, Outcome::kDone);
  EXPECT_FALSE(p.request.has_body);
  EXPECT_FALSE(p.request.Has(KnownField::kOrigin));
  EXPECT_EQ(p.request.host, "b");
  EXPECT_FALSE(p.parser.info().expect_continue);
  EXPECT_FALSE(p.parser.info().content_length);
}

TEST(RequestParserTest, TheResultDoesNotDependOnHowTheBytesArrive) {
  for (std::string_view text :
       {"GET /a/b?c HTTP/1.1\r\nHost: a\r\nAccept: x\ty\r\n\r\n",
        "\r\nPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n"}) {
    RequestParser parser;
    Request request;
    for (std::size_t size = 1; size < text.size(); ++size) {
      // A copy each time: the bytes may move between calls.
      const std::string copy(text.substr(0, size));
      ASSERT_EQ(parser.Parse(copy, Limits(), request), Outcome::kNeedMore) << copy;
    }
    EXPECT_EQ(parser.Parse(text, Limits(), request), Outcome::kDone) << parser.detail();
  }
}

TEST(RequestParserTest, TakesWhatClientsSend) {
  const std::pair<std::string_view, bool> cases[] = {
      // Head and whether the connection is kept.
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Close\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
      {"GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost:a\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost:\t a \t\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: caf\xE9\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nAccept: x\r\nAccept: y\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Type: undefined\r\n\r\n", true},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", true},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n", true},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", true},
      {"GET /?q={}|\"<>[]^` HTTP/1.1\r\nHost: a\r\n\r\n", true},
  };
  for (const auto& [text, kept] : cases) {
    Parsed p;
    Parse(text, p);
    ASSERT_EQ(p.outcome, Outcome::kDone) << text << p.parser.detail();
    EXPECT_EQ(p.parser.info().keep_alive, kept) << text;
  }
}

TEST(RequestParserTest, AnAbsoluteTargetReplacesTheHost) {
  Parsed p;
  Parse("GET https://b:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n", p);
  ASSERT_EQ(p.outcome, Outcome::kDone);
  EXPECT_EQ(p.request.host, "b:1");
  EXPECT_EQ(p.request.path, "/x");
  EXPECT_EQ(p.request.raw_query, "y");
  EXPECT_EQ(p.request.Field(KnownField::kHost), "a");
}

TEST(RequestParserTest, RefusesEveryOddity) {
  using E = ProtocolError;
  struct Case {
    std::string_view text;
    E error;
  };
  const std::string nul("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 35);
  const std::string nul_target("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28);
  const Case cases[] = {
      // Framing.
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
       E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
       E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
       E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
       E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
       E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
       E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
       E::kNotImplemented},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", E::kNotImplemented},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", E::kNotImplemented},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
       "chunked\r\n\r\n",
       E::kBadRequest},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \r\n\r\n", E::kNotImplemented},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", E::kBadRequest},
      // Host.
      {"GET / HTTP/1.1\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: \r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", E::kBadRequest},
      {"GET http://b/ HTTP/1.1\r\n\r\n", E::kBadRequest},
      // Other fields that stand once.
      {"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nauthorization: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nReferer: a\r\nReferer: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nOrigin: a\r\nOrigin: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nContent-Type: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nIf-Match: a\r\nIf-Match: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: a\r\nIdempotency-Key: a\r\n\r\n",
       E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nx-iex-date:\r\nx-iex-date: a\r\n\r\n", E::kBadRequest},
      // Bytes.
      {nul, E::kBadRequest},
      {nul_target, E::kBadRequest},
      {"GET / HTTP/1.1\nHost: a\n\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\n\rX", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\n: a\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nX\x01: b\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: b\x0b\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nX\xC3: b\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1\r\nHost: a\r\nX(): b\r\n\r\n", E::kBadRequest},
      {"\x16\x03\x01\x02", E::kBadRequest},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      // The request line.
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", E::kBadRequest},
      {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET /\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET /\r\n\r\n", E::kBadRequest},
      {"G{}T / HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET /\xC3\xA9 HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET /../a HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", E::kVersion},
      {"PRI * HTTP/2.0\r\n\r\n", E::kVersion},
      {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", E::kVersion},
      {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", E::kVersion},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/11\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"GET / HTTP/1.1x\r\nHost: a\r\n\r\n", E::kBadRequest},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ", E::kBadRequest},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: a\r\n\r\n", E::kBadRequest},
      // Expectations.
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n",
       E::kExpectationFailed},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect:\r\n\r\n", E::kExpectationFailed},
  };
  for (const Case& c : cases) {
    Parsed p;
    Parse(c.text, p);
    EXPECT_EQ(p.outcome, Outcome::kFailed) << c.text;
    EXPECT_EQ(static_cast<int>(p.parser.error()), static_cast<int>(c.error)) << c.text;
    EXPECT_FALSE(p.parser.detail().empty());
  }
}

TEST(RequestParserTest, BoundsTheHeadAlsoWhileItIsIncomplete) {
  Limits limits;
  limits.max_head_bytes = 1024;
  limits.max_url_bytes = 100;
  limits.max_header_fields = 3;
  const std::string fields = "Host: a\r\nA: b\r\nC: d\r\n";
  struct Case {
    std::string text;
    Outcome outcome;
    ProtocolError error;
  };
  const std::string line = "GET / HTTP/1.1\r\n";
  const Case cases[] = {
      {line + fields + "\r\n", Outcome::kDone, {}},
      {line + fields + "E: f\r\n\r\n", Outcome::kFailed, ProtocolError::kHeadTooLarge},
      {line + "Host: " + std::string(2000, 'a'), Outcome::kFailed, ProtocolError::kHeadTooLarge},
      {line + "Host: a\r\nA: " + std::string(2000, 'a') + "\r\n\r\n", Outcome::kFailed,
       ProtocolError::kHeadTooLarge},
      {"GET /" + std::string(99, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", Outcome::kDone, {}},
      {"GET /" + std::string(100, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", Outcome::kFailed,
       ProtocolError::kUrlTooLong},
      {"GET /" + std::string(99, 'a'), Outcome::kNeedMore, {}},
      {"GET /" + std::string(100, 'a'), Outcome::kFailed, ProtocolError::kUrlTooLong},
      {"GET /" + std::string(5000, 'a'), Outcome::kFailed, ProtocolError::kUrlTooLong},
      {"GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", Outcome::kFailed,
       ProtocolError::kUrlTooLong},
  };
  for (const Case& c : cases) {
    Parsed p;
    Parse(c.text, p, limits);
    EXPECT_EQ(p.outcome, c.outcome) << c.text.substr(0, 80);
    if (c.outcome == Outcome::kFailed) {
      EXPECT_EQ(static_cast<int>(p.parser.error()), static_cast<int>(c.error))
          << c.text.substr(0, 80);
    }
  }
}

}  // namespace
}  // namespace latchkey::http
