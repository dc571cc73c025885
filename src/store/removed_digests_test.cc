#include "store/removed_digests.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace latchkey::store {
namespace {

class RemovedDigestsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/latchkey-removed-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/removed.digests";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Append(std::string_view text) {
    Result<RemovedDigests> file = RemovedDigests::Open(path_);
    ASSERT_TRUE(file.ok()) << file.error().public_text;
    const Digest digest = Sha256(text);
    ASSERT_TRUE(file->Reserve(1).ok());
    ASSERT_TRUE(file->Append(std::span(&digest, 1)).ok());
  }
  std::string Bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(std::string_view bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

  std::string folder_;
  std::string path_;
};

TEST_F(RemovedDigestsTest, KeepsItsFormByteForByte) {
  Append("one");
  const Digest digest = Sha256("one");
  std::string expected("LKRD\0\0\0\1", 8);
  expected.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  const std::uint32_t checksum = Crc32(std::string_view(expected).substr(8));
  for (int shift = 0; shift < 32; shift += 8) {
    expected.push_back(static_cast<char>(checksum >> shift & 0xff));
  }
  EXPECT_EQ(Bytes(), expected);
}

TEST_F(RemovedDigestsTest, GivesBackWhatWasAppendedAlsoAfterATornEnd) {
  Append("one");
  Append("two");
  const std::string whole = Bytes();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    SCOPED_TRACE(size);
    Write(std::string_view(whole).substr(0, size));
    std::vector<Digest> expected;
    if (size >= 8 + 36) expected.push_back(Sha256("one"));
    if (size >= 8 + 72) expected.push_back(Sha256("two"));
    EXPECT_EQ(*RemovedDigests::Read(path_), expected);
    Append("three");
    expected.push_back(Sha256("three"));
    EXPECT_EQ(*RemovedDigests::Read(path_), expected);
  }
}

TEST_F(RemovedDigestsTest, PassesOverADamagedRecord) {
  Append("one");
  Append("two");
  Append("three");
  std::string bytes = Bytes();
  bytes[8 + 36 + 5] ^= 1;
  Write(bytes);
  EXPECT_EQ(*RemovedDigests::Read(path_), (std::vector<Digest>{Sha256("one"), Sha256("three")}));
}

TEST_F(RemovedDigestsTest, RefusesAnotherFileAndLeavesItAsItIs) {
  Write("something else altogether");
  EXPECT_EQ(RemovedDigests::Open(path_).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(RemovedDigests::Read(path_).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(Bytes(), "something else altogether");
  EXPECT_EQ(RemovedDigests::Read(folder_ + "/none").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace latchkey::store
