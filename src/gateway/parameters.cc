#include "gateway/parameters.h"

#include <utility>

#include "base/encoding.h"

namespace latchkey::gateway {

Parameters::Parameters(std::string_view raw) {
  Result<std::vector<http::QueryParameter>> read = http::ParseQuery(raw);
  if (!read.ok()) {
    error_ = std::move(read).error();
    return;
  }
  for (http::QueryParameter& parameter : *read) pairs_.push_back({std::move(parameter)});
}

const std::string* Parameters::Take(std::string_view name) {
  const std::string* value = nullptr;
  for (Pair& pair : pairs_) {
    if (pair.parameter.name != name) continue;
    if (value != nullptr) Wrong(name, "stands twice; send it once");
    pair.taken = true;
    value = &pair.parameter.value;
  }
  return value;
}

void Parameters::Wrong(std::string_view name, std::string_view what) {
  if (error_) return;
  error_ = MakeError(ErrorCode::kInvalid,
                     "The parameter " + std::string(name) + " " + std::string(what));
}

bool Parameters::Flag(std::string_view name, bool otherwise) {
  const std::string* value = Take(name);
  if (value == nullptr) return otherwise;
  if (EqualsIgnoreCase(*value, "true")) return true;
  if (EqualsIgnoreCase(*value, "false")) return false;
  Wrong(name, "must be true or false");
  return otherwise;
}

std::uint64_t Parameters::Number(std::string_view name, std::uint64_t otherwise,
                                 std::uint64_t least, std::uint64_t most) {
  const std::string* value = Take(name);
  if (value == nullptr) return otherwise;
  const std::optional<std::uint64_t> number = ParseUint64(*value);
  if (number && *number >= least && *number <= most) return *number;
  Wrong(name,
        "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return otherwise;
}

std::size_t Parameters::Choice(std::string_view name,
                               std::initializer_list<std::string_view> choices,
                               std::size_t otherwise) {
  const std::string* value = Take(name);
  if (value == nullptr) return otherwise;
  std::string known;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const std::string_view choice = choices.begin()[i];
    if (EqualsIgnoreCase(*value, choice)) return i;
    if (i != 0) known.append(i + 1 == choices.size() ? " or " : ", ");
    known.append(choice);
  }
  Wrong(name, "must be " + known);
  return otherwise;
}

std::optional<std::string> Parameters::Text(std::string_view name) {
  const std::string* value = Take(name);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

Status Parameters::Check() const {
  if (error_) return *error_;
  for (const Pair& pair : pairs_) {
    if (pair.taken) continue;
    return MakeError(ErrorCode::kInvalid, "The parameter " + http::ShownName(pair.parameter.name) +
                                              " is not known here");
  }
  return {};
}

}  // namespace latchkey::gateway
