#include "core/schema_inference.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/encoding.h"
#include "core/date_forms.h"
#include "core/json_text.h"
#include "core/text.h"

namespace latchkey::core {
namespace {

enum Form : std::uint16_t {
  kInteger = 1,
  kNumber = 2,
  kBoolean = 4,
  kDate = 8,
  kText = 16,
  kObject = 32,
  kArray = 64,
  kMillis = 128,  // an integer that is a date if the field's name says so
};

std::optional<bool> ParseBoolean(std::string_view text) {
  if (text == "true" || text == "TRUE" || text == "True") return true;
  if (text == "false" || text == "FALSE" || text == "False") return false;
  return std::nullopt;
}

Form FormOf(std::string_view text) {
  if (IsJsonInteger(text)) return kInteger;
  if (IsJsonNumber(text)) return kNumber;
  if (ParseBoolean(text)) return kBoolean;
  if (ParseDateText(text)) return kDate;
  return kText;
}

// Milliseconds from 1973 on, and before 1970 as far back: whole numbers of 12 to 14 digits.
bool LooksLikeMillis(std::string_view integer) {
  const std::size_t digits = integer.size() - (integer.starts_with('-') ? 1 : 0);
  return digits >= 12 && digits <= 14 && ParseDateOrMillis(integer);
}

Form FormOf(const JsonMember& member) {
  switch (member.kind) {
    case JsonKind::kBoolean:
      return kBoolean;
    case JsonKind::kNumber:
      return IsJsonInteger(member.value) ? kInteger : kNumber;
    case JsonKind::kObject:
      return kObject;
    case JsonKind::kArray:
      return kArray;
    default:
      break;
  }
  // A date written with escapes is a text.
  return ParseDateText(member.value.substr(1, member.value.size() - 2)) ? kDate : kText;
}

FieldType TypeOf(std::uint16_t seen, bool json) {
  if (seen == kMillis || seen == (kMillis | kDate)) return FieldType::kDate;
  if ((seen & kMillis) != 0) seen = static_cast<std::uint16_t>((seen & ~kMillis) | kInteger);
  switch (seen) {
    case kInteger:
      return FieldType::kInteger;
    case kNumber:
    case kInteger | kNumber:
      return FieldType::kNumber;
    case kBoolean:
      return FieldType::kBoolean;
    case kDate:
      return FieldType::kDate;
    case kText:
    case kDate | kText:
      return FieldType::kString;
    case kObject:
      return FieldType::kObject;
    case kArray:
      return FieldType::kArray;
    default:
      // A cell is a text whatever else it is; JSON's strings and numbers are not each other.
      return json ? FieldType::kAny : FieldType::kString;
  }
}

Error InvalidHeader(std::string reason) {
  Error error = MakeError(ErrorCode::kInvalid, "The header: " + reason);
  error.fields.push_back({"line 1", std::move(reason)});
  return error;
}

Error InvalidValue(std::string_view field, std::string_view what) {
  Error error = MakeError(ErrorCode::kInvalid, std::string(field) + ": " + std::string(what));
  error.fields.push_back({std::string(field), std::string(what)});
  return error;
}

// A name that is no field's, as far as it can be shown.
Error UnknownMember(std::string_view name) {
  if (CheckLine(name, kMaxFieldNameBytes)) {
    return MakeError(ErrorCode::kInvalid, "a member has a name that no field has");
  }
  return InvalidValue(name, "there is no field of this name");
}

constexpr std::string_view kEmpty = "must not be empty";

std::string_view Expected(FieldType type) {
  switch (type) {
    case FieldType::kDate:
      return "must be a date, as 2000-01-31, 2000-01-31T09:30:00Z, Jan 31 2000 or milliseconds";
    case FieldType::kNumber:
      return "must be a number";
    case FieldType::kInteger:
      return "must be a whole number";
    case FieldType::kBoolean:
      return "must be true or false";
    case FieldType::kObject:
      return "must be a JSON object";
    case FieldType::kArray:
      return "must be a JSON array";
    case FieldType::kString:
      return "must be a text";
    default:
      return "can't be taken";
  }
}

bool AppendNumber(std::string& out, FieldType type, std::string_view number) {
  const std::size_t start = out.size();
  AppendShortNumber(out, number);
  return type != FieldType::kInteger || IsJsonInteger(std::string_view(out).substr(start));
}

bool AppendDate(std::string& out, std::string_view text, std::int64_t& millis) {
  const std::optional<DateValue> value = ParseDateOrMillis(text);
  if (!value) return false;
  AppendDateJson(out, text, *value);
  millis = value->millis;
  return true;
}

// `cell` is not empty, `text` is the cell without blanks at its ends. `millis` is set for a date.
bool AppendCell(std::string& out, FieldType type, std::string_view cell, std::string_view text,
                std::int64_t& millis) {
  switch (type) {
    case FieldType::kString:
      AppendJsonString(out, cell);
      return true;
    case FieldType::kInteger:
    case FieldType::kNumber:
      return IsJsonNumber(text) && AppendNumber(out, type, text);
    case FieldType::kBoolean: {
      const std::optional<bool> value = ParseBoolean(text);
      if (!value) return false;
      out += *value ? "true" : "false";
      return true;
    }
    case FieldType::kDate:
      return AppendDate(out, text, millis);
    case FieldType::kObject:
      return text.starts_with('{') && AppendCompactJson(out, text);
    case FieldType::kArray:
      return text.starts_with('[') && AppendCompactJson(out, text);
    case FieldType::kAny:
      break;
  }
  const Form form = FormOf(text);
  return AppendCell(out,
                    form == kInteger || form == kNumber ? FieldType::kNumber
                    : form == kBoolean                  ? FieldType::kBoolean
                                                        : FieldType::kString,
                    cell, text, millis);
}

bool AppendDateMember(std::string& out, const JsonMember& member, std::int64_t& millis) {
  if (member.kind == JsonKind::kNumber) {
    std::string number;
    AppendShortNumber(number, member.value);
    return IsJsonInteger(number) && AppendDate(out, number, millis);
  }
  if (member.kind != JsonKind::kString) return false;
  const std::string_view text = member.value.substr(1, member.value.size() - 2);
  if (text.find('\\') == std::string_view::npos) return AppendDate(out, text, millis);
  return AppendDate(out, JsonStringText(member.value).value_or(""), millis);
}

// The member is not null. `millis` is set for a date.
bool AppendMember(std::string& out, FieldType type, const JsonMember& member,
                  std::int64_t& millis) {
  switch (type) {
    case FieldType::kString:
      if (member.kind != JsonKind::kString) return false;
      out += member.value;
      return true;
    case FieldType::kInteger:
    case FieldType::kNumber:
      return member.kind == JsonKind::kNumber && AppendNumber(out, type, member.value);
    case FieldType::kBoolean:
      if (member.kind != JsonKind::kBoolean) return false;
      out += member.value;
      return true;
    case FieldType::kDate:
      return AppendDateMember(out, member, millis);
    case FieldType::kObject:
      return member.kind == JsonKind::kObject && AppendCompactJson(out, member.value);
    case FieldType::kArray:
      return member.kind == JsonKind::kArray && AppendCompactJson(out, member.value);
    case FieldType::kAny:
      break;
  }
  if (member.kind == JsonKind::kNumber) return AppendNumber(out, type, member.value);
  if (member.kind == JsonKind::kObject || member.kind == JsonKind::kArray) {
    return AppendCompactJson(out, member.value);
  }
  out += member.value;
  return true;
}

// `stored` is a JSON value that is not null.
Status TakeIndexText(const Field& field, std::string_view stored, std::string& text) {
  if (stored[0] == '{' || stored[0] == '[') {
    return InvalidValue(field.name, "must be a text, a number or a boolean");
  }
  if (stored[0] != '"') {
    text.assign(stored);
  } else if (stored.find('\\') == std::string_view::npos) {
    text.assign(stored.substr(1, stored.size() - 2));
  } else {
    AppendJsonStringText(text, stored);
  }
  if (text.size() > kMaxIndexedValueBytes) {
    return InvalidValue(field.name, "is longer than an indexed value may be (1500 bytes)");
  }
  if (text.find('\0') != std::string::npos) {
    return InvalidValue(field.name, "must not hold a NUL character");
  }
  return {};
}

const Field* FindNamed(std::span<const Field> fields, std::string_view name) {
  for (const Field& field : fields) {
    if (EqualsIgnoreCase(field.name, name)) return &field;
  }
  return nullptr;
}

bool MayBeKey(const Field* field) {
  return field != nullptr && field->type != FieldType::kObject && field->type != FieldType::kArray;
}

}  // namespace

// ---- Inference

Result<SchemaInference> SchemaInference::Begin(std::span<const std::string_view> names) {
  SchemaInference inference;
  inference.json_ = false;
  Dataset check;  // the rules of names are the definition's
  check.name = "x";
  check.workspace = "x";
  check.owner = AccountId{1};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = TrimBlanks(names[i]);
    if (name.empty()) {
      return InvalidHeader("column " + std::to_string(i + 1) + " has no name");
    }
    inference.Add(name);
    check.fields.push_back({std::string(name), FieldType::kString, false});
  }
  if (!check.fields.empty()) check.key_field = check.fields[0].name;
  if (Status status = CheckDataset(check); !status.ok()) {
    return InvalidHeader(status.error().public_text);
  }
  return inference;
}

