#include "env/worker_pool.h"

#include <atomic>
#include <future>
#include <string>

#include <gtest/gtest.h>

namespace latchkey {
namespace {

// A job that tells when it began and ends when it is told to.
class Held {
 public:
  std::function<void()> Job() {
    return [this] {
      started_.set_value();
      release_.get_future().wait();
    };
  }
  void AwaitStart() { started_.get_future().wait(); }
  void Release() { release_.set_value(); }

 private:
  std::promise<void> started_;
  std::promise<void> release_;
};

TEST(WorkerPoolTest, RefusesWhenTheQueueIsFullAndRunsAllThatItTook) {
  std::atomic<int> ran{0};
  {
    WorkerPool pool(1, 2);
    Held held;
    ASSERT_TRUE(pool.Submit(0, held.Job()));
    held.AwaitStart();
    EXPECT_TRUE(pool.Submit(0, [&] { ++ran; }));
    EXPECT_TRUE(pool.Submit(1, [&] { ++ran; }));
    EXPECT_FALSE(pool.Submit(2, [&] { ++ran; }));
    EXPECT_EQ(pool.Queued(), 2U);
    held.Release();
  }
  EXPECT_EQ(ran, 2);
}

TEST(WorkerPoolTest, LanesTakeTurnsAndKeepTheirOrder) {
  std::string order;
  {
    WorkerPool pool(1, 100);
    Held held;
    ASSERT_TRUE(pool.Submit(9, held.Job()));
    held.AwaitStart();
    for (const char* job : {"a1", "a2", "a3", "b1", "c1", "b2"}) {
      ASSERT_TRUE(pool.Submit(job[0], [&order, job] { order.append(job).append(" "); }));
    }
    held.Release();
  }
  EXPECT_EQ(order, "a1 b1 c1 a2 b2 a3 ");
}

TEST(WorkerPoolTest, OneLaneNeverHasAllThreads) {
  WorkerPool pool(3, 100);
  Held held[3];
  for (Held& each : held) ASSERT_TRUE(pool.Submit(1, each.Job()));
  held[0].AwaitStart();
  held[1].AwaitStart();
  // The third thread is free for another lane, although the third job of lane 1 came before.
  std::promise<void> ran;
  ASSERT_TRUE(pool.Submit(2, [&ran] { ran.set_value(); }));
  ran.get_future().wait();
  EXPECT_EQ(pool.Queued(), 1U);
  held[0].Release();
  held[2].AwaitStart();
  held[1].Release();
  held[2].Release();
}

TEST(WorkerPoolTest, OneLaneNeverHasTheWholeQueue) {
  Held held;
  WorkerPool pool(1, 8);
  ASSERT_TRUE(pool.Submit(1, held.Job()));
  held.AwaitStart();
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(pool.Submit(1, [] {}));
  EXPECT_FALSE(pool.Submit(1, [] {}));
  EXPECT_TRUE(pool.Submit(2, [] {}));
  held.Release();
}

TEST(WorkerPoolTest, RunsEachJobOnceHoweverManyLanesAndThreads) {
  std::atomic<int> ran{0};
  {
    WorkerPool pool(4, 100'000);
    for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(pool.Submit(i % 7, [&] { ++ran; }));
  }
  EXPECT_EQ(ran, 20'000);
}

}  // namespace
}  // namespace latchkey
