#include "store/turns.h"

#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace latchkey::store {
namespace {

// Lets writers of these lanes queue up, in this order, behind one that has the turn; in which order
// they were served (as positions in `lanes`).
std::vector<std::size_t> ServeAll(const std::vector<std::int64_t>& lanes) {
  Turns turns;
  std::vector<std::size_t> served;  // by whoever has the turn
  std::vector<std::thread> writers;
  {
    Turn first(turns, 99);
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      writers.emplace_back([&, i] {
        Turn turn(turns, lanes[i]);
        served.push_back(i);
      });
      while (turns.waiting() != i + 1) std::this_thread::yield();
    }
  }
  for (std::thread& writer : writers) writer.join();
  return served;
}

TEST(TurnsTest, WithinALaneTheyAreServedInTheOrderTheyCame) {
  EXPECT_EQ(ServeAll({1, 1, 1, 1}), (std::vector<std::size_t>{0, 1, 2, 3}));
}

TEST(TurnsTest, LanesTakeTurnsHoweverManyWaitInOne) {
  EXPECT_EQ(ServeAll({1, 1, 1, 1, 2, 2, 3}), (std::vector<std::size_t>{0, 4, 6, 1, 5, 2, 3}));
}

// Who writes chunk after chunk lets the other in after one.
TEST(TurnsTest, OneThatComesBackAtOnceStandsBehindThoseWhoWait) {
  Turns turns;
  std::vector<int> order;
  turns.lock(1);
  std::thread other([&] {
    Turn turn(turns, 2);
    order.push_back(2);
  });
  while (turns.waiting() != 1) std::this_thread::yield();
  order.push_back(1);
  turns.unlock();
  {
    Turn turn(turns, 1);
    order.push_back(1);
  }
  other.join();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 1}));
}

}  // namespace
}  // namespace latchkey::store
