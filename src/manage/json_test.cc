#include "manage/json.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace latchkey::manage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view kSecretText = "sk_0000000000000000000000000000004LUZwA";

core::TokenRecord Record(core::TokenKind kind) {
  core::TokenRecord record;
  record.token.id = core::TokenId{7};
  record.token.kind = kind;
  record.token.created_at = *ParseRfc3339("2026-11-24T19:46:01Z");
  record.profile.nickname = "shop";
  record.profile.labels = {{"app", "web"}, {"project", "x"}};
  record.profile.created_by = "operator";
  record.profile.shown_text = kind == core::TokenKind::kSecret
                                  ? core::RedactTokenText(kSecretText)
                                  : "pk_0000000000000000000000000000003KzPDL";
  record.version = 3;
  return record;
}

std::string FieldsOf(const Error& error) {
  std::string names;
  for (const FieldError& field : error.fields) names.append(field.field).append(" ");
  return names;
}

TEST(TokenJsonTest, ShowsTheFieldsOfTheContractInTheirOrder) {
  EXPECT_EQ(TokenJson(Record(core::TokenKind::kPublishable)),
            R"({"id":"tok_00000000007","kind":"publishable","environment":"live",)"
            R"("token":"pk_0000000000000000000000000000003KzPDL","nickname":"shop",)"
            R"("labels":{"app":"web","project":"x"},"end_user":null,"enabled":true,)"
            R"("created_at":"2026-11-24T19:46:01Z","created_by":"operator","expires_at":null,)"
            R"("core_data_access":true})");
}

TEST(TokenJsonTest, ShowsASecretWholeOnlyWhenItIsGiven) {
  const core::TokenRecord record = Record(core::TokenKind::kSecret);
  EXPECT_THAT(TokenJson(record), Not(HasSubstr(std::string(kSecretText))));
  EXPECT_THAT(TokenJson(record), HasSubstr("\"token\":\"sk_…UZwA\""));
  EXPECT_THAT(TokenJson(record), Not(HasSubstr("core_data_access")));
  EXPECT_THAT(TokenJson(record, kSecretText), HasSubstr(std::string(kSecretText)));
}

TEST(JsonTest, WritesPlansAccountsDatasetsAndReports) {
  core::Plan plan;
  plan.id = core::PlanId{1};
  plan.name = "free";
  plan.title = "Free \"as\" in";
  plan.monthly_core_credits = 5'000'000'000;
  EXPECT_EQ(PlanJson(plan),
            R"({"id":"plan_00000000001","name":"free","title":"Free \"as\" in",)"
            R"("monthly_core_credits":5000000000,"pay_as_you_go":false,"premium_data":false,)"
            R"("max_tokens":null,"max_datasets":null,"max_storage_bytes":null,"max_jobs":null,)"
            R"("created_at":"1970-01-01T00:00:00Z"})");
  core::Account account;
  account.id = core::AccountId{2};
  account.workspace = "acme";
  account.title = "Acme";
  const std::string account_json = AccountJson(account, "free");
  EXPECT_EQ(account_json,
            R"({"id":"acc_00000000002","workspace":"acme","title":"Acme","state":"active",)"
            R"("plan":"free","created_at":"1970-01-01T00:00:00Z"})");
  const std::vector<std::string> tokens = {R"({"id":"a"})", R"({"id":"b"})"};
  EXPECT_EQ(
      NewAccountJson(account, "free", tokens),
      account_json.substr(0, account_json.size() - 1) + R"(,"tokens":[{"id":"a"},{"id":"b"}]})");
  service::ImportReport report;
  core::Dataset dataset;
  dataset.id = core::DatasetId{3};
  dataset.workspace = "core";
  dataset.name = "STOCKS";
  dataset.fields = {{"symbol", core::FieldType::kString, true}};
  dataset.key_field = "symbol";
  report.entry = std::make_shared<const service::CatalogueEntry>(
      service::CatalogueEntry{dataset, std::make_shared<service::RecordsState>()});
  report.imported = 4;
  report.replaced = 1;
  report.rejected = 2;
  report.first_rejected = {{17, "one cell too many"}};
  EXPECT_THAT(
      ImportReportJson(report),
      testing::AllOf(HasSubstr(R"("fields":[{"name":"symbol","type":"string","required":true}],)"
                               R"("key":"symbol","subkey":null,"date":null)"),
                     HasSubstr(R"("imported":4,"replaced":1,"rejected":2,)"
                               R"("rejected_lines":[{"line":17,"reason":"one cell too many"}]})")));
  EXPECT_EQ(ListJson(tokens, ""), R"({"items":[{"id":"a"},{"id":"b"}],"next_page_token":null})");
  EXPECT_EQ(ListJson({}, "x"), R"({"items":[],"next_page_token":"x"})");
}

