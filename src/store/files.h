// The names of the store's files in the data folder.
#pragma once

#include <cstdint>
#include <string_view>

namespace latchkey::store {

inline constexpr std::string_view kStateFile = "state.db";
inline constexpr std::string_view kRecordsFile = "records.db";
inline constexpr std::string_view kRemovedDigestsFile = "removed.digests";
// Stands after a restore until the operator accepts it (backup.h).
inline constexpr std::string_view kRestoredMarkerFile = "restored.json";

// What SQLite's application_id says of each file: "LKst" and "LKrc".
inline constexpr std::int32_t kStateApplicationId = 0x4c4b7374;
inline constexpr std::int32_t kRecordsApplicationId = 0x4c4b7263;

}  // namespace latchkey::store
