#include "store/checkpointer.h"

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "test/support/fault_vfs.h"

namespace latchkey::store {
namespace {

constexpr Migration kMigrations[] = {
    {1, "a table", "CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"}};

class CheckpointerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/latchkey-log-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    options_.path = folder_ + "/texts.db";
    options_.application_id = 1;
    options_.migrations = kMigrations;
    options_.vfs = vfs_.name();
    vfs_.WatchWrites([this, me = std::this_thread::get_id()](std::string_view path) {
      if (path.ends_with("/texts.db") && std::this_thread::get_id() == me) ++moved_by_writer_;
    });
    auto writer = SqliteDatabase::Open(options_);
    ASSERT_TRUE(writer.ok());
    writer_ = *std::move(writer);
    ASSERT_TRUE(writer_->Execute("PRAGMA synchronous=NORMAL").ok());  // or it would take long
  }
  void TearDown() override {
    checkpointer_.reset();
    writer_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Begin(Checkpointer::Limits limits) {
    auto reader = SqliteDatabase::OpenReader(options_);
    ASSERT_TRUE(reader.ok());
    checkpointer_ = std::make_unique<Checkpointer>(*std::move(reader), limits);
    checkpointer_->Watch(*writer_);
    moved_by_writer_ = 0;
  }
  // A page of its own, and the one above it.
  void CommitOne() {
    ASSERT_TRUE(writer_->Execute("INSERT INTO texts (text) VALUES (hex(zeroblob(1700)))").ok());
  }
  // How many pages it ever had: the file stays as long as it was.
  std::size_t LongestLog() const {
    return std::filesystem::file_size(options_.path + "-wal") / (4096 + 24);
  }

  test::FaultVfs vfs_{"latchkey-log-faults"};
  std::string folder_;
  SqliteDatabase::Options options_;
  std::unique_ptr<SqliteDatabase> writer_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::atomic<int> moved_by_writer_ = 0;
};

TEST_F(CheckpointerTest, TheLogStaysShortWhereWorkThatCanWaitWaits) {
  Begin({.beside = 20, .at_most = 50, .few = 0, .far_too_many = 1'000'000});
  for (int i = 0; i < 2000; ++i) {
    checkpointer_->AwaitRoom();
    CommitOne();
  }
  EXPECT_LE(LongestLog(), 55U);
  EXPECT_EQ(moved_by_writer_, 0);
  EXPECT_EQ(*writer_->QueryInteger("SELECT count(*) FROM texts"), 2000);
}

TEST_F(CheckpointerTest, AWriterMovesTheLastFewPagesSoThatALongLogStartsOver) {
  Begin({.beside = 1'000'000, .at_most = 50, .few = 60, .far_too_many = 1'000'000});
  for (int i = 0; i < 500; ++i) CommitOne();
  EXPECT_EQ(moved_by_writer_, 0);
  EXPECT_GT(LongestLog(), 500U);  // nobody was asked

  Begin({.beside = 20, .at_most = 50, .few = 2000, .far_too_many = 1'000'000});
  CommitOne();
  EXPECT_GT(moved_by_writer_, 0);
  moved_by_writer_ = 0;
  for (int i = 0; i < 10; ++i) CommitOne();  // of a new log
  EXPECT_EQ(moved_by_writer_, 0);
}

// A backup, for instance: when it ends its log is long, and the next writer must not pay for it.
TEST_F(CheckpointerTest, WhatAReaderHasHeldBackIsMovedByTheThread) {
  Begin({.beside = 20, .at_most = 50, .few = 10, .far_too_many = 1'000'000});
  {
    const auto snapshot = writer_->TakeSnapshot();
    ASSERT_TRUE(snapshot.ok());
    moved_by_writer_ = 0;
    for (int i = 0; i < 500; ++i) {
      checkpointer_->AwaitRoom();  // not for the reader
      CommitOne();
    }
  }
  EXPECT_GT(LongestLog(), 500U);
  CommitOne();
  checkpointer_->AwaitRoom();
  const auto size = std::filesystem::file_size(options_.path);
  EXPECT_GT(size, 500U * 4096);  // all of it is there
  EXPECT_EQ(moved_by_writer_, 0);
}

TEST_F(CheckpointerTest, EveryWriterIsSlowedDownWhereTheLogIsFarTooLong) {
  Begin({.beside = 20, .at_most = 50, .few = 0, .far_too_many = 200});
  for (int i = 0; i < 3000; ++i) {
    checkpointer_->SlowDown();
    CommitOne();
  }
  EXPECT_LE(LongestLog(), 1000U);
}

}  // namespace
}  // namespace latchkey::store
