// What the files of `latchkey dataset …` share.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/resources.h"

namespace latchkey::cli {

const std::vector<Column>& DatasetColumns();
// "/operator/v1/datasets/WORKSPACE/NAME". kInvalid if it is not WORKSPACE/NAME.
Result<std::string> DatasetPath(const std::string& name);

// create, change, rename, export.
void AddDatasetDefinitions(CLI::App& dataset, Context& context);

}  // namespace latchkey::cli