void SchemaInference::Add(std::string_view name) {
  names_.Add(name);
  columns_.push_back({EqualsIgnoreCase(name, "date"), 0, 0});
}

void SchemaInference::Observe(std::span<const std::string_view> cells) {
  const std::size_t count = std::min(cells.size(), columns_.size());
  for (std::size_t i = 0; i < count; ++i) {
    Column& column = columns_[i];
    if ((column.seen & kText) != 0) continue;  // nothing can narrow it again
    const std::string_view text = TrimBlanks(cells[i]);
    if (text.empty()) continue;
    const Form form = FormOf(text);
    const bool millis = form == kInteger && column.named_date && LooksLikeMillis(text);
    column.seen |= millis ? kMillis : form;
  }
}

Status SchemaInference::Observe(std::span<const JsonMember> members) {
  const std::size_t before = columns_.size();
  ++objects_;
  if (Status status = FindColumns(members); !status.ok()) {
    names_.Truncate(before);
    columns_.resize(before);
    return status;
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    const JsonMember& member = members[i];
    Column& column = columns_[found_[i]];
    if (member.kind == JsonKind::kNull) continue;
    if (member.kind == JsonKind::kString && (column.seen & kText) != 0) continue;
    const Form form = FormOf(member);
    const bool millis = form == kInteger && column.named_date && LooksLikeMillis(member.value);
    column.seen |= millis ? kMillis : form;
  }
  return {};
}

