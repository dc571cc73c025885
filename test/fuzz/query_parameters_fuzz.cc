// A query string to a request for records: what passes keeps within the bounds, means the same in
// any order of the parameters, stays what it is against a dataset, and has a text of its own.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "base/time.h"
#include "core/record_query.h"
#include "http/query.h"

namespace {

namespace core = latchkey::core;

constexpr std::uint64_t kMaxRecords = 10'000;

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckError(const latchkey::Error& error) {
  Require(error.code == latchkey::ErrorCode::kInvalid);
  Require(error.fields.size() == 1 && !error.public_text.empty());
  for (const char c : error.public_text) Require(c >= 0x20 && c < 0x7F);
}

template <typename Texts>
void CheckEachOnce(const Texts& texts) {
  Require(std::set<std::string>(texts.begin(), texts.end()).size() == texts.size());
  for (const auto& text : texts) Require(!text.empty() && text.find(',') == text.npos);
}

void CheckAgainstDatasets(const core::RecordsRequest& request) {
  core::Dataset dated;
  dated.dataset_class = core::DatasetClass::kCore;
  dated.fields = {{"symbol", core::FieldType::kString, false},
                  {"date", core::FieldType::kDate, false},
                  {"day", core::FieldType::kDate, false},
                  {"a", core::FieldType::kNumber, false}};
  dated.key_field = "symbol";
  dated.date_field = "date";
  core::Dataset plain = dated;
  plain.dataset_class = core::DatasetClass::kWorkspace;
  plain.date_field = "";
  for (const std::vector<const core::Dataset*>& datasets :
       {std::vector<const core::Dataset*>{&dated}, {&plain}, {&dated, &plain}}) {
    const auto queries = CheckRecordsRequest(request, datasets);
    if (!queries.ok()) {
      CheckError(queries.error());
      continue;
    }
    Require(queries->size() == datasets.size());
    for (std::size_t i = 0; i < datasets.size(); ++i) {
      core::RecordQuery query = (*queries)[i];
      Require(CheckRecordQuery(query, *datasets[i]).ok());
      query.date_field = -1;
      Require(query == request.query);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto pairs = latchkey::http::ParseQuery(text);
  if (!pairs.ok()) return 0;
  std::vector<core::QueryParameter> parameters;
  for (const auto& pair : *pairs) parameters.push_back({pair.name, pair.value});

  const auto now = latchkey::FromUnixMillis(1'709'251'199'999);  // a leap day's last millisecond
  const std::string_view keys = parameters.empty() ? text : parameters.front().value;
  const auto parsed = core::ParseRecordsRequest(keys, std::nullopt, parameters, kMaxRecords, now);
  std::reverse(parameters.begin(), parameters.end());
  const auto reversed = core::ParseRecordsRequest(latchkey::ToLower(keys), std::nullopt, parameters,
                                                  kMaxRecords, now);
  Require(parsed.ok() == reversed.ok());
  if (!parsed.ok()) {
    CheckError(parsed.error());
    CheckError(reversed.error());
    return 0;
  }
  Require(*parsed == *reversed);
  Require(!parsed->keys.empty());
  CheckEachOnce(parsed->keys);
  CheckEachOnce(parsed->filter);

  const core::RecordQuery& query = parsed->query;
  Require(!query.key && !query.subkey && query.date_field == -1);
  Require(query.limit >= 1 && query.limit <= kMaxRecords + (parsed->whole_range ? 1 : 0));
  Require(!parsed->whole_range || query.limit == kMaxRecords + 1);
  Require(query.interval >= 1 && query.interval <= kMaxRecords);
  Require(query.offset <= core::kMaxOffset);
  Require((query.from_millis || query.to_millis) == !parsed->days_parameter.empty());
  const bool from_now = query.from_millis && *query.from_millis >= latchkey::ToUnixMillis(now);
  if (query.from_millis && query.to_millis && !from_now) {
    Require(*query.from_millis < *query.to_millis);
  }
  Require(parsed->valid_until >= now);
  CheckAgainstDatasets(*parsed);
  return 0;
}
