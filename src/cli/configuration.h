// A server's configuration as a command line names it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "env/config.h"

namespace latchkey::cli {

struct ConfigSources {
  std::string file;                                        // --config; empty: LATCHKEY_CONFIG
  std::vector<std::pair<std::string, std::string>> flags;  // "https-port", "0"
};

// A flag beats the environment, which beats the file. kInvalid as latchkey::LoadConfig.
Result<Config> GatherConfig(const ConfigSources& sources);

}  // namespace latchkey::cli
