// latchkey dataset create, change, rename and export.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/encoding.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "cli/print.h"
#include "cli/resources.h"

namespace latchkey::cli {
namespace {

struct FieldText {
  std::string name;
  std::string type;
  bool required = false;
};

std::string FieldsJson(const std::vector<FieldText>& fields) {
  std::string json = "[";
  for (const FieldText& field : fields) {
    if (json.size() > 1) json.push_back(',');
    json += R"({"name":)";
    AppendJsonString(json, field.name);
    json += R"(,"type":)";
    AppendJsonString(json, field.type);
    json += field.required ? R"(,"required":true})" : R"(,"required":false})";
  }
  return json + "]";
}

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

// "symbol:string,price:number": the type stands behind the last colon.
Result<std::vector<FieldText>> ParseFields(const char* flag, const std::string& text) {
  std::vector<FieldText> fields;
  for (const std::string& part : SplitAtCommas(text)) {
    const std::size_t colon = part.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == part.size()) {
      return MakeError(ErrorCode::kInvalid,
                       fmt::format("{} {}: right would be name:type,name:type,… such as "
                                   "symbol:string,price:number",
                                   flag, text));
    }
    fields.push_back({part.substr(0, colon), part.substr(colon + 1)});
  }
  return fields;
}

FieldText* FindField(std::vector<FieldText>& fields, const std::string& name) {
  const auto found =
      std::ranges::find_if(fields, [&](const FieldText& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

Error NoSuchField(const char* flag, const std::string& name) {
  return MakeError(ErrorCode::kInvalid, fmt::format("{}: there is no field \"{}\"", flag, name));
}

// What `create` and `change` both set.
struct SettingFlags {
  std::optional<std::string> title;
  std::optional<std::string> source;
  std::optional<std::uint32_t> weight;
  std::optional<bool> test;

  void AddTo(CLI::App& command) {
    command.add_option("--title", title, "How people call it.")->type_name("TEXT");
    command.add_option("--source", source, "Where the data comes from.")->type_name("TEXT");
    command.add_option("--weight", weight, "Credits per record returned.")->type_name("N");
    command.add_option("--test", test, "Test tokens may read it: true or false.")
        ->type_name("BOOL");
  }
  void AddTo(JsonBody& body) const {
    if (title) body.Text("title", *title);
    if (source) body.Text("source", *source);
    if (weight) body.Number("weight", *weight);
    if (test) body.Flag("test", *test);
  }
};

void AddName(CLI::App& command, std::string& name) {
  command.add_option("dataset", name, "The dataset.")->required()->type_name("WORKSPACE/NAME");
}

// ---- create

struct CreateFlags {
  std::string dataset;
  std::string fields;
  std::string required;
  std::string key;
  std::string subkey;
  std::string date;
  SettingFlags settings;
};

Result<std::string> CreationBody(const CreateFlags& flags) {
  Result<std::vector<FieldText>> fields = ParseFields("--fields", flags.fields);
  if (!fields.ok()) return fields.error();
  if (!flags.required.empty()) {
    for (const std::string& name : SplitAtCommas(flags.required)) {
      FieldText* field = FindField(*fields, name);
      if (field == nullptr) return NoSuchField("--required", name);
      field->required = true;
    }
  }
  const std::size_t slash = flags.dataset.find('/');
  JsonBody body;
  body.Text("workspace", flags.dataset.substr(0, slash));
  body.Text("name", flags.dataset.substr(slash + 1));
  body.Json("fields", FieldsJson(*fields));
  if (!flags.key.empty()) body.Text("key", flags.key);
  if (!flags.subkey.empty()) body.Text("subkey", flags.subkey);
  if (!flags.date.empty()) body.Text("date", flags.date);
  flags.settings.AddTo(body);
  return body.Finish();
}

void AddCreate(CLI::App& dataset, Context& context) {
  CLI::App* command = AddCommand(
      dataset, "create", "Make a dataset without records.",
      "latchkey dataset create core/PRICES --fields symbol:string,day:date,close:number \\\n"
      "    --required symbol,day --key symbol --date day --title \"Daily prices\"\n"
      "latchkey dataset create premium/RATES --fields country:string,rate:number \\\n"
      "    --key country --weight 10");
  AddClientOptions(*command, context);
  auto flags = std::make_shared<CreateFlags>();
  AddName(*command, flags->dataset);
  command
      ->add_option("--fields", flags->fields,
                   "Its fields, name:type,… Types: date, number, integer, string, boolean, object, "
                   "array, any.")
      ->required()
      ->type_name("LIST");
  command->add_option("--required", flags->required, "Fields that every record must have.")
      ->type_name("LIST");
  command
      ->add_option("--key", flags->key,
                   "The field that names a record. A dataset needs a key or a date, or both.")
      ->type_name("FIELD");
  command->add_option("--subkey", flags->subkey, "A second one.")->type_name("FIELD");
  command->add_option("--date", flags->date, "The field with its date.")->type_name("FIELD");
  flags->settings.AddTo(*command);
  SetAction(*command, context, [&context, flags] {
    return WithApi(context, [&](const Api& api) -> Result<int> {
      if (const auto path = DatasetPath(flags->dataset); !path.ok()) return path.error();
      const Result<std::string> body = CreationBody(*flags);
      if (!body.ok()) return body.error();
      return ShowDataset(api.Call("POST", "/operator/v1/datasets", *body), context.json);
    });
  });
}

// ---- change

struct ChangeFlags {
  std::string dataset;
  std::string add_fields;
  std::string types;
  SettingFlags settings;
};

// The fields as they stand, with what the flags change.
Result<std::string> ChangedFields(const ChangeFlags& flags, const std::string& standing) {
  const Result<std::vector<std::string>> texts = Elements(standing, "fields");
  if (!texts.ok()) return texts.error();
  std::vector<FieldText> fields;
  for (const std::string& text : *texts) {
    const Result<std::string> name = Member(text, "name");
    const Result<std::string> type = Member(text, "type");
    const Result<std::string> required = Member(text, "required");
    if (!name.ok()) return name.error();
    if (!type.ok()) return type.error();
    if (!required.ok()) return required.error();
    fields.push_back({*name, *type, *required == "true"});
  }
  if (!flags.types.empty()) {
    const auto types = ParseFields("--type", flags.types);
    if (!types.ok()) return types.error();
    for (const FieldText& wider : *types) {
      FieldText* field = FindField(fields, wider.name);
      if (field == nullptr) return NoSuchField("--type", wider.name);
      field->type = wider.type;
    }
  }
  if (!flags.add_fields.empty()) {
    const auto added = ParseFields("--add-fields", flags.add_fields);
    if (!added.ok()) return added.error();
    fields.insert(fields.end(), added->begin(), added->end());
  }
  return FieldsJson(fields);
}

Result<int> Change(const Api& api, const ChangeFlags& flags, bool as_json) {
  const Result<std::string> path = DatasetPath(flags.dataset);
  if (!path.ok()) return path.error();
  JsonBody body;
  flags.settings.AddTo(body);
  if (flags.add_fields.empty() && flags.types.empty()) {
    return ShowDataset(api.PatchStanding(*path, body.Finish()), as_json);
  }
  const Result<http::ClientResponse> standing = api.Call("GET", *path);
  if (!standing.ok()) return standing.error();
  const Result<std::string> fields = ChangedFields(flags, standing->body);
  if (!fields.ok()) return fields.error();
  body.Json("fields", *fields);
  return ShowDataset(api.Call("PATCH", *path, body.Finish(), std::string(standing->Header("ETag"))),
                     as_json);
}

void AddChange(CLI::App& dataset, Context& context) {
  CLI::App* command = AddCommand(
      dataset, "change", "Change a dataset; its records stay.",
      "latchkey dataset change core/PRICES --title \"Daily prices\" --weight 2\n"
      "latchkey dataset change core/PRICES --add-fields volume:integer --type close:any");
  AddClientOptions(*command, context);
  auto flags = std::make_shared<ChangeFlags>();
  AddName(*command, flags->dataset);
  flags->settings.AddTo(*command);
  command
      ->add_option("--add-fields", flags->add_fields,
                   "Further fields, name:type,…; records that stand have none of them.")
      ->type_name("LIST");
  command
      ->add_option("--type", flags->types,
                   "Wider types, name:type,…: integer to number, anything to any.")
      ->type_name("LIST");
  SetAction(*command, context, [&context, flags] {
    return WithApi(context, [&](const Api& api) { return Change(api, *flags, context.json); });
  });
}

// ---- rename

void AddRename(CLI::App& dataset, Context& context) {
  CLI::App* command =
      AddCommand(dataset, "rename",
                 "Give a dataset another name in its workspace; the old one names nothing then.",
                 "latchkey dataset rename core/PRICES DAILY_PRICES");
  AddClientOptions(*command, context);
  auto names = std::make_shared<std::pair<std::string, std::string>>();
  AddName(*command, names->first);
  command->add_option("name", names->second, "The new name.")->required()->type_name("NAME");
  SetAction(*command, context, [&context, names] {
    return WithApi(context, [&](const Api& api) -> Result<int> {
      const Result<std::string> path = DatasetPath(names->first);
      if (!path.ok()) return path.error();
      JsonBody body;
      body.Text("name", names->second);
      return ShowDataset(api.PatchStanding(*path, body.Finish()), context.json);
    });
  });
}

// ---- export

// By the file's ending, where nothing is said.
Result<std::string> FormatOf(const std::string& file, const std::string& format) {
  for (const char* known : {"csv", "jsonl", "json"}) {
    if (format == known) return format;
    if (format.empty() && ToLower(file).ends_with(std::string(".") + known))
      return std::string(known);
  }
  if (format.empty()) return std::string("json");
  return MakeError(ErrorCode::kInvalid,
                   fmt::format("--format {}: right would be csv, json or jsonl", format));
}

Result<int> Export(const Api& api, const std::string& dataset, const std::string& file,
                   const std::string& format, bool as_json) {
  const Result<std::string> path = DatasetPath(dataset);
  if (!path.ok()) return path.error();
  http::ClientRequest request;
  request.target = *path + ":export?format=" + PercentEncode(format);
  request.answer_file = file;
  const Result<http::ClientResponse> done = api.Send(std::move(request));
  if (!done.ok()) return done.error();
  const std::string_view bytes = done->Header("Latchkey-Content-Bytes");
  if (as_json) {
    std::string json = R"({"file":)";
    AppendJsonString(json, file);
    PrintJson(fmt::format(R"({},"format":"{}","bytes":{}}})", json, format, bytes));
  } else {
    PrintLine(fmt::format("{} holds the records of {}, {} bytes", file, dataset, bytes));
  }
  return kDone;
}

void AddExport(CLI::App& dataset, Context& context) {
  CLI::App* command =
      AddCommand(dataset, "export", "Write all records to a file that `import` takes again.",
                 "latchkey dataset export core/PRICES prices.csv\n"
                 "latchkey dataset export premium/RATES rates --format jsonl");
  AddClientOptions(*command, context);
  struct Flags {
    std::string dataset;
    std::string file;
    std::string format;
  };
  auto flags = std::make_shared<Flags>();
  AddName(*command, flags->dataset);
  command->add_option("file", flags->file, "The file; one that stands is replaced.")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--format", flags->format,
                   "csv, json or jsonl (a line per record); absent: by the file's ending, else "
                   "json.")
      ->type_name("FORMAT");
  SetAction(*command, context, [&context, flags] {
    return WithApi(context, [&](const Api& api) -> Result<int> {
      const Result<std::string> format = FormatOf(flags->file, flags->format);
      if (!format.ok()) return format.error();
      return Export(api, flags->dataset, flags->file, *format, context.json);
    });
  });
}

}  // namespace

void AddDatasetDefinitions(CLI::App& dataset, Context& context) {
  AddCreate(dataset, context);
  AddChange(dataset, context);
  AddRename(dataset, context);
  AddExport(dataset, context);
}

}  // namespace latchkey::cli
