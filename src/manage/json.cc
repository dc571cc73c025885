#include "manage/json.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include "base/encoding.h"
#include "base/time.h"
#include "core/text.h"

namespace latchkey::manage {
namespace {

namespace json = boost::json;

// ---- Writing

json::value TextOrNull(std::string_view text) {
  return text.empty() ? json::value(nullptr)
                      : json::value(json::string_view(text.data(), text.size()));
}

json::string Text(std::string_view text) { return json::string(text.data(), text.size()); }

json::value TimeOrNull(const std::optional<Timestamp>& time) {
  return time ? json::value(Text(FormatRfc3339(*time))) : json::value(nullptr);
}

template <typename Number>
json::value NumberOrNull(const std::optional<Number>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::object AccountObject(const core::Account& account, std::string_view plan_name) {
  return {
      {"id", account.id.ToString()},  {"workspace", Text(account.workspace)},
      {"title", Text(account.title)}, {"state", Text(core::ToString(account.state))},
      {"plan", Text(plan_name)},      {"created_at", FormatRfc3339(account.created_at)},
  };
}

// ---- Reading

// Walks over a text as the parser does and notes the first member name that stands twice in one
// object: the parsed value keeps only the last of them, so it can't be seen there.
struct DuplicateFinder {
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;

  std::vector<std::set<std::string>> open;
  std::string name;
  std::string duplicate;
  bool found = false;

  using Error = boost::system::error_code;
  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) {
    open.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, Error&) {
    open.pop_back();
    return true;
  }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_key_part(json::string_view part, std::size_t, Error&) {
    name.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, Error&) {
    name.append(part.data(), part.size());
    if (!open.back().insert(name).second && !found) {
      found = true;
      duplicate = name;
    }
    name.clear();
    return true;
  }
  bool on_string_part(json::string_view, std::size_t, Error&) { return true; }
  bool on_string(json::string_view, std::size_t, Error&) { return true; }
  bool on_number_part(json::string_view, Error&) { return true; }
  bool on_int64(std::int64_t, json::string_view, Error&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, Error&) { return true; }
  bool on_double(double, json::string_view, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
  bool on_comment_part(json::string_view, Error&) { return true; }
  bool on_comment(json::string_view, Error&) { return true; }
};

// A name from outside, fit to be shown in an answer: cut, since it may be as long as the body.
std::string ShownName(std::string_view name) {
  constexpr std::size_t kShown = 64;
  if (name.size() <= kShown) return std::string(name);
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  return std::string(name.substr(0, end)) + "…";
}

Result<json::object> ParseObject(std::string_view body) {
  if (body.size() > kMaxJsonBytes) {
    return MakeError(ErrorCode::kInvalid, "The body is longer than 64 KiB.");
  }
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(body.data(), body.size()), error, {}, options);
  if (error) {
    return MakeError(ErrorCode::kInvalid,
                     error == json::error::too_deep
                         ? "The body is nested more than 8 levels deep."
                         : "The body is not well-formed JSON; one JSON object is expected.");
  }
  if (!value.is_object()) {
    return MakeError(ErrorCode::kInvalid, "The body must be one JSON object.");
  }
  json::basic_parser<DuplicateFinder> finder(options);
  finder.write_some(false, body.data(), body.size(), error);
  if (finder.handler().found) {
    Error duplicate = MakeError(ErrorCode::kInvalid, "A member name stands twice in one object.");
    duplicate.fields.push_back(
        {ShownName(finder.handler().duplicate), "It stands twice in one object."});
    return duplicate;
  }
  return std::move(value.as_object());
}

// Takes members out of an object one by one and gathers what is wrong with them. What is left at
// the end was never asked for.
class MemberReader {
 public:
  explicit MemberReader(json::object object) : object_(std::move(object)) {}

  // Required, and missing: an error.
  void Require(std::string_view name) {
    if (!Has(name)) Fail(name, "It is required.");
  }
  bool Has(std::string_view name) const { return object_.contains(View(name)); }

