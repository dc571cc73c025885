// Finds fields by name, without case, in time that does not depend on how many they are. Pure; not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace latchkey::core {

class FieldNames {
 public:
  // The number of names. Their indexes are 0, 1, 2 … in the order of Add.
  std::size_t size() const { return names_.size(); }
  const std::string& operator[](std::size_t index) const { return names_[index]; }

  // The name must not be there yet.
  void Add(std::string_view name);
  // Forgets all names but the first `count`.
  void Truncate(std::size_t count);
  // -1: none. `guess` is looked at first, for it costs least: objects often have their members in
  // the order of the fields.
  int Find(std::string_view name, std::size_t guess) const {
    if (guess < names_.size() && names_[guess] == name) return static_cast<int>(guess);
    return Look(name);
  }

 private:
  int Look(std::string_view name) const;
  void Place(std::size_t index);

  std::vector<std::string> names_;
  std::vector<std::int32_t> slots_;  // an index or -1; a power of two, at most half of it taken
};

}  // namespace latchkey::core
