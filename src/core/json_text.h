// JSON as text, without a tree: enough to take a cell of a file as a JSON value and to keep numbers
// exactly as they were written. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace latchkey::core {

inline constexpr int kMaxJsonDepth = 64;

// RFC 8259 §2: what may stand around each part.
constexpr bool IsJsonBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The length of the string that the text begins with, its quotes included; 0 for none. UTF-8 is not
// looked at.
std::size_t JsonStringLength(std::string_view text);

struct JsonScan {
  std::size_t length = 0;  // 0: the text begins with no value
  bool too_deep = false;   // because it is more than kMaxJsonDepth deep
};
// The value that the text begins with (no blanks before it), itself within `depth` objects and
// arrays. UTF-8 is not looked at.
JsonScan ScanJsonValue(std::string_view text, int depth);

// The grammar of RFC 8259 §6, nothing around it.
bool IsJsonNumber(std::string_view text);
// Digits with an optional minus, no leading zero: a JSON number without fraction or exponent.
bool IsJsonInteger(std::string_view text);
// Appends a number (IsJsonNumber) in its shortest exact form: the digits stay, only zeros that end
// the fraction go, and a zero loses its sign. 1469.250000 → 1469.25, 5.0 → 5, 0.10e3 → 0.1e3.
void AppendShortNumber(std::string& out, std::string_view number);

// Appends one JSON value without the blanks between its parts. False, with `out` as it was, for
// anything but exactly one well-formed value at most kMaxJsonDepth deep.
bool AppendCompactJson(std::string& out, std::string_view text);

// The text that a JSON string stands for; `quoted` has its quotes. nullopt if it is ill-formed. A
// lone surrogate becomes U+FFFD.
std::optional<std::string> JsonStringText(std::string_view quoted);
// The same, appended, of a string known to be well-formed.
void AppendJsonStringText(std::string& out, std::string_view quoted);

}  // namespace latchkey::core
