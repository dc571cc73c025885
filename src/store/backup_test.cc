#include "store/backup.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/files.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"
#include "test/support/forwarding_dataset_store.h"

namespace latchkey::store {
namespace {

constexpr Timestamp kNow = FromUnixMillis(1'700'000'000'000);

class BackupTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/latchkey-backup-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    data_ = root_ + "/data";
    std::filesystem::create_directory(data_);
    Open();
  }
  void TearDown() override {
    Close();
    std::filesystem::remove_all(root_);
  }

  void Open() {
    state_ = OpenState(data_);
    records_ = *SqliteDatasetStore::Open(fmt::format("{}/{}", data_, kRecordsFile));
  }
  void Close() {
    state_.reset();
    records_.reset();
  }
  static std::unique_ptr<SqliteStore> OpenState(const std::string& folder) {
    Result<std::unique_ptr<SqliteStore>> store =
        SqliteStore::Open({.folder = folder, .create = true, .vfs = {}}, kNow);
    EXPECT_TRUE(store.ok()) << (store.ok() ? "" : store.error().internal_text);
    return store.ok() ? *std::move(store) : nullptr;
  }

  void Do(StateChange change) {
    Mutation mutation;
    mutation.changes.push_back(std::move(change));
    mutation.event.at = kNow;
    mutation.event.action = "test";
    const auto done = state_->Commit(std::move(mutation));
    ASSERT_TRUE(done.ok()) << done.error().internal_text;
  }
  // An account, tokens 1 to 3, and a dataset with one record.
  void Fill() {
    core::Plan plan;
    plan.id.value = 1;
    plan.name = "free";
    Do(PutPlan{plan, {}});
    core::Account account;
    account.id.value = 1;
    account.plan.value = 1;
    account.workspace = "acme";
    Do(PutAccount{account, {}});
    for (std::int64_t number = 1; number <= 3; ++number) PutNumber(number);
    PutGeneration({});
  }
  void PutNumber(std::int64_t number) {
    core::TokenRecord record;
    record.token.id.value = number;
    record.token.account.value = 1;
    record.token.digest = Sha256(fmt::format("token {}", number));
    Do(PutToken{record, {}, {}, {}});
  }
  void Remove(std::int64_t number) { Do(RemoveToken{{number}, {}}); }
  // A new set of one record, which counts from then on.
  void PutGeneration(std::optional<std::int64_t> version) {
    auto writer = records_->BeginGeneration(0);
    ASSERT_TRUE(writer.ok());
    core::Record record;
    record.key = "AAPL";
    record.values = "[1]";
    ASSERT_TRUE((*writer)->Append(std::span(&record, 1), Duplicates::kReplace).ok());
    ASSERT_TRUE((*writer)->Finish().ok());
    core::Dataset dataset;
    dataset.id.value = 1;
    dataset.workspace = "core";
    dataset.name = "STOCKS";
    dataset.generation = (*writer)->generation();
    Do(PutDataset{dataset, version});
  }

