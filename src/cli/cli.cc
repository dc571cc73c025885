#include "cli/cli.h"

#include <exception>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/version.h"
#include "base/crypto.h"
#include "cli/commands.h"
#include "cli/print.h"

namespace latchkey::cli {
namespace {

// The innermost command that the line names.
CLI::App* Named(CLI::App& root) {
  CLI::App* command = &root;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return command;
}

// "latchkey token create".
std::string FullName(const CLI::App* command) {
  std::string name = command->get_name();
  for (const CLI::App* parent = command->get_parent(); parent != nullptr;
       parent = parent->get_parent()) {
    name.insert(0, parent->get_name() + " ");
  }
  return name;
}

int Usage(CLI::App& root, const std::string& problem) {
  PrintError(fmt::format("{}; `{} --help` shows what is right", problem, FullName(Named(root))));
  return kUsage;
}

int RunChecked(int argc, const char* const* argv) {
  Context context;
  CLI::App root("The access layer for data APIs: hands out tokens and serves data by them.",
                "latchkey");
  root.set_help_flag("-h,--help", "Print this help.");
  root.footer(
      "Examples:\n"
      "  latchkey serve --demo                     serve the demo on https://localhost:8443\n"
      "  latchkey account create acme --plan free  an account with its two first tokens\n"
      "  latchkey token list --account acme\n"
      "  latchkey dataset import prices.csv --dataset core/PRICES --key symbol --date date\n\n"
      "Commands talk to the server that has the data folder (--data DIR, or LATCHKEY_DATA, or\n"
      "./latchkey-data), or, for the tokens of one account, to LATCHKEY_URL with the secret token\n"
      "in LATCHKEY_TOKEN and the CA in LATCHKEY_CA_FILE.");
  AddServe(root, context);
  AddPlans(root, context);
  AddAccounts(root, context);
  AddTokens(root, context);
  AddDatasets(root, context);
  AddLegacy(root, context);
  AddConfig(root, context);
  AddFolderCommands(root, context);
  CLI::App* version = AddCommand(root, "version", "Print the version.", "latchkey version");
  SetAction(*version, context, [] {
    PrintLine(fmt::format("latchkey {}", app::kVersion));
    return kDone;
  });

  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    // CLI11 puts the command's own name behind what it is given.
    const CLI::App* command = Named(root);
    const CLI::App* parent = command->get_parent();
    std::fputs(command->help(parent == nullptr ? "" : FullName(parent)).c_str(), stdout);
    return kDone;
  } catch (const CLI::ParseError& error) {
    return Usage(root, error.what());
  }
  if (!context.action) {
    return Usage(root, argc < 2 ? "a command is missing"
                                : fmt::format("what of {} is missing", Named(root)->get_name()));
  }
  CryptoInit();
  return context.action();
}

}  // namespace

CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& what,
                     const std::string& examples) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->set_help_flag("-h,--help", "Print this help.");
  std::string footer = "Examples:\n";
  for (std::size_t at = 0; at < examples.size();) {
    const std::size_t end = std::min(examples.find('\n', at), examples.size());
    footer += "  " + examples.substr(at, end - at) + "\n";
    at = end + 1;
  }
  command->footer(footer);
  return command;
}

void AddTarget(CLI::App& command, Context& context) {
  context.target.data_folder = Environment("LATCHKEY_DATA").value_or("./latchkey-data");
  command
      .add_option_function<std::string>(
          "--data",
          [&context](const std::string& folder) {
            context.target.data_folder = folder;
            context.target.data_given = true;
          },
          "The data folder of the server (default: LATCHKEY_DATA, or ./latchkey-data).")
      ->type_name("DIR");
}

void AddClientOptions(CLI::App& command, Context& context) {
  AddTarget(command, context);
  command.add_flag("--json", context.json, "Print the server's JSON instead of text.");
}

void SetAction(CLI::App& command, Context& context, std::function<int()> action) {
  command.callback([&context, action = std::move(action)] { context.action = action; });
}

int WithApi(const Context& context, const std::function<Result<int>(const Api&)>& use) {
  const Result<Api> api = Api::Open(context.target);
  const Result<int> code = api.ok() ? use(*api) : Result<int>(api.error());
  if (code.ok()) return *code;
  PrintError(code.error());
  // What was given can't hold, and no server was needed to see it.
  return code.error().code == ErrorCode::kInvalid ? kUsage : kFailed;
}

int Run(int argc, const char* const* argv) {
  try {
    return RunChecked(argc, argv);
  } catch (const std::exception& error) {
    PrintError(fmt::format("it can't go on: {}", error.what()));
    return kFailed;
  }
}

}  // namespace latchkey::cli
