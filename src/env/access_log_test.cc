#include "env/access_log.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "env/data_folder.h"

namespace latchkey {
namespace {

class AccessLogTest : public testing::Test {
 protected:
  AccessLogTest() {
    char name[] = "/tmp/latchkey-access-log-XXXXXX";
    folder_ = ::mkdtemp(name);
    file_ = folder_ + "/access.log";
  }
  ~AccessLogTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<AccessLog> Open() {
    Result<std::unique_ptr<AccessLog>> log = AccessLog::Open(file_);
    EXPECT_TRUE(log.ok());
    return std::move(*log);
  }
  std::string Text() const {
    Result<std::string> text = ReadWholeFile(file_);
    return text.ok() ? *text : "";
  }
  static AccessEntry Entry() {
    AccessEntry entry;
    entry.at = FromUnixMillis(1'700'000'000'042);
    entry.request_id = "r1";
    entry.plane = "data";
    entry.method = "GET";
    entry.path = "/v1/data/core/STOCKS/AAPL";
    entry.address = *IpAddress::Parse("198.51.100.7");
    entry.account = "acc_1";
    entry.token = "tok_1";
    entry.status = 200;
    entry.records = 1;
    entry.cost = 2;
    entry.bytes = 300;
    entry.micros = 41;
    return entry;
  }

  std::string folder_;
  std::string file_;
};

TEST_F(AccessLogTest, WritesOneJsonLinePerRequestOnFlush) {
  auto log = Open();
  auto writer = log->MakeWriter();
  writer->Append(Entry());
  EXPECT_EQ(Text(), "");
  writer->Flush();
  EXPECT_EQ(
      Text(),
      "{\"time\":\"2023-11-14T22:13:20.042Z\",\"id\":\"r1\",\"plane\":\"data\","
      "\"method\":\"GET\",\"path\":\"/v1/data/core/STOCKS/AAPL\",\"address\":\"198.51.100.7\","
      "\"account\":\"acc_1\",\"token\":\"tok_1\",\"status\":200,\"records\":1,\"cost\":2,"
      "\"premium_cost\":0,\"bytes\":300,\"us\":41}\n");
  struct stat status;
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(AccessLogTest, NeverHoldsATokenNorAByteThatCouldBreakALine) {
  auto log = Open();
  auto writer = log->MakeWriter();
  AccessEntry entry = Entry();
  entry.method = "GET\r\npk_0123456789";
  entry.path = "/v1/sk_0123456789ABCDEF\n\"\\\x01\x7f\xff/Tpk_zzzz";
  writer->Append(entry);
  // A token that lies over the end of what is written is masked too.
  const std::string padded = std::string(1020, 'a') + "/sk_0123456789ABCDEF";
  entry.path = padded;
  writer->Append(entry);
  writer->Flush();
  const std::string text = Text();
  EXPECT_NE(text.find("\"path\":\"/v1/sk_***%0A%22%5C%01%7F%FF/Tpk_***\""), std::string::npos)
      << text;
  EXPECT_EQ(text.find("0123"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST_F(AccessLogTest, LongTextsAreCutAndTheBufferNeverOverflows) {
  auto log = Open();
  {
    auto writer = log->MakeWriter();
    const std::string odd(100'000, '\x01');
    AccessEntry entry = Entry();
    entry.request_id = entry.plane = entry.method = entry.path = odd;
    entry.account = entry.token = entry.reason = odd;
    entry.records = entry.cost = entry.premium_cost = entry.bytes = entry.micros = UINT64_MAX;
    for (int i = 0; i < 100; ++i) writer->Append(entry);
  }
  const std::string text = Text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 100);
}

TEST_F(AccessLogTest, ReopenGoesOnInANewFileAndLosesNothing) {
  auto log = Open();
  auto writer = log->MakeWriter();
  writer->Append(Entry());
  writer->Flush();
  std::filesystem::rename(file_, file_ + ".1");
  writer->Append(Entry());
  ASSERT_TRUE(log->Reopen().ok());
  writer->Flush();
  const std::string text = Text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(*ReadWholeFile(file_ + ".1"), text);
}

TEST_F(AccessLogTest, LinesOfSeveralThreadsStayWhole) {
  auto log = Open();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto writer = log->MakeWriter();
      for (int n = 0; n < 2'000; ++n) writer->Append(Entry());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = Text();
  const std::string line = text.substr(0, text.find('\n') + 1);
  ASSERT_EQ(text.size(), line.size() * 8'000);
  for (std::size_t at = 0; at < text.size(); at += line.size()) {
    ASSERT_EQ(text.compare(at, line.size(), line), 0);
  }
}

TEST_F(AccessLogTest, CountsTheLinesThatAFullDiskTookNot) {
  Result<std::unique_ptr<AccessLog>> log = AccessLog::Open("/dev/full");
  ASSERT_TRUE(log.ok());
  auto writer = (*log)->MakeWriter();
  writer->Append(Entry());
  writer->Append(Entry());
  writer->Flush();
  EXPECT_EQ((*log)->lost(), 2U);
}

TEST_F(AccessLogTest, OffWritesNothing) {
  Result<std::unique_ptr<AccessLog>> log = AccessLog::Open("off");
  ASSERT_TRUE(log.ok());
  auto writer = (*log)->MakeWriter();
  writer->Append(Entry());
  writer->Flush();
  EXPECT_EQ((*log)->lost(), 0U);
}

}  // namespace
}  // namespace latchkey
