// What the data plane answers, apart from HTTP: the cost of an answer, and the bodies that are not
// records. Pure but for the catalogue's live counts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "core/dataset.h"
#include "core/upload_job.h"
#include "gateway/respond.h"
#include "service/catalogue.h"

namespace latchkey::gateway {

// Where nothing may be asked: kInvalid names the first parameter.
Status RefuseParameters(std::string_view raw_parameters);

// Weight × records, core and premium apart (wire.md §5). An account's own datasets count as core.
Cost CostOf(const core::Dataset& dataset, std::uint64_t records);

// wire.md §7: the catalogue, in the order given.
std::string CatalogueJson(std::span<const service::CatalogueEntry* const> datasets);
// wire.md §6.
std::string StatusJson(std::string_view version, Timestamp now);
// {"success":true,"message":…}, with {"datasetId":…} behind it unless that is empty.
std::string SuccessJson(std::string_view message, std::string_view dataset_id = {});
// The answer to an upload, and what a job is (wire.md §7).
std::string UploadTakenJson(const core::UploadJob& job);
std::string UploadJobJson(const core::UploadJob& job);
std::string UploadJobsJson(std::span<const core::UploadJob> jobs);

// "workspace/name" in lower case, the key of service::DatasetMap.
std::string DatasetKey(std::string_view workspace, std::string_view dataset);

}  // namespace latchkey::gateway