  std::string BackupFile() const { return root_ + "/backup.tar"; }
  std::string Target() const { return root_ + "/restored"; }
  RestoreOptions FromBackup() const {
    return {.file = BackupFile(), .folder = Target(), .removed_digests = {}};
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Write(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static std::size_t FilesIn(const std::string& folder) {
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++files;
    return files;
  }

  std::string root_;
  std::string data_;
  std::unique_ptr<SqliteStore> state_;
  std::unique_ptr<SqliteDatasetStore> records_;
};

TEST_F(BackupTest, RestoresWhatWasThereAndWaitsToBeAccepted) {
  Fill();
  const auto written = WriteBackup(*state_, *records_, BackupFile(), kNow);
  ASSERT_TRUE(written.ok()) << written.error().internal_text;
  EXPECT_EQ(written->bytes, std::filesystem::file_size(BackupFile()));
  struct stat status{};
  ASSERT_EQ(::stat(BackupFile().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(FilesIn(root_), 2u);  // the data folder and the backup: nothing is left over

  const auto restored = RestoreBackup(FromBackup(), kNow + std::chrono::hours(1));
  ASSERT_TRUE(restored.ok()) << restored.error().public_text << restored.error().internal_text;
  EXPECT_EQ(restored->tokens, 3u);
  EXPECT_EQ(restored->tokens_removed, 0u);
  EXPECT_EQ(restored->backup_created_at, kNow);
  const auto marker = ReadRestoredMarker(Target());
  ASSERT_TRUE(marker.ok());
  ASSERT_TRUE(*marker);
  EXPECT_EQ((*marker)->tokens, 3u);
  EXPECT_EQ((*marker)->restored_at, kNow + std::chrono::hours(1));
  EXPECT_FALSE((*marker)->removed_digests_merged);
  for (const auto& entry : std::filesystem::directory_iterator(Target())) {
    EXPECT_EQ(entry.status().permissions(), std::filesystem::perms(0600)) << entry.path();
    EXPECT_NE(entry.path().extension(), ".tmp");
  }

  EXPECT_TRUE(AcceptRestore(Target()).ok());
  EXPECT_FALSE(*ReadRestoredMarker(Target()));
  EXPECT_EQ(AcceptRestore(Target()).error().code, ErrorCode::kNotFound);

  const auto state = OpenState(Target());
  EXPECT_EQ(*state->CountTokens({1}), 3u);
  EXPECT_TRUE(state->CheckIntegrity().ok());
  const auto records = SqliteDatasetStore::Open(fmt::format("{}/{}", Target(), kRecordsFile));
  ASSERT_TRUE(records.ok());
  const std::int64_t generation = state->GetDataset({1})->generation;
  EXPECT_EQ((*records)->Query(generation, {}, UINT64_MAX, [] { return false; })->size(), 1u);
}

TEST_F(BackupTest, ARestoreDoesNotReviveWhatWasRemovedSince) {
  Fill();
  Remove(1);  // before the backup
  ASSERT_TRUE(WriteBackup(*state_, *records_, BackupFile(), kNow).ok());
  Remove(2);  // after it
  Close();

  RestoreOptions options = FromBackup();
  options.removed_digests = fmt::format("{}/{}", data_, kRemovedDigestsFile);
  const auto restored = RestoreBackup(options, kNow);
  ASSERT_TRUE(restored.ok()) << restored.error().public_text;
  EXPECT_EQ(restored->tokens, 1u);
  EXPECT_EQ(restored->tokens_removed, 1u);
  EXPECT_TRUE(restored->removed_digests_merged);

  const auto state = OpenState(Target());
  EXPECT_EQ(state->GetToken({2}).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(state->GetToken({3}).ok());
  EXPECT_TRUE(state->CheckIntegrity().ok());
  const core::AuditEvent event = state->ListAuditEvents(0, 500)->back();
  EXPECT_EQ(event.action, "token.remove");
  EXPECT_EQ(event.subject, core::TokenId{2}.ToString());
  EXPECT_EQ(event.actor.principal, "system");
}

TEST_F(BackupTest, AFolderWithoutAServerGivesTheSame) {
  Fill();
  Close();
  const auto written = WriteBackupFromFolder(data_, BackupFile(), kNow);
  ASSERT_TRUE(written.ok()) << written.error().internal_text;
  const auto restored = RestoreBackup(FromBackup(), kNow);
  ASSERT_TRUE(restored.ok()) << restored.error().public_text;
  EXPECT_EQ(restored->tokens, 3u);
  EXPECT_EQ(WriteBackupFromFolder(root_ + "/nowhere", root_ + "/b.tar", kNow).error().code,
            ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(root_ + "/nowhere"));
}

TEST_F(BackupTest, NeverReplacesAFileNorFillsAFolderThatIsNotEmpty) {
  Fill();
  Write(BackupFile(), "precious");
  EXPECT_EQ(WriteBackup(*state_, *records_, BackupFile(), kNow).error().code, ErrorCode::kConflict);
  EXPECT_EQ(Read(BackupFile()), "precious");
  std::filesystem::remove(BackupFile());
  ASSERT_TRUE(WriteBackup(*state_, *records_, BackupFile(), kNow).ok());

  std::filesystem::create_directory(Target());
  Write(Target() + "/something", "precious");
  EXPECT_EQ(RestoreBackup(FromBackup(), kNow).error().code, ErrorCode::kConflict);
  EXPECT_EQ(FilesIn(Target()), 1u);
}

TEST_F(BackupTest, RefusesADamagedOrForeignFileAndPutsNothingInPlace) {
  Fill();
  ASSERT_TRUE(WriteBackup(*state_, *records_, BackupFile(), kNow).ok());
  const std::string whole = Read(BackupFile());
  const auto expect_refused = [&](std::string_view bytes) {
    Write(BackupFile(), bytes);
    const auto restored = RestoreBackup(FromBackup(), kNow);
    ASSERT_FALSE(restored.ok());
    EXPECT_EQ(restored.error().code, ErrorCode::kCorrupt) << restored.error().public_text;
    EXPECT_FALSE(std::filesystem::exists(Target()));
  };
  expect_refused("");
  expect_refused("not a backup");
  expect_refused(std::string(2048, '\0'));
  expect_refused(whole + "x");
  for (std::size_t size = 100; size < whole.size(); size += whole.size() / 17) {
    SCOPED_TRACE(size);
    expect_refused(std::string_view(whole).substr(0, size));
  }
  // One bit anywhere; what pads a member or a header's unused end is part of the form too.
  for (std::size_t at = 0; at < whole.size(); at += 997) {
    SCOPED_TRACE(at);
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    expect_refused(flipped);
  }
  Write(BackupFile(), whole);
  EXPECT_TRUE(RestoreBackup(FromBackup(), kNow).ok());
}

TEST_F(BackupTest, OrdinaryTarUnderstandsTheFile) {
  Fill();
  ASSERT_TRUE(WriteBackup(*state_, *records_, BackupFile(), kNow).ok());
  const std::string unpacked = root_ + "/unpacked";
  std::filesystem::create_directory(unpacked);
  ASSERT_EQ(std::system(fmt::format("tar -C {} -xf {}", unpacked, BackupFile()).c_str()), 0);
  EXPECT_EQ(FilesIn(unpacked), 3u);
  // And what tar has packed in the same order and form is a backup again.
  ASSERT_EQ(std::system(fmt::format("tar -C {} --format=ustar --owner=0 --group=0 -cf {} "
                                    "manifest.json state.db records.db",
                                    unpacked, BackupFile() + "2")
                            .c_str()),
            0);
  RestoreOptions options = FromBackup();
  options.file += "2";
  const auto restored = RestoreBackup(options, kNow);
  EXPECT_TRUE(restored.ok()) << restored.error().public_text;
}

// Tries an import right after the records' view was fixed.
class ImportingDatasetStore final : public test::ForwardingDatasetStore {
 public:
  ImportingDatasetStore(DatasetStore& store, std::function<void()> import)
      : ForwardingDatasetStore(store), import_(std::move(import)) {}
  ~ImportingDatasetStore() override { importer_.join(); }

  Result<std::unique_ptr<Snapshot>> TakeSnapshot() override {
    Result<std::unique_ptr<Snapshot>> snapshot = ForwardingDatasetStore::TakeSnapshot();
    std::promise<void> imported;
    std::future<void> done = imported.get_future();
    importer_ = std::thread([this, imported = std::move(imported)]() mutable {
      import_();
      imported.set_value();
    });
    // It must not succeed before the cut is made, so there is nothing better to wait for than time.
    done.wait_for(std::chrono::milliseconds(300));
    return snapshot;
  }

 private:
  std::function<void()> import_;
  std::thread importer_;
};

// A definition names a generation of records; both must come from one moment although they stand in
// two databases, and the old generation is dropped as soon as the new one counts.
TEST_F(BackupTest, StateAndRecordsBelongTogetherWhateverIsImportedMeanwhile) {
  Fill();
  const std::int64_t old = state_->GetDataset({1})->generation;
  {
    ImportingDatasetStore records(*records_, [&] {
      PutGeneration(1);
      EXPECT_TRUE(records_->Drop(old).ok());
    });
    ASSERT_TRUE(WriteBackup(*state_, records, BackupFile(), kNow).ok());
  }
  EXPECT_NE(state_->GetDataset({1})->generation, old);
  ASSERT_TRUE(RestoreBackup(FromBackup(), kNow).ok());
  const auto state = OpenState(Target());
  const auto records = SqliteDatasetStore::Open(fmt::format("{}/{}", Target(), kRecordsFile));
  ASSERT_TRUE(records.ok());
  EXPECT_EQ(state->GetDataset({1})->generation, old);
  EXPECT_EQ((*records)->Query(old, {}, UINT64_MAX, [] { return false; })->size(), 1u);
}

}  // namespace
}  // namespace latchkey::store
