#include "service/job_runner.h"

#include <future>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace latchkey::service {
namespace {

// Adds a task of `steps` steps that writes its name at each.
void AddTask(JobRunner& runner, std::int64_t lane, std::string name, int steps, std::string& log) {
  runner.Add(lane, [name = std::move(name), left = steps, &log]() mutable {
    log += name + " ";
    return --left > 0 ? StepResult::kMore : StepResult::kDone;
  });
}

TEST(JobRunnerTest, LanesTakeTurnsStepByStepAndTasksOfALaneFollowOneAnother) {
  ManualClock clock(Timestamp{});
  JobRunner runner(clock);
  std::string log;
  AddTask(runner, 1, "a", 3, log);
  AddTask(runner, 1, "b", 1, log);
  AddTask(runner, 2, "c", 2, log);
  AddTask(runner, -1, "d", 1, log);
  while (runner.RunOne()) {
  }
  EXPECT_EQ(log, "d a c a c a b ");
  EXPECT_FALSE(runner.RunOne());
}

TEST(JobRunnerTest, ATaskThatWaitsRestsAndHoldsUpItsLaneAlone) {
  ManualClock clock(Timestamp{});
  JobRunner runner(clock, std::chrono::milliseconds(100));
  std::string log;
  runner.Add(1, [&log, tries = 0]() mutable {
    log += "w ";
    return ++tries < 3 ? StepResult::kWait : StepResult::kDone;
  });
  AddTask(runner, 1, "a", 1, log);
  AddTask(runner, 2, "b", 2, log);
  while (runner.RunOne()) {
  }
  EXPECT_EQ(log, "w b b ");
  clock.Advance(std::chrono::milliseconds(100));
  EXPECT_TRUE(runner.RunOne());
  EXPECT_FALSE(runner.RunOne());
  clock.Advance(std::chrono::milliseconds(100));
  while (runner.RunOne()) {
  }
  EXPECT_EQ(log, "w b b w w a ");
}

TEST(JobRunnerTest, RunsOnAThreadOfItsOwnAndStopsAfterTheStepThatRuns) {
  const SystemClock clock;
  JobRunner runner(clock);
  runner.Start();
  std::promise<void> began;
  std::promise<void> go_on;
  auto held = std::make_shared<int>(0);
  runner.Add(1, [&began, &go_on, held] {
    if (++*held > 1) return StepResult::kMore;
    began.set_value();
    go_on.get_future().wait();
    return StepResult::kMore;
  });
  began.get_future().wait();
  go_on.set_value();
  runner.Stop();
  EXPECT_EQ(held.use_count(), 1);
  runner.Add(1, [held] { return StepResult::kDone; });
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace latchkey::service
