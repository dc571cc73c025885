#include "manage/json.h"

#include <array>
#include <utility>

#include <boost/json.hpp>

#include "base/encoding.h"
#include "base/time.h"
#include "manage/json_reader.h"

namespace latchkey::manage {
namespace {

namespace json = boost::json;

// ---- Writing

json::value TextOrNull(std::string_view text) {
  return text.empty() ? json::value(nullptr)
                      : json::value(json::string_view(text.data(), text.size()));
}

json::string Text(std::string_view text) { return json::string(text.data(), text.size()); }

json::value TimeOrNull(const std::optional<Timestamp>& time) {
  return time ? json::value(Text(FormatRfc3339(*time))) : json::value(nullptr);
}

template <typename Number>
json::value NumberOrNull(const std::optional<Number>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::object AccountObject(const core::Account& account, std::string_view plan_name) {
  return {
      {"id", account.id.ToString()},  {"workspace", Text(account.workspace)},
      {"title", Text(account.title)}, {"state", Text(core::ToString(account.state))},
      {"plan", Text(plan_name)},      {"created_at", FormatRfc3339(account.created_at)},
  };
}

// ---- Reading

constexpr std::size_t kMaxNameBytes = 63;
constexpr std::size_t kMaxFullNameBytes = kMaxNameBytes + 1 + core::kMaxDatasetNameBytes;

constexpr std::array<std::string_view, 6> kTokenReadOnly = {"id",    "kind",       "environment",
                                                            "token", "created_at", "created_by"};
constexpr std::array<std::string_view, 4> kTokenNeverSet = {"id", "token", "created_at",
                                                            "created_by"};
constexpr std::array<std::string_view, 3> kPlanReadOnly = {"id", "name", "created_at"};
constexpr std::array<std::string_view, 2> kPlanNeverSet = {"id", "created_at"};
constexpr std::array<std::string_view, 4> kAccountReadOnly = {"id", "workspace", "state",
                                                              "created_at"};
constexpr std::array<std::string_view, 3> kAccountNeverSet = {"id", "state", "created_at"};
constexpr std::array<std::string_view, 7> kDatasetReadOnly = {
    "id", "workspace", "class", "records", "bytes", "created_at", "updated_at"};
// What the operator's creation names, `workspace`, is taken out before.
constexpr auto kDatasetNeverSet = kDatasetReadOnly;
constexpr std::uint64_t kMaxWeight = 1'000'000;
constexpr std::array<std::string_view, 2> kLegacyMapReadOnly = {"kind", "updated_at"};

// "warnings" may stand in an answer that saves and is ignored when it is sent back (wire.md §9).
void DropWarnings(MemberReader& reader) { reader.Drop("warnings"); }

void ReadTokenSettings(MemberReader& reader, const std::vector<core::Label>& labels,
                       std::optional<core::TokenKind> kind, service::TokenSettings& input) {
  input.nickname = reader.String("nickname", core::kMaxNicknameBytes, true);
  input.labels = reader.Labels("labels", labels);
  input.end_user = reader.String("end_user", core::kMaxEndUserBytes, true);
  input.enabled = reader.Bool("enabled");
  input.expires_at = reader.TimeOrNull("expires_at");
  if (kind == core::TokenKind::kSecret && reader.Has("core_data_access")) {
    reader.Fail(
        "core_data_access",
        "It is a setting of publishable tokens; a secret token may read what its account may.");
  }
  input.core_data_access = reader.Bool("core_data_access");
}

void ReadPlanSettings(MemberReader& reader, service::PlanSettings& settings) {
  settings.title = reader.String("title", core::kMaxTitleBytes, true);
  settings.monthly_core_credits = reader.Uint("monthly_core_credits", service::kMaxMonthlyCredits);
  settings.pay_as_you_go = reader.Bool("pay_as_you_go");
  settings.premium_data = reader.Bool("premium_data");
  settings.max_tokens = reader.Uint32OrNull("max_tokens");
  settings.max_datasets = reader.Uint32OrNull("max_datasets");
  settings.max_storage_bytes = reader.UintOrNull("max_storage_bytes", service::kMaxStorageBytes);
  settings.max_jobs = reader.Uint32OrNull("max_jobs");
}

struct OperatorsSettings {
  std::optional<std::uint32_t> weight;
  std::optional<bool> test;
};

OperatorsSettings ReadOperatorsSettings(MemberReader& reader, Definer definer) {
  OperatorsSettings settings;
  if (definer == Definer::kAccount) {
    for (const std::string_view name : {"weight", "test"}) {
      if (!reader.Has(name)) continue;
      reader.Drop(name);
      reader.Fail(name, "The operator alone sets it.");
    }
    return settings;
  }
  if (const auto weight = reader.Uint("weight", kMaxWeight)) {
    settings.weight = static_cast<std::uint32_t>(*weight);
  }
  settings.test = reader.Bool("test");
  return settings;
}

}  // namespace

std::string TokenJson(const core::TokenRecord& record, std::string_view whole_text) {
  const core::Token& token = record.token;
  const core::TokenProfile& profile = record.profile;
  json::object labels;
  for (const core::Label& label : profile.labels)
    labels.emplace(Text(label.name), Text(label.value));
  json::object object = {
      {"id", token.id.ToString()},
      {"kind", Text(core::ToString(token.kind))},
      {"environment", Text(core::ToString(token.environment))},
      {"token", Text(whole_text.empty() ? std::string_view(profile.shown_text) : whole_text)},
      {"nickname", Text(profile.nickname)},
      {"labels", std::move(labels)},
      {"end_user", TextOrNull(profile.end_user)},
      {"enabled", token.enabled},
      {"created_at", FormatRfc3339(token.created_at)},
      {"created_by", Text(profile.created_by)},
      {"expires_at", TimeOrNull(token.expires_at)},
  };
  if (token.kind == core::TokenKind::kPublishable) {
    object.emplace("core_data_access", token.core_data_access);
  }
  return json::serialize(object);
}

std::string PlanJson(const core::Plan& plan) {
  return json::serialize(json::object{
      {"id", plan.id.ToString()},
      {"name", Text(plan.name)},
      {"title", Text(plan.title)},
      {"monthly_core_credits", plan.monthly_core_credits},
      {"pay_as_you_go", plan.pay_as_you_go},
      {"premium_data", plan.premium_data},
      {"max_tokens", NumberOrNull(plan.max_tokens)},
      {"max_datasets", NumberOrNull(plan.max_datasets)},
      {"max_storage_bytes", NumberOrNull(plan.max_storage_bytes)},
      {"max_jobs", NumberOrNull(plan.max_jobs)},
      {"created_at", FormatRfc3339(plan.created_at)},
  });
}

std::string AccountJson(const core::Account& account, std::string_view plan_name) {
  return json::serialize(AccountObject(account, plan_name));
}

std::string NewAccountJson(const core::Account& account, std::string_view plan_name,
                           std::span<const std::string> tokens) {
  // The tokens are texts of JSON already, each written by TokenJson.
  std::string text = AccountJson(account, plan_name);
  text.pop_back();
  text.append(",\"tokens\":[");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) text.push_back(',');
    text.append(tokens[i]);
  }
  return text.append("]}");
}

