#include "http/chunked.h"

#include <string>

#include <gtest/gtest.h>

namespace latchkey::http {
namespace {

using Outcome = ChunkedDecoder::Outcome;

// Feeds `text` in pieces of `step` bytes; the body, or "BAD", or "MORE"; what is left in `rest`.
std::string Decode(std::string_view text, std::size_t step, std::string* rest = nullptr) {
  ChunkedDecoder decoder;
  std::string body;
  while (!text.empty()) {
    std::string_view input = text.substr(0, step);
    text.remove_prefix(input.size());
    for (;;) {
      std::string_view data;
      const Outcome outcome = decoder.Next(input, data);
      if (outcome == Outcome::kBad) return "BAD";
      if (outcome == Outcome::kData) {
        body += data;
        continue;
      }
      if (outcome == Outcome::kEnd) {
        if (rest != nullptr) *rest = std::string(input) + std::string(text);
        return body;
      }
      break;
    }
  }
  return "MORE";
}

TEST(ChunkedTest, DecodesHoweverTheBytesArrive) {
  const std::string text =
      "5\r\nhello\r\n1;a=b;c=\"d\"\r\n,\r\n00006\r\n world\r\n0\r\nX-Trailer: 1\r\nY: 2\r\n\r\n"
      "GET / ";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    std::string rest;
    EXPECT_EQ(Decode(text, step, &rest), "hello, world") << step;
    EXPECT_EQ(rest, "GET / ") << step;
  }
  EXPECT_EQ(Decode("0\r\n\r\n", 100), "");
  EXPECT_EQ(Decode("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", 3).size(), 20u);
}

TEST(ChunkedTest, RefusesWhatAnotherParserMightReadOtherwise) {
  for (std::string_view text : {"\r\n",
                                " 5\r\nhello\r\n",
                                "5 \r\nhello\r\n",
                                "+5\r\nhello\r\n",
                                "-1\r\n",
                                "0x5\r\nhello\r\n",
                                "5\nhello\n",
                                "5\rhello",
                                "5\r\nhello0\r\n",
                                "5\r\nhello\n0\r\n\r\n",
                                "g\r\n",
                                ";a\r\n",
                                "5;a\x01\r\nhello\r\n",
                                "5;a\n\r\nhello\r\n",
                                "10000000000000000\r\n",
                                "ffffffffffffffff\r\n",
                                "0\r\n folded\r\n\r\n",
                                "0\r\n:x\r\n\r\n",
                                "0\r\nno colon\r\n\r\n",
                                "0\r\nnocolon\r\n\r\n",
                                "0\r\nA : b\r\n\r\n",
                                "0\r\nA: b\n\r\n",
                                "0\r\nA: \x02\r\n\r\n",
                                "0\r\n\rX"}) {
    EXPECT_EQ(Decode(text, 1), "BAD") << text;
    EXPECT_EQ(Decode(text, 100), "BAD") << text;
  }
}

TEST(ChunkedTest, BoundsSizesExtensionsAndTrailers) {
  EXPECT_EQ(Decode("5;" + std::string(2000, 'x'), 100), "BAD");
  EXPECT_EQ(Decode(std::string(100, '0'), 7), "BAD");
  std::string trailers = "0\r\n";
  for (int i = 0; i < 1000; ++i) trailers += "A: 0123456789\r\n";
  EXPECT_EQ(Decode(trailers, 100), "BAD");
}

}  // namespace
}  // namespace latchkey::http
