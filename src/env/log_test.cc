#include "env/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace latchkey {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() { EXPECT_EQ(::pipe(ends_), 0); }
  ~LogTest() override {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  std::string Written() {
    char bytes[4096];
    const ssize_t got = ::read(ends_[0], bytes, sizeof(bytes));
    return {bytes, got > 0 ? static_cast<std::size_t>(got) : 0};
  }
  int ends_[2] = {-1, -1};
  ManualClock clock_{FromUnixMillis(1'700'000'000'000)};
};

TEST_F(LogTest, WritesJsonWhereNoTerminalIs) {
  Log log(clock_, LogLevel::kInfo, LogFormat::kAuto, ends_[1]);
  log.Info("it \"began\"", {{"port", 8443}, {"name", "a b"}});
  EXPECT_EQ(
      Written(),
      "{\"time\":\"2023-11-14T22:13:20Z\",\"level\":\"info\",\"message\":\"it \\\"began\\\"\","
      "\"port\":8443,\"name\":\"a b\"}\n");
}

TEST_F(LogTest, TextStaysOnOneLine) {
  Log log(clock_, LogLevel::kInfo, LogFormat::kText, ends_[1]);
  log.Error("two\nlines", {{"path", "/a b"}, {"count", 3}});
  EXPECT_EQ(Written(), "2023-11-14T22:13:20Z error   two lines path=\"/a b\" count=3\n");
}

TEST_F(LogTest, MasksTokensInMessagesAndFields) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    Log log(clock_, LogLevel::kInfo, format, ends_[1]);
    log.Warning("odd sk_aaaaaaaa", {{"value", "pk_bbbbbbbb"}});
    const std::string line = Written();
    EXPECT_EQ(line.find("aaaa"), std::string::npos) << line;
    EXPECT_EQ(line.find("bbbb"), std::string::npos) << line;
  }
}

TEST_F(LogTest, LeavesOutWhatIsBelowTheLevelAndFollowsAChangeOfIt) {
  Log log(clock_, LogLevel::kWarning, LogFormat::kText, ends_[1]);
  log.Info("not this");
  log.SetLevel(LogLevel::kDebug);
  log.Debug("this");
  EXPECT_EQ(Written(), "2023-11-14T22:13:20Z debug   this\n");
}

}  // namespace
}  // namespace latchkey
