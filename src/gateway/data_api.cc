#include "gateway/data_api.h"

#include <utility>
#include <vector>

#include "base/encoding.h"
#include "http/query.h"

namespace latchkey::gateway {
namespace {

std::optional<std::string_view> Present(std::string_view part) {
  return part.data() == nullptr ? std::nullopt : std::optional(part);
}

void AppendName(std::string& out, std::string_view name) {
  out.append(out.back() == '{' ? "\"" : ",\"").append(name).append("\":");
}

void AppendText(std::string& out, std::string_view name, std::string_view value) {
  AppendName(out, name);
  AppendJsonString(out, value);
}

void AppendTextOrNull(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) return AppendText(out, name, value);
  AppendName(out, name);
  out.append("null");
}

void AppendNumber(std::string& out, std::string_view name, std::int64_t value) {
  AppendName(out, name);
  out.append(std::to_string(value));
}

}  // namespace

Result<RecordsWish> ReadRecordsWish(std::string_view key, std::string_view subkey,
                                    std::string_view raw_parameters, core::RecordFormat accepted,
                                    std::uint64_t max_records) {
  Result<std::vector<http::QueryParameter>> pairs = http::ParseQuery(raw_parameters);
  if (!pairs.ok()) return std::move(pairs).error();
  std::vector<core::QueryParameter> parameters;
  parameters.reserve(pairs->size());
  bool bounded = false;
  for (const http::QueryParameter& pair : *pairs) {
    parameters.push_back({pair.name, pair.value});
    bounded = bounded || pair.name == "limit" || pair.name == "last" || pair.name == "first";
  }
  Result<core::ParsedRecordQuery> parsed =
      core::ParseRecordQuery(Present(key), Present(subkey), parameters, max_records);
  if (!parsed.ok()) return std::move(parsed).error();

  RecordsWish wish;
  wish.query = std::move(parsed->query);
  wish.format = parsed->format.value_or(accepted);
  wish.whole_range = !bounded && wish.query.limit == max_records && max_records > 1;
  if (wish.whole_range) wish.query.limit = max_records + 1;
  return wish;
}

Status RefuseParameters(std::string_view raw_parameters) {
  Result<std::vector<http::QueryParameter>> pairs = http::ParseQuery(raw_parameters);
  if (!pairs.ok()) return std::move(pairs).error();
  if (pairs->empty()) return {};
  return MakeError(ErrorCode::kInvalid,
                   "The parameter " + http::ShownName(pairs->front().name) + " is not known here");
}

Cost CostOf(const core::Dataset& dataset, std::uint64_t records) {
  const std::uint64_t credits = dataset.weight * records;
  if (dataset.dataset_class == core::DatasetClass::kPremium) return {.core = 0, .premium = credits};
  return {.core = credits, .premium = 0};
}

std::string CatalogueJson(std::span<const service::CatalogueEntry* const> datasets) {
  std::string out = "[";
  for (const service::CatalogueEntry* entry : datasets) {
    const core::Dataset* dataset = &entry->dataset;
    if (out.size() > 1) out.push_back(',');
    out.push_back('{');
    AppendText(out, "id", dataset->name);
    AppendText(out, "workspace", dataset->workspace);
    AppendText(out, "title", dataset->title);
    AppendText(out, "class", core::ToString(dataset->dataset_class));
    AppendTextOrNull(out, "key", dataset->key_field);
    AppendTextOrNull(out, "subkey", dataset->subkey_field);
    AppendTextOrNull(out, "date", dataset->date_field);
    AppendNumber(out, "weight", dataset->weight);
    AppendNumber(out, "records", static_cast<std::int64_t>(entry->live->records.load()));
    AppendNumber(out, "updated", entry->live->updated_millis.load());
    out.push_back('}');
  }
  out.push_back(']');
  return out;
}

std::string StatusJson(std::string_view version, Timestamp now) {
  std::string out = "{";
  AppendText(out, "status", "up");
  AppendText(out, "version", version);
  AppendNumber(out, "time", ToUnixMillis(now));
  out.push_back('}');
  return out;
}

std::string DatasetKey(std::string_view workspace, std::string_view dataset) {
  return ToLower(workspace).append("/").append(ToLower(dataset));
}

}  // namespace latchkey::gateway