Status SchemaInference::FindColumns(std::span<const JsonMember> members) {
  found_.clear();
  std::size_t guess = 0;
  for (const JsonMember& member : members) {
    const int found = names_.Find(member.name, guess);
    std::size_t index = columns_.size();
    if (found >= 0) {
      index = static_cast<std::size_t>(found);
    } else {
      if (Status status = CheckFieldName(member.name); !status.ok()) return status;
      if (index == kMaxFields) {
        return MakeError(ErrorCode::kInvalid, "a dataset has at most 512 fields");
      }
      Add(member.name);
    }
    if (columns_[index].object == objects_) {
      return InvalidValue(names_[index], "two members have this name (case does not count)");
    }
    columns_[index].object = objects_;
    found_.push_back(index);
    guess = index + 1;
  }
  return {};
}

std::vector<Field> SchemaInference::Fields() const {
  std::vector<Field> fields;
  fields.reserve(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    fields.push_back({names_[i], TypeOf(columns_[i].seen, json_), false});
  }
  return fields;
}

Result<InferredIndex> InferIndex(std::span<const Field> fields) {
  const Field* subkey = FindNamed(fields, "subkey");
  if (!MayBeKey(subkey)) subkey = nullptr;
  const Field* date = FindNamed(fields, "date");
  if (date != nullptr && date->type != FieldType::kDate) date = nullptr;

  const Field* key = nullptr;
  for (const std::string_view name : {"key", "symbol", "ticker", "id"}) {
    if (key == nullptr && MayBeKey(FindNamed(fields, name))) key = FindNamed(fields, name);
  }
  for (const FieldType type : {FieldType::kString, FieldType::kInteger}) {
    for (const Field& field : fields) {
      if (key == nullptr && field.type == type && &field != subkey) key = &field;
    }
  }
  for (const Field& field : fields) {
    const bool free = &field != key && &field != subkey;
    if (date == nullptr && field.type == FieldType::kDate && free) date = &field;
  }
  if (key == nullptr && date == nullptr) {
    return MakeError(ErrorCode::kInvalid,
                     "there is no field that could be the key or the date of a dataset: create the "
                     "dataset first");
  }
  InferredIndex index;
  if (key != nullptr) index.key_field = key->name;
  if (key != nullptr && subkey != nullptr) index.subkey_field = subkey->name;
  if (date != nullptr) index.date_field = date->name;
  return index;
}

// ---- Conversion

RowConverter RowConverter::ForObjects(const Dataset& dataset) {
  RowConverter converter;
  converter.fields_ = dataset.fields;
  for (const Field& field : dataset.fields) converter.names_.Add(field.name);
  converter.key_ = dataset.FieldIndex(dataset.key_field);
  converter.subkey_ = dataset.FieldIndex(dataset.subkey_field);
  converter.date_ = dataset.FieldIndex(dataset.date_field);
  return converter;
}

