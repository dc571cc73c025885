#include "service/master_key.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "test/support/service_house.h"

namespace latchkey::service {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::Fault;
using testing_support::ServiceHouse;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
}

class MasterKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = house_.key_path();
    plan_ = house_.MakePlan("basic");
    acme_ = house_.MakeAccount("acme", plan_.id);
  }

  Result<std::unique_ptr<KeyRing>> Open() {
    return KeyRing::Open(path_, house_.store(), house_.clock(), house_.entropy());
  }
  // Everything sealed opens, and there is nothing beside the key's file.
  void ExpectAllOpens(KeyRing& keys) {
    const KeyRing::Lease lease(keys);
    const auto tokens = house_.store().ListTokens(acme_.account.id, {500, {}, 0}, "");
    ASSERT_TRUE(tokens.ok());
    int opened = 0;
    for (const core::TokenRecord& record : *tokens) {
      if (record.token.kind != core::TokenKind::kSecret) continue;
      const auto state = lease.OpenKeyState(record.token, record.profile);
      ASSERT_TRUE(state.ok()) << state.error().internal_text;
      if (record.token.id == acme_.secret.record.token.id) {
        EXPECT_EQ(HmacSha256WithState(*state, "x"), HmacSha256(acme_.secret.text.Reveal(), "x"));
      }
      ++opened;
    }
    EXPECT_GE(opened, 1);
    EXPECT_FALSE(std::filesystem::exists(path_ + ".next"));
  }

  ServiceHouse house_;
  std::string path_;
  core::Plan plan_;
  CreatedAccount acme_;
};

TEST(MasterKeyTextTest, ReadsWhatItWrites) {
  const MasterKey key{42, Secret(std::string(32, '\xA5'))};
  const auto read = ParseMasterKey(FormatMasterKey(key).Reveal());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->id, 42U);
  EXPECT_EQ(read->bytes.Reveal(), key.bytes.Reveal());
}

TEST(MasterKeyTextTest, SaysWhatIsWrongAndNothingOfTheKey) {
  const std::string hex(64, 'a');
  for (const std::string& text :
       {std::string(), std::string("id 1\n"), "key " + hex, "id 0\nkey " + hex, "id x\nkey " + hex,
        "id 4294967296\nkey " + hex, "id 1\nkey " + hex + "a", "id 1\nkey " + hex.substr(2),
        "id 1\nkey " + std::string(64, 'g'), "id 1\nid 2\nkey " + hex, hex,
        "id 1\nkey " + hex + "\nkey " + hex, "id 1\nkey " + hex + "\nmore"}) {
    const auto read = ParseMasterKey(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(read.error().public_text, Not(HasSubstr("aaaa")));
  }
}

TEST(MasterKeyTextTest, TheCheckValueDependsOnIdAndKeyAndIsNotTheKey) {
  const MasterKey one{1, Secret(std::string(32, 'a'))};
  const MasterKey two{2, Secret(std::string(32, 'a'))};
  const MasterKey three{1, Secret(std::string(32, 'b'))};
  EXPECT_NE(MasterKeyCheckValue(one), MasterKeyCheckValue(two));
  EXPECT_NE(MasterKeyCheckValue(one), MasterKeyCheckValue(three));
  EXPECT_TRUE(MasterKeyCheckValue(one).starts_with("1:"));
  EXPECT_EQ(MasterKeyCheckValue(one).size(), 2U + 64U);
}

TEST_F(MasterKeyTest, ANewStoreGetsAKeyThatOnlyItsOwnerMayRead) {
  struct stat info = {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  const auto key = ParseMasterKey(ReadFile(path_));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->id, 1U);
  EXPECT_EQ(*house_.store().MasterKeyCheck(), MasterKeyCheckValue(*key));
  ExpectAllOpens(house_.keys());
}

TEST_F(MasterKeyTest, AMissingKeyIsSaidAndNothingIsWritten) {
  const std::string check = *house_.store().MasterKeyCheck();
  std::filesystem::remove(path_);
  const auto opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(opened.error().public_text, HasSubstr(path_ + " is missing"));
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(*house_.store().MasterKeyCheck(), check);
}

TEST_F(MasterKeyTest, AWrongKeyIsSaidAndNothingIsWritten) {
  const std::string check = *house_.store().MasterKeyCheck();
  const MasterKey wrong{1, Secret(std::string(32, 'w'))};
  WriteFile(path_, std::string(FormatMasterKey(wrong).Reveal()));
  const auto opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kConflict);
  EXPECT_THAT(opened.error().public_text, HasSubstr("is not the one"));
  EXPECT_EQ(ReadFile(path_), FormatMasterKey(wrong).Reveal());
  EXPECT_EQ(*house_.store().MasterKeyCheck(), check);
}

