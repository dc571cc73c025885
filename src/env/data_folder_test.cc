#include "env/data_folder.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"

namespace latchkey {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class DataFolderTest : public testing::Test {
 protected:
  DataFolderTest() {
    CryptoInit();
    char name[] = "/tmp/latchkey-data-folder-XXXXXX";
    parent_ = ::mkdtemp(name);
    path_ = parent_ + "/data";
  }
  ~DataFolderTest() override { std::filesystem::remove_all(parent_); }
  static unsigned Mode(const std::string& path) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }

  std::string parent_;
  std::string path_;
};

TEST_F(DataFolderTest, IsMadeForItsOwnerAlone) {
  ASSERT_TRUE(DataFolder::Open(path_).ok());
  EXPECT_EQ(Mode(path_), 0700U);
}

TEST_F(DataFolderTest, RefusesALooserModeAndNamesTheCommandThatHelps) {
  ASSERT_TRUE(DataFolder::Open(path_).ok());
  ASSERT_EQ(::chmod(path_.c_str(), 0750), 0);
  Result<DataFolder> folder = DataFolder::Open(path_);
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(folder.error().public_text, HasSubstr("chmod 0700 " + path_));

  ASSERT_EQ(::chmod(path_.c_str(), 0700), 0);
  ASSERT_TRUE(WriteFileAtomically(path_ + "/state.db", "x", 0640).ok());
  folder = DataFolder::Open(path_);
  ASSERT_FALSE(folder.ok());
  EXPECT_THAT(folder.error().public_text, HasSubstr("chmod 0600 " + path_ + "/state.db"));
}

TEST_F(DataFolderTest, RefusesALooserModeBehindALinkToo) {
  ASSERT_TRUE(DataFolder::Open(path_).ok());
  const std::string link = parent_ + "/link";
  ASSERT_EQ(::symlink(path_.c_str(), link.c_str()), 0);
  EXPECT_TRUE(DataFolder::Open(link).ok());
  ASSERT_EQ(::chmod(path_.c_str(), 0755), 0);
  EXPECT_FALSE(DataFolder::Open(link).ok());
}

TEST_F(DataFolderTest, RefusesWhatIsNoFolderOrHasNoParent) {
  ASSERT_TRUE(WriteFileAtomically(path_, "x").ok());
  EXPECT_FALSE(DataFolder::Open(path_).ok());
  EXPECT_FALSE(DataFolder::Open(parent_ + "/a/b").ok());
}

TEST_F(DataFolderTest, OneServerAtATimeAndTheMessageNamesTheOther) {
  Result<DataFolder> first = DataFolder::Open(path_);
  Result<DataFolder> second = DataFolder::Open(path_);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(second->LockedByAnother());
  ASSERT_TRUE(first->Lock().ok());
  RunInfo info;
  info.pid = 4711;
  ASSERT_TRUE(first->WriteRunInfo(info).ok());
  EXPECT_FALSE(first->LockedByAnother());
  EXPECT_TRUE(second->LockedByAnother());
  const Status refused = second->Lock();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_THAT(refused.error().public_text, HasSubstr("4711"));
  {
    const DataFolder gone = std::move(*first);
  }
  EXPECT_TRUE(second->Lock().ok());
}

TEST_F(DataFolderTest, RunInfoIsReadBackAndRemoved) {
  Result<DataFolder> folder = DataFolder::Open(path_);
  ASSERT_TRUE(folder.ok());
  EXPECT_EQ(folder->ReadRunInfo().error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(folder->WriteRunInfo({1, "https://a", "https://b", "http://c", "/ca.pem"}).ok());
  const Result<RunInfo> info = folder->ReadRunInfo();
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->manage_url, "https://b");
  EXPECT_EQ(info->ca_file, "/ca.pem");
  EXPECT_EQ(Mode(path_ + "/run.json"), 0600U);
  folder->RemoveRunInfo();
  EXPECT_FALSE(folder->ReadRunInfo().ok());
}

TEST_F(DataFolderTest, TheOperatorTokenIsMadeOnceAndADamagedOneIsNotReplaced) {
  Result<DataFolder> folder = DataFolder::Open(path_);
  ASSERT_TRUE(folder.ok());
  SystemEntropy entropy;
  const Result<Secret> made = folder->EnsureOperatorToken(entropy);
  ASSERT_TRUE(made.ok());
  EXPECT_THAT(std::string(made->Reveal()), StartsWith("op_"));
  EXPECT_EQ(made->Reveal().size(), 46U);
  EXPECT_EQ(folder->EnsureOperatorToken(entropy)->Reveal(), made->Reveal());
  EXPECT_EQ(Mode(path_ + "/operator.token"), 0600U);
  ASSERT_TRUE(WriteFileAtomically(path_ + "/operator.token", "op_short\n").ok());
  EXPECT_EQ(folder->EnsureOperatorToken(entropy).error().code, ErrorCode::kCorrupt);
}

TEST_F(DataFolderTest, AnAtomicWriteThatFailsLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(WriteFileAtomically(path_, "old").ok());
  ASSERT_TRUE(WriteFileAtomically(path_, "new").ok());
  EXPECT_EQ(*ReadWholeFile(path_), "new");
  EXPECT_FALSE(WriteFileAtomically(parent_ + "/absent/file", "x").ok());
  // A folder can't be replaced by a file.
  std::filesystem::create_directories(parent_ + "/folder/inside");
  EXPECT_FALSE(WriteFileAtomically(parent_ + "/folder", "x").ok());
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(parent_)) ++entries;
  EXPECT_EQ(entries, 2U);
}

TEST_F(DataFolderTest, ReadWholeFileIsBounded) {
  ASSERT_TRUE(WriteFileAtomically(path_, "12345").ok());
  EXPECT_TRUE(ReadWholeFile(path_, 5).ok());
  EXPECT_EQ(ReadWholeFile(path_, 4).error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace latchkey
