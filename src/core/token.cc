#include "core/token.h"

#include <set>
#include <string_view>

#include "core/text.h"

namespace latchkey::core {
namespace {

void AddError(std::vector<FieldError>& errors, std::string field, std::string_view text,
              std::size_t max_bytes) {
  if (const auto wrong = CheckLine(text, max_bytes)) {
    errors.push_back({std::move(field), "It " + *wrong + "."});
  }
}

}  // namespace

std::vector<FieldError> CheckProfile(const TokenProfile& profile) {
  std::vector<FieldError> errors;
  AddError(errors, "nickname", profile.nickname, kMaxNicknameBytes);
  AddError(errors, "end_user", profile.end_user, kMaxEndUserBytes);
  if (profile.labels.size() > kMaxLabels) {
    errors.push_back({"labels", "There are more than " + std::to_string(kMaxLabels) + "."});
    return errors;
  }
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < profile.labels.size(); ++i) {
    const Label& label = profile.labels[i];
    const std::string field = "labels[" + std::to_string(i) + "]";
    AddError(errors, field + ".name", label.name, kMaxLabelBytes);
    AddError(errors, field + ".value", label.value, kMaxLabelBytes);
    if (label.name.empty()) errors.push_back({field + ".name", "It is empty."});
    if (!names.insert(label.name).second) {
      errors.push_back({field + ".name", "There is a label of this name already."});
    }
  }
  return errors;
}

}  // namespace latchkey::core
