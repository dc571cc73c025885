// What SqliteStore does when the disk is full or broken, when the process is killed, and when the
// files are not what it left.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/files.h"
#include "store/removed_digests.h"
#include "store/sqlite_database.h"
#include "store/sqlite_store.h"
#include "test/store_conformance/state_store_conformance.h"
#include "test/support/fault_vfs.h"

namespace latchkey::store {
namespace {

class SqliteStateFaultsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/latchkey-faults-XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  Result<std::unique_ptr<SqliteStore>> TryOpen(const std::string& vfs = {}) const {
    return SqliteStore::Open({.folder = folder_, .create = true, .vfs = vfs}, kTestTime);
  }
  void Open(const std::string& vfs = {}) {
    store_.reset();
    Result<std::unique_ptr<SqliteStore>> store = TryOpen(vfs);
    ASSERT_TRUE(store.ok()) << store.error().public_text << store.error().internal_text;
    store_ = *std::move(store);
  }
  void Do(Mutation mutation) {
    const Result<std::int64_t> done = store_->Commit(std::move(mutation));
    ASSERT_TRUE(done.ok()) << done.error().internal_text;
  }
  void CreateAccount() {
    Do(Create(TestPlan(1)));
    Do(Create(TestAccount(1)));
  }
  std::string StateFile() const { return fmt::format("{}/{}", folder_, kStateFile); }
  std::string RemovedFile() const { return fmt::format("{}/{}", folder_, kRemovedDigestsFile); }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string folder_;
  // Outlives the store: SQLite closes its files through it.
  test::FaultVfs vfs_{"latchkey-state-faults"};
  std::unique_ptr<SqliteStore> store_;
};

// ---- A full disk, a broken disk

TEST_F(SqliteStateFaultsTest, AFullDiskChangesNothingAndTheStoreGoesOnWhenThereIsSpace) {
  Open(vfs_.name());
  CreateAccount();
  Do(Create(TestToken(1)));
  std::set<std::int64_t> stored = {1};
  // From every write of a commit on.
  for (std::int64_t writes = 0, number = 2; writes < 12; ++writes, ++number) {
    SCOPED_TRACE(writes);
    vfs_.FillUpAfterWrites(writes);
    const Result<std::int64_t> done = store_->Commit(Create(TestToken(number)));
    if (done.ok()) {
      stored.insert(number);
    } else {
      EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
      EXPECT_EQ(done.error().public_text, "The disk is full; nothing was changed.");
      EXPECT_EQ(store_->GetToken({number}).error().code, ErrorCode::kNotFound);
    }
    EXPECT_TRUE(store_->GetToken({1}).ok());
    EXPECT_EQ(*store_->CountTokens({1}), stored.size());
    vfs_.Heal();
    Do(Create(TestToken(100 + number)));
    stored.insert(100 + number);
  }
  EXPECT_LT(stored.size(), 25u);  // some did fail
  Open();
  for (const std::int64_t number : stored) EXPECT_TRUE(store_->GetToken({number}).ok()) << number;
  EXPECT_EQ(*store_->CountTokens({1}), stored.size());
  EXPECT_TRUE(store_->CheckIntegrity().ok());
}

TEST_F(SqliteStateFaultsTest, AnIoErrorLeavesNothingHalfDoneAndNothingAcknowledged) {
  Open(vfs_.name());
  CreateAccount();
  std::set<std::int64_t> stored;
  for (std::int64_t writes = 0, number = 1; writes < 12; ++writes, ++number) {
    SCOPED_TRACE(writes);
    vfs_.BreakAfterWrites(writes);
    const Result<std::int64_t> done = store_->Commit(Create(TestToken(number)));
    if (done.ok()) {
      stored.insert(number);
    } else {
      EXPECT_TRUE(done.error().code == ErrorCode::kUnknown ||
                  done.error().code == ErrorCode::kUnavailable);
      EXPECT_EQ(store_->GetToken({number}).error().code, ErrorCode::kNotFound);
    }
    vfs_.Heal();
    Do(Create(TestToken(100 + number)));
    stored.insert(100 + number);
    EXPECT_EQ(*store_->CountTokens({1}), stored.size());
  }
  Open();
  EXPECT_EQ(*store_->CountTokens({1}), stored.size());
  EXPECT_TRUE(store_->CheckIntegrity().ok());
}

TEST_F(SqliteStateFaultsTest, AFlushThatFailsMakesTheOutcomeUnknownForEverybodyInTheBatch) {
  Open(vfs_.name());
  CreateAccount();
  vfs_.BreakAfterFlushes(0);
  std::vector<std::thread> callers;
  for (std::int64_t number = 1; number <= 4; ++number) {
    callers.emplace_back([&, number] {
      const Result<std::int64_t> done = store_->Commit(Create(TestToken(number)));
      ASSERT_FALSE(done.ok());
      EXPECT_EQ(done.error().code, ErrorCode::kUnknown);
    });
  }
  for (std::thread& caller : callers) caller.join();
  vfs_.Heal();
  Do(Create(TestToken(5)));
  EXPECT_EQ(*store_->CountTokens({1}), 1u);
  EXPECT_TRUE(store_->CheckIntegrity().ok());
}

TEST_F(SqliteStateFaultsTest, ACheckpointThatFailsHarmsNoCommit) {
  Open(vfs_.name());
  CreateAccount();
  // The log's own flush is the first of a commit; what comes after it belongs to the checkpoint
  // that SQLite adds when the log has grown to a thousand pages.
  int failed = 0;
  for (std::int64_t number = 1; number <= 300; ++number) {
    vfs_.BreakAfterFlushes(1);
    const std::int64_t before = vfs_.flushes();
    Do(Create(TestToken(number)));
    if (vfs_.flushes() > before + 1) ++failed;
  }
  EXPECT_GT(failed, 0) << "no checkpoint was tried";
  vfs_.Heal();
  Open();
  EXPECT_EQ(*store_->CountTokens({1}), 300u);
  EXPECT_TRUE(store_->CheckIntegrity().ok());
}

TEST_F(SqliteStateFaultsTest, AFileThatCouldNotBeMadeIsNotThereAndTheNextTryWorks) {
  for (std::int64_t writes = 0; writes < 40; ++writes) {
    SCOPED_TRACE(writes);
    vfs_.FillUpAfterWrites(writes);
    const Result<std::unique_ptr<SqliteStore>> store = TryOpen(vfs_.name());
    vfs_.Heal();
    if (store.ok()) break;
    EXPECT_EQ(store.error().code, ErrorCode::kUnavailable) << store.error().internal_text;
    EXPECT_FALSE(std::filesystem::exists(StateFile()));
    EXPECT_FALSE(std::filesystem::exists(StateFile() + ".new"));
  }
  Open();
  CreateAccount();
}

// On a real file system of one megabyte, where removed.digests runs out of space as well. Needs a
// user namespace.
void FillARealDisk(const std::string& folder) {
  const auto store = SqliteStore::Open({.folder = folder, .create = true, .vfs = {}}, kTestTime);
  ASSERT_TRUE(store.ok()) << store.error().internal_text;
  ASSERT_TRUE((*store)->Commit(Create(TestPlan(1))).ok());
  ASSERT_TRUE((*store)->Commit(Create(TestAccount(1))).ok());
  ASSERT_TRUE((*store)->Commit(Create(TestToken(1))).ok());
  const std::string ballast = folder + "/ballast";
  const int fd = ::open(ballast.c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_GE(fd, 0);
  const std::string block(4096, 'x');
  while (::write(fd, block.data(), block.size()) > 0) {
  }
  ::close(fd);

  std::int64_t number = 2;
  for (; number < 10'000; ++number) {
    const Result<std::int64_t> done = (*store)->Commit(Create(TestToken(number)));
    if (done.ok()) continue;  // the log had room left
    EXPECT_EQ(done.error().code, ErrorCode::kUnavailable) << done.error().internal_text;
    break;
  }
  EXPECT_LT(number, 10'000);
  const Result<std::int64_t> removed = (*store)->Commit(Change(RemoveToken{{1}, {}}));
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error().code, ErrorCode::kUnavailable) << removed.error().internal_text;
  EXPECT_TRUE((*store)->GetToken({1}).ok());
  const auto snapshot = (*store)->TakeSnapshot([]() -> Status { return {}; });
  if (snapshot.ok()) {
    EXPECT_EQ((*snapshot)->CopyTo(folder + "/copy.db").error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE(std::filesystem::exists(folder + "/copy.db"));
  }
  std::filesystem::remove(ballast);
  EXPECT_TRUE((*store)->Commit(Change(RemoveToken{{1}, {}})).ok());
  EXPECT_TRUE((*store)->Commit(Create(TestToken(number))).ok());
  EXPECT_TRUE((*store)->CheckIntegrity().ok());
}

// A user namespace in which this user is root, and a mount namespace of its own. False: not
// allowed.
bool EnterNamespaces() {
  const auto write = [](const char* path, const std::string& text) {
    std::ofstream out(path);
    out << text;
    out.close();
    return !out.fail();
  };
  const std::string user = fmt::format("0 {} 1", ::getuid());
  const std::string group = fmt::format("0 {} 1", ::getgid());
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write("/proc/self/uid_map", user) &&
         write("/proc/self/setgroups", "deny") && write("/proc/self/gid_map", group);
}

TEST_F(SqliteStateFaultsTest, ARealFullDiskChangesNothing) {
  constexpr int kNotPermitted = 77;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!EnterNamespaces() || ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=1m") != 0) {
      ::_exit(kNotPermitted);
    }
    FillARealDisk(folder_);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotPermitted) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// ---- kill -9

// Creates tokens upwards from `first`, removes every third one again, and says each thing when it
// is acknowledged: its number, negative for a removal.
[[noreturn]] void CommitUntilKilled(const std::string& folder, std::int64_t first, int pipe) {
  const auto store = SqliteStore::Open({.folder = folder, .create = true, .vfs = {}}, kTestTime);
  if (!store.ok()) ::_exit(1);
  static_cast<void>((*store)->Commit(Create(TestPlan(1))));
  static_cast<void>((*store)->Commit(Create(TestAccount(1))));
  const auto say = [pipe](std::int64_t number) {
    if (::write(pipe, &number, sizeof number) != sizeof number) ::_exit(1);
  };
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::int64_t number = first + thread;; number += kThreads) {
        if (!(*store)->Commit(Create(TestToken(number))).ok()) ::_exit(1);
        say(number);
        if (number % 3 != 0) continue;
        if (!(*store)->Commit(Change(RemoveToken{{number}, {}})).ok()) ::_exit(1);
        say(-number);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ::_exit(1);
}

TEST_F(SqliteStateFaultsTest, WhatWasAcknowledgedSurvivesKill) {
  const std::uint64_t seed = std::random_device()();
  std::cout << "seed " << seed << '\n';
  std::mt19937_64 random(seed);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  std::set<std::int64_t> created;
  std::set<std::int64_t> removed;
  for (int round = 0; round < 12 && std::chrono::steady_clock::now() < deadline; ++round) {
    SCOPED_TRACE(round);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      CommitUntilKilled(folder_, 1 + round * 1'000'000, ends[1]);
    }
    ::close(ends[1]);
    // Killed after so many acknowledgements, at whatever it is doing then.
    const std::uint64_t kill_after = 1 + random() % 200;
    std::int64_t number = 0;
    for (std::uint64_t said = 0; ::read(ends[0], &number, sizeof number) == sizeof number;) {
      (number > 0 ? created : removed).insert(std::abs(number));
      if (++said == kill_after) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";

    Open();
    const Status checked = store_->CheckIntegrity();
    EXPECT_TRUE(checked.ok()) << checked.error().public_text;
    const std::vector<Digest> in_file = *RemovedDigests::Read(RemovedFile());
    const std::set<Digest> digests(in_file.begin(), in_file.end());
    for (const std::int64_t id : created) {
      if (removed.contains(id)) {
        EXPECT_EQ(store_->GetToken({id}).error().code, ErrorCode::kNotFound) << id;
        EXPECT_TRUE(digests.contains(TestToken(id).token.digest)) << id;
      } else if (id % 3 != 0) {  // else its removal may have been done and not said
        EXPECT_TRUE(store_->GetToken({id}).ok()) << id;
      }
    }
    store_.reset();
  }
  EXPECT_FALSE(created.empty());
}

// ---- Files that are not what they were

TEST_F(SqliteStateFaultsTest, AnOlderCopyOfTheDatabaseDoesNotReviveATokenRemovedSince) {
  Open();
  CreateAccount();
  Do(Create(TestToken(1)));
  Do(Create(TestToken(2)));
  store_.reset();
  const std::string older = Read(StateFile());
  Open();
  Do(Change(RemoveToken{{1}, {}}));
  store_.reset();
  std::ofstream(StateFile(), std::ios::binary) << older;

  Open();
  EXPECT_EQ(store_->tokens_removed_at_open(), 1u);
  EXPECT_EQ(store_->GetToken({1}).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store_->GetToken({2}).ok());
  const core::AuditEvent event = store_->ListAuditEvents(0, 500)->back();
  EXPECT_EQ(event.actor.principal, "system");
  EXPECT_EQ(event.subject, core::TokenId{1}.ToString());
  EXPECT_TRUE(store_->Feed(0, 500)->back().removed);
  EXPECT_TRUE(store_->CheckIntegrity().ok());
  Open();
  EXPECT_EQ(store_->tokens_removed_at_open(), 0u);
}

// Its digest in the file would end the token at the next start.
TEST_F(SqliteStateFaultsTest, ARemovalThatWasRolledBackLeavesNoDigest) {
  Open();
  CreateAccount();
  Do(Create(TestToken(1)));
  Mutation failing = Change(RemoveToken{{1}, {}});
  failing.changes.push_back(RemoveToken{{99}, {}});
  EXPECT_EQ(store_->Commit(failing).error().code, ErrorCode::kNotFound);
  Do(Create(TestToken(2)));
  EXPECT_TRUE(RemovedDigests::Read(RemovedFile())->empty());
  Open();
  EXPECT_TRUE(store_->GetToken({1}).ok());
}

TEST_F(SqliteStateFaultsTest, ALostFileOfRemovedDigestsIsMadeAnew) {
  Open();
  CreateAccount();
  Do(Create(TestToken(1)));
  Do(Change(RemoveToken{{1}, {}}));
  store_.reset();
  ASSERT_TRUE(std::filesystem::remove(RemovedFile()));
  Open();
  EXPECT_EQ(*RemovedDigests::Read(RemovedFile()), std::vector<Digest>{TestToken(1).token.digest});
}

TEST_F(SqliteStateFaultsTest, RefusesFilesThatAreNotItsOwnAndLeavesThemAsTheyAre) {
  Open();
  CreateAccount();
  store_.reset();
  const std::string good = Read(StateFile());
  std::string newer = good;
  newer[63] = 99;  // user_version, big-endian at 60
  std::string foreign = good;
  foreign[68] = 0;  // application_id
  struct Case {
    std::string bytes;
    ErrorCode code;
    std::string words;
  };
  for (const Case& one : std::vector<Case>{
           {"", ErrorCode::kCorrupt, "cut short"},
           {good.substr(0, good.size() / 2), ErrorCode::kCorrupt, "cut short"},
           {std::string(8192, 'x'), ErrorCode::kCorrupt, "not an SQLite database"},
           {foreign, ErrorCode::kInvalid, "another program"},
           {newer, ErrorCode::kNewer, "was written by a newer Latchkey (schema 99; this one knows"},
       }) {
    SCOPED_TRACE(one.words);
    std::ofstream(StateFile(), std::ios::binary) << one.bytes;
    const Result<std::unique_ptr<SqliteStore>> store = TryOpen();
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().code, one.code);
    EXPECT_NE(store.error().public_text.find(one.words), std::string::npos)
        << store.error().public_text;
    EXPECT_EQ(Read(StateFile()), one.bytes);
  }
}

TEST_F(SqliteStateFaultsTest, ASealedKeyStateThatWasReplacedLeavesTheFile) {
  Open();
  CreateAccount();
  core::TokenRecord record = TestToken(2);
  record.profile.sealed_key_state = std::string(300, 'S');
  Do(Create(record));
  const auto reseal = [](const core::Token&, const core::TokenProfile&) -> Result<std::string> {
    return std::string("short");
  };
  ASSERT_TRUE(store_->ResealKeyStates(reseal, 2, "check", Create(TestPlan(9)).event).ok());
  store_.reset();  // folds the log into the file
  EXPECT_EQ(Read(StateFile()).find(std::string(20, 'S')), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(StateFile() + "-wal"));
}

}  // namespace
}  // namespace latchkey::store
