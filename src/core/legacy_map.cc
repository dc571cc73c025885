#include "core/legacy_map.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/text.h"

namespace latchkey::core {

std::string_view ToString(LegacyKind kind) {
  return kind == LegacyKind::kChart ? "chart" : "quote";
}

std::optional<LegacyKind> ParseLegacyKind(std::string_view text) {
  for (const LegacyKind kind : kLegacyKinds) {
    if (ToString(kind) == text) return kind;
  }
  return std::nullopt;
}

namespace {

const LegacyRename* FindRename(const LegacyMap& map, std::string_view field) {
  const auto found = std::find_if(map.renames.begin(), map.renames.end(),
                                  [&](const LegacyRename& each) { return each.field == field; });
  return found == map.renames.end() ? nullptr : &*found;
}

}  // namespace

std::optional<std::string_view> LegacyMap::NameOf(const Dataset& over,
                                                  std::string_view field) const {
  if (const LegacyRename* rename = FindRename(*this, field)) return rename->name;
  const bool taken = std::any_of(renames.begin(), renames.end(), [&](const LegacyRename& rename) {
    return rename.name == field && over.FieldIndex(rename.field) >= 0;
  });
  if (taken) return std::nullopt;
  return field;
}

Status CheckLegacyMap(const LegacyMap& map, const Dataset& dataset) {
  std::vector<FieldError> errors;
  if (dataset.dataset_class != DatasetClass::kCore) {
    errors.push_back({"dataset", "The old forms stand over datasets of core only."});
  } else if (dataset.key_field.empty()) {
    errors.push_back({"dataset", "It has no key, by which a symbol would be found."});
  } else if (map.kind == LegacyKind::kChart && dataset.date_field.empty()) {
    errors.push_back({"dataset", "It has no date, and a chart is a range of days."});
  }
  if (map.renames.size() > kMaxLegacyRenames) {
    errors.push_back({"renames", "At most 128 fields may be renamed."});
  }
  std::set<std::string_view> fields;
  for (const LegacyRename& rename : map.renames) {
    const auto fail = [&](std::string detail) {
      errors.push_back({"renames." + rename.name, std::move(detail)});
    };
    if (rename.name.empty()) fail("The name is empty.");
    if (const auto wrong = CheckLine(rename.name, kMaxFieldNameBytes)) fail("It " + *wrong + ".");
    if (dataset.FieldIndex(rename.field) < 0) {
      fail("The dataset has no field \"" + rename.field + "\".");
    } else if (!fields.insert(rename.field).second) {
      fail("The field \"" + rename.field + "\" is renamed already.");
    }
  }
  std::set<std::string_view> names;
  for (const Field& field : dataset.fields) {
    const LegacyRename* rename = FindRename(map, field.name);
    const std::string_view name = rename == nullptr ? field.name : rename->name;
    if (names.insert(name).second) continue;
    errors.push_back({"renames." + std::string(name), "Two fields would stand under this name."});
  }
  if (errors.empty()) return {};
  Error error = MakeError(ErrorCode::kInvalid, errors.front().field + ": " + errors.front().detail);
  error.fields = std::move(errors);
  return error;
}

}  // namespace latchkey::core