  // `clearable`: null gives the empty text.
  std::optional<std::string> String(std::string_view name, std::size_t max_bytes,
                                    bool clearable = false) {
    const std::optional<json::value> value = Take(name);
    if (!value) return std::nullopt;
    if (clearable && value->is_null()) return std::string();
    if (!value->is_string()) {
      Fail(name, clearable ? "It must be a text, or null." : "It must be a text.");
      return std::nullopt;
    }
    const json::string& text = value->get_string();
    if (!CheckText(name, std::string_view(text.data(), text.size()), max_bytes)) {
      return std::nullopt;
    }
    return std::string(text.data(), text.size());
  }

  std::optional<bool> Bool(std::string_view name) {
    const std::optional<json::value> value = Take(name);
    if (!value) return std::nullopt;
    if (!value->is_bool()) {
      Fail(name, "It must be true or false.");
      return std::nullopt;
    }
    return value->get_bool();
  }

  std::optional<std::uint64_t> Uint(std::string_view name, std::uint64_t max) {
    const std::optional<json::value> value = Take(name);
    if (!value) return std::nullopt;
    return Number(name, *value, max, false);
  }

  // null: none.
  template <typename Uint>
  std::optional<std::optional<Uint>> UintOrNull(std::string_view name, Uint max) {
    const std::optional<json::value> value = Take(name);
    if (!value) return std::nullopt;
    if (value->is_null()) return std::optional<Uint>();
    const std::optional<std::uint64_t> number = Number(name, *value, max, true);
    if (!number) return std::nullopt;
    return std::optional<Uint>(static_cast<Uint>(*number));
  }

  std::optional<std::optional<Timestamp>> TimeOrNull(std::string_view name) {
    const std::optional<json::value> value = Take(name);
    if (!value) return std::nullopt;
    if (value->is_null()) return std::optional<Timestamp>();
    std::optional<Timestamp> time;
    if (value->is_string()) {
      time = ParseRfc3339({value->get_string().data(), value->get_string().size()});
    }
    if (!time) {
      Fail(name, "It must be a time such as 2030-01-31T12:00:00Z (RFC 3339), or null.");
      return std::nullopt;
    }
    return time;
  }

  template <typename T>
  std::optional<T> Choice(std::string_view name, std::optional<T> (*parse)(std::string_view),
                          std::string_view choices) {
    const std::optional<json::value> value = Take(name);
    if (!value) return std::nullopt;
    std::optional<T> choice;
    if (value->is_string()) {
      choice = parse({value->get_string().data(), value->get_string().size()});
    }
    if (!choice) Fail(name, "It must be " + std::string(choices) + ".");
    return choice;
  }

  // An object of names to texts, merged into `current` as RFC 7396 says: null takes one out, null
  // in place of the object takes all.
  std::optional<std::vector<core::Label>> Labels(std::string_view name,
                                                 const std::vector<core::Label>& current) {
    const std::optional<json::value> value = Take(name);
    if (!value) return std::nullopt;
    if (value->is_null()) return std::vector<core::Label>();
    if (!value->is_object()) {
      Fail(name, "It must be an object of names and texts, or null.");
      return std::nullopt;
    }
    std::vector<core::Label> labels = current;
    for (const json::key_value_pair& pair : value->get_object()) {
      const std::string_view label(pair.key().data(), pair.key().size());
      const std::string field = std::string(name) + "." + ShownName(label);
      std::erase_if(labels, [&](const core::Label& old) { return old.name == label; });
      if (pair.value().is_null()) continue;
      if (!pair.value().is_string()) {
        Fail(field, "It must be a text, or null.");
        continue;
      }
      const std::string_view text(pair.value().get_string().data(),
                                  pair.value().get_string().size());
      if (label.empty()) {
        Fail(field, "Its name is empty.");
      } else if (CheckText(field, label, core::kMaxLabelBytes) &&
                 CheckText(field, text, core::kMaxLabelBytes)) {
        labels.push_back({std::string(label), std::string(text)});
      }
    }
    if (labels.size() > core::kMaxLabels) {
      Fail(name, "It may hold at most " + std::to_string(core::kMaxLabels) + " labels.");
    }
    std::sort(labels.begin(), labels.end(),
              [](const core::Label& a, const core::Label& b) { return a.name < b.name; });
    return labels;
  }

  void Fail(std::string_view name, std::string detail) {
    errors_.push_back({std::string(name), std::move(detail)});
  }

