#include "service/audit_fields.h"

#include <cassert>
#include <concepts>
#include <optional>
#include <string_view>

#include "base/encoding.h"

namespace latchkey::service {
namespace {

std::string Json(std::string_view text) {
  std::string json;
  AppendJsonString(json, text);
  return json;
}
std::string Json(bool value) { return value ? "true" : "false"; }
std::string Json(std::uint64_t value) { return std::to_string(value); }
template <typename Number>
  requires std::unsigned_integral<Number>
std::string Json(const std::optional<Number>& value) {
  return value ? Json(std::uint64_t{*value}) : "null";
}
std::string Json(std::optional<Timestamp> time) {
  return time ? Json(std::string_view(FormatRfc3339(*time))) : "null";
}
std::string Json(const std::vector<core::Label>& labels) {
  std::string json = "{";
  for (const core::Label& label : labels) {
    if (json.size() > 1) json.push_back(',');
    AppendJsonString(json, label.name);
    json.push_back(':');
    AppendJsonString(json, label.value);
  }
  return json + "}";
}

}  // namespace

AuditFields FieldsOf(const core::Plan& plan) {
  return {{"name", Json(std::string_view(plan.name))},
          {"title", Json(std::string_view(plan.title))},
          {"monthly_core_credits", Json(plan.monthly_core_credits)},
          {"pay_as_you_go", Json(plan.pay_as_you_go)},
          {"premium_data", Json(plan.premium_data)},
          {"max_tokens", Json(plan.max_tokens)},
          {"max_datasets", Json(plan.max_datasets)},
          {"max_storage_bytes", Json(plan.max_storage_bytes)},
          {"max_jobs", Json(plan.max_jobs)}};
}

AuditFields FieldsOf(const core::Account& account) {
  return {{"workspace", Json(std::string_view(account.workspace))},
          {"title", Json(std::string_view(account.title))},
          {"plan", Json(std::string_view(account.plan.ToString()))},
          {"state", Json(core::ToString(account.state))},
          {"browser_guard", Json(account.browser_guard)}};
}

AuditFields FieldsOf(const core::TokenRecord& record) {
  const core::Token& token = record.token;
  const core::TokenProfile& profile = record.profile;
  AuditFields fields = {
      {"kind", Json(core::ToString(token.kind))},
      {"environment", Json(core::ToString(token.environment))},
      {"nickname", Json(std::string_view(profile.nickname))},
      {"labels", Json(profile.labels)},
      {"end_user", profile.end_user.empty() ? "null" : Json(std::string_view(profile.end_user))},
      {"enabled", Json(token.enabled)},
      {"expires_at", Json(token.expires_at)}};
  if (token.kind == core::TokenKind::kPublishable) {
    fields.push_back({"core_data_access", Json(token.core_data_access)});
  }
  return fields;
}

std::string AuditJson(const AuditFields& fields) {
  std::string json = "{";
  for (const AuditField& field : fields) {
    if (json.size() > 1) json.push_back(',');
    AppendJsonString(json, field.name);
    json.push_back(':');
    json += field.json;
  }
  return json + "}";
}

std::pair<AuditFields, AuditFields> Differences(const AuditFields& before,
                                                const AuditFields& after) {
  assert(before.size() == after.size());
  std::pair<AuditFields, AuditFields> differences;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    differences.first.push_back(before[i]);
    differences.second.push_back(after[i]);
  }
  return differences;
}

void MarkUnconditional(AuditFields& after) {
  after.push_back({"if_match", Json(std::string_view("*"))});
}

}  // namespace latchkey::service
