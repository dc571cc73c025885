// One JSON object (RFC 8259) whose values are texts and whole numbers: what the small files of the
// data folder hold, and the ready file. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace latchkey {

// Numbers as their digits.
using FlatJson = std::map<std::string, std::string, std::less<>>;

// nullopt for anything but one flat object; a name given twice is refused.
std::optional<FlatJson> ParseFlatJson(std::string_view text);

// Writes such an object, its members in the order of the calls, indented.
class FlatJsonWriter {
 public:
  void Add(std::string_view name, std::string_view value);
  void Add(std::string_view name, const char* value) { Add(name, std::string_view(value)); }
  void Add(std::string_view name, std::int64_t value);
  // With a newline at its end.
  std::string Finish() const { return "{\n" + members_ + "\n}\n"; }

 private:
  void AddName(std::string_view name);
  std::string members_;
};

}  // namespace latchkey
