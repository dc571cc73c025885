// latchkey backup, restore, doctor and master-key: a data folder as a whole, with a server on it or
// without.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "app/doctor.h"
#include "app/maintenance.h"
#include "base/encoding.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/print.h"
#include "cli/resources.h"
#include "env/clock.h"
#include "env/data_folder.h"
#include "env/entropy.h"

namespace latchkey::cli {
namespace {

// What a command on a folder needs of the process.
struct Machine {
  SystemClock clock;
  SystemEntropy entropy;
  Log log{clock, LogLevel::kWarning, LogFormat::kAuto};
};

bool ServerRuns(const std::string& data_folder) {
  if (::access(data_folder.c_str(), F_OK) != 0) return false;
  const Result<DataFolder> folder = DataFolder::Open(data_folder);
  return folder.ok() && folder->LockedByAnother();
}

// The configuration with the folder that the command names.
std::optional<Config> ConfigFor(const Context& context, const ConfigSources& sources) {
  Result<Config> config = GatherConfig(sources);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.error().public_text.c_str());
    return std::nullopt;
  }
  if (context.target.data_given) config->data_folder = context.target.data_folder;
  return std::move(*config);
}

void AddConfigFlag(CLI::App& command, ConfigSources& sources) {
  command.add_option("--config", sources.file, "The server's configuration file.")
      ->type_name("FILE");
}

int BackUp(const Context& context, const ConfigSources& sources, const std::string& file) {
  if (::access(file.c_str(), F_OK) == 0) {
    PrintError(fmt::format("{} stands already; a backup overwrites nothing", file));
    return kFailed;
  }
  const std::optional<Config> config = ConfigFor(context, sources);
  if (!config) return kUsage;
  if (!ServerRuns(config->data_folder)) {
    Machine machine;
    const Status done = app::BackUpFolder(config->data_folder, file, machine.clock);
    if (!done.ok()) {
      PrintError(done.error());
      return kFailed;
    }
    PrintLine(fmt::format("{} holds both databases; the master key is not in it", file));
    return kDone;
  }
  Target target = context.target;
  target.data_folder = config->data_folder;
  target.data_given = true;
  const Result<Api> api = Api::Open(target);
  if (!api.ok()) {
    PrintError(api.error());
    return kFailed;
  }
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/operator/v1/backup";
  request.answer_file = file;
  const Result<http::ClientResponse> done = api->Send(std::move(request));
  if (!done.ok()) {
    PrintError(done.error());
    return kFailed;
  }
  PrintLine(fmt::format("{} holds both databases at one cut; the master key is not in it", file));
  return kDone;
}

int Restore(const Context& context, const std::string& file, const std::string& removed_digests,
            bool accept) {
  const std::string& folder = context.target.data_folder;
  Machine machine;
  if (!file.empty()) {
    const Result<std::string> done =
        app::RestoreFolder(folder, file, removed_digests, machine.clock);
    if (!done.ok()) {
      PrintError(done.error());
      return kFailed;
    }
    std::fputs(done->c_str(), stdout);
  }
  if (!accept) {
    PrintLine(
        fmt::format("No server starts on it until you accept this: latchkey restore --accept "
                    "--data {}",
                    folder));
    return kDone;
  }
  const Status accepted = app::AcceptRestore(folder);
  if (!accepted.ok()) {
    PrintError(accepted.error());
    return kFailed;
  }
  PrintLine(fmt::format("accepted: servers start on {} again", folder));
  return kDone;
}

int Doctor(const Context& context, const ConfigSources& sources) {
  const std::optional<Config> config = ConfigFor(context, sources);
  if (!config) return kUsage;
  const SystemClock clock;
  bool bad = false;
  std::string items;
  for (const app::Finding& finding : app::Diagnose(*config, clock)) {
    bad = bad || finding.health == app::Health::kBad;
    const char* health = finding.health == app::Health::kGood      ? "good"
                         : finding.health == app::Health::kWarning ? "warning"
                                                                   : "bad";
    if (!context.json) {
      PrintLine(fmt::format("{:8} {}: {}", health, finding.what, finding.detail));
      continue;
    }
    JsonBody item;
    item.Text("health", health);
    item.Text("what", finding.what);
    item.Text("detail", finding.detail);
    items += (items.empty() ? "" : ",") + item.Finish();
  }
  if (context.json) PrintJson("{\"items\":[" + items + "]}");
  return bad ? kFailed : kDone;
}