  // Refuses what is left; `read_only` names that the object shows but nobody may set.
  Status Finish(std::span<const std::string_view> read_only) {
    for (const json::key_value_pair& pair : object_) {
      const std::string_view name(pair.key().data(), pair.key().size());
      const bool known = std::find(read_only.begin(), read_only.end(), name) != read_only.end();
      Fail(ShownName(name), known ? "It is read-only." : "There is no such field.");
    }
    if (errors_.empty()) return {};
    Error error =
        MakeError(ErrorCode::kInvalid, errors_.front().field + ": " + errors_.front().detail);
    error.fields = std::move(errors_);
    return error;
  }

 private:
  static json::string_view View(std::string_view text) { return {text.data(), text.size()}; }

  std::optional<json::value> Take(std::string_view name) {
    const auto found = object_.find(View(name));
    if (found == object_.end()) return std::nullopt;
    json::value value = std::move(found->value());
    object_.erase(found);
    return value;
  }

  bool CheckText(std::string_view name, std::string_view text, std::size_t max_bytes) {
    const std::optional<std::string> wrong = core::CheckLine(text, max_bytes);
    if (wrong) Fail(name, "It " + *wrong + ".");
    return !wrong;
  }

  std::optional<std::uint64_t> Number(std::string_view name, const json::value& value,
                                      std::uint64_t max, bool or_null) {
    std::optional<std::uint64_t> number;
    if (value.is_uint64()) {
      number = value.get_uint64();
    } else if (value.is_int64() && value.get_int64() >= 0) {
      number = static_cast<std::uint64_t>(value.get_int64());
    }
    if (!number || *number > max) {
      Fail(name, "It must be a whole number from 0 to " + std::to_string(max) +
                     (or_null ? ", or null." : "."));
      return std::nullopt;
    }
    return number;
  }