Result<RowConverter> RowConverter::Begin(const Dataset& dataset,
                                         std::span<const std::string_view> names) {
  RowConverter converter = ForObjects(dataset);
  converter.column_of_field_.assign(dataset.fields.size(), -1);
  for (std::size_t column = 0; column < names.size(); ++column) {
    const std::string_view name = TrimBlanks(names[column]);
    const int field = converter.names_.Find(name, column);
    if (field < 0) {
      return InvalidHeader("there is no field for the column " + std::string(name));
    }
    int& column_of_field = converter.column_of_field_[static_cast<std::size_t>(field)];
    if (column_of_field >= 0) {
      return InvalidHeader("two columns have the name " + std::string(name));
    }
    column_of_field = static_cast<int>(column);
  }
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const Field& field = dataset.fields[i];
    const int index = static_cast<int>(i);
    const bool needed = field.required || index == converter.key_ || index == converter.subkey_ ||
                        index == converter.date_;
    if (needed && converter.column_of_field_[i] < 0) {
      return InvalidHeader("there is no column for the field " + field.name);
    }
  }
  return converter;
}

// `append(i, millis)` appends the value of field i: true; or leaves the text alone: nullopt, it is
// null; false: it is none of the field's type.
template <typename AppendField>
Status RowConverter::Assemble(Record& record, AppendField append) const {
  record.key.clear();
  record.subkey.clear();
  record.date_millis = 0;
  record.values.assign(1, '[');
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const Field& field = fields_[i];
    const int index = static_cast<int>(i);
    if (i > 0) record.values += ',';
    const std::size_t start = record.values.size();
    std::int64_t millis = 0;
    const std::optional<bool> appended = append(i, millis);
    if (!appended) {
      // An absent subkey or date counts as empty (wire.md §7); nobody could ask for an absent key.
      if (index == key_ || field.required) return InvalidValue(field.name, kEmpty);
      record.values += "null";
      continue;
    }
    if (!*appended) return InvalidValue(field.name, Expected(field.type));
    if (index == date_) record.date_millis = millis;
    if (index == key_ || index == subkey_) {
      const std::string_view stored = std::string_view(record.values).substr(start);
      std::string& text = index == key_ ? record.key : record.subkey;
      if (Status status = TakeIndexText(field, stored, text); !status.ok()) return status;
      if (index == key_ && text.empty()) return InvalidValue(field.name, kEmpty);
    }
  }
  record.values += ']';
  if (record.values.size() > kMaxRecordBytes) {
    return MakeError(ErrorCode::kInvalid, "the record is longer than 65536 bytes");
  }
  return {};
}

Status RowConverter::Convert(std::span<const std::string_view> cells, Record& record) const {
  return Assemble(record, [&](std::size_t i, std::int64_t& millis) -> std::optional<bool> {
    const FieldType type = fields_[i].type;
    const int column = column_of_field_[i];
    const std::string_view cell =
        column < 0 ? std::string_view() : cells[static_cast<std::size_t>(column)];
    const std::string_view text = TrimBlanks(cell);
    if (type == FieldType::kString ? cell.empty() : text.empty()) return std::nullopt;
    return AppendCell(record.values, type, cell, text, millis);
  });
}

Status RowConverter::Convert(std::span<const JsonMember> members, Record& record) const {
  // Of each field the member, on the stack: a record costs no memory of its own.
  if (fields_.size() > kMaxFields) {
    return MakeError(ErrorCode::kInternal, "the definition has too many fields");
  }
  std::array<const JsonMember*, kMaxFields> member_of_field;
  std::fill_n(member_of_field.begin(), fields_.size(), nullptr);
  std::size_t guess = 0;
  for (const JsonMember& member : members) {
    const int found = names_.Find(member.name, guess);
    if (found < 0) return UnknownMember(member.name);
    const auto index = static_cast<std::size_t>(found);
    if (member_of_field[index] != nullptr) {
      return InvalidValue(fields_[index].name, "two members have this name (case does not count)");
    }
    member_of_field[index] = &member;
    guess = index + 1;
  }
  return Assemble(record, [&](std::size_t i, std::int64_t& millis) -> std::optional<bool> {
    const JsonMember* member = member_of_field[i];
    if (member == nullptr || member->kind == JsonKind::kNull) return std::nullopt;
    return AppendMember(record.values, fields_[i].type, *member, millis);
  });
}

}  // namespace latchkey::core