std::string DatasetJson(const service::CatalogueEntry& entry) {
  const core::Dataset& dataset = entry.dataset;
  json::array fields;
  for (const core::Field& field : dataset.fields) {
    fields.push_back(json::object{{"name", Text(field.name)},
                                  {"type", Text(core::ToString(field.type))},
                                  {"required", field.required}});
  }
  return json::serialize(json::object{
      {"id", dataset.id.ToString()},
      {"workspace", Text(dataset.workspace)},
      {"name", Text(dataset.name)},
      {"title", Text(dataset.title)},
      {"source", Text(dataset.source)},
      {"class", Text(core::ToString(dataset.dataset_class))},
      {"fields", std::move(fields)},
      {"key", TextOrNull(dataset.key_field)},
      {"subkey", TextOrNull(dataset.subkey_field)},
      {"date", TextOrNull(dataset.date_field)},
      {"weight", dataset.weight},
      {"test", dataset.test},
      {"records", entry.live->records.load()},
      {"bytes", entry.live->bytes.load()},
      {"created_at", FormatRfc3339(dataset.created_at)},
      {"updated_at", FormatRfc3339(FromUnixMillis(entry.live->updated_millis.load()))},
  });
}

std::string UploadJobJson(const core::UploadJob& job) {
  return json::serialize(json::object{
      {"id", job.id.ToString()},
      {"workspace", Text(job.workspace)},
      {"dataset", Text(job.dataset)},
      {"state", ToLower(core::ToString(job.state))},
      {"message", TextOrNull(job.message)},
      {"overwrite", job.overwrite},
      {"duplicates", job.keep_first ? "ignore" : "replace"},
      {"max_errors", job.max_errors},
      {"bytes", job.bytes},
      {"lines", job.lines},
      {"rejected", job.rejected},
      {"stored", job.stored},
      {"created_at", FormatRfc3339(job.created_at)},
      {"created_by", Text(job.actor.principal)},
      {"updated_at", FormatRfc3339(job.updated_at)},
  });
}

