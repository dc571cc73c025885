#include "env/entropy.h"

#include <array>

#include <gtest/gtest.h>

namespace latchkey {
namespace {

TEST(EntropyTest, Base62DrawsEachCharacterEquallyOften) {
  SeededEntropy entropy(7);
  constexpr std::size_t kDraws = 62'000;
  std::array<int, 128> counts{};
  for (char c : entropy.Base62(kDraws)) ++counts[static_cast<std::size_t>(c)];
  double chi_squared = 0;
  int different = 0;
  for (int count : counts) {
    if (count == 0) continue;
    ++different;
    chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  }
  EXPECT_EQ(different, 62);
  EXPECT_LT(chi_squared, 107.0);  // 61 degrees of freedom, p = 0.0002
}

}  // namespace
}  // namespace latchkey
