// latchkey token …: by the operator, or with a secret token by its account.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/encoding.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/resources.h"
#include "cli/token_text.h"

namespace latchkey::cli {
namespace {

const std::vector<Column>& ListColumns() {
  static const std::vector<Column> columns = {{"id", "id"},
                                              {"kind", "kind"},
                                              {"environment", "environment"},
                                              {"token", "token"},
                                              {"nickname", "nickname"},
                                              {"enabled", "enabled"},
                                              {"created", "created_at"}};
  return columns;
}

const std::vector<Column>& AllColumns() {
  static const std::vector<Column> columns = {{"id", "id"},
                                              {"kind", "kind"},
                                              {"environment", "environment"},
                                              {"token", "token"},
                                              {"nickname", "nickname"},
                                              {"labels", "labels"},
                                              {"end user", "end_user"},
                                              {"enabled", "enabled"},
                                              {"core data access", "core_data_access"},
                                              {"created", "created_at"},
                                              {"created by", "created_by"},
                                              {"expires", "expires_at"}};
  return columns;
}

struct TokenFlags {
  std::string account;
  std::string id;
  std::string kind;
  std::string environment;
  std::optional<std::string> nickname;
  std::vector<std::string> labels;
  std::optional<std::string> end_user;
  std::optional<std::string> expires;
  std::optional<bool> enabled;
  std::optional<bool> core_data_access;

  void AddAccount(CLI::App& command) {
    command
        .add_option("--account", account,
                    "The account's workspace or id; not needed with a secret token in "
                    "LATCHKEY_TOKEN.")
        ->type_name("WORKSPACE");
  }
  void AddId(CLI::App& command) {
    command.add_option("id", id, "The token's id, tok_…")->required()->type_name("ID");
  }
  void AddSettings(CLI::App& command) {
    command.add_option("--nickname", nickname, "What it is for.")->type_name("TEXT");
    command
        .add_option("--label", labels, "A label; may be given up to 8 times; NAME= takes one away.")
        ->type_name("NAME=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_option("--end-user", end_user, "Your own id of whom it serves; \"\": nobody.")
        ->type_name("TEXT");
    command
        .add_option("--expires", expires,
                    "When it ends, e.g. 2030-01-31T12:00:00Z; never: not at all.")
        ->type_name("TIME");
    command.add_option("--enabled", enabled, "true or false.")->type_name("BOOL");
    command
        .add_option("--core-data-access", core_data_access,
                    "May read core data (publishable tokens): true or false.")
        ->type_name("BOOL");
  }

