#include "gateway/respond.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/reason.h"

namespace latchkey::gateway {
namespace {

using core::Reason;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kId = "0123456789abcdef";

const std::string kSecurity =
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: iexcloud-messages-used, iexcloud-credits-used, "
    "iexcloud-premium-messages-used, iexcloud-premium-credits-used, RateLimit, RateLimit-Policy, "
    "Latchkey-Reason, Latchkey-Request-Id, Retry-After\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; sandbox\r\n"
    "Cache-Control: no-store\r\n";
const std::string kIdLine = "Latchkey-Request-Id: 0123456789abcdef\r\n";

TEST(ResponderTest, RefusesEveryReasonWithItsStatusSentenceAndHeaders) {
  Responder responder(false);
  for (const core::ReasonInfo& info : core::AllReasons()) {
    const http::Response response = responder.Refusal(core::Refuse(info.reason), kId, false);
    EXPECT_EQ(response.status, info.status);
    EXPECT_EQ(response.body, info.sentence);
    std::string expected = "Content-Type: text/plain; charset=utf-8\r\nLatchkey-Reason: ";
    expected.append(info.name).append("\r\n");
    if (info.reason == Reason::kTokenRequired) expected.append("WWW-Authenticate: Bearer\r\n");
    EXPECT_EQ(response.header_lines, expected + kSecurity + kIdLine);
  }
}

TEST(ResponderTest, PutsTheDetailBehindTheFixedSentence) {
  Responder responder(false);
  EXPECT_EQ(
      responder.Refusal(core::Refuse(Reason::kInvalidValues, "the parameter x is odd"), kId, false)
          .body,
      "You have supplied invalid values for this request. The parameter x is odd.");
  EXPECT_EQ(responder.Refusal(core::Refuse(Reason::kTokenInvalid, "Try another."), kId, false).body,
            "The API key provided is not valid. Try another.");
}

TEST(ResponderTest, AnotherFirstSentenceStandsWhereOldClientsCompareIt) {
  Responder responder(false);
  EXPECT_EQ(
      responder.Refusal(core::Refuse(Reason::kNotFound), kId, false, {.sentence = "Unknown symbol"})
          .body,
      "Unknown symbol");
  EXPECT_EQ(responder.Refusal(core::Refuse(Reason::kNotFound), kId, false).body, "Not Found");
}

TEST(RefusalOfTest, GivesEachCodeItsReasonAndFaultsOfOurOwnNoText) {
  const struct {
    ErrorCode code;
    Reason reason;
    std::string_view detail;
  } kCases[] = {
      {ErrorCode::kInvalid, Reason::kInvalidValues, "text"},
      {ErrorCode::kNotFound, Reason::kNotFound, "text"},
      {ErrorCode::kConflict, Reason::kConflict, "text"},
      {ErrorCode::kStale, Reason::kPreconditionFailed, "text"},
      {ErrorCode::kLimit, Reason::kPlanLimitReached, "text"},
      {ErrorCode::kUnavailable, Reason::kUnavailable, "text"},
      {ErrorCode::kUnknown, Reason::kUnavailable, "text"},
      {ErrorCode::kCorrupt, Reason::kInternal, ""},
      {ErrorCode::kNewer, Reason::kInternal, ""},
      {ErrorCode::kInternal, Reason::kInternal, ""},
  };
  for (const auto& c : kCases) {
    const core::Decision decision = RefusalOf(MakeError(c.code, "text", "inner"));
    EXPECT_EQ(decision.reason, c.reason);
    EXPECT_EQ(decision.detail, c.detail);
  }
  Error fields = MakeError(ErrorCode::kInvalid, "");
  fields.fields = {{"record 3", "price must be a number"}, {"record 4", "x"}};
  EXPECT_EQ(RefusalOf(fields).detail, "At record 3: price must be a number");
  EXPECT_THAT(RefusalOf(MakeError(ErrorCode::kUnknown, "")).detail, HasSubstr("is not known"));
}

TEST(ResponderTest, MasksATokenThatStraysIntoADetail) {
  Responder responder(false);
  for (const bool problem : {false, true}) {
    const http::Response response = responder.Refusal(
        core::Refuse(Reason::kInvalidValues,
                     "The parameter sk_0000000000000000000000000000004LUZwA is not known"),
        kId, problem);
    EXPECT_THAT(std::string(response.body), Not(HasSubstr("0000000")));
    EXPECT_THAT(std::string(response.body), HasSubstr("sk_***"));
  }
}

TEST(ResponderTest, SpeaksProblemJsonWhenAsked) {
  Responder responder(false);
  const http::Response response = responder.Refusal(
      core::Refuse(Reason::kInvalidValues, "The parameter \"x\" is odd."), kId, true);
  EXPECT_EQ(response.body, R"({"type":"about:blank","title":"Bad Request","status":400,)"
                           R"("detail":"You have supplied invalid values for this request. )"
                           R"(The parameter \"x\" is odd.","reason":"invalid_values",)"
                           R"("request_id":"0123456789abcdef"})");
  EXPECT_EQ(response.header_lines,
            "Content-Type: application/problem+json\r\nLatchkey-Reason: invalid_values\r\n" +
                kSecurity + kIdLine);
}

