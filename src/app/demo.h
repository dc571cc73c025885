// The demo of `serve --demo`: real data, one account with two tokens, and what a newcomer needs to
// see. What it made is kept in DIR/demo.json (0600), its secret token too.
#pragma once

#include <optional>
#include <string>

#include "app/storage.h"
#include "base/result.h"
#include "env/log.h"

namespace latchkey::app {

struct Demo {
  std::string account;
  std::string publishable_token;
  Secret secret_token;
};

// Fills an empty folder; on one that is not, changes nothing. The demo that stands there then, or
// nullopt if the folder is somebody's own.
Result<std::optional<Demo>> EnsureDemo(Storage& storage, Log& log);

// Three curl lines that work as they stand, and a word about each. `port`: of the data plane's
// https listener; `ca_file`: empty with certificates that the system trusts.
std::string DemoBanner(const Demo& demo, const std::string& port, const std::string& ca_file);

}  // namespace latchkey::app
