// latchkey dataset …: the operator's.
#include "cli/datasets.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
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

struct ImportFlags {
  std::string file;
  std::string dataset;
  std::optional<std::string> title;
  std::optional<std::string> key;
  std::optional<std::string> subkey;
  std::optional<std::string> date;
  std::optional<std::string> fields;
  std::optional<std::uint32_t> weight;
  std::optional<bool> test;
  std::optional<std::uint64_t> max_errors;

  void AddTo(CLI::App& command) {
    command
        .add_option("file", file,
                    "A file of CSV (comma, tab or bar, its first line the names), JSON (one array "
                    "of objects) or JSON Lines, whatever its name.")
        ->required()
        ->type_name("FILE");
    command
        .add_option(
            "--dataset", dataset,
            "Where to: core/NAME, premium/NAME, or an account's WORKSPACE/NAME. What stands "
            "there is replaced whole.")
        ->required()
        ->type_name("WORKSPACE/NAME");
    command.add_option("--title", title, "How people call it.")->type_name("TEXT");
    command
        .add_option("--key", key,
                    "The field that names a record. A new dataset needs a key or a date; what is "
                    "not said of one that stands, of this and the rest, stays as it is.")
        ->type_name("FIELD");
    command.add_option("--subkey", subkey, "A second one.")->type_name("FIELD");
    command.add_option("--date", date, "The field with its date.")->type_name("FIELD");
    command
        .add_option("--fields", fields,
                    "The fields' types, name:type,…; absent: told from the file. Types: date, "
                    "number, integer, string, boolean, object, array, any.")
        ->type_name("LIST");
    command.add_option("--weight", weight, "Credits per record returned.")->type_name("N");
    command.add_option("--test", test, "Test tokens may read it: true or false.")
        ->type_name("BOOL");
    command
        .add_option(
            "--max-errors", max_errors,
            "So many bad lines are left out; one more, and nothing is imported (default 0).")
        ->type_name("N");
  }

  std::string Query() const {
    std::string query;
    const auto add = [&](std::string_view name, const std::string& value) {
      query += query.empty() ? '?' : '&';
      query.append(name).append("=").append(PercentEncode(value));
    };
    if (title) add("title", *title);
    if (key) add("key", *key);
    if (subkey) add("subkey", *subkey);
    if (date) add("date", *date);
    if (fields) add("fields", *fields);
    if (weight) add("weight", std::to_string(*weight));
    if (test) add("test", *test ? "true" : "false");
    if (max_errors) add("max_errors", std::to_string(*max_errors));
    return query;
  }
};

Result<int> Import(const Api& api, const ImportFlags& flags, bool as_json) {
  const Result<std::string> path = DatasetPath(flags.dataset);
  if (!path.ok()) return path.error();
  http::ClientRequest request;
  request.method = "POST";
  request.target = *path + ":import" + flags.Query();
  request.headers.emplace_back("Content-Type", "application/octet-stream");
  request.body_file = flags.file;
  Result<http::ClientResponse> done = [&] {
    Progress progress(flags.dataset);
    request.on_progress = [&](std::uint64_t sent, std::uint64_t total) {
      progress.Show(sent, total);
    };
    return api.Send(std::move(request));
  }();
  if (!done.ok()) return std::move(done).error();
  if (as_json) {
    PrintJson(done->body);
    return kDone;
  }
  Result<int> shown = PrintObject(done->body,
                                  {{"dataset", "dataset.name"},
                                   {"workspace", "dataset.workspace"},
                                   {"records", "imported"},
                                   {"lines replaced by later ones", "replaced"},
                                   {"lines left out", "rejected"},
                                   {"fields", "dataset.fields"}},
                                  false);
  if (!shown.ok()) return shown;
  const Result<std::vector<std::string>> rejected = Elements(done->body, "rejected_lines");
  if (!rejected.ok()) return rejected.error();
  for (const std::string& line : *rejected) {
    const Result<std::string> number = Member(line, "line");
    const Result<std::string> reason = Member(line, "reason");
    if (number.ok() && reason.ok()) PrintLine(fmt::format("  line {}: {}", *number, *reason));
  }
  return kDone;
}