std::string ImportReportJson(const service::ImportReport& report) {
  json::array rejected;
  for (const service::RejectedLine& line : report.first_rejected) {
    rejected.push_back(json::object{{"line", line.line}, {"reason", Text(line.reason)}});
  }
  std::string text = "{\"dataset\":";
  text.append(DatasetJson(*report.entry));
  text.append(",\"imported\":").append(std::to_string(report.imported));
  text.append(",\"replaced\":").append(std::to_string(report.replaced));
  text.append(",\"rejected\":").append(std::to_string(report.rejected));
  text.append(",\"rejected_lines\":").append(json::serialize(rejected));
  return text.append("}");
}

std::string LegacyMapJson(const core::LegacyMap& map, std::string_view dataset) {
  json::object renames;
  for (const core::LegacyRename& rename : map.renames) {
    renames.emplace(Text(rename.name), Text(rename.field));
  }
  return json::serialize(json::object{
      {"kind", Text(core::ToString(map.kind))},
      {"dataset", TextOrNull(dataset)},
      {"renames", std::move(renames)},
      {"updated_at", FormatRfc3339(map.updated_at)},
  });
}

std::string ListJson(std::span<const std::string> items, std::string_view next_page_token) {
  std::string text = "{\"items\":[";
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text.push_back(',');
    text.append(items[i]);
  }
  text.append("],\"next_page_token\":");
  if (next_page_token.empty()) {
    text.append("null");
  } else {
    AppendJsonString(text, next_page_token);
  }
  return text.append("}");
}

Result<service::NewToken> ParseTokenCreation(std::string_view body) {
  Result<MemberReader> opened = MemberReader::Open(body);
  if (!opened.ok()) return std::move(opened).error();
  MemberReader& reader = *opened;
  DropWarnings(reader);
  service::NewToken token;
  reader.Require("kind");
  const auto kind = reader.Choice("kind", core::ParseTokenKind, "\"publishable\" or \"secret\"");
  token.kind = kind.value_or(core::TokenKind::kPublishable);
  token.environment = reader.Choice("environment", core::ParseEnvironment, "\"live\" or \"test\"")
                          .value_or(core::Environment::kLive);
  ReadTokenSettings(reader, {}, kind, token.settings);
  if (Status status = reader.Finish(kTokenNeverSet); !status.ok()) return status.error();
  return token;
}

Result<service::TokenSettings> ParseTokenPatch(std::string_view body,
                                               const core::TokenRecord& current) {
  Result<MemberReader> opened = MemberReader::Open(body);
  if (!opened.ok()) return std::move(opened).error();
  MemberReader& reader = *opened;
  DropWarnings(reader);
  service::TokenSettings settings;
  ReadTokenSettings(reader, current.profile.labels, current.token.kind, settings);
  if (Status status = reader.Finish(kTokenReadOnly); !status.ok()) return status.error();
  return settings;
}

Result<service::NewPlan> ParsePlanCreation(std::string_view body) {
  Result<MemberReader> opened = MemberReader::Open(body);
  if (!opened.ok()) return std::move(opened).error();
  MemberReader& reader = *opened;
  service::NewPlan plan;
  reader.Require("name");
  plan.name = reader.String("name", kMaxNameBytes).value_or("");
  ReadPlanSettings(reader, plan.settings);
  if (Status status = reader.Finish(kPlanNeverSet); !status.ok()) return status.error();
  return plan;
}

Result<service::PlanSettings> ParsePlanPatch(std::string_view body) {
  Result<MemberReader> opened = MemberReader::Open(body);
  if (!opened.ok()) return std::move(opened).error();
  MemberReader& reader = *opened;
  service::PlanSettings settings;
  ReadPlanSettings(reader, settings);
  if (Status status = reader.Finish(kPlanReadOnly); !status.ok()) return status.error();
  return settings;
}

Result<AccountInput> ParseAccountCreation(std::string_view body) {
  Result<MemberReader> opened = MemberReader::Open(body);
  if (!opened.ok()) return std::move(opened).error();
  MemberReader& reader = *opened;
  AccountInput input;
  reader.Require("workspace");
  reader.Require("plan");
  input.workspace = reader.String("workspace", kMaxNameBytes).value_or("");
  input.title = reader.String("title", core::kMaxTitleBytes, true);
  input.plan = reader.String("plan", kMaxNameBytes);
  if (Status status = reader.Finish(kAccountNeverSet); !status.ok()) return status.error();
  return input;
}

