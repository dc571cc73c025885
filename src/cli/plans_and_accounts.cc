// latchkey plan … and latchkey account …: the operator's own.
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/encoding.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/resources.h"
#include "cli/token_text.h"

namespace latchkey::cli {
namespace {

const std::vector<Column>& PlanColumns() {
  static const std::vector<Column> columns = {{"name", "name"},
                                              {"title", "title"},
                                              {"monthly core credits", "monthly_core_credits"},
                                              {"pay as you go", "pay_as_you_go"},
                                              {"premium data", "premium_data"},
                                              {"max tokens", "max_tokens"},
                                              {"max datasets", "max_datasets"},
                                              {"max storage bytes", "max_storage_bytes"},
                                              {"max jobs", "max_jobs"},
                                              {"id", "id"}};
  return columns;
}

const std::vector<Column>& AccountColumns() {
  static const std::vector<Column> columns = {{"workspace", "workspace"}, {"title", "title"},
                                              {"plan", "plan"},           {"state", "state"},
                                              {"created", "created_at"},  {"id", "id"}};
  return columns;
}

// What `plan create` and `plan update` set; what was not named stays as it is.
struct PlanFlags {
  std::string name;
  std::optional<std::string> title;
  std::optional<std::uint64_t> monthly_core_credits;
  std::optional<bool> pay_as_you_go;
  std::optional<bool> premium_data;
  // "max-tokens" and so on: what an account may have, and whether the limit goes.
  struct Limit {
    const char* flag;
    const char* member;
    const char* what;
    std::optional<std::uint64_t> most = std::nullopt;
    bool none = false;
  };
  std::array<Limit, 4> limits = {{
      {"max-tokens", "max_tokens", "tokens"},
      {"max-datasets", "max_datasets", "datasets in its workspace"},
      {"max-storage-bytes", "max_storage_bytes", "bytes of records in its workspace"},
      {"max-jobs", "max_jobs", "uploads at once"},
  }};

  void AddTo(CLI::App& command) {
    command.add_option("name", name, "The plan's name: 2 to 63 of a-z, 0-9 and dash.")
        ->required()
        ->type_name("NAME");
    command.add_option("--title", title, "How people call it.")->type_name("TEXT");
    command
        .add_option("--monthly-core-credits", monthly_core_credits,
                    "Core credits that an account has each month.")
        ->type_name("N");
    command.add_option("--pay-as-you-go", pay_as_you_go, "May go past them: true or false.")
        ->type_name("BOOL");
    command.add_option("--premium-data", premium_data, "May read premium data: true or false.")
        ->type_name("BOOL");
    for (Limit& limit : limits) {
      const std::string what = limit.what;
      CLI::Option* most = command.add_option(std::string("--") + limit.flag, limit.most,
                                             "At most so many " + what + ".");
      most->type_name("N");
      command
          .add_flag(std::string("--no-") + limit.flag, limit.none, "Any number of " + what + ".")
          ->excludes(most);
    }
  }

