#include "core/json_records.h"

#include <algorithm>
#include <cstring>

#include "base/encoding.h"
#include "core/json_text.h"

namespace latchkey::core {
namespace {

// Up to here every name is held against every other one: cheaper than sorting.
constexpr std::size_t kFewMembers = 24;

bool IsAscii(std::string_view text) {
  std::uint64_t seen = 0;
  while (text.size() >= sizeof seen) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data(), sizeof bytes);
    seen |= bytes;
    text.remove_prefix(sizeof bytes);
  }
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return (seen & 0x8080808080808080) == 0;
}

// Equal for equal names, and seldom for others: no guard against names made to be alike, which the
// full comparison that follows settles.
std::uint64_t Signature(std::string_view name) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  const std::size_t length = std::min(name.size(), sizeof first);
  std::memcpy(&first, name.data(), length);
  std::memcpy(&last, name.data() + name.size() - length, length);
  return (first * 0x9E3779B97F4A7C15 + last) * 0xC2B2AE3D27D4EB4F + name.size();
}

JsonKind KindOf(char first) {
  switch (first) {
    case '{':
      return JsonKind::kObject;
    case '[':
      return JsonKind::kArray;
    case '"':
      return JsonKind::kString;
    case 't':
    case 'f':
      return JsonKind::kBoolean;
    case 'n':
      return JsonKind::kNull;
    default:
      return JsonKind::kNumber;
  }
}

// Takes the text from its beginning.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool AtEnd() {
    SkipBlanks();
    return rest_.empty();
  }
  bool Take(char c) {
    SkipBlanks();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view TakeString() {
    SkipBlanks();
    return Cut(JsonStringLength(rest_));
  }
  // Empty: there is none.
  std::string_view TakeValue(int depth) {
    SkipBlanks();
    const JsonScan scan = ScanJsonValue(rest_, depth);
    too_deep_ = scan.too_deep;
    return Cut(scan.length);
  }
  JsonFault Fault() const { return too_deep_ ? JsonFault::kTooDeep : JsonFault::kNotJson; }

 private:
  void SkipBlanks() {
    while (!rest_.empty() && IsJsonBlank(rest_[0])) rest_.remove_prefix(1);
  }
  std::string_view Cut(std::size_t length) {
    const std::string_view cut = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return cut;
  }

  std::string_view rest_;
  bool too_deep_ = false;
};

}  // namespace

std::string_view ToString(JsonFault fault) {
  switch (fault) {
    case JsonFault::kNone:
      break;
    case JsonFault::kNotJson:
      return "it is not JSON";
    case JsonFault::kNotObject:
      return "it is not a JSON object";
    case JsonFault::kNotUtf8:
      return "it is not UTF-8";
    case JsonFault::kTooDeep:
      return "it has more than 64 objects and arrays within one another";
    case JsonFault::kTooMany:
      return "it has more members than a dataset may have fields";
    case JsonFault::kDuplicate:
      return "two of its members have the same name";
  }
  return "";
}

JsonFault JsonObjectParser::Parse(std::string_view text) {
  members_.clear();
  names_.clear();
  if (!IsAscii(text) && !IsValidUtf8(text)) return JsonFault::kNotUtf8;
  const JsonFault fault = ParseMembers(text);
  if (fault != JsonFault::kNone) return fault;
  return HasDuplicate() ? JsonFault::kDuplicate : JsonFault::kNone;
}

JsonFault JsonObjectParser::ParseMembers(std::string_view text) {
  Cursor cursor(text);
  if (!cursor.Take('{')) {
    if (cursor.TakeValue(0).empty() || !cursor.AtEnd()) return cursor.Fault();
    return JsonFault::kNotObject;
  }
  bool more = !cursor.Take('}');
  while (more) {
    const std::string_view quoted = cursor.TakeString();
    if (quoted.empty() || !cursor.Take(':')) return cursor.Fault();
    const std::string_view value = cursor.TakeValue(1);
    if (value.empty()) return cursor.Fault();
    if (members_.size() == max_members_) return JsonFault::kTooMany;
    members_.push_back({Name(quoted, text.size()), value, KindOf(value[0])});
    more = cursor.Take(',');
    if (!more && !cursor.Take('}')) return cursor.Fault();
  }
  return cursor.AtEnd() ? JsonFault::kNone : JsonFault::kNotJson;
}

std::string_view JsonObjectParser::Name(std::string_view quoted, std::size_t text_bytes) {
  if (quoted.find('\\') == std::string_view::npos) return quoted.substr(1, quoted.size() - 2);
  // No name is longer than it was written, so that what was handed out stays where it is.
  names_.reserve(text_bytes);
  const std::size_t start = names_.size();
  AppendJsonStringText(names_, quoted);
  return std::string_view(names_).substr(start);
}

bool JsonObjectParser::HasDuplicate() {
  signatures_.clear();
  for (const JsonMember& member : members_) signatures_.push_back(Signature(member.name));
  if (members_.size() <= kFewMembers) {
    for (std::size_t i = 1; i < members_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (signatures_[i] == signatures_[j] && members_[i].name == members_[j].name) return true;
      }
    }
    return false;
  }
  std::sort(signatures_.begin(), signatures_.end());
  if (std::adjacent_find(signatures_.begin(), signatures_.end()) == signatures_.end()) return false;
  sorted_.clear();
  for (const JsonMember& member : members_) sorted_.push_back(member.name);
  std::sort(sorted_.begin(), sorted_.end());
  return std::adjacent_find(sorted_.begin(), sorted_.end()) != sorted_.end();
}

}  // namespace latchkey::core