Result<AccountInput> ParseAccountPatch(std::string_view body) {
  Result<MemberReader> opened = MemberReader::Open(body);
  if (!opened.ok()) return std::move(opened).error();
  MemberReader& reader = *opened;
  AccountInput input;
  input.title = reader.String("title", core::kMaxTitleBytes, true);
  input.plan = reader.String("plan", kMaxNameBytes);
  if (Status status = reader.Finish(kAccountReadOnly); !status.ok()) return status.error();
  return input;
}

Result<service::NewDataset> ParseDatasetCreation(std::string_view body, Definer definer) {
  Result<MemberReader> opened = MemberReader::Open(body, core::kMaxDefinitionBytes);
  if (!opened.ok()) return std::move(opened).error();
  MemberReader& reader = *opened;
  service::NewDataset dataset;
  if (definer == Definer::kOperator) {
    reader.Require("workspace");
    dataset.workspace = ToLower(reader.String("workspace", kMaxNameBytes).value_or(""));
  }
  reader.Require("name");
  reader.Require("fields");
  dataset.name = reader.String("name", core::kMaxDatasetNameBytes).value_or("");
  dataset.title = reader.String("title", core::kMaxDatasetTitleBytes, true);
  if (dataset.title && dataset.title->empty()) dataset.title.reset();
  dataset.source = reader.String("source", core::kMaxDatasetSourceBytes, true).value_or("");
  dataset.fields = reader.Fields("fields").value_or(std::vector<core::Field>());
  dataset.key_field = reader.String("key", core::kMaxFieldNameBytes, true).value_or("");
  dataset.subkey_field = reader.String("subkey", core::kMaxFieldNameBytes, true).value_or("");
  dataset.date_field = reader.String("date", core::kMaxFieldNameBytes, true).value_or("");
  const OperatorsSettings settings = ReadOperatorsSettings(reader, definer);
  dataset.weight = settings.weight.value_or(dataset.weight);
  dataset.test = settings.test.value_or(dataset.test);
  if (Status status = reader.Finish(kDatasetNeverSet); !status.ok()) return status.error();
  return dataset;
}

Result<service::DatasetPatch> ParseDatasetPatch(std::string_view body, Definer definer) {
  Result<MemberReader> opened = MemberReader::Open(body, core::kMaxDefinitionBytes);
  if (!opened.ok()) return std::move(opened).error();
  MemberReader& reader = *opened;
  service::DatasetPatch patch;
  patch.name = reader.String("name", core::kMaxDatasetNameBytes);
  patch.title = reader.String("title", core::kMaxDatasetTitleBytes, true);
  patch.source = reader.String("source", core::kMaxDatasetSourceBytes, true);
  patch.fields = reader.Fields("fields");
  const OperatorsSettings settings = ReadOperatorsSettings(reader, definer);
  patch.weight = settings.weight;
  patch.test = settings.test;
  for (const std::string_view fixed : {"key", "subkey", "date"}) {
    if (!reader.Has(fixed)) continue;
    reader.Drop(fixed);
    reader.Fail(fixed, "It is fixed when the dataset is made.");
  }
  if (Status status = reader.Finish(kDatasetReadOnly); !status.ok()) return status.error();
  return patch;
}

Result<LegacyMapInput> ParseLegacyMap(std::string_view body) {
  Result<MemberReader> opened = MemberReader::Open(body);
  if (!opened.ok()) return std::move(opened).error();
  MemberReader& reader = *opened;
  LegacyMapInput input;
  reader.Require("dataset");
  input.dataset = reader.String("dataset", kMaxFullNameBytes).value_or("");
  const auto renames = reader.Texts("renames", core::kMaxFieldNameBytes);
  if (renames) {
    for (const auto& [name, field] : *renames) input.renames.push_back({name, field});
  }
  if (Status status = reader.Finish(kLegacyMapReadOnly); !status.ok()) return status.error();
  return input;
}

Status ParseNothing(std::string_view body) {
  if (body.empty()) return {};
  Result<MemberReader> reader = MemberReader::Open(body);
  if (!reader.ok()) return std::move(reader).error();
  return reader->Finish({});
}

}  // namespace latchkey::manage
