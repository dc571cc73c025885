// latchkey serve and latchkey config: the configuration put together from file, environment and
// flags.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/app.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/print.h"
#include "env/config.h"

namespace latchkey::cli {
namespace {

std::string Trimmed(std::string text) {
  if (text.size() > 1 && text.front() == '"' && text.back() == '"') {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

// A flag for each setting that has one.
void AddSettingFlags(CLI::App& command, ConfigSources& sources) {
  for (const SettingInfo& setting : Settings()) {
    if (setting.flag.empty()) continue;
    const std::string name(setting.flag);
    std::string help(setting.what);
    const std::string standing = Trimmed(setting.default_text);
    if (!standing.empty() && standing != "\"\"") help += fmt::format(" [{}]", standing);
    command
        .add_option_function<std::string>(
            "--" + name,
            [&sources, name](const std::string& value) { sources.flags.emplace_back(name, value); },
            help)
        ->type_name(std::string(setting.takes.substr(0, setting.takes.find(','))));
  }
  command.add_option("--config", sources.file, "The configuration file (TOML).")
      ->type_name("FILE")
      ->default_str("");
}

int CheckConfig(const std::string& file) {
  const Result<Config> config = LoadConfig(file);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.error().public_text.c_str());
    return kUsage;
  }
  PrintLine(fmt::format("{} is right", file));
  return kDone;
}

void Explain() {
  PrintLine(
      "Every setting, as it stands in the file when it is not named. * marks what SIGHUP takes "
      "over.");
  for (const SettingInfo& setting : Settings()) {
    PrintLine("");
    PrintLine(fmt::format("{}{}{}", setting.key, setting.reloadable ? " *" : "",
                          setting.default_text.empty() ? "" : " = " + setting.default_text));
    PrintLine(fmt::format("    {}", setting.what));
    PrintLine(fmt::format("    Takes {}.", setting.takes));
    if (!setting.flag.empty()) {
      PrintLine(fmt::format("    Also --{} and {}.", setting.flag, VariableOf(setting.flag)));
    }
  }
}

}  // namespace

Result<Config> GatherConfig(const ConfigSources& sources) {
  Config config;
  std::string file = sources.file;
  if (file.empty()) file = Environment("LATCHKEY_CONFIG").value_or("");
  if (!file.empty()) {
    Result<Config> loaded = LoadConfig(file);
    if (!loaded.ok()) return loaded;
    config = std::move(*loaded);
  }
  if (Status applied = ApplyEnvironment(config, Environment); !applied.ok()) {
    return applied.error();
  }
  for (const auto& [name, value] : sources.flags) {
    if (Status applied = ApplyFlag(config, name, value, "--" + name); !applied.ok()) {
      return applied.error();
    }
  }
  return config;
}

void AddServe(CLI::App& root, Context& context) {
  CLI::App* command =
      AddCommand(root, "serve", "Serve, until SIGTERM or SIGINT.",
                 "latchkey serve --demo\n"
                 "latchkey serve --config /etc/latchkey/latchkey.toml\n"
                 "latchkey serve --data /var/lib/latchkey --https-port 443 --http-port 8080");
  struct Flags {
    ConfigSources sources;
    bool demo = false;
    std::string ready_file;
  };
  auto flags = std::make_shared<Flags>();
  AddSettingFlags(*command, flags->sources);
  command->add_flag("--demo", flags->demo,
                    "Fill an empty data folder with real sample data and an account, and bind "
                    "loopback.");
  command
      ->add_option("--ready-file", flags->ready_file,
                   "Write this file when every listener accepts: JSON with URLs and process id.")
      ->type_name("FILE");
  SetAction(*command, context, [flags] {
    app::ServeOptions options;
    options.load_config = [flags] { return GatherConfig(flags->sources); };
    const std::string demo = Environment("LATCHKEY_DEMO").value_or("");
    options.demo = flags->demo || demo == "1" || demo == "true";
    options.ready_file = flags->ready_file.empty() ? Environment("LATCHKEY_READY_FILE").value_or("")
                                                   : flags->ready_file;
    return app::Serve(options);
  });
}

void AddConfig(CLI::App& root, Context& context) {
  CLI::App* config = AddCommand(root, "config", "Look at a configuration file.",
                                "latchkey config check latchkey.toml");
  CLI::App* check = AddCommand(*config, "check",
                               "Check a file whole without starting; every mistake with its line.",
                               "latchkey config check /etc/latchkey/latchkey.toml\n"
                               "latchkey config check --explain");
  struct Flags {
    std::string file;
    bool explain = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::Option* file =
      check->add_option("file,--config", flags->file, "The file; else LATCHKEY_CONFIG.");
  file->type_name("FILE");
  check->add_flag("--explain", flags->explain, "List every setting instead.")->excludes(file);
  SetAction(*check, context, [flags] {
    if (flags->explain) {
      Explain();
      return kDone;
    }
    if (flags->file.empty()) flags->file = Environment("LATCHKEY_CONFIG").value_or("");
    if (flags->file.empty()) {
      PrintError("which file? `latchkey config check FILE`");
      return kUsage;
    }
    return CheckConfig(flags->file);
  });
}

}  // namespace latchkey::cli
