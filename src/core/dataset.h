// A dataset: its definition. The records live in a database of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/ids.h"

namespace latchkey::core {

enum class FieldType : std::uint8_t {
  kDate,
  kNumber,
  kInteger,
  kString,
  kObject,
  kArray,
  kBoolean,
  kAny
};
std::string_view ToString(FieldType type);  // as wire.md §7 names them
std::optional<FieldType> ParseFieldType(std::string_view text);

struct Field {
  std::string name;  // with case; unique without case
  FieldType type = FieldType::kAny;
  bool required = false;
};

// core and premium are the operator's, workspace is an account's.
enum class DatasetClass : std::uint8_t { kCore, kPremium, kWorkspace };
std::string_view ToString(DatasetClass dataset_class);

inline constexpr std::string_view kCoreWorkspace = "core";
inline constexpr std::string_view kPremiumWorkspace = "premium";
inline constexpr std::size_t kMaxFields = 512;
inline constexpr std::size_t kMaxFieldNameBytes = 128;
inline constexpr std::size_t kMaxDatasetNameBytes = 128;
inline constexpr std::size_t kMaxDatasetTitleBytes = 256;
inline constexpr std::size_t kMaxDatasetSourceBytes = 256;
// Of a definition's JSON as it is sent: what a request that makes or changes one may hold.
inline constexpr std::size_t kMaxDefinitionBytes = 256 * 1024;
inline constexpr std::size_t kMaxRecordBytes = 64 * 1024;
inline constexpr std::size_t kMaxIndexedValueBytes = 1500;

struct Dataset {
  DatasetId id;
  DatasetClass dataset_class = DatasetClass::kWorkspace;
  AccountId owner;        // of a workspace dataset; none for core and premium
  std::string workspace;  // "core", "premium" or the account's
  std::string name;       // as created, e.g. "STOCKS"; unique in its workspace without case
  std::string title;
  std::string source;  // where the data comes from, as its owner says: free text
  std::vector<Field> fields;
  // Names of fields; empty: none. `date` must be a date field.
  std::string key_field;
  std::string subkey_field;
  std::string date_field;
  std::uint32_t weight = 1;  // credits per record, 0 to 1,000,000
  bool test = false;         // test tokens may read it
  // The generation of records that counts. 0: none yet.
  std::int64_t generation = 0;
  Timestamp created_at{};
  Timestamp updated_at{};
  std::int64_t version = 1;  // one more with each change of the definition or of `generation`

  // The index of a field by its name (with case), or -1.
  int FieldIndex(std::string_view name) const;
};

// 1 to 128 of A-Z a-z 0-9 _ - ., starting with a letter or digit, not "_system…".
Status CheckDatasetName(std::string_view name);
// 1 to 128 bytes of UTF-8 without control characters, not "_system…".
Status CheckFieldName(std::string_view name);
// Everything that must hold of a definition; errors name the field.
Status CheckDataset(const Dataset& dataset);

// What may change while records stand (both definitions hold by themselves): name, title, source,
// weight, test; fields may be added at the end, not required; a type may widen (integer to number,
// anything to any); required may end. No field goes, changes its name or its place, and the index
// fields stay. kInvalid with the field named.
Status CheckDatasetChange(const Dataset& before, const Dataset& after);
// The fields that were asked for in the order in which the records' values stand: those of `before`
// (by name, with case) in their order, then the new ones as they come.
std::vector<Field> InStandingOrder(std::span<const Field> before, std::vector<Field> asked);

}  // namespace latchkey::core
