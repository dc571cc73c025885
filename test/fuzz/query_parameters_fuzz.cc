// A query string to a query of records: what passes keeps within the bounds, means the same in any
// order of the parameters, and has a canonical text of its own.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "core/record_query.h"
#include "http/query.h"

namespace {

namespace core = latchkey::core;

constexpr std::uint64_t kMaxRecords = 10'000;

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto pairs = latchkey::http::ParseQuery(text);
  if (!pairs.ok()) return 0;
  std::vector<core::QueryParameter> parameters;
  for (const auto& pair : *pairs) parameters.push_back({pair.name, pair.value});

  const auto parsed = core::ParseRecordQuery("Key", std::nullopt, parameters, kMaxRecords);
  std::reverse(parameters.begin(), parameters.end());
  const auto reversed = core::ParseRecordQuery("kEY", std::nullopt, parameters, kMaxRecords);
  Require(parsed.ok() == reversed.ok());
  if (!parsed.ok()) {
    Require(parsed.error().code == latchkey::ErrorCode::kInvalid);
    Require(parsed.error().fields.size() == 1 && !parsed.error().public_text.empty());
    for (const char c : parsed.error().public_text) Require(c >= 0x20 && c < 0x7F);
    return 0;
  }
  const core::RecordQuery& query = parsed->query;
  Require(query == reversed->query && parsed->format == reversed->format);
  Require(CanonicalText(query) == CanonicalText(reversed->query));
  Require(query.key == "key" && !query.subkey);
  Require(query.limit >= 1 && query.limit <= kMaxRecords);
  if (query.from_millis && query.to_millis) Require(*query.from_millis < *query.to_millis);
  return 0;
}
