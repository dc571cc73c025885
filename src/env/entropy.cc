#include "env/entropy.h"

#include <array>
#include <cstring>

#include "base/crypto.h"
#include "base/encoding.h"

namespace latchkey {

std::uint64_t Entropy::Below(std::uint64_t bound) {
  // Rejects what lies above the last whole multiple of the bound; the rest is without bias.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    std::array<std::uint8_t, 8> bytes;
    Fill(bytes);
    std::uint64_t value;
    std::memcpy(&value, bytes.data(), sizeof(value));
    if (value < limit) return value % bound;
  }
}

std::string Entropy::Base62(std::size_t count) {
  std::string out;
  out.reserve(count);
  while (out.size() < count) out.push_back(kBase62Alphabet[Below(62)]);
  return out;
}

void SystemEntropy::Fill(std::span<std::uint8_t> out) { RandomBytes(out); }

void SeededEntropy::Fill(std::span<std::uint8_t> out) {
  for (std::uint8_t& byte : out) {  // splitmix64
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    byte = static_cast<std::uint8_t>(z ^ (z >> 31));
  }
}

}  // namespace latchkey