int Rotate(const Context& context, const ConfigSources& sources) {
  const std::optional<Config> config = ConfigFor(context, sources);
  if (!config) return kUsage;
  if (!ServerRuns(config->data_folder)) {
    Machine machine;
    const Result<std::uint32_t> id =
        app::RotateMasterKey(*config, machine.clock, machine.entropy, machine.log);
    if (!id.ok()) {
      PrintError(id.error());
      return kFailed;
    }
    PrintLine(
        fmt::format("master key {} is in use; keep a copy of its file apart from backups", *id));
    return kDone;
  }
  Target target = context.target;
  target.data_folder = config->data_folder;
  target.data_given = true;
  const Result<Api> api = Api::Open(target);
  if (!api.ok()) {
    PrintError(api.error());
    return kFailed;
  }
  const Result<http::ClientResponse> done = api->Call("POST", "/operator/v1/master-key:rotate");
  if (!done.ok()) {
    PrintError(done.error());
    return kFailed;
  }
  if (context.json) {
    PrintJson(done->body);
    return kDone;
  }
  const Result<std::string> id = Member(done->body, "master_key_id");
  PrintLine(fmt::format("master key {} is in use; keep a copy of its file apart from backups",
                        id.ok() ? *id : ""));
  return kDone;
}

}  // namespace

void AddFolderCommands(CLI::App& root, Context& context) {
  {
    CLI::App* command = AddCommand(
        root, "backup", "Copy both databases at one cut into one file, never the master key.",
        "latchkey backup /var/backups/latchkey-$(date +%F).backup --data /var/lib/latchkey");
    AddTarget(*command, context);
    auto sources = std::make_shared<ConfigSources>();
    AddConfigFlag(*command, *sources);
    auto file = std::make_shared<std::string>();
    command->add_option("file", *file, "Where to; it must not stand yet.")
        ->required()
        ->type_name("FILE");
    SetAction(*command, context,
              [&context, sources, file] { return BackUp(context, *sources, *file); });
  }
  {
    CLI::App* command = AddCommand(
        root, "restore", "Bring a backup back into an empty data folder; then accept it.",
        "latchkey restore latchkey-2026-11-24.backup --data /var/lib/latchkey-new \\\n"
        "    --removed-digests /var/lib/latchkey/removed.digests\n"
        "latchkey restore --accept --data /var/lib/latchkey-new");
    AddTarget(*command, context);
    struct Flags {
      std::string file;
      std::string removed_digests;
      bool accept = false;
    };
    auto flags = std::make_shared<Flags>();
    command->add_option("file", flags->file, "The backup.")->type_name("FILE");
    command
        ->add_option("--removed-digests", flags->removed_digests,
                     "removed.digests of the folder that is being replaced: tokens removed since "
                     "the backup stay removed.")
        ->type_name("FILE");
    command->add_flag("--accept", flags->accept,
                      "Accept what the restore told: servers start on the folder again.");
    SetAction(*command, context, [&context, flags] {
      if (flags->file.empty() && !flags->accept) {
        PrintError("which backup? `latchkey restore FILE`");
        return kUsage;
      }
      return Restore(context, flags->file, flags->removed_digests, flags->accept);
    });
  }
  {
    CLI::App* command =
        AddCommand(root, "doctor",
                   "Look at clock, disk, permissions, certificates, master key and both databases.",
                   "latchkey doctor --data /var/lib/latchkey --config /etc/latchkey/latchkey.toml");
    AddClientOptions(*command, context);
    auto sources = std::make_shared<ConfigSources>();
    AddConfigFlag(*command, *sources);
    SetAction(*command, context, [&context, sources] { return Doctor(context, *sources); });
  }
  {
    CLI::App* key = AddCommand(root, "master-key", "The key that seals what secrets leave behind.",
                               "latchkey master-key rotate --data /var/lib/latchkey");
    CLI::App* command =
        AddCommand(*key, "rotate", "Make a new master key and seal everything under it.",
                   "latchkey master-key rotate --data /var/lib/latchkey");
    AddClientOptions(*command, context);
    auto sources = std::make_shared<ConfigSources>();
    AddConfigFlag(*command, *sources);
    SetAction(*command, context, [&context, sources] { return Rotate(context, *sources); });
  }
}

}  // namespace latchkey::cli
