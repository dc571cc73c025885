#include "manage/json_reader.h"

#include <algorithm>
#include <set>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include "core/text.h"
#include "manage/json.h"

namespace latchkey::manage {
namespace {

namespace json = boost::json;

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

Result<json::object> ParseObject(std::string_view body, std::size_t max_bytes) {
  if (body.size() > max_bytes) {
    return MakeError(ErrorCode::kInvalid,
                     "The body is longer than " + std::to_string(max_bytes / 1024) + " KiB.");
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

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }
json::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::optional<std::uint64_t> NumberOf(const json::value& value) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) {
    return static_cast<std::uint64_t>(value.get_int64());
  }
  return std::nullopt;
}

}  // namespace

struct MemberReader::Impl {
  std::optional<json::value> Take(std::string_view name) {
    const auto found = object.find(View(name));
    if (found == object.end()) return std::nullopt;
    json::value value = std::move(found->value());
    object.erase(found);
    return value;
  }
  std::optional<std::uint64_t> Number(std::string_view name, const json::value& value,
                                      std::uint64_t max, bool or_null) {
    const std::optional<std::uint64_t> number = NumberOf(value);
    if (number && *number <= max) return number;
    errors.push_back({std::string(name), "It must be a whole number from 0 to " +
                                             std::to_string(max) + (or_null ? ", or null." : ".")});
    return std::nullopt;
  }

  json::object object;
  std::vector<FieldError> errors;
};

MemberReader::MemberReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MemberReader::MemberReader(MemberReader&&) noexcept = default;
MemberReader& MemberReader::operator=(MemberReader&&) noexcept = default;
MemberReader::~MemberReader() = default;

Result<MemberReader> MemberReader::Open(std::string_view body, std::size_t max_bytes) {
  Result<json::object> object = ParseObject(body, max_bytes);
  if (!object.ok()) return std::move(object).error();
  auto impl = std::make_unique<Impl>();
  impl->object = std::move(*object);
  return MemberReader(std::move(impl));
}

void MemberReader::Require(std::string_view name) {
  if (!Has(name)) Fail(name, "It is required.");
}

bool MemberReader::Has(std::string_view name) const { return impl_->object.contains(View(name)); }

void MemberReader::Drop(std::string_view name) { impl_->object.erase(View(name)); }

void MemberReader::Fail(std::string_view name, std::string detail) {
  impl_->errors.push_back({std::string(name), std::move(detail)});
}

bool MemberReader::CheckText(std::string_view name, std::string_view text, std::size_t max_bytes) {
  const std::optional<std::string> wrong = core::CheckLine(text, max_bytes);
  if (wrong) Fail(name, "It " + *wrong + ".");
  return !wrong;
}

std::optional<std::optional<std::string>> MemberReader::TakeText(std::string_view name) {
  const std::optional<json::value> value = impl_->Take(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) return std::optional<std::string>();
  return std::optional<std::string>(View(value->get_string()));
}

std::optional<std::string> MemberReader::String(std::string_view name, std::size_t max_bytes,
                                                bool clearable) {
  const std::optional<json::value> value = impl_->Take(name);
  if (!value) return std::nullopt;
  if (clearable && value->is_null()) return std::string();
  if (!value->is_string()) {
    Fail(name, clearable ? "It must be a text, or null." : "It must be a text.");
    return std::nullopt;
  }
  const std::string_view text = View(value->get_string());
  if (!CheckText(name, text, max_bytes)) return std::nullopt;
  return std::string(text);
}

std::optional<bool> MemberReader::Bool(std::string_view name) {
  const std::optional<json::value> value = impl_->Take(name);
  if (!value) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  Fail(name, "It must be true or false.");
  return std::nullopt;
}

std::optional<std::uint64_t> MemberReader::Uint(std::string_view name, std::uint64_t max) {
  const std::optional<json::value> value = impl_->Take(name);
  if (!value) return std::nullopt;
  return impl_->Number(name, *value, max, false);
}

std::optional<std::optional<std::uint64_t>> MemberReader::UintOrNull(std::string_view name,
                                                                     std::uint64_t max) {
  const std::optional<json::value> value = impl_->Take(name);
  if (!value) return std::nullopt;
  if (value->is_null()) return std::optional<std::uint64_t>();
  const std::optional<std::uint64_t> number = impl_->Number(name, *value, max, true);
  if (!number) return std::nullopt;
  return number;
}