  json::object object_;
  std::vector<FieldError> errors_;
};

constexpr std::size_t kMaxNameBytes = 63;

constexpr std::array<std::string_view, 6> kTokenReadOnly = {"id",    "kind",       "environment",
                                                            "token", "created_at", "created_by"};
constexpr std::array<std::string_view, 4> kTokenNeverSet = {"id", "token", "created_at",
                                                            "created_by"};
constexpr std::array<std::string_view, 3> kPlanReadOnly = {"id", "name", "created_at"};
constexpr std::array<std::string_view, 2> kPlanNeverSet = {"id", "created_at"};
constexpr std::array<std::string_view, 4> kAccountReadOnly = {"id", "workspace", "state",
                                                              "created_at"};
constexpr std::array<std::string_view, 3> kAccountNeverSet = {"id", "state", "created_at"};

// "warnings" may stand in an answer that saves and is ignored when it is sent back (wire.md §9).
void DropWarnings(json::object& object) { object.erase("warnings"); }

void ReadTokenSettings(MemberReader& reader, const std::vector<core::Label>& labels,
                       std::optional<core::TokenKind> kind, service::TokenSettings& input) {
  input.nickname = reader.String("nickname", core::kMaxNicknameBytes, true);
  input.labels = reader.Labels("labels", labels);
  input.end_user = reader.String("end_user", core::kMaxEndUserBytes, true);
  input.enabled = reader.Bool("enabled");
  input.expires_at = reader.TimeOrNull("expires_at");
  if (kind == core::TokenKind::kSecret && reader.Has("core_data_access")) {
    reader.Fail(
        "core_data_access",
        "It is a setting of publishable tokens; a secret token may read what its account may.");
  }
  input.core_data_access = reader.Bool("core_data_access");
}

void ReadPlanSettings(MemberReader& reader, service::PlanSettings& settings) {
  settings.title = reader.String("title", core::kMaxTitleBytes, true);
  settings.monthly_core_credits = reader.Uint("monthly_core_credits", service::kMaxMonthlyCredits);
  settings.pay_as_you_go = reader.Bool("pay_as_you_go");
  settings.premium_data = reader.Bool("premium_data");
  settings.max_tokens = reader.UintOrNull<std::uint32_t>("max_tokens", INT32_MAX);
  settings.max_datasets = reader.UintOrNull<std::uint32_t>("max_datasets", INT32_MAX);
  settings.max_storage_bytes =
      reader.UintOrNull<std::uint64_t>("max_storage_bytes", service::kMaxStorageBytes);
  settings.max_jobs = reader.UintOrNull<std::uint32_t>("max_jobs", INT32_MAX);
}

}  // namespace

std::string TokenJson(const core::TokenRecord& record, std::string_view whole_text) {
  const core::Token& token = record.token;
  const core::TokenProfile& profile = record.profile;
  json::object labels;
  for (const core::Label& label : profile.labels)
    labels.emplace(Text(label.name), Text(label.value));
  json::object object = {
      {"id", token.id.ToString()},
      {"kind", Text(core::ToString(token.kind))},
      {"environment", Text(core::ToString(token.environment))},
      {"token", Text(whole_text.empty() ? std::string_view(profile.shown_text) : whole_text)},
      {"nickname", Text(profile.nickname)},
      {"labels", std::move(labels)},
      {"end_user", TextOrNull(profile.end_user)},
      {"enabled", token.enabled},
      {"created_at", FormatRfc3339(token.created_at)},
      {"created_by", Text(profile.created_by)},
      {"expires_at", TimeOrNull(token.expires_at)},
  };
  if (token.kind == core::TokenKind::kPublishable) {
    object.emplace("core_data_access", token.core_data_access);
  }
  return json::serialize(object);
}

std::string PlanJson(const core::Plan& plan) {
  return json::serialize(json::object{
      {"id", plan.id.ToString()},
      {"name", Text(plan.name)},
      {"title", Text(plan.title)},
      {"monthly_core_credits", plan.monthly_core_credits},
      {"pay_as_you_go", plan.pay_as_you_go},
      {"premium_data", plan.premium_data},
      {"max_tokens", NumberOrNull(plan.max_tokens)},
      {"max_datasets", NumberOrNull(plan.max_datasets)},
      {"max_storage_bytes", NumberOrNull(plan.max_storage_bytes)},
      {"max_jobs", NumberOrNull(plan.max_jobs)},
      {"created_at", FormatRfc3339(plan.created_at)},
  });
}

std::string AccountJson(const core::Account& account, std::string_view plan_name) {
  return json::serialize(AccountObject(account, plan_name));
}

std::string NewAccountJson(const core::Account& account, std::string_view plan_name,
                           std::span<const std::string> tokens) {
  // The tokens are texts of JSON already, each written by TokenJson.
  std::string text = AccountJson(account, plan_name);
  text.pop_back();
  text.append(",\"tokens\":[");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) text.push_back(',');
    text.append(tokens[i]);
  }
  return text.append("]}");
}

std::string DatasetJson(const core::Dataset& dataset) {
  json::array fields;
  for (const core::Field& field : dataset.fields) {
    fields.push_back(json::object{{"name", Text(field.name)},
                                  {"type", Text(core::ToString(field.type))},
                                  {"required", field.required}});
  }
  return json::serialize(json::object{
      {"id", dataset.id.ToString()},
      {"workspace", Text(dataset.workspace)},
      {"name", Text(dataset.name)},
      {"title", Text(dataset.title)},
      {"class", Text(core::ToString(dataset.dataset_class))},
      {"fields", std::move(fields)},
      {"key", TextOrNull(dataset.key_field)},
      {"subkey", TextOrNull(dataset.subkey_field)},
      {"date", TextOrNull(dataset.date_field)},
      {"weight", dataset.weight},
      {"test", dataset.test},
      {"records", dataset.records},
      {"created_at", FormatRfc3339(dataset.created_at)},
      {"updated_at", FormatRfc3339(dataset.updated_at)},
  });
}

std::string ImportReportJson(const service::ImportReport& report) {
  json::array rejected;
  for (const service::RejectedLine& line : report.first_rejected) {
    rejected.push_back(json::object{{"line", line.line}, {"reason", Text(line.reason)}});
  }
  std::string text = "{\"dataset\":";
  text.append(DatasetJson(report.dataset));
  text.append(",\"imported\":").append(std::to_string(report.imported));
  text.append(",\"replaced\":").append(std::to_string(report.replaced));
  text.append(",\"rejected\":").append(std::to_string(report.rejected));
  text.append(",\"rejected_lines\":").append(json::serialize(rejected));
  return text.append("}");
}

