// The commands, one function per family: each adds its part of the command line to `root`.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/api.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace latchkey::cli {

// What the command line said. `action` is set by the command that was named and run after the whole
// line was read.
struct Context {
  Target target;
  bool json = false;
  std::function<int()> action;
};

void AddServe(CLI::App& root, Context& context);
void AddConfig(CLI::App& root, Context& context);
void AddPlans(CLI::App& root, Context& context);
void AddAccounts(CLI::App& root, Context& context);
void AddTokens(CLI::App& root, Context& context);
void AddDatasets(CLI::App& root, Context& context);
void AddLegacy(CLI::App& root, Context& context);
void AddFolderCommands(CLI::App& root, Context& context);  // backup, restore, doctor, master-key

// ---- For the above.

// A command with its examples, which --help shows below the options.
CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& what,
                     const std::string& examples);
// --data DIR.
void AddTarget(CLI::App& command, Context& context);
// --data DIR and --json.
void AddClientOptions(CLI::App& command, Context& context);
// Sets what the command does when it is named.
void SetAction(CLI::App& command, Context& context, std::function<int()> action);

// Opens the API and runs `use`; prints what goes wrong. The exit code.
int WithApi(const Context& context, const std::function<Result<int>(const Api&)>& use);

}  // namespace latchkey::cli
