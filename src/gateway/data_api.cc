#include "gateway/data_api.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "http/query.h"

namespace latchkey::gateway {
namespace {

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

template <typename Number>
void AppendNumber(std::string& out, std::string_view name, Number value) {
  AppendName(out, name);
  out.append(std::to_string(value));
}

std::string JobUrl(const core::UploadJob& job) {
  return "/v1/jobs/" + job.workspace + "/ingest/" + job.id.ToString();
}

}  // namespace

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
    const core::Dataset& dataset = entry->dataset;
    const service::RecordsState& live = *entry->live;
    if (out.size() > 1) out.push_back(',');
    out.push_back('{');
    AppendText(out, "id", dataset.name);
    AppendText(out, "workspace", dataset.workspace);
    AppendText(out, "title", dataset.title);
    AppendText(out, "class", core::ToString(dataset.dataset_class));
    AppendTextOrNull(out, "key", dataset.key_field);
    AppendTextOrNull(out, "subkey", dataset.subkey_field);
    AppendTextOrNull(out, "date", dataset.date_field);
    AppendNumber(out, "weight", dataset.weight);
    AppendNumber(out, "records", live.records.load(std::memory_order_relaxed));
    AppendNumber(out, "updated",
                 std::max(live.updated_millis.load(std::memory_order_relaxed),
                          ToUnixMillis(dataset.updated_at)));
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

std::string SuccessJson(std::string_view message, std::string_view dataset_id) {
  std::string out = "{\"success\":true";
  AppendText(out, "message", message);
  if (!dataset_id.empty()) AppendText(out, "datasetId", dataset_id);
  out.push_back('}');
  return out;
}

std::string UploadTakenJson(const core::UploadJob& job) {
  const std::string url = JobUrl(job);
  std::string out = "{\"success\":true";
  AppendText(out, "message", "The file for " + job.dataset + " was taken; its job is at " + url);
  AppendText(out, "jobId", job.id.ToString());
  AppendText(out, "jobUrl", url);
  out.push_back('}');
  return out;
}

std::string UploadJobJson(const core::UploadJob& job) {
  const std::string url = JobUrl(job);
  std::string out = "{";
  AppendText(out, "jobId", job.id.ToString());
  AppendText(out, "jobUrl", url);
  AppendText(out, "type", "ingest");
  AppendText(out, "workspace", job.workspace);
  AppendText(out, "datasetId", job.dataset);
  AppendText(out, "status", core::ToString(job.state));
  AppendTextOrNull(out, "message", job.message);
  AppendNumber(out, "bytes", job.bytes);
  AppendNumber(out, "lines", job.lines);
  AppendNumber(out, "valid", job.lines - std::min(job.rejected, job.lines));
  AppendNumber(out, "rejected", job.rejected);
  AppendNumber(out, "stored", job.stored);
  const bool read = job.state != core::UploadState::kValidating;
  AppendTextOrNull(out, "rejectedUrl", read && job.rejected > 0 ? url + "/rejected" : "");
  AppendNumber(out, "created", ToUnixMillis(job.created_at));
  AppendNumber(out, "updated", ToUnixMillis(job.updated_at));
  out.push_back('}');
  return out;
}

std::string UploadJobsJson(std::span<const core::UploadJob> jobs) {
  std::string out = "[";
  for (const core::UploadJob& job : jobs) {
    if (out.size() > 1) out.push_back(',');
    out.append(UploadJobJson(job));
  }
  out.push_back(']');
  return out;
}

std::string DatasetKey(std::string_view workspace, std::string_view dataset) {
  return ToLower(workspace).append("/").append(ToLower(dataset));
}

}  // namespace latchkey::gateway
