// Where chance comes from.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace latchkey {

class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual void Fill(std::span<std::uint8_t> out) = 0;

  // A number of 0 to bound-1, without bias. bound > 0.
  std::uint64_t Below(std::uint64_t bound);
  // `count` characters of base62, each without bias.
  std::string Base62(std::size_t count);
};

// The system's random source. Thread-safe.
class SystemEntropy final : public Entropy {
 public:
  void Fill(std::span<std::uint8_t> out) override;
};

// Repeatable chance for tests. Not thread-safe.
class SeededEntropy final : public Entropy {
 public:
  explicit SeededEntropy(std::uint64_t seed) : state_(seed) {}
  void Fill(std::span<std::uint8_t> out) override;

 private:
  std::uint64_t state_;
};

}  // namespace latchkey
