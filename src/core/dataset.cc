#include "core/dataset.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "base/encoding.h"

namespace latchkey::core {
namespace {

constexpr std::array<std::string_view, 8> kFieldTypeNames = {
    "date", "number", "integer", "string", "object", "array", "boolean", "any"};
constexpr std::uint32_t kMaxWeight = 1'000'000;

Error Invalid(std::string field, std::string detail) {
  // Not the name first: a sentence begins with a capital, and names are with case.
  Error error = MakeError(ErrorCode::kInvalid, "at " + field + ": " + detail);
  error.fields.push_back({std::move(field), std::move(detail)});
  return error;
}

bool StartsWithSystem(std::string_view name) {
  return name.size() >= 7 && EqualsIgnoreCase(name.substr(0, 7), "_system");
}

Status CheckFields(const std::vector<Field>& fields) {
  if (fields.empty()) return Invalid("fields", "a dataset has at least one field");
  if (fields.size() > kMaxFields) return Invalid("fields", "a dataset has at most 512 fields");
  std::set<std::string> folded;
  for (const Field& field : fields) {
    if (Status status = CheckFieldName(field.name); !status.ok()) return status;
    if (!folded.insert(ToLower(field.name)).second) {
      return Invalid(field.name, "two fields have this name (case does not count)");
    }
  }
  return {};
}

bool Widens(FieldType from, FieldType to) {
  return to == FieldType::kAny || (from == FieldType::kInteger && to == FieldType::kNumber);
}

}  // namespace

std::string_view ToString(FieldType type) {
  return kFieldTypeNames[static_cast<std::size_t>(type)];
}

std::optional<FieldType> ParseFieldType(std::string_view text) {
  for (std::size_t i = 0; i < kFieldTypeNames.size(); ++i) {
    if (kFieldTypeNames[i] == text) return static_cast<FieldType>(i);
  }
  return std::nullopt;
}

std::string_view ToString(DatasetClass dataset_class) {
  switch (dataset_class) {
    case DatasetClass::kCore:
      return "core";
    case DatasetClass::kPremium:
      return "premium";
    case DatasetClass::kWorkspace:
      break;
  }
  return "workspace";
}

int Dataset::FieldIndex(std::string_view field_name) const {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == field_name) return static_cast<int>(i);
  }
  return -1;
}

Status CheckDatasetName(std::string_view name) {
  if (name.empty() || name.size() > kMaxDatasetNameBytes) {
    return Invalid("name", "a dataset's name has 1 to 128 characters");
  }
  if (StartsWithSystem(name)) {
    return Invalid("name", "names that start with _system are reserved");
  }
  if (!IsAlpha(name[0]) && !IsDigit(name[0])) {
    return Invalid("name", "a dataset's name starts with a letter or a digit");
  }
  for (const char c : name) {
    if (!IsAlpha(c) && !IsDigit(c) && c != '_' && c != '-' && c != '.') {
      return Invalid("name",
                     "a dataset's name is made of letters, digits, underscores, dashes and dots");
    }
  }
  return {};
}

Status CheckFieldName(std::string_view name) {
  if (name.empty()) return Invalid("fields", "a field's name must not be empty");
  if (name.size() > kMaxFieldNameBytes) {
    return Invalid("fields", "a field's name has at most 128 bytes");
  }
  if (!IsValidUtf8(name)) return Invalid("fields", "a field's name must be UTF-8");
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return Invalid("fields", "a field's name must not hold control characters");
    }
  }
  if (StartsWithSystem(name)) {
    return Invalid(std::string(name), "names that start with _system are reserved");
  }
  return {};
}

