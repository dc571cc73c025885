// The old forms of wire.md §7 (/stable/stock/{symbol}/quote, …/chart/{range}, batch): over which
// core dataset the operator lays each, and by which names.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/dataset.h"
#include "core/ids.h"

namespace latchkey::core {

enum class LegacyKind : std::uint8_t { kQuote, kChart };
inline constexpr std::array kLegacyKinds = {LegacyKind::kQuote, LegacyKind::kChart};
std::string_view ToString(LegacyKind kind);  // "quote", "chart"
std::optional<LegacyKind> ParseLegacyKind(std::string_view text);

inline constexpr std::size_t kMaxLegacyRenames = 128;

// In the answer the value of `field` stands under `name`.
struct LegacyRename {
  std::string name;   // as old clients read it, e.g. "latestPrice"
  std::string field;  // of the dataset, with case, e.g. "price"
  friend bool operator==(const LegacyRename&, const LegacyRename&) = default;
};

struct LegacyMap {
  LegacyKind kind = LegacyKind::kQuote;
  DatasetId dataset;  // it may be gone meanwhile: then the form is as if it were not mapped
  std::vector<LegacyRename> renames;  // fields that are not named keep their names
  Timestamp updated_at{};
  std::int64_t version = 1;

  // The name under which a field of this dataset stands in the answer: its own, unless it was
  // renamed. nullopt: it is left out, since another field was given its name. (That is refused when
  // a map is made, but a field of that name may come into the dataset later.)
  std::optional<std::string_view> NameOf(const Dataset& over, std::string_view field) const;
};

// Of a map over this dataset: it is the operator's core data and has a key; fields are there, no
// field is renamed twice, no two fields come to stand under one name. kInvalid with the fields
// "dataset" and "renames.<name>".
Status CheckLegacyMap(const LegacyMap& map, const Dataset& dataset);

}  // namespace latchkey::core