TEST_F(MasterKeyTest, ABrokenFileOrALooseModeIsSaid) {
  const std::string good = ReadFile(path_);
  WriteFile(path_, good.substr(0, good.size() / 2));
  EXPECT_EQ(Open().error().code, ErrorCode::kCorrupt);
  WriteFile(path_, good);
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  const auto opened = Open();
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(opened.error().public_text, HasSubstr("0640"));
  ASSERT_EQ(::chmod(path_.c_str(), 0400), 0);
  EXPECT_TRUE(Open().ok());
}

// A crash between the key's file and the store's check value.
TEST(MasterKeyNewStoreTest, AKeyWithoutItsCheckValueIsTaken) {
  testing_support::TemporaryFolder folder;
  CryptoInit();
  auto store = store::SqliteStore::Open({folder.path(), true, {}}, Timestamp{});
  ASSERT_TRUE(store.ok());
  testing_support::FaultyStore faulty(**store);
  const ManualClock clock(Timestamp{});
  SystemEntropy entropy;
  const std::string path = folder.path() + "/master.key";
  faulty.FailNextChange(Fault::kNotDone);
  EXPECT_EQ(KeyRing::Open(path, faulty, clock, entropy).error().code, ErrorCode::kUnavailable);
  const std::string written = ReadFile(path);
  EXPECT_NE(written, "");
  ASSERT_TRUE(KeyRing::Open(path, faulty, clock, entropy).ok());
  EXPECT_EQ(ReadFile(path), written);
  EXPECT_EQ(*faulty.MasterKeyCheck(), MasterKeyCheckValue(*ParseMasterKey(written)));
}

TEST_F(MasterKeyTest, RotatingResealsEverything) {
  const std::string before = ReadFile(path_);
  const auto rotation = house_.keys().Rotate(ServiceHouse::Operator());
  ASSERT_TRUE(rotation.ok()) << rotation.error().public_text;
  EXPECT_EQ(rotation->old_id, 1U);
  EXPECT_EQ(rotation->new_id, 2U);
  EXPECT_EQ(rotation->resealed, 1U);
  EXPECT_EQ(house_.keys().CurrentId(), 2U);
  EXPECT_NE(ReadFile(path_), before);
  ExpectAllOpens(house_.keys());
  const core::AuditEvent event = house_.LastEvent();
  EXPECT_EQ(event.action, "master_key.rotate");
  EXPECT_EQ(event.before, R"({"id":1})");
  EXPECT_EQ(event.after, R"({"id":2})");
  house_.Restart();
  ExpectAllOpens(house_.keys());
  // The old key opens the store no more.
  WriteFile(path_, before);
  EXPECT_EQ(Open().error().code, ErrorCode::kConflict);
}

// Every step of a rotation at which the process may die, and what the next start finds.

TEST_F(MasterKeyTest, DyingWhileTheNewKeyIsWrittenChangesNothing) {
  const std::string before = ReadFile(path_);
  WriteFile(path_ + ".next", "id 2\nkey 0123");  // as if the write had been torn
  house_.Restart();
  EXPECT_EQ(ReadFile(path_), before);
  ExpectAllOpens(house_.keys());
}

TEST_F(MasterKeyTest, DyingBeforeTheTransactionKeepsTheOldKey) {
  const std::string before = ReadFile(path_);
  house_.store().FailNextChange(Fault::kUnknownNotDone);
  EXPECT_EQ(house_.keys().Rotate(ServiceHouse::Operator()).error().code, ErrorCode::kUnknown);
  EXPECT_TRUE(std::filesystem::exists(path_ + ".next"));
  house_.Restart();
  EXPECT_EQ(ReadFile(path_), before);
  EXPECT_EQ(house_.keys().CurrentId(), 1U);
  ExpectAllOpens(house_.keys());
}

TEST_F(MasterKeyTest, DyingAfterTheTransactionTakesTheNewKey) {
  house_.store().FailNextChange(Fault::kUnknownDone);
  EXPECT_EQ(house_.keys().Rotate(ServiceHouse::Operator()).error().code, ErrorCode::kUnknown);
  const std::string next = ReadFile(path_ + ".next");
  house_.Restart();
  EXPECT_EQ(ReadFile(path_), next);
  EXPECT_EQ(house_.keys().CurrentId(), 2U);
  ExpectAllOpens(house_.keys());
}

TEST_F(MasterKeyTest, DyingAfterTheTransactionTakesTheNewKeyEvenIfTheOldFileIsGone) {
  house_.store().FailNextChange(Fault::kUnknownDone);
  EXPECT_FALSE(house_.keys().Rotate(ServiceHouse::Operator()).ok());
  std::filesystem::remove(path_);
  house_.Restart();
  EXPECT_EQ(house_.keys().CurrentId(), 2U);
  ExpectAllOpens(house_.keys());
}