  // kInvalid for a label without '='.
  Status AddTo(JsonBody& body) const {
    if (nickname) body.Text("nickname", *nickname);
    if (!labels.empty()) {
      std::vector<std::pair<std::string, std::string>> pairs;
      for (const std::string& label : labels) {
        const std::size_t at = label.find('=');
        if (at == std::string::npos || at == 0) {
          return MakeError(ErrorCode::kInvalid,
                           fmt::format("--label {}: right would be NAME=VALUE", label));
        }
        pairs.emplace_back(label.substr(0, at), label.substr(at + 1));
      }
      body.Labels("labels", pairs);
    }
    if (end_user) body.Text("end_user", *end_user);
    if (expires && *expires == "never") {
      body.Null("expires_at");
    } else if (expires) {
      body.Text("expires_at", *expires);
    }
    if (enabled) body.Flag("enabled", *enabled);
    if (core_data_access) body.Flag("core_data_access", *core_data_access);
    return {};
  }
};

Result<std::string> TokenPath(const Api& api, const TokenFlags& flags) {
  Result<std::string> path = api.TokensPath(flags.account);
  if (!path.ok()) return path;
  return *path + "/" + PercentEncode(flags.id);
}

Result<int> Create(const Api& api, const TokenFlags& flags, bool as_json) {
  const Result<std::string> path = api.TokensPath(flags.account);
  if (!path.ok()) return path.error();
  JsonBody body;
  body.Text("kind", flags.kind);
  if (!flags.environment.empty()) body.Text("environment", flags.environment);
  if (Status added = flags.AddTo(body); !added.ok()) return added.error();
  const Result<http::ClientResponse> made = api.Call("POST", *path, body.Finish());
  if (!made.ok()) return made.error();
  if (as_json) {
    PrintJson(made->body);
    return kDone;
  }
  return PrintNewToken(made->body);
}

Result<int> Update(const Api& api, const TokenFlags& flags, bool as_json) {
  const Result<std::string> path = TokenPath(api, flags);
  if (!path.ok()) return path.error();
  JsonBody body;
  if (Status added = flags.AddTo(body); !added.ok()) return added.error();
  const Result<http::ClientResponse> standing = api.Call("GET", *path);
  if (!standing.ok()) return standing.error();
  // What changed since the GET is not overwritten.
  const Result<http::ClientResponse> changed =
      api.Call("PATCH", *path, body.Finish(), std::string(standing->Header("ETag")));
  if (!changed.ok()) return changed.error();
  return PrintObject(changed->body, AllColumns(), as_json);
}

}  // namespace

Result<int> PrintNewToken(const std::string& token) {
  const Result<std::string> kind = Member(token, "kind");
  const Result<std::string> environment = Member(token, "environment");
  const Result<std::string> id = Member(token, "id");
  const Result<std::string> text = Member(token, "token");
  for (const Result<std::string>* member : {&kind, &environment, &id, &text}) {
    if (!member->ok()) return member->error();
  }
  PrintLine(fmt::format("{} token {} ({}):", *kind, *id, *environment));
  PrintLine(fmt::format("    {}", *text));
  PrintLine(
      *kind == "secret"
          ? "  This is the only time that it is shown. It may do whatever the account may do: "
            "keep it on your servers."
          : "  It identifies the account and may stand in a web page or an app.");
  return kDone;
}

void AddTokens(CLI::App& root, Context& context) {
  CLI::App* token = AddCommand(
      root, "token", "Create, list, get, update, disable, enable, delete.",
      "latchkey token create --account acme --kind publishable --nickname \"web shop\"\n"
      "latchkey token list --account acme\n"
      "LATCHKEY_URL=https://data.example.com:8444 LATCHKEY_TOKEN=\"$SECRET\" latchkey token list");
  {
    CLI::App* command = AddCommand(
        *token, "create", "Make a token.",
        "latchkey token create --account acme --kind publishable --nickname \"web shop\"\n"
        "latchkey token create --account acme --kind secret --environment test \\\n"
        "    --label project=billing --expires 2030-01-31T12:00:00Z");
    AddClientOptions(*command, context);
    auto flags = std::make_shared<TokenFlags>();
    flags->AddAccount(*command);
    command->add_option("--kind", flags->kind, "publishable or secret.")
        ->required()
        ->type_name("KIND");
    command->add_option("--environment", flags->environment, "live (the default) or test.")
        ->type_name("ENV");
    flags->AddSettings(*command);
    SetAction(*command, context, [&context, flags] {
      return WithApi(context, [&](const Api& api) { return Create(api, *flags, context.json); });
    });
  }
  {
    CLI::App* command = AddCommand(
        *token, "list", "List an account's tokens, oldest first.",
        "latchkey token list --account acme\nlatchkey token list --account acme --search shop");
    AddClientOptions(*command, context);
    auto flags = std::make_shared<TokenFlags>();
    auto search = std::make_shared<std::string>();
    flags->AddAccount(*command);
    command
        ->add_option("--search", *search,
                     "A part of the nickname, end user, a label or the shown text.")
        ->type_name("TEXT");
    SetAction(*command, context, [&context, flags, search] {
      return WithApi(context, [&](const Api& api) -> Result<int> {
        const Result<std::string> path = api.TokensPath(flags->account);
        if (!path.ok()) return path.error();
        const auto items = api.List(*path, *search);
        if (!items.ok()) return items.error();
        return PrintList(*items, ListColumns(), context.json);
      });
    });
  }
  {
    CLI::App* command = AddCommand(
        *token, "update", "Change a token's settings; in force at the next request.",
        "latchkey token update tok_… --account acme --nickname \"old shop\" --label project=\n"
        "latchkey token update tok_… --account acme --expires never");
    AddClientOptions(*command, context);
    auto flags = std::make_shared<TokenFlags>();
    flags->AddId(*command);
    flags->AddAccount(*command);
    flags->AddSettings(*command);
    SetAction(*command, context, [&context, flags] {
      return WithApi(context, [&](const Api& api) { return Update(api, *flags, context.json); });
    });
  }
  const auto by_id = [&](const char* name, const char* alias, const char* what, const char* method,
                         const char* verb) {
    CLI::App* command = AddCommand(*token, name, what,
                                   std::string("latchkey token ") + name + " tok_… --account acme");
    if (*alias != '\0') command->alias(alias);
    AddClientOptions(*command, context);
    auto flags = std::make_shared<TokenFlags>();
    flags->AddId(*command);
    flags->AddAccount(*command);
    SetAction(*command, context, [&context, flags, method, verb] {
      return WithApi(context, [&](const Api& api) -> Result<int> {
        const Result<std::string> path = TokenPath(api, *flags);
        if (!path.ok()) return path.error();
        const Result<http::ClientResponse> response = api.Call(method, *path + verb);
        if (!response.ok()) return response.error();
        if (response->body.empty()) {
          if (!context.json) PrintLine(fmt::format("{} is gone", flags->id));
          return kDone;
        }
        return PrintObject(response->body, AllColumns(), context.json);
      });
    });
  };
  by_id("get", "show", "Show one token.", "GET", "");
  by_id("disable", "", "Refuse a token from the next request on.", "POST", ":disable");
  by_id("enable", "", "Take a disabled token again.", "POST", ":enable");
  by_id("delete", "remove", "Remove a token for good, from the next request on.", "DELETE", "");
}

}  // namespace latchkey::cli
