#include "core/schema_inference.h"

#include <algorithm>

#include "base/encoding.h"
#include "core/date_forms.h"
#include "core/json_text.h"

namespace latchkey::core {
namespace {

enum Form : std::uint8_t { kInteger = 1, kNumber = 2, kBoolean = 4, kDate = 8, kText = 16 };

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

FieldType TypeOf(std::uint16_t seen) {
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
    default:
      return FieldType::kString;
  }
}

Error InvalidHeader(std::string reason) {
  Error error = MakeError(ErrorCode::kInvalid, "The header: " + reason);
  error.fields.push_back({"line 1", std::move(reason)});
  return error;
}

Error InvalidCell(const Field& field, std::string_view what) {
  return MakeError(ErrorCode::kInvalid, field.name + ": " + std::string(what));
}

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
    default:
      return "can't be taken";
  }
}

// `cell` is not empty, `text` is the cell without blanks at its ends.
bool AppendValue(std::string& out, FieldType type, std::string_view cell, std::string_view text) {
  switch (type) {
    case FieldType::kString:
      AppendJsonString(out, cell);
      return true;
    case FieldType::kInteger:
    case FieldType::kNumber:
      if (type == FieldType::kInteger ? !IsJsonInteger(text) : !IsJsonNumber(text)) return false;
      AppendShortNumber(out, text);
      return true;
    case FieldType::kBoolean: {
      const std::optional<bool> value = ParseBoolean(text);
      if (!value) return false;
      out += *value ? "true" : "false";
      return true;
    }
    case FieldType::kDate: {
      const std::optional<DateValue> value = ParseDateOrMillis(text);
      if (!value) return false;
      AppendDateJson(out, text, *value);
      return true;
    }
    case FieldType::kObject:
      return text.starts_with('{') && AppendCompactJson(out, text);
    case FieldType::kArray:
      return text.starts_with('[') && AppendCompactJson(out, text);
    case FieldType::kAny:
      break;
  }
  const Form form = FormOf(text);
  return AppendValue(out,
                     form == kInteger || form == kNumber ? FieldType::kNumber
                     : form == kBoolean                  ? FieldType::kBoolean
                                                         : FieldType::kString,
                     cell, text);
}

Error TooLongIndex(const Field& field) {
  return InvalidCell(field, "is longer than an indexed value may be (1500 bytes)");
}

}  // namespace

// ---- Inference

Result<SchemaInference> SchemaInference::Begin(std::span<const std::string_view> names) {
  SchemaInference inference;
  Dataset check;  // the rules of names are the definition's
  check.name = "x";
  check.workspace = "x";
  check.owner = AccountId{1};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = TrimBlanks(names[i]);
    if (name.empty()) {
      return InvalidHeader("column " + std::to_string(i + 1) + " has no name");
    }
    inference.columns_.push_back({std::string(name), false, 0});
    check.fields.push_back({std::string(name), FieldType::kString, false});
  }
  if (!check.fields.empty()) check.key_field = check.fields[0].name;
  if (Status status = CheckDataset(check); !status.ok()) {
    return InvalidHeader(status.error().public_text);
  }
  return inference;
}

void SchemaInference::Observe(std::span<const std::string_view> cells) {
  const std::size_t count = std::min(cells.size(), columns_.size());
  for (std::size_t i = 0; i < count; ++i) {
    Column& column = columns_[i];
    if ((column.seen & kText) != 0) continue;  // nothing can narrow it again
    const std::string_view text = TrimBlanks(cells[i]);
    if (!text.empty()) column.seen |= FormOf(text);
  }
}

std::vector<Field> SchemaInference::Fields() const {
  std::vector<Field> fields;
  fields.reserve(columns_.size());
  for (const Column& column : columns_) {
    fields.push_back({column.name, TypeOf(column.seen), false});
  }
  return fields;
}

// ---- Conversion

Result<RowConverter> RowConverter::Begin(const Dataset& dataset,
                                         std::span<const std::string_view> names) {
  RowConverter converter;
  converter.fields_ = dataset.fields;
  converter.column_of_field_.assign(dataset.fields.size(), -1);
  for (std::size_t column = 0; column < names.size(); ++column) {
    const std::string_view name = TrimBlanks(names[column]);
    const auto field = std::find_if(
        dataset.fields.begin(), dataset.fields.end(),
        [name](const Field& candidate) { return EqualsIgnoreCase(candidate.name, name); });
    if (field == dataset.fields.end()) {
      return InvalidHeader("there is no field for the column " + std::string(name));
    }
    int& column_of_field =
        converter.column_of_field_[static_cast<std::size_t>(field - dataset.fields.begin())];
    if (column_of_field >= 0) {
      return InvalidHeader("two columns have the name " + std::string(name));
    }
    column_of_field = static_cast<int>(column);
  }
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const Field& field = dataset.fields[i];
    const int column = converter.column_of_field_[i];
    const bool is_key = field.name == dataset.key_field;
    const bool is_subkey = field.name == dataset.subkey_field;
    const bool is_date = field.name == dataset.date_field;
    if (column < 0 && (field.required || is_key || is_subkey || is_date)) {
      return InvalidHeader("there is no column for the field " + field.name);
    }
    if (is_key) converter.key_ = static_cast<int>(i);
    if (is_subkey) converter.subkey_ = static_cast<int>(i);
    if (is_date) converter.date_ = static_cast<int>(i);
  }
  return converter;
}

Status RowConverter::Convert(std::span<const std::string_view> cells, Record& record) const {
  record.key.clear();
  record.subkey.clear();
  record.date_millis = 0;
  record.values.assign(1, '[');
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const Field& field = fields_[i];
    const int index = static_cast<int>(i);
    if (i > 0) record.values += ',';
    const int column = column_of_field_[i];
    const std::string_view cell = column < 0 ? std::string_view() : cells[column];
    const std::string_view text = TrimBlanks(cell);
    const bool null = field.type == FieldType::kString ? cell.empty() : text.empty();
    if (null) {
      if (index == key_ || index == date_ || field.required) {
        return InvalidCell(field, "must not be empty");
      }
      record.values += "null";
      continue;
    }
    if (!AppendValue(record.values, field.type, cell, text)) {
      return InvalidCell(field, Expected(field.type));
    }
    if (index == key_ || index == subkey_) {
      const std::string_view value = field.type == FieldType::kString ? cell : text;
      if (value.size() > kMaxIndexedValueBytes) return TooLongIndex(field);
      (index == key_ ? record.key : record.subkey).assign(value);
    }
    if (index == date_) record.date_millis = ParseDateOrMillis(text)->millis;
  }
  record.values += ']';
  if (record.values.size() > kMaxRecordBytes) {
    return MakeError(ErrorCode::kInvalid, "the record is longer than 65536 bytes");
  }
  return {};
}

}  // namespace latchkey::core
