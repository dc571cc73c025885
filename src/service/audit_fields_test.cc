#include "service/audit_fields.h"

#include <gtest/gtest.h>

#include "base/crypto.h"

namespace latchkey::service {
namespace {

TEST(AuditFieldsTest, WritesCompactJsonOfAllThatPeopleSet) {
  core::Plan plan;
  plan.name = "basic";
  plan.title = "say \"hi\"";
  plan.monthly_core_credits = 5;
  plan.max_tokens = 3;
  plan.max_storage_bytes = 4096;
  EXPECT_EQ(AuditJson(FieldsOf(plan)),
            R"({"name":"basic","title":"say \"hi\"","monthly_core_credits":5,)"
            R"("pay_as_you_go":false,"premium_data":false,"max_tokens":3,)"
            R"("max_datasets":null,"max_storage_bytes":4096,"max_jobs":null})");
  core::TokenRecord record;
  record.profile.labels = {{"a", "1"}, {"b", ""}};
  record.profile.end_user = "u";
  record.token.expires_at = FromUnixMillis(0);
  EXPECT_EQ(AuditJson(FieldsOf(record)),
            R"({"kind":"publishable","environment":"live","nickname":"",)"
            R"("labels":{"a":"1","b":""},"end_user":"u","enabled":true,)"
            R"("expires_at":"1970-01-01T00:00:00Z","core_data_access":true})");
  EXPECT_EQ(AuditJson({}), "{}");
}

TEST(AuditFieldsTest, TellsOnlyWhatDiffers) {
  core::Account before;
  before.title = "a";
  core::Account after = before;
  after.title = "b";
  after.state = core::AccountState::kSuspended;
  auto [was, becomes] = Differences(FieldsOf(before), FieldsOf(after));
  EXPECT_EQ(AuditJson(was), R"({"title":"a","state":"active"})");
  MarkUnconditional(becomes);
  EXPECT_EQ(AuditJson(becomes), R"({"title":"b","state":"suspended","if_match":"*"})");
}

TEST(AuditFieldsTest, TellsNoTextOfATokenAndNothingMadeFromIt) {
  core::TokenRecord record;
  record.profile.shown_text = "pk_shown";
  record.profile.sealed_key_state = "sealed";
  record.token.digest = Sha256("pk_shown");
  const std::string json = AuditJson(FieldsOf(record));
  EXPECT_EQ(json.find("shown"), std::string::npos);
  EXPECT_EQ(json.find("sealed"), std::string::npos);
}

}  // namespace
}  // namespace latchkey::service
