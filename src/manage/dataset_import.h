// The import route: a file of any size (CSV, JSON or JSON Lines by its content), streamed from the
// connection into service::Import.
#pragma once

#include <memory>

#include "base/result.h"
#include "manage/body_stream.h"
#include "manage/call.h"
#include "service/catalogue.h"
#include "service/datasets.h"

namespace latchkey::manage {

// From the path and the query of the call. kInvalid names the parameter.
Result<service::ImportOptions> ParseImportOptions(const Call& call);

// Answers 200 with the report, or 201 where the dataset was made. The services are borrowed.
std::unique_ptr<BodyReceiver> MakeImportReceiver(service::Datasets& datasets,
                                                 service::Catalogue& catalogue,
                                                 std::shared_ptr<const Call> call,
                                                 service::ImportOptions options);

}  // namespace latchkey::manage