TEST(ParseTokenCreationTest, ReadsEverySetting) {
  const auto token = ParseTokenCreation(
      R"({"kind":"publishable","environment":"test","nickname":"n","labels":{"b":"2","a":"1"},)"
      R"("end_user":"u","enabled":false,"expires_at":"2030-01-01T01:00:00+01:00",)"
      R"("core_data_access":false,"warnings":[]})");
  ASSERT_TRUE(token.ok()) << token.error().public_text;
  EXPECT_EQ(token->kind, core::TokenKind::kPublishable);
  EXPECT_EQ(token->environment, core::Environment::kTest);
  EXPECT_EQ(token->settings.nickname, "n");
  EXPECT_THAT(*token->settings.labels, ElementsAre(core::Label{"a", "1"}, core::Label{"b", "2"}));
  EXPECT_EQ(token->settings.end_user, "u");
  EXPECT_EQ(token->settings.enabled, false);
  EXPECT_EQ(token->settings.expires_at, ParseRfc3339("2030-01-01T00:00:00Z"));
  EXPECT_EQ(token->settings.core_data_access, false);
}

TEST(ParseTokenCreationTest, DefaultsToALiveTokenWithNothingSet) {
  const auto token = ParseTokenCreation(R"({"kind":"secret"})");
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(token->kind, core::TokenKind::kSecret);
  EXPECT_EQ(token->environment, core::Environment::kLive);
  EXPECT_FALSE(token->settings.nickname || token->settings.labels || token->settings.enabled ||
               token->settings.expires_at || token->settings.core_data_access);
}