std::optional<std::optional<std::uint32_t>> MemberReader::Uint32OrNull(std::string_view name) {
  const std::optional<std::optional<std::uint64_t>> number = UintOrNull(name, INT32_MAX);
  if (!number) return std::nullopt;
  if (!*number) return std::optional<std::uint32_t>();
  return std::optional<std::uint32_t>(static_cast<std::uint32_t>(**number));
}

std::optional<std::optional<Timestamp>> MemberReader::TimeOrNull(std::string_view name) {
  const std::optional<json::value> value = impl_->Take(name);
  if (!value) return std::nullopt;
  if (value->is_null()) return std::optional<Timestamp>();
  std::optional<Timestamp> time;
  if (value->is_string()) time = ParseRfc3339(View(value->get_string()));
  if (!time) {
    Fail(name, "It must be a time such as 2030-01-31T12:00:00Z (RFC 3339), or null.");
    return std::nullopt;
  }
  return time;
}

std::optional<std::vector<core::Label>> MemberReader::Labels(
    std::string_view name, const std::vector<core::Label>& current) {
  const std::optional<json::value> value = impl_->Take(name);
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
    const std::string_view text = View(pair.value().get_string());
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

std::optional<std::vector<std::pair<std::string, std::string>>> MemberReader::Texts(
    std::string_view name, std::size_t max_bytes) {
  const std::optional<json::value> value = impl_->Take(name);
  if (!value) return std::nullopt;
  std::vector<std::pair<std::string, std::string>> texts;
  if (value->is_null()) return texts;
  if (!value->is_object()) {
    Fail(name, "It must be an object of names and texts, or null.");
    return std::nullopt;
  }
  for (const json::key_value_pair& pair : value->get_object()) {
    const std::string_view key(pair.key().data(), pair.key().size());
    const std::string field = std::string(name) + "." + ShownName(key);
    if (!pair.value().is_string()) {
      Fail(field, "It must be a text.");
      continue;
    }
    const std::string_view text = View(pair.value().get_string());
    if (CheckText(field, key, max_bytes) && CheckText(field, text, max_bytes)) {
      texts.emplace_back(key, text);
    }
  }
  return texts;
}

std::optional<std::vector<core::Field>> MemberReader::Fields(std::string_view name) {
  const std::optional<json::value> value = impl_->Take(name);
  if (!value) return std::nullopt;
  if (!value->is_array()) {
    Fail(name, "It must be a list of objects with name, type and required.");
    return std::nullopt;
  }
  std::vector<core::Field> fields;
  for (const json::value& element : value->get_array()) {
    const std::string path = std::string(name) + "[" + std::to_string(fields.size()) + "]";
    core::Field& field = fields.emplace_back();
    if (!element.is_object()) {
      Fail(path, "It must be an object with name, type and required.");
      continue;
    }
    for (const json::key_value_pair& pair : element.get_object()) {
      const std::string_view key(pair.key().data(), pair.key().size());
      const std::string member = path + "." + ShownName(key);
      if (key == "name") {
        if (pair.value().is_string()) {
          field.name = View(pair.value().get_string());
        } else {
          Fail(member, "It must be a text.");
        }
      } else if (key == "type") {
        const auto type = pair.value().is_string()
                              ? core::ParseFieldType(View(pair.value().get_string()))
                              : std::nullopt;
        if (type) {
          field.type = *type;
        } else {
          Fail(member, "It must be date, number, integer, string, object, array, boolean or any.");
        }
      } else if (key == "required") {
        if (pair.value().is_bool()) {
          field.required = pair.value().get_bool();
        } else {
          Fail(member, "It must be true or false.");
        }
      } else {
        Fail(member, "There is no such member.");
      }
    }
    for (const char* member : {"name", "type"}) {
      if (!element.get_object().contains(member)) Fail(path + "." + member, "It is required.");
    }
  }
  return fields;
}

Status MemberReader::Finish(std::span<const std::string_view> read_only) {
  for (const json::key_value_pair& pair : impl_->object) {
    const std::string_view name(pair.key().data(), pair.key().size());
    const bool known = std::find(read_only.begin(), read_only.end(), name) != read_only.end();
    Fail(ShownName(name), known ? "It is read-only." : "There is no such field.");
  }
  std::vector<FieldError>& errors = impl_->errors;
  if (errors.empty()) return {};
  Error error = MakeError(ErrorCode::kInvalid, errors.front().field + ": " + errors.front().detail);
  error.fields = std::move(errors);
  return error;
}

}  // namespace latchkey::manage