const std::vector<Column>& DatasetColumns() {
  static const std::vector<Column> columns = {
      {"workspace", "workspace"}, {"name", "name"},     {"title", "title"},
      {"records", "records"},     {"key", "key"},       {"subkey", "subkey"},
      {"date", "date"},           {"weight", "weight"}, {"test", "test"},
      {"updated", "updated_at"}};
  return columns;
}

}  // namespace

Result<int> ShowDataset(const Result<http::ClientResponse>& response, bool as_json) {
  if (!response.ok()) return response.error();
  std::vector<Column> columns = DatasetColumns();
  columns.insert(columns.end(), {{"bytes", "bytes"}, {"source", "source"}, {"fields", "fields"}});
  return PrintObject(response->body, columns, as_json);
}

Result<std::string> DatasetPath(const std::string& name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == name.size() ||
      name.find('/', slash + 1) != std::string::npos) {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("\"{}\" is no dataset; right would be WORKSPACE/NAME, such as "
                                 "core/PRICES",
                                 name));
  }
  return "/operator/v1/datasets/" + PercentEncode(name.substr(0, slash)) + "/" +
         PercentEncode(name.substr(slash + 1));
}

void AddDatasets(CLI::App& root, Context& context) {
  CLI::App* dataset = AddCommand(
      root, "dataset", "The data: import, export, list, show, create, change, rename, remove.",
      "latchkey dataset import prices.csv --dataset core/PRICES --key symbol --date date\n"
      "latchkey dataset list");
  {
    CLI::App* command = AddCommand(
        *dataset, "import", "Import a file: all of it, or nothing.",
        "latchkey dataset import prices.csv --dataset core/PRICES --key symbol --date date\n"
        "latchkey dataset import prices.jsonl --dataset core/PRICES\n"
        "latchkey dataset import rates.tsv --dataset premium/RATES --key country --weight 10 \\\n"
        "    --fields country:string,rate:number --max-errors 5");
    AddClientOptions(*command, context);
    auto flags = std::make_shared<ImportFlags>();
    flags->AddTo(*command);
    SetAction(*command, context, [&context, flags] {
      return WithApi(context, [&](const Api& api) { return Import(api, *flags, context.json); });
    });
  }
  {
    CLI::App* command = AddCommand(*dataset, "list", "List all datasets.",
                                   "latchkey dataset list\nlatchkey dataset list --search core/");
    AddClientOptions(*command, context);
    auto search = std::make_shared<std::string>();
    command->add_option("--search", *search, "A part of workspace, name or title.")
        ->type_name("TEXT");
    SetAction(*command, context, [&context, search] {
      return WithApi(context, [&](const Api& api) -> Result<int> {
        const auto items = api.List("/operator/v1/datasets", *search);
        if (!items.ok()) return items.error();
        return PrintList(*items, DatasetColumns(), context.json);
      });
    });
  }
  const auto by_name = [&](const char* name, const char* what, const char* method) {
    CLI::App* command =
        AddCommand(*dataset, name, what, std::string("latchkey dataset ") + name + " core/PRICES");
    AddClientOptions(*command, context);
    auto full_name = std::make_shared<std::string>();
    command->add_option("dataset", *full_name, "The dataset.")
        ->required()
        ->type_name("WORKSPACE/NAME");
    SetAction(*command, context, [&context, full_name, method] {
      return WithApi(context, [&](const Api& api) -> Result<int> {
        const Result<std::string> path = DatasetPath(*full_name);
        if (!path.ok()) return path.error();
        const Result<http::ClientResponse> response = api.Call(method, *path);
        if (!response.ok()) return response.error();
        if (response->body.empty()) {
          if (!context.json) PrintLine(fmt::format("{} is gone", *full_name));
          return kDone;
        }
        return ShowDataset(response, context.json);
      });
    });
  };
  by_name("show", "Show one dataset and its fields.", "GET");
  AddDatasetDefinitions(*dataset, context);
  by_name("remove", "Remove a dataset and its records for good.", "DELETE");
}

}  // namespace latchkey::cli