TEST(ParseTokenCreationTest, RefusesAndNamesTheFields) {
  const std::string long_text(129, 'x');
  const struct {
    std::string body;
    std::string fields;
  } table[] = {
      {"", ""},
      {"[]", ""},
      {"null", ""},
      {"{", ""},
      {R"({"kind":"secret"} x)", ""},
      {R"({"kind":"secret",})", ""},
      {R"({"kind":"secret"} // why)", ""},
      {"{\"kind\":\"secret\",\"nickname\":\"\xff\"}", ""},
      {R"({})", "kind "},
      {R"({"kind":"key"})", "kind "},
      {R"({"kind":7})", "kind "},
      {R"({"kind":null})", "kind "},
      {R"({"kind":"secret","kind":"secret"})", "kind "},
      {R"({"kind":"secret","labels":{"a":"1","a":"2"}})", "a "},
      {R"({"kind":"secret","environment":"prod"})", "environment "},
      {R"({"kind":"secret","nickname":7})", "nickname "},
      {R"({"kind":"secret","nickname":")" + long_text + "\"}", "nickname "},
      {R"({"kind":"secret","nickname":"a\nb"})", "nickname "},
      {R"({"kind":"secret","nickname":"a\u0000b"})", "nickname "},
      {R"({"kind":"secret","labels":["a"]})", "labels "},
      {R"({"kind":"secret","labels":{"a":1}})", "labels.a "},
      {R"({"kind":"secret","labels":{"":"x"}})", "labels. "},
      {R"({"kind":"secret","labels":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1",)"
       R"("h":"1","i":"1"}})",
       "labels "},
      {R"({"kind":"secret","enabled":"yes"})", "enabled "},
      {R"({"kind":"secret","enabled":null})", "enabled "},
      {R"({"kind":"secret","expires_at":"tomorrow"})", "expires_at "},
      {R"({"kind":"secret","expires_at":1700000000})", "expires_at "},
      {R"({"kind":"secret","core_data_access":true})", "core_data_access "},
      {R"({"kind":"publishable","core_data_access":1})", "core_data_access "},
      {R"({"kind":"secret","id":"tok_1"})", "id "},
      {R"({"kind":"secret","token":"x","created_at":"x","created_by":"x"})",
       "created_at created_by token "},
      {R"({"kind":"secret","allowed_domains":[]})", "allowed_domains "},
      {R"({"kind":"secret","a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{}}}}}}}}})", ""},
      {R"({"kind":"secret","nickname":")" + std::string(kMaxJsonBytes, 'x') + "\"}", ""},
  };
  for (const auto& [body, fields] : table) {
    const auto token = ParseTokenCreation(body);
    ASSERT_FALSE(token.ok()) << body.substr(0, 200);
    EXPECT_EQ(token.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(token.error().public_text, Not(IsEmpty()));
    std::vector<std::string> names;
    for (const FieldError& field : token.error().fields) names.push_back(field.field);
    std::sort(names.begin(), names.end());
    std::string sorted;
    for (const std::string& name : names) sorted.append(name).append(" ");
    EXPECT_EQ(sorted, fields) << body.substr(0, 200);
  }
}

TEST(ParseTokenCreationTest, NamesEveryWrongFieldAtOnce) {
  const auto token = ParseTokenCreation(R"({"nickname":7,"enabled":"x","other":1})");
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(FieldsOf(token.error()), "kind nickname enabled other ");
}

TEST(ParseTokenCreationTest, CutsALongUnknownNameBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 50; ++i) name += "é";
  const auto token = ParseTokenCreation("{\"kind\":\"secret\",\"" + name + "\":1}");
  ASSERT_FALSE(token.ok());
  EXPECT_LE(token.error().fields.front().field.size(), 64u + 3u);
  EXPECT_TRUE(IsValidUtf8(token.error().fields.front().field));
}

TEST(ParseTokenPatchTest, NullClears) {
  const auto settings =
      ParseTokenPatch(R"({"nickname":null,"labels":null,"end_user":null,"expires_at":null})",
                      Record(core::TokenKind::kPublishable));
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->nickname, "");
  EXPECT_THAT(*settings->labels, IsEmpty());
  EXPECT_EQ(settings->end_user, "");
  ASSERT_TRUE(settings->expires_at.has_value());
  EXPECT_FALSE(settings->expires_at->has_value());
}

TEST(ParseTokenPatchTest, MergesLabelsByName) {
  const auto settings = ParseTokenPatch(R"({"labels":{"project":null,"zone":"eu","app":"ios"}})",
                                        Record(core::TokenKind::kPublishable));
  ASSERT_TRUE(settings.ok());
  EXPECT_THAT(*settings->labels, ElementsAre(core::Label{"app", "ios"}, core::Label{"zone", "eu"}));
}

TEST(ParseTokenPatchTest, AnEmptyObjectChangesNothing) {
  const auto settings = ParseTokenPatch("{}", Record(core::TokenKind::kSecret));
  ASSERT_TRUE(settings.ok());
  EXPECT_FALSE(settings->nickname || settings->labels || settings->end_user || settings->enabled ||
               settings->expires_at || settings->core_data_access);
}