std::string ListJson(std::span<const std::string> items, std::string_view next_page_token) {
  std::string text = "{\"items\":[";
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text.push_back(',');
    text.append(items[i]);
  }
  text.append("],\"next_page_token\":");
  if (next_page_token.empty()) {
    text.append("null");
  } else {
    AppendJsonString(text, next_page_token);
  }
  return text.append("}");
}

Result<service::NewToken> ParseTokenCreation(std::string_view body) {
  Result<json::object> object = ParseObject(body);
  if (!object.ok()) return std::move(object).error();
  DropWarnings(*object);
  MemberReader reader(std::move(*object));
  service::NewToken token;
  reader.Require("kind");
  const auto kind = reader.Choice("kind", core::ParseTokenKind, "\"publishable\" or \"secret\"");
  token.kind = kind.value_or(core::TokenKind::kPublishable);
  token.environment = reader.Choice("environment", core::ParseEnvironment, "\"live\" or \"test\"")
                          .value_or(core::Environment::kLive);
  ReadTokenSettings(reader, {}, kind, token.settings);
  if (Status status = reader.Finish(kTokenNeverSet); !status.ok()) return status.error();
  return token;
}

Result<service::TokenSettings> ParseTokenPatch(std::string_view body,
                                               const core::TokenRecord& current) {
  Result<json::object> object = ParseObject(body);
  if (!object.ok()) return std::move(object).error();
  DropWarnings(*object);
  MemberReader reader(std::move(*object));
  service::TokenSettings settings;
  ReadTokenSettings(reader, current.profile.labels, current.token.kind, settings);
  if (Status status = reader.Finish(kTokenReadOnly); !status.ok()) return status.error();
  return settings;
}

Result<service::NewPlan> ParsePlanCreation(std::string_view body) {
  Result<json::object> object = ParseObject(body);
  if (!object.ok()) return std::move(object).error();
  MemberReader reader(std::move(*object));
  service::NewPlan plan;
  reader.Require("name");
  plan.name = reader.String("name", kMaxNameBytes).value_or("");
  ReadPlanSettings(reader, plan.settings);
  if (Status status = reader.Finish(kPlanNeverSet); !status.ok()) return status.error();
  return plan;
}

Result<service::PlanSettings> ParsePlanPatch(std::string_view body) {
  Result<json::object> object = ParseObject(body);
  if (!object.ok()) return std::move(object).error();
  MemberReader reader(std::move(*object));
  service::PlanSettings settings;
  ReadPlanSettings(reader, settings);
  if (Status status = reader.Finish(kPlanReadOnly); !status.ok()) return status.error();
  return settings;
}

Result<AccountInput> ParseAccountCreation(std::string_view body) {
  Result<json::object> object = ParseObject(body);
  if (!object.ok()) return std::move(object).error();
  MemberReader reader(std::move(*object));
  AccountInput input;
  reader.Require("workspace");
  reader.Require("plan");
  input.workspace = reader.String("workspace", kMaxNameBytes).value_or("");
  input.title = reader.String("title", core::kMaxTitleBytes, true);
  input.plan = reader.String("plan", kMaxNameBytes);
  if (Status status = reader.Finish(kAccountNeverSet); !status.ok()) return status.error();
  return input;
}

Result<AccountInput> ParseAccountPatch(std::string_view body) {
  Result<json::object> object = ParseObject(body);
  if (!object.ok()) return std::move(object).error();
  MemberReader reader(std::move(*object));
  AccountInput input;
  input.title = reader.String("title", core::kMaxTitleBytes, true);
  input.plan = reader.String("plan", kMaxNameBytes);
  if (Status status = reader.Finish(kAccountReadOnly); !status.ok()) return status.error();
  return input;
}

Status ParseNothing(std::string_view body) {
  if (body.empty()) return {};
  Result<json::object> object = ParseObject(body);
  if (!object.ok()) return std::move(object).error();
  return MemberReader(std::move(*object)).Finish({});
}

}  // namespace latchkey::manage
