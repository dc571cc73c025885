// One JSON object as the members it has, without a tree and without memory per member. Pure; not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dataset.h"

namespace latchkey::core {

enum class JsonKind : std::uint8_t { kNull, kBoolean, kNumber, kString, kObject, kArray };

// Views hold as long as the text that was parsed stands and nothing else is parsed.
struct JsonMember {
  std::string_view name;   // what the name's string stands for
  std::string_view value;  // as written, without blanks around it; well-formed UTF-8
  JsonKind kind = JsonKind::kNull;
};

// How a text is no record.
enum class JsonFault : std::uint8_t {
  kNone,
  kNotJson,    // nothing of RFC 8259
  kNotObject,  // a JSON value of another kind
  kNotUtf8,    // ill-formed UTF-8 (RFC 3629)
  kTooDeep,    // more than kMaxJsonDepth objects and arrays within one another
  kTooMany,    // more members than the limit
  kDuplicate,  // two members of exactly the same name (nested objects are not looked into)
};
// "it is not JSON" …: what a rejected line says.
std::string_view ToString(JsonFault fault);

class JsonObjectParser {
 public:
  explicit JsonObjectParser(std::size_t max_members = kMaxFields) : max_members_(max_members) {}

  // Exactly one value with nothing but blanks around it. After kNone `members` has the members in
  // their order; after a fault it is of no use.
  JsonFault Parse(std::string_view text);
  std::span<const JsonMember> members() const { return members_; }

 private:
  JsonFault ParseMembers(std::string_view text);
  std::string_view Name(std::string_view quoted, std::size_t text_bytes);
  bool HasDuplicate();

  const std::size_t max_members_;
  std::vector<JsonMember> members_;
  std::string names_;  // of the names that were written with escapes
  std::vector<std::uint64_t> signatures_;
  std::vector<std::string_view> sorted_;
};

}  // namespace latchkey::core
