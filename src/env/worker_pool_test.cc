#include "env/worker_pool.h"

#include <atomic>
#include <future>

#include <gtest/gtest.h>

namespace latchkey {
namespace {

TEST(WorkerPoolTest, RefusesWhenTheQueueIsFullAndRunsAllThatItTook) {
  std::atomic<int> ran{0};
  {
    WorkerPool pool(1, 2);
    std::promise<void> started;
    std::promise<void> release;
    ASSERT_TRUE(pool.Submit([&] {
      started.set_value();
      release.get_future().wait();
      ++ran;
    }));
    started.get_future().wait();
    EXPECT_TRUE(pool.Submit([&] { ++ran; }));
    EXPECT_TRUE(pool.Submit([&] { ++ran; }));
    EXPECT_FALSE(pool.Submit([&] { ++ran; }));
    release.set_value();
  }
  EXPECT_EQ(ran, 3);
}

}  // namespace
}  // namespace latchkey