  void AddTo(JsonBody& body) const {
    if (title) body.Text("title", *title);
    if (monthly_core_credits) body.Number("monthly_core_credits", *monthly_core_credits);
    if (pay_as_you_go) body.Flag("pay_as_you_go", *pay_as_you_go);
    if (premium_data) body.Flag("premium_data", *premium_data);
    for (const Limit& limit : limits) {
      if (limit.most) body.Number(limit.member, *limit.most);
      if (limit.none) body.Null(limit.member);
    }
  }
};

Result<int> ShowReply(Result<http::ClientResponse> response, const std::vector<Column>& columns,
                      bool as_json) {
  if (!response.ok()) return std::move(response).error();
  return PrintObject(response->body, columns, as_json);
}

std::string PlanPath(const std::string& name) {
  return "/operator/v1/plans/" + PercentEncode(name);
}
std::string AccountPath(const std::string& name) {
  return "/operator/v1/accounts/" + PercentEncode(name);
}

Result<int> CreateAccount(const Api& api, const Context& context, const JsonBody& body) {
  const Result<http::ClientResponse> made =
      api.Call("POST", "/operator/v1/accounts", body.Finish());
  if (!made.ok()) return made.error();
  if (context.json) {
    PrintJson(made->body);
    return kDone;
  }
  Result<int> shown = PrintObject(made->body, AccountColumns(), false);
  if (!shown.ok()) return shown;
  const Result<std::vector<std::string>> tokens = Elements(made->body, "tokens");
  if (!tokens.ok()) return tokens.error();
  for (const std::string& token : *tokens) {
    PrintLine("");
    const Result<int> printed = PrintNewToken(token);
    if (!printed.ok()) return printed;
  }
  return kDone;
}

}  // namespace

void AddPlans(CLI::App& root, Context& context) {
  CLI::App* plan = AddCommand(root, "plan", "What accounts may use: create, list, show, update.",
                              "latchkey plan create free --monthly-core-credits 100000\n"
                              "latchkey plan list");
  {
    CLI::App* command = AddCommand(
        *plan, "create", "Make a plan.",
        "latchkey plan create free --monthly-core-credits 100000 --max-tokens 10\n"
        "latchkey plan create business --title Business --monthly-core-credits 5000000 \\\n"
        "    --pay-as-you-go true --premium-data true");
    AddClientOptions(*command, context);
    auto flags = std::make_shared<PlanFlags>();
    flags->AddTo(*command);
    SetAction(*command, context, [&context, flags] {
      JsonBody body;
      body.Text("name", flags->name);
      flags->AddTo(body);
      return WithApi(context, [&](const Api& api) {
        return ShowReply(api.Call("POST", "/operator/v1/plans", body.Finish()), PlanColumns(),
                         context.json);
      });
    });
  }
  {
    CLI::App* command = AddCommand(*plan, "list", "List all plans.", "latchkey plan list --json");
    AddClientOptions(*command, context);
    SetAction(*command, context, [&context] {
      return WithApi(context, [&](const Api& api) -> Result<int> {
        const auto items = api.List("/operator/v1/plans", "");
        if (!items.ok()) return items.error();
        return PrintList(*items, PlanColumns(), context.json);
      });
    });
  }
  {
    CLI::App* command = AddCommand(*plan, "show", "Show one plan.", "latchkey plan show free");
    AddClientOptions(*command, context);
    auto name = std::make_shared<std::string>();
    command->add_option("name", *name, "The plan's name or id.")->required()->type_name("NAME");
    SetAction(*command, context, [&context, name] {
      return WithApi(context, [&](const Api& api) {
        return ShowReply(api.Call("GET", PlanPath(*name)), PlanColumns(), context.json);
      });
    });
  }
  {
    CLI::App* command =
        AddCommand(*plan, "update", "Change a plan; in force at once for all its accounts.",
                   "latchkey plan update free --monthly-core-credits 200000\n"
                   "latchkey plan update free --premium-data false --no-max-tokens\n"
                   "latchkey plan update free --max-datasets 5 --max-storage-bytes 1000000000");
    AddClientOptions(*command, context);
    auto flags = std::make_shared<PlanFlags>();
    flags->AddTo(*command);
    SetAction(*command, context, [&context, flags] {
      JsonBody body;
      flags->AddTo(body);
      return WithApi(context, [&](const Api& api) {
        return ShowReply(api.PatchStanding(PlanPath(flags->name), body.Finish()), PlanColumns(),
                         context.json);
      });
    });
  }
}

void AddAccounts(CLI::App& root, Context& context) {
  CLI::App* account =
      AddCommand(root, "account", "Who uses the data: create, list, show, update, suspend, resume.",
                 "latchkey account create acme --plan free\n"
                 "latchkey account suspend acme");
  {
    CLI::App* command = AddCommand(
        *account, "create", "Make an account, with one secret and one publishable token.",
        "latchkey account create acme --plan free\n"
        "latchkey account create acme --plan business --title \"Acme Corp.\" --json");
    AddClientOptions(*command, context);
    struct Flags {
      std::string workspace;
      std::string plan;
      std::optional<std::string> title;
    };
    auto flags = std::make_shared<Flags>();
    command
        ->add_option("workspace", flags->workspace,
                     "Its name in data URLs, for good: 2 to 63 of a-z, 0-9 and dash.")
        ->required()
        ->type_name("WORKSPACE");
    command->add_option("--plan", flags->plan, "The plan's name.")->required()->type_name("NAME");
    command->add_option("--title", flags->title, "How people call it.")->type_name("TEXT");
    SetAction(*command, context, [&context, flags] {
      JsonBody body;
      body.Text("workspace", flags->workspace);
      body.Text("plan", flags->plan);
      if (flags->title) body.Text("title", *flags->title);
      return WithApi(context, [&](const Api& api) { return CreateAccount(api, context, body); });
    });
  }
  {
    CLI::App* command = AddCommand(*account, "list", "List accounts.",
                                   "latchkey account list\nlatchkey account list --search acme");
    AddClientOptions(*command, context);
    auto search = std::make_shared<std::string>();
    command->add_option("--search", *search, "A part of the workspace or title.")
        ->type_name("TEXT");
    SetAction(*command, context, [&context, search] {
      return WithApi(context, [&](const Api& api) -> Result<int> {
        const auto items = api.List("/operator/v1/accounts", *search);
        if (!items.ok()) return items.error();
        return PrintList(*items, AccountColumns(), context.json);
      });
    });
  }
  const auto by_name = [&](const char* name, const char* what, const char* method,
                           const char* verb) {
    CLI::App* command =
        AddCommand(*account, name, what, std::string("latchkey account ") + name + " acme");
    AddClientOptions(*command, context);
    auto workspace = std::make_shared<std::string>();
    command->add_option("workspace", *workspace, "The account's workspace or id.")
        ->required()
        ->type_name("WORKSPACE");
    SetAction(*command, context, [&context, workspace, method, verb] {
      return WithApi(context, [&](const Api& api) {
        return ShowReply(api.Call(method, AccountPath(*workspace) + verb), AccountColumns(),
                         context.json);
      });
    });
  };
  by_name("show", "Show one account.", "GET", "");
  by_name("suspend", "Refuse every token of an account, from the next request on.", "POST",
          ":suspend");
  by_name("resume", "End a suspension.", "POST", ":resume");
  {
    CLI::App* command = AddCommand(*account, "update", "Change an account's plan or title.",
                                   "latchkey account update acme --plan business");
    AddClientOptions(*command, context);
    struct Flags {
      std::string workspace;
      std::optional<std::string> plan;
      std::optional<std::string> title;
    };
    auto flags = std::make_shared<Flags>();
    command->add_option("workspace", flags->workspace, "The account's workspace or id.")
        ->required()
        ->type_name("WORKSPACE");
    command->add_option("--plan", flags->plan, "Its new plan.")->type_name("NAME");
    command->add_option("--title", flags->title, "How people call it.")->type_name("TEXT");
    SetAction(*command, context, [&context, flags] {
      JsonBody body;
      if (flags->plan) body.Text("plan", *flags->plan);
      if (flags->title) body.Text("title", *flags->title);
      return WithApi(context, [&](const Api& api) {
        return ShowReply(api.PatchStanding(AccountPath(flags->workspace), body.Finish()),
                         AccountColumns(), context.json);
      });
    });
  }
}

}  // namespace latchkey::cli
