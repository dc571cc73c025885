#include "gateway/translate.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "test/support/parsed_request.h"

namespace latchkey::gateway {
namespace {

using core::Reason;
using test::ParsedRequest;

std::string Get(std::string_view target, std::string_view fields = {}) {
  return std::string("GET ").append(target).append(" HTTP/1.1\nHost: x\n").append(fields);
}

struct Read {
  Reason reason = Reason::kNone;
  std::string token;
  std::string rest;
  std::string detail;
};

Read ReadFrom(std::string_view target, std::string_view fields = {}) {
  ParsedRequest request(Get(target, fields));
  EXPECT_TRUE(request.ok()) << target;
  Credential credential;
  Read out;
  core::Decision decision = ReadCredential(*request, credential, out.rest);
  out.reason = decision.reason;
  out.detail = decision.detail;
  out.token = credential.text;
  return out;
}

TEST(ReadCredentialTest, FindsTheTokenWhereverItMayStand) {
  const struct {
    std::string_view target;
    std::string_view fields;
    std::string_view token;
    std::string_view rest;
  } kCases[] = {
      {"/", "", "", ""},
      {"/?token=abc", "", "abc", ""},
      {"/?token=abc&last=3", "", "abc", "last=3"},
      {"/?last=3&token=abc&on=2010-01-01", "", "abc", "last=3&on=2010-01-01"},
      {"/?last=3&&token=abc&", "", "abc", "last=3"},
      {"/?nonce=17&token=abc&nonce=18", "", "abc", ""},
      {"/?%74oken=abc&%6eonce=1", "", "abc", ""},
      {"/?token=%61bc", "", "abc", ""},
      {"/?token=&last", "", "", "last"},
      {"/?token", "", "", ""},
      {"/?Token=abc", "", "", "Token=abc"},
      {"/?tokens=abc", "", "", "tokens=abc"},
      {"/", "Authorization: Bearer abc\n", "abc", ""},
      {"/", "Authorization: bEARER   abc \n", "abc", ""},
      {"/", "Authorization: Bearer\n", "", ""},
      {"/", "Authorization: Basic YWJjOg==\n", "abc", ""},  // "abc:"
      {"/?token=", "Authorization: Bearer abc\n", "abc", ""},
      // The same one twice is one.
      {"/?token=abc&token=abc", "", "abc", ""},
      {"/?token=abc&token=%61bc", "", "abc", ""},
      {"/?token=%61bc&token=abc", "", "abc", ""},
      {"/?token=abc", "Authorization: Bearer abc\n", "abc", ""},
      {"/?token=abc", "Authorization: Basic YWJjOg==\n", "abc", ""},
      // What is not a token is passed over: a password, malformed Basic, other schemes.
      {"/", "Authorization: Basic YWJjOmRlZg==\n", "", ""},  // "abc:def"
      {"/", "Authorization: Basic YWJj\n", "", ""},          // "abc"
      {"/", "Authorization: Basic ***\n", "", ""},
      {"/", "Authorization: Basic\n", "", ""},
      {"/", "Authorization: Digest username=\"abc\"\n", "", ""},
      {"/", "Authorization: abc\n", "", ""},
      {"/?token=abc",
       "Authorization: IEX-HMAC-SHA256 Credential=def/20240102/iex_request, "
       "SignedHeaders=host;x-iex-date, Signature=00\n",
       "abc", ""},
  };
  for (const auto& c : kCases) {
    const Read read = ReadFrom(c.target, c.fields);
    EXPECT_EQ(read.reason, Reason::kNone) << c.target << " " << c.fields;
    EXPECT_EQ(read.token, c.token) << c.target << " " << c.fields;
    EXPECT_EQ(read.rest, c.rest) << c.target << " " << c.fields;
  }
}

TEST(ReadCredentialTest, RefusesTwoDifferentTokensAndIllFormedText) {
  const struct {
    std::string_view target;
    std::string_view fields;
  } kCases[] = {
      {"/?token=secret1&token=secret2", ""},
      {"/?token=%73ecret1&token=%73ecret2", ""},
      {"/?token=secret1", "Authorization: Bearer secret2\n"},
      {"/?token=secret1", "Authorization: Basic c2VjcmV0Mjo=\n"},  // "secret2:"
      {"/?token=%FF", ""},
      {"/?token=secret1%0", ""},
      {"/?%FF=secret1", ""},
  };
  for (const auto& c : kCases) {
    const Read read = ReadFrom(c.target, c.fields);
    EXPECT_EQ(read.reason, Reason::kInvalidValues) << c.target << " " << c.fields;
    EXPECT_FALSE(read.detail.empty());
    EXPECT_EQ(read.detail.find("secret"), std::string::npos) << read.detail;
  }
}

TEST(ReadCredentialTest, AppendsWithoutTouchingWhatStandsThere) {
  ParsedRequest request(Get("/?a=1&token=abc&b=2"));
  Credential credential;
  std::string rest = "prefix?";
  ASSERT_TRUE(ReadCredential(*request, credential, rest).allowed());
  EXPECT_EQ(rest, "prefix?a=1&b=2");
}

TEST(AcceptTest, ProblemJsonMustBeNamed) {
  const struct {
    std::string_view accept;
    bool expected;
  } kCases[] = {
      {"application/problem+json", true},
      {"Application/Problem+JSON", true},
      {"application/json, application/problem+json", true},
      {"application/problem+json;q=0.001", true},
      {"application/problem+json; charset=utf-8; q=0.5", true},
      {"application/problem+json;q=0", false},
      {"application/problem+json;q=0.000", false},
      {"*/*", false},
      {"application/*", false},
      {"application/json", false},
      {"application/problem+jsonx", false},
      {"", false},
  };
  for (const auto& c : kCases) {
    ParsedRequest request(Get("/", std::string("Accept: ").append(c.accept).append("\n")));
    EXPECT_EQ(AcceptsProblemJson(*request), c.expected) << c.accept;
  }
  ParsedRequest twice(Get("/", "Accept: text/html\nAccept: application/problem+json\n"));
  EXPECT_TRUE(AcceptsProblemJson(*twice));
  ParsedRequest none(Get("/"));
  EXPECT_FALSE(AcceptsProblemJson(*none));
}

TEST(AcceptTest, JsonUnlessCsvIsWishedForMore) {
  const struct {
    std::string_view accept;
    bool csv;
  } kCases[] = {
      {"*/*", false},
      {"", false},
      {"application/json", false},
      {"text/csv", true},
      {"TEXT/CSV", true},
      {"text/*", true},
      {"text/csv, */*", true},
      {"text/csv, */*;q=0.1", true},
      {"text/csv, application/json", false},
      {"text/csv;q=0.5, application/json;q=0.4", true},
      {"text/csv;q=0.4, application/json;q=0.5", false},
      {"text/csv;q=0", false},
      {"text/csv;q=0, */*", false},
      {"application/json;q=0, */*", true},
      {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
      {"image/png", false},
      {"text/csv;q=nonsense", true},
  };
  for (const auto& c : kCases) {
    ParsedRequest request(Get("/", std::string("Accept: ").append(c.accept).append("\n")));
    EXPECT_EQ(AcceptedFormat(*request) == core::RecordFormat::kCsv, c.csv) << c.accept;
  }
}

TEST(FactsTest, ABrowserIsKnownByOriginOrSecFetchSite) {
  const struct {
    std::string_view fields;
    bool browser;
  } kCases[] = {
      {"", false},
      {"Origin: https://example.com\n", true},
      {"Origin: null\n", true},
      {"Sec-Fetch-Site: same-origin\n", true},
      {"Sec-Fetch-Site: none\n", true},
      {"Sec-Fetch-Mode: cors\n", false},
      {"Referer: https://example.com/\n", false},
  };
  for (const auto& c : kCases) {
    ParsedRequest request(Get("/", c.fields));
    EXPECT_EQ(IsFromBrowser(*request), c.browser) << c.fields;
    EXPECT_EQ(DatasetFacts(*request, (*request).peer, "core", nullptr).from_browser, c.browser);
    EXPECT_EQ(CatalogueFacts(*request, (*request).peer).from_browser, c.browser);
  }
}

TEST(FactsTest, TheClassComesFromTheWorkspaceWhetherTheDatasetExistsOrNot) {
  ParsedRequest request(Get("/"));
  core::Dataset dataset;
  dataset.test = true;
  for (const core::Dataset* each :
       {static_cast<const core::Dataset*>(nullptr), static_cast<const core::Dataset*>(&dataset)}) {
    const IpAddress client;
    EXPECT_EQ(DatasetFacts(*request, client, "core", each).dataset_class,
              core::DatasetClass::kCore);
    EXPECT_EQ(DatasetFacts(*request, client, "premium", each).dataset_class,
              core::DatasetClass::kPremium);
    const core::Facts facts = DatasetFacts(*request, client, "acme", each);
    EXPECT_EQ(facts.dataset_class, core::DatasetClass::kWorkspace);
    EXPECT_EQ(facts.workspace, "acme");
    EXPECT_EQ(facts.dataset_exists, each != nullptr);
    EXPECT_EQ(facts.dataset_test, each != nullptr);
  }
}

}  // namespace
}  // namespace latchkey::gateway
