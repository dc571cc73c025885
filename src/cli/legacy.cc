// latchkey legacy …: which datasets the old forms stand over.
#include <memory>
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

namespace latchkey::cli {
namespace {

const std::vector<Column>& MapColumns() {
  static const std::vector<Column> columns = {
      {"form", "kind"}, {"dataset", "dataset"}, {"renamed", "renames"}, {"updated", "updated_at"}};
  return columns;
}

std::string MapPath(const std::string& form) {
  return "/operator/v1/legacy-maps/" + PercentEncode(form);
}

// "latestPrice=price": the name in answers, and the field.
Result<std::vector<std::pair<std::string, std::string>>> ParseRenames(
    const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> renames;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      return MakeError(ErrorCode::kInvalid,
                       fmt::format("--rename {}: right would be NAME=FIELD, such as "
                                   "latestPrice=price",
                                   text));
    }
    renames.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return renames;
}

void AddForm(CLI::App& command, std::string& form) {
  command.add_option("form", form, "The old form: quote or chart.")->required()->type_name("FORM");
}

void AddMap(CLI::App& legacy, Context& context) {
  CLI::App* command = AddCommand(
      legacy, "map", "Answer an old form from a core dataset; replaces what it was answered from.",
      "latchkey legacy map chart core/STOCKS\n"
      "latchkey legacy map quote core/STOCKS --rename latestPrice=price --rename "
      "lastTradeDate=date");
  AddClientOptions(*command, context);
  struct Flags {
    std::string form;
    std::string dataset;
    std::vector<std::string> renames;
  };
  auto flags = std::make_shared<Flags>();
  AddForm(*command, flags->form);
  command->add_option("dataset", flags->dataset, "The dataset; its key is the symbol.")
      ->required()
      ->type_name("core/NAME");
  command
      ->add_option("--rename", flags->renames,
                   "The name that old clients read, and the field that stands for it. Others keep "
                   "their names.")
      ->type_name("NAME=FIELD");
  SetAction(*command, context, [&context, flags] {
    return WithApi(context, [&](const Api& api) -> Result<int> {
      const auto renames = ParseRenames(flags->renames);
      if (!renames.ok()) return renames.error();
      JsonBody body;
      body.Text("dataset", flags->dataset);
      if (!renames->empty()) body.Labels("renames", *renames);
      const auto put = api.Call("PUT", MapPath(flags->form), body.Finish());
      if (!put.ok()) return put.error();
      return PrintObject(put->body, MapColumns(), context.json);
    });
  });
}

}  // namespace

void AddLegacy(CLI::App& root, Context& context) {
  CLI::App* legacy = AddCommand(
      root, "legacy",
      "The old forms /stable/stock/SYMBOL/quote, …/chart/RANGE and batch: map, list, unmap.",
      "latchkey legacy map quote core/STOCKS --rename latestPrice=price\n"
      "latchkey legacy list");
  AddMap(*legacy, context);
  {
    CLI::App* command = AddCommand(*legacy, "list", "List the forms that are mapped.",
                                   "latchkey legacy list --json");
    AddClientOptions(*command, context);
    SetAction(*command, context, [&context] {
      return WithApi(context, [&](const Api& api) -> Result<int> {
        const auto items = api.List("/operator/v1/legacy-maps", "");
        if (!items.ok()) return items.error();
        return PrintList(*items, MapColumns(), context.json);
      });
    });
  }
  {
    CLI::App* command =
        AddCommand(*legacy, "unmap", "Answer an old form no more.", "latchkey legacy unmap chart");
    AddClientOptions(*command, context);
    auto form = std::make_shared<std::string>();
    AddForm(*command, *form);
    SetAction(*command, context, [&context, form] {
      return WithApi(context, [&](const Api& api) -> Result<int> {
        const auto done = api.Call("DELETE", MapPath(*form));
        if (!done.ok()) return done.error();
        if (!context.json) PrintLine(fmt::format("{} is mapped to nothing", *form));
        return kDone;
      });
    });
  }
}

}  // namespace latchkey::cli
