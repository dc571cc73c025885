#include "core/field_names.h"

#include "base/encoding.h"

namespace latchkey::core {
namespace {

constexpr std::size_t kFirstSlots = 32;

// FNV-1a of the folded name. Names made to collide cost their owner a longer walk, of at most
// kMaxFields steps.
std::size_t Hash(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(ToLower(c))) * 0x100000001B3;
  }
  return hash ^ (hash >> 32);
}

}  // namespace

void FieldNames::Add(std::string_view name) {
  names_.emplace_back(name);
  if (names_.size() * 2 <= slots_.size()) {
    Place(names_.size() - 1);
    return;
  }
  slots_.assign(slots_.empty() ? kFirstSlots : slots_.size() * 2, -1);
  for (std::size_t i = 0; i < names_.size(); ++i) Place(i);
}

void FieldNames::Truncate(std::size_t count) {
  if (count >= names_.size()) return;
  names_.resize(count);
  slots_.assign(slots_.size(), -1);
  for (std::size_t i = 0; i < names_.size(); ++i) Place(i);
}

int FieldNames::Look(std::string_view name) const {
  if (slots_.empty()) return -1;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = Hash(name) & mask; slots_[at] >= 0; at = (at + 1) & mask) {
    if (EqualsIgnoreCase(names_[static_cast<std::size_t>(slots_[at])], name)) return slots_[at];
  }
  return -1;
}

void FieldNames::Place(std::size_t index) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = Hash(names_[index]) & mask;
  while (slots_[at] >= 0) at = (at + 1) & mask;
  slots_[at] = static_cast<std::int32_t>(index);
}

}  // namespace latchkey::core
