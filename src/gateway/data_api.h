// What the data plane answers, apart from HTTP: the wishes of a query, its cost, and the bodies
// that are not records. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "core/dataset.h"
#include "core/record_query.h"
#include "gateway/respond.h"
#include "service/catalogue.h"

namespace latchkey::gateway {

struct RecordsWish {
  core::RecordQuery query;
  core::RecordFormat format = core::RecordFormat::kJson;
  // All that the range holds was asked for: more than max_records is 400, not a part
  // (wire.md §7). `query.limit` is then max_records + 1, so that the one too many is seen.
  bool whole_range = false;
};

// `key` and `subkey` as they stand in the path, without data() where absent; `raw_parameters` as
// ReadCredential leaves them. kInvalid names the parameter.
Result<RecordsWish> ReadRecordsWish(std::string_view key, std::string_view subkey,
                                    std::string_view raw_parameters, core::RecordFormat accepted,
                                    std::uint64_t max_records);

// Where nothing may be asked: kInvalid names the first parameter.
Status RefuseParameters(std::string_view raw_parameters);

// Weight × records, core and premium apart (wire.md §5). An account's own datasets count as core.
Cost CostOf(const core::Dataset& dataset, std::uint64_t records);

// wire.md §7: the catalogue, in the order given.
std::string CatalogueJson(std::span<const service::CatalogueEntry* const> datasets);
// wire.md §6.
std::string StatusJson(std::string_view version, Timestamp now);

// "workspace/name" in lower case, the key of service::DatasetMap.
std::string DatasetKey(std::string_view workspace, std::string_view dataset);

}  // namespace latchkey::gateway
