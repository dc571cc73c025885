#include "env/shares.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace latchkey {
namespace {

TEST(SharesTest, ALaneGetsItsShareAndAllTogetherTheWhole) {
  Shares shares(10, 4);
  const Shares::Held first = shares.Take(1, 4);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(shares.Take(1, 1), nullptr);
  const Shares::Held second = shares.Take(2, 3);
  const Shares::Held third = shares.Take(3, 3);
  ASSERT_NE(second, nullptr);
  ASSERT_NE(third, nullptr);
  // Each is below its share, and the whole is held.
  EXPECT_EQ(shares.Take(2, 1), nullptr);
  EXPECT_EQ(shares.Take(4, 1), nullptr);
  EXPECT_EQ(shares.held(), 10U);
  EXPECT_NE(shares.Take(1, 0), nullptr);
}

TEST(SharesTest, WhatIsHeldIsGivenBackWithItsLastCopy) {
  Shares shares(10, 4);
  Shares::Held held = shares.Take(1, 4);
  Shares::Held copy = held;
  held.reset();
  EXPECT_EQ(shares.Take(1, 1), nullptr);
  copy.reset();
  EXPECT_EQ(shares.held(), 0U);
  EXPECT_NE(shares.Take(1, 4), nullptr);
}

TEST(SharesTest, NoAmountIsSoLargeThatItFits) {
  Shares shares(10, 20);
  const Shares::Held held = shares.Take(1, 1);
  EXPECT_EQ(shares.Take(1, UINT64_MAX), nullptr);
  EXPECT_EQ(shares.Take(2, UINT64_MAX), nullptr);
  EXPECT_EQ(shares.Take(2, 10), nullptr);
  EXPECT_NE(shares.Take(2, 9), nullptr);
}

}  // namespace
}  // namespace latchkey
