// What the files of `latchkey dataset …` share.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/commands.h"
#include "http/client.h"

namespace latchkey::cli {

// What a call answered: one dataset with all that is known of it.
Result<int> ShowDataset(const Result<http::ClientResponse>& response, bool as_json);
// "/operator/v1/datasets/WORKSPACE/NAME". kInvalid if it is not WORKSPACE/NAME.
Result<std::string> DatasetPath(const std::string& name);

// create, change, rename, export.
void AddDatasetDefinitions(CLI::App& dataset, Context& context);

}  // namespace latchkey::cli