Status CheckDataset(const Dataset& dataset) {
  if (Status status = CheckDatasetName(dataset.name); !status.ok()) return status;
  const bool operators = dataset.dataset_class != DatasetClass::kWorkspace;
  if (operators && (dataset.workspace != ToString(dataset.dataset_class) || dataset.owner)) {
    return Invalid("workspace", "core and premium data stand in the workspace of that name");
  }
  if (!operators && (!dataset.owner || dataset.workspace == kCoreWorkspace ||
                     dataset.workspace == kPremiumWorkspace)) {
    return Invalid("workspace", "a workspace's dataset belongs to an account");
  }
  if (dataset.title.size() > kMaxDatasetTitleBytes || !IsValidUtf8(dataset.title)) {
    return Invalid("title", "a title has at most 256 bytes of UTF-8");
  }
  if (dataset.source.size() > kMaxDatasetSourceBytes || !IsValidUtf8(dataset.source)) {
    return Invalid("source", "a source has at most 256 bytes of UTF-8");
  }
  if (Status status = CheckFields(dataset.fields); !status.ok()) return status;
  const auto absent = [&dataset](const std::string& name) {
    return !name.empty() && dataset.FieldIndex(name) < 0;
  };
  constexpr const char* kNoSuchField = "there is no field of this name";
  if (absent(dataset.key_field)) return Invalid("key", kNoSuchField);
  if (absent(dataset.subkey_field)) return Invalid("subkey", kNoSuchField);
  if (absent(dataset.date_field)) return Invalid("date", kNoSuchField);
  if (dataset.key_field.empty() && dataset.date_field.empty()) {
    return Invalid("key", "a dataset needs a field as key or as date (or both)");
  }
  if (!dataset.subkey_field.empty() && dataset.key_field.empty()) {
    return Invalid("subkey", "a subkey needs a key");
  }
  if (!dataset.key_field.empty() && dataset.key_field == dataset.subkey_field) {
    return Invalid("subkey", "key and subkey are two different fields");
  }
  if (!dataset.date_field.empty()) {
    if (dataset.fields[dataset.FieldIndex(dataset.date_field)].type != FieldType::kDate) {
      return Invalid("date", "the date must be a field of the type date");
    }
    if (dataset.date_field == dataset.key_field || dataset.date_field == dataset.subkey_field) {
      return Invalid("date", "the date can't be the key or the subkey as well");
    }
  }
  for (const std::string* index : {&dataset.key_field, &dataset.subkey_field}) {
    if (index->empty()) continue;
    const FieldType type = dataset.fields[dataset.FieldIndex(*index)].type;
    if (type == FieldType::kObject || type == FieldType::kArray) {
      return Invalid(*index, "a key is a text, a number, a boolean or a date");
    }
  }
  if (dataset.weight > kMaxWeight) return Invalid("weight", "a weight is 0 to 1000000 credits");
  return {};
}

Status CheckDatasetChange(const Dataset& before, const Dataset& after) {
  for (std::size_t i = 0; i < before.fields.size(); ++i) {
    const Field& old = before.fields[i];
    const int now = after.FieldIndex(old.name);
    if (now < 0) return Invalid(old.name, "a field can't be removed or renamed");
    if (now != static_cast<int>(i)) {
      return Invalid(old.name, "fields keep their order; new ones stand after them");
    }
    const Field& changed = after.fields[i];
    if (changed.type != old.type && !Widens(old.type, changed.type)) {
      return Invalid(old.name, "a field of the type " + std::string(ToString(old.type)) +
                                   " can't become " + std::string(ToString(changed.type)) +
                                   "; a type may only widen (integer to number, all to any)");
    }
    if (changed.required && !old.required) {
      return Invalid(old.name, "a field can't become required: records may lack it");
    }
  }
  for (std::size_t i = before.fields.size(); i < after.fields.size(); ++i) {
    if (after.fields[i].required) {
      return Invalid(after.fields[i].name, "a new field can't be required: the records lack it");
    }
  }
  constexpr const char* kIndexStays = "the index fields of a dataset stay as they are";
  if (after.key_field != before.key_field) return Invalid("key", kIndexStays);
  if (after.subkey_field != before.subkey_field) return Invalid("subkey", kIndexStays);
  if (after.date_field != before.date_field) return Invalid("date", kIndexStays);
  return {};
}

std::vector<Field> InStandingOrder(std::span<const Field> before, std::vector<Field> asked) {
  std::unordered_map<std::string_view, std::size_t> place;
  for (std::size_t i = 0; i < before.size(); ++i) place.emplace(before[i].name, i);
  const auto place_of = [&](const Field& field) {
    const auto found = place.find(field.name);
    return found == place.end() ? before.size() : found->second;
  };
  std::stable_sort(asked.begin(), asked.end(),
                   [&](const Field& a, const Field& b) { return place_of(a) < place_of(b); });
  return asked;
}

}  // namespace latchkey::core