TEST(ResponderTest, PreparedBlocksTakeEachRequestsOwnId) {
  Responder responder(false);
  const core::Decision decision = core::Refuse(Reason::kTokenInvalid);
  EXPECT_THAT(std::string(responder.Refusal(decision, "aaaaaaaaaaaaaaaa", false).header_lines),
              HasSubstr("Latchkey-Request-Id: aaaaaaaaaaaaaaaa\r\n"));
  const std::string second(responder.Refusal(decision, "bbbbbbbbbbbbbbbb", false).header_lines);
  EXPECT_THAT(second, HasSubstr("Latchkey-Request-Id: bbbbbbbbbbbbbbbb\r\n"));
  EXPECT_THAT(second, Not(HasSubstr("aaaaaaaa")));
}

TEST(ResponderTest, NamesMethodsAndTimesWhereTheyHelp) {
  Responder responder(false);
  const http::Response method = responder.Refusal(core::Refuse(Reason::kMethodNotAllowed), kId,
                                                  false, {.allow = "GET, HEAD"});
  EXPECT_THAT(std::string(method.header_lines), HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"));
  const http::Response busy =
      responder.Refusal(core::Refuse(Reason::kUnavailable), kId, false, {.retry_after = 2});
  EXPECT_THAT(std::string(busy.header_lines), HasSubstr("Retry-After: 2\r\n"));
}

TEST(ResponderTest, AnswersCarryTheirCostInFourFieldsFreeOnesToo) {
  const Responder responder(false);
  const Cost cost{.core = 3, .premium = 40};
  EXPECT_EQ(responder.MakeHead(kJsonContentType, cost).With(kId),
            "Content-Type: application/json; charset=utf-8\r\n"
            "iexcloud-messages-used: 3\r\niexcloud-credits-used: 3\r\n"
            "iexcloud-premium-messages-used: 40\r\niexcloud-premium-credits-used: 40\r\n" +
                kSecurity + kIdLine);
  EXPECT_EQ(responder.MakeHead(kCsvContentType, Cost{}).With(kId),
            "Content-Type: text/csv; charset=utf-8\r\n"
            "iexcloud-messages-used: 0\r\niexcloud-credits-used: 0\r\n"
            "iexcloud-premium-messages-used: 0\r\niexcloud-premium-credits-used: 0\r\n" +
                kSecurity + kIdLine);
}

TEST(ResponderTest, AnswersAPreflightWithWhatWireAllows) {
  Responder responder(false);
  const http::Response response = responder.Preflight(kId, "GET, HEAD");
  EXPECT_EQ(response.status, 204);
  EXPECT_TRUE(response.body.empty());
  EXPECT_EQ(response.header_lines,
            "Allow: GET, HEAD, OPTIONS\r\n"
            "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
            "Access-Control-Allow-Headers: Authorization, Content-Type, Accept, X-Requested-With, "
            "Request-Source, x-iex-date, Signature, Signature-Input, Content-Digest\r\n"
            "Access-Control-Max-Age: 7200\r\n" +
                kSecurity + kIdLine);
}

TEST(ResponderTest, PinsTransportOnlyWhenTold) {
  Responder without(false);
  Responder with(true);
  const core::Decision decision = core::Refuse(Reason::kNotFound);
  EXPECT_THAT(std::string(without.Refusal(decision, kId, false).header_lines),
              Not(HasSubstr("Strict-Transport-Security")));
  EXPECT_THAT(std::string(with.Refusal(decision, kId, false).header_lines),
              HasSubstr("\r\nStrict-Transport-Security: max-age=31536000\r\n"));
  EXPECT_THAT(std::string(with.Preflight(kId, "").header_lines),
              HasSubstr("Strict-Transport-Security"));
  EXPECT_THAT(std::string(with.MakeHead(kJsonContentType, Cost{}).With(kId)),
              HasSubstr("Strict-Transport-Security"));
}

}  // namespace
}  // namespace latchkey::gateway
