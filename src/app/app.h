// The composition root: makes every part, joins them, and runs until it is told to stop.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "env/config.h"

namespace latchkey::app {

struct ServeOptions {
  // File, environment and flags put together; called once more on SIGHUP. kInvalid with every
  // problem, one per line.
  std::function<Result<Config>()> load_config;
  bool demo = false;
  std::string ready_file;  // empty: none
};

// Serves until SIGTERM or SIGINT. The exit code: 0 after a drain, 1 if it could not start or go on,
// 2 for a wrong configuration. To be called before any other thread runs.
int Serve(const ServeOptions& options);

}  // namespace latchkey::app