TEST(ParseTokenPatchTest, RefusesWhatIsFixedAtCreationAndWhatIsNotOfItsKind) {
  const auto fixed = ParseTokenPatch(R"({"kind":"secret","environment":"live","id":"x"})",
                                     Record(core::TokenKind::kSecret));
  ASSERT_FALSE(fixed.ok());
  EXPECT_THAT(FieldsOf(fixed.error()),
              testing::AllOf(HasSubstr("kind"), HasSubstr("environment"), HasSubstr("id")));
  const auto access =
      ParseTokenPatch(R"({"core_data_access":true})", Record(core::TokenKind::kSecret));
  ASSERT_FALSE(access.ok());
  EXPECT_EQ(FieldsOf(access.error()), "core_data_access ");
}

TEST(ParsePlanTest, ReadsAndRefuses) {
  const auto plan =
      ParsePlanCreation(R"({"name":"pro","title":"Pro","monthly_core_credits":9007199254740991,)"
                        R"("pay_as_you_go":true,"premium_data":true,"max_tokens":10})");
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->name, "pro");
  EXPECT_EQ(plan->settings.monthly_core_credits, service::kMaxMonthlyCredits);
  EXPECT_EQ(plan->settings.max_tokens, std::optional<std::uint32_t>(10));
  const auto limits =
      ParsePlanPatch(R"({"max_datasets":0,"max_storage_bytes":9007199254740991,"max_jobs":null})");
  ASSERT_TRUE(limits.ok());
  EXPECT_FALSE(limits->max_tokens);
  EXPECT_EQ(limits->max_datasets, std::optional(std::optional<std::uint32_t>(0)));
  EXPECT_EQ(limits->max_storage_bytes,
            std::optional(std::optional<std::uint64_t>(9'007'199'254'740'991)));
  ASSERT_TRUE(limits->max_jobs.has_value());
  EXPECT_FALSE(limits->max_jobs->has_value());
  const auto cleared = ParsePlanPatch(R"({"max_tokens":null})");
  ASSERT_TRUE(cleared.ok());
  ASSERT_TRUE(cleared->max_tokens.has_value());
  EXPECT_FALSE(cleared->max_tokens->has_value());
  for (const char* body :
       {R"({"name":"x"})", R"({"monthly_core_credits":-1})", R"({"monthly_core_credits":1.5})",
        R"({"monthly_core_credits":9007199254740992})", R"({"max_tokens":4294967296})",
        R"({"max_storage_bytes":9007199254740992})", R"({"pay_as_you_go":null})",
        R"({"created_at":"x"})"}) {
    EXPECT_FALSE(ParsePlanPatch(body).ok()) << body;
  }
  EXPECT_FALSE(ParsePlanCreation(R"({"title":"no name"})").ok());
}

TEST(ParseAccountTest, ReadsAndRefuses) {
  const auto account = ParseAccountCreation(R"({"workspace":"acme","plan":"free","title":"A"})");
  ASSERT_TRUE(account.ok());
  EXPECT_EQ(account->workspace, "acme");
  EXPECT_EQ(account->plan, "free");
  EXPECT_FALSE(ParseAccountCreation(R"({"workspace":"acme"})").ok());
  EXPECT_FALSE(ParseAccountCreation(R"({"plan":"free"})").ok());
  EXPECT_FALSE(ParseAccountPatch(R"({"workspace":"other"})").ok());
  EXPECT_FALSE(ParseAccountPatch(R"({"state":"suspended"})").ok());
  EXPECT_FALSE(ParseAccountPatch(R"({"plan":null})").ok());
  EXPECT_TRUE(ParseAccountPatch(R"({"title":null})").ok());
}

TEST(ParseNothingTest, TakesNothingOrAnEmptyObject) {
  EXPECT_TRUE(ParseNothing("").ok());
  EXPECT_TRUE(ParseNothing(" {} ").ok());
  EXPECT_FALSE(ParseNothing("[]").ok());
  EXPECT_FALSE(ParseNothing(R"({"reason":"x"})").ok());
}

}  // namespace
}  // namespace latchkey::manage