TEST_F(MasterKeyTest, DyingBeforeTheLeftoverIsRemovedRemovesIt) {
  ASSERT_TRUE(house_.keys().Rotate(ServiceHouse::Operator()).ok());
  const std::string after = ReadFile(path_);
  WriteFile(path_ + ".next", after);
  house_.Restart();
  EXPECT_EQ(ReadFile(path_), after);
  ExpectAllOpens(house_.keys());
}

TEST_F(MasterKeyTest, AfterAnUnknownOutcomeNothingIsSealedUntilTheNextStart) {
  house_.store().FailNextChange(Fault::kUnknownDone);
  EXPECT_FALSE(house_.keys().Rotate(ServiceHouse::Operator()).ok());
  NewToken secret;
  secret.kind = core::TokenKind::kSecret;
  const auto actor = ServiceHouse::Operator();
  EXPECT_EQ(house_.tokens().Create(acme_.account.id, secret, actor).error().code,
            ErrorCode::kUnavailable);
  EXPECT_EQ(house_.keys().Rotate(actor).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(house_.tokens().Create(acme_.account.id, {}, actor).ok());  // nothing to seal
  EXPECT_EQ(house_.Ask(acme_.secret.text), core::Reason::kNone);
  house_.Restart();
  EXPECT_TRUE(house_.tokens().Create(acme_.account.id, secret, actor).ok());
  ExpectAllOpens(house_.keys());
}

TEST_F(MasterKeyTest, ARotationThatIsNotDoneLeavesNothing) {
  const std::string before = ReadFile(path_);
  house_.store().FailNextChange(Fault::kNotDone);
  EXPECT_EQ(house_.keys().Rotate(ServiceHouse::Operator()).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(ReadFile(path_), before);
  ExpectAllOpens(house_.keys());
  ASSERT_TRUE(house_.keys().Rotate(ServiceHouse::Operator()).ok());
  ExpectAllOpens(house_.keys());
}

TEST_F(MasterKeyTest, AKeyThatCannotTakeItsPlaceIsNotLost) {
  // A folder in the key's place: no file can be renamed over it.
  const std::string before = ReadFile(path_);
  std::filesystem::remove(path_);
  std::filesystem::create_directories(path_ + "/in-the-way");
  const auto rotation = house_.keys().Rotate(ServiceHouse::Operator());
  ASSERT_FALSE(rotation.ok());
  EXPECT_THAT(rotation.error().public_text, HasSubstr("was rotated"));
  EXPECT_EQ(house_.keys().CurrentId(), 2U);
  // Another rotation must not write over the only copy of the key in use.
  const std::string next = ReadFile(path_ + ".next");
  EXPECT_FALSE(house_.keys().Rotate(ServiceHouse::Operator()).ok());
  EXPECT_EQ(ReadFile(path_ + ".next"), next);
  std::filesystem::remove_all(path_);
  ASSERT_TRUE(house_.keys().Rotate(ServiceHouse::Operator()).ok());
  EXPECT_EQ(house_.keys().CurrentId(), 3U);
  ExpectAllOpens(house_.keys());
}

TEST_F(MasterKeyTest, ARotationWaitsForWhatIsSealedAndNotYetCommitted) {
  std::atomic<bool> held{true};
  std::atomic<bool> rotating{false};
  std::atomic<bool> resealed_while_held{false};
  house_.store().BeforeReseal([&] { resealed_while_held = held.load(); });
  auto lease = std::make_unique<KeyRing::Lease>(house_.keys());
  std::thread rotation([&] {
    rotating = true;
    EXPECT_TRUE(house_.keys().Rotate(ServiceHouse::Operator()).ok());
  });
  while (!rotating) std::this_thread::yield();
  // Time enough for a rotation that would not wait; one that does can't be seen waiting.
  for (int i = 0; i < 5000 && !resealed_while_held; ++i) std::this_thread::yield();
  held = false;
  lease.reset();
  rotation.join();
  EXPECT_FALSE(resealed_while_held);
  EXPECT_EQ(house_.keys().CurrentId(), 2U);
}

TEST_F(MasterKeyTest, SecretsMadeDuringRotationsAreSealedUnderTheKeyThatStays) {
  std::atomic<int> failed{0};
  const auto actor = ServiceHouse::Operator();
  std::thread rotating([&] {
    for (int i = 0; i < 10; ++i) {
      if (!house_.keys().Rotate(actor).ok()) ++failed;
    }
  });
  std::vector<std::thread> making;
  for (int t = 0; t < 2; ++t) {
    making.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        NewToken secret;
        secret.kind = core::TokenKind::kSecret;
        secret.settings.enabled = false;
        if (!house_.tokens().Create(acme_.account.id, secret, actor).ok()) ++failed;
      }
    });
  }
  rotating.join();
  for (std::thread& thread : making) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(house_.keys().CurrentId(), 11U);
  ExpectAllOpens(house_.keys());
  house_.Restart();
  ExpectAllOpens(house_.keys());
}

}  // namespace
}  // namespace latchkey::service
