#include "store/sqlite_dataset_store.h"

#include <filesystem>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "store/files.h"
#include "test/store_conformance/dataset_store_conformance.h"
#include "test/support/fault_vfs.h"

namespace latchkey::store {
namespace {

Result<std::unique_ptr<DatasetStore>> OpenFile(const std::string& file) {
  auto store = SqliteDatasetStore::Open(file);
  if (!store.ok()) return store.error();
  return std::unique_ptr<DatasetStore>(*std::move(store));
}

INSTANTIATE_TEST_SUITE_P(Sqlite, DatasetStoreConformance,
                         testing::Values(DatasetBackEnd{
                             "Sqlite",
                             [](const std::string& folder) {
                               return OpenFile(folder + "/" + std::string(kRecordsFile));
                             },
                             OpenFile}),
                         [](const auto& param_info) { return param_info.param.name; });

class SqliteDatasetStoreFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/latchkey-faults-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<SqliteDatasetStore> Open() {
    auto store = SqliteDatasetStore::Open(folder_ + "/" + std::string(kRecordsFile), vfs_.name());
    EXPECT_TRUE(store.ok()) << store.error().internal_text;
    return store.ok() ? *std::move(store) : nullptr;
  }
  static std::vector<core::Record> Records(std::size_t count) {
    std::vector<core::Record> records(count);
    for (std::size_t i = 0; i < count; ++i) {
      records[i].key = "K" + std::to_string(i);
      records[i].values = "[" + std::string(200, '1') + "]";
    }
    return records;
  }
  static Result<std::int64_t> Write(DatasetStore& store, std::size_t count) {
    auto writer = store.BeginGeneration(0);
    if (!writer.ok()) return writer.error();
    if (Status status = (*writer)->Append(Records(count), Duplicates::kReplace); !status.ok()) {
      return status.error();
    }
    if (const auto finished = (*writer)->Finish(); !finished.ok()) return finished.error();
    return (*writer)->generation();
  }
  static std::size_t Count(DatasetStore& store, std::int64_t generation) {
    core::RecordQuery query;
    query.limit = 1'000'000;
    const auto records = store.Query(generation, query, UINT64_MAX, {});
    return records.ok() ? records->size() : 0;
  }

  test::FaultVfs vfs_{"latchkey-dataset-faults"};
  std::string folder_;
};

// Every write of a generation is, in its turn, the first that fails.
TEST_F(SqliteDatasetStoreFaultTest, WhereverTheDiskFailsAGenerationIsWholeOrDoesNotCount) {
  for (const bool full : {true, false}) {
    std::int64_t failures = 0;
    for (std::int64_t after = 0;; after += 1 + after / 4) {
      SCOPED_TRACE((full ? "full after " : "broken after ") + std::to_string(after));
      vfs_.Heal();
      std::int64_t standing = 0;
      bool failed = false;
      {
        const auto store = Open();
        ASSERT_NE(store, nullptr);
        const auto first = Write(*store, 1500);
        ASSERT_TRUE(first.ok());
        standing = *first;
        if (full) {
          vfs_.FillUpAfterWrites(after);
        } else {
          vfs_.BreakAfterWrites(after);
        }
        const auto second = Write(*store, 2500);
        failed = !second.ok();
        if (failed) {
          EXPECT_TRUE(second.error().code == ErrorCode::kUnavailable ||
                      second.error().code == ErrorCode::kUnknown)
              << second.error().internal_text;
        }
        EXPECT_EQ(Count(*store, standing), 1500U);
        vfs_.Heal();
        const auto third = Write(*store, 10);
        ASSERT_TRUE(third.ok()) << third.error().internal_text;
        EXPECT_EQ(Count(*store, *third), 10U);
      }
      const auto store = Open();
      ASSERT_NE(store, nullptr);
      ASSERT_TRUE(store->CheckIntegrity().ok());
      const auto generations = store->ListGenerations();
      ASSERT_TRUE(generations.ok());
      for (const Generation& generation : *generations) {
        if (generation.finished) {
          EXPECT_EQ(Count(*store, generation.number), generation.size.records);
        }
        ASSERT_TRUE(store->Drop(generation.number).ok());
      }
      if (!failed) break;
      ++failures;
    }
    EXPECT_GT(failures, 5);
  }
}

TEST_F(SqliteDatasetStoreFaultTest, FinishReturnsOnlyWhenTheDiskHasItAll) {
  const auto store = Open();
  ASSERT_NE(store, nullptr);
  auto writer = store->BeginGeneration(0);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Append(Records(100), Duplicates::kReplace).ok());
  const std::int64_t before = vfs_.flushes();
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_GT(vfs_.flushes(), before);

  auto other = store->BeginGeneration(0);
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE((*other)->Append(Records(100), Duplicates::kReplace).ok());
  vfs_.BreakAfterFlushes(0);
  EXPECT_FALSE((*other)->Finish().ok());
  vfs_.Heal();
}

// No one transaction frees all the pages of many long records.
TEST_F(SqliteDatasetStoreFaultTest, LongRecordsAreDroppedInSteps) {
  const auto store = Open();
  ASSERT_NE(store, nullptr);
  auto writer = store->BeginGeneration(0);
  ASSERT_TRUE(writer.ok());
  std::vector<core::Record> records = Records(100);
  for (core::Record& record : records) record.values = "[" + std::string(60'000, '1') + "]";
  ASSERT_TRUE((*writer)->Append(records, Duplicates::kReplace).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  std::set<std::size_t> left;
  for (std::int64_t writes = 10;; writes += 10) {
    vfs_.FillUpAfterWrites(writes);
    const bool dropped = store->Drop((*writer)->generation()).ok();
    vfs_.Heal();
    left.insert(Count(*store, (*writer)->generation()));
    if (dropped) break;
  }
  EXPECT_GE(left.size(), 4U);  // 100, some that are fewer, 0
  EXPECT_TRUE(store->ListGenerations()->empty());
}

// SQLite's own words on how it would run each statement of a scan: one search in an index, no sort.
TEST(SqliteDatasetStoreTest, EveryScanIsSearchesWithoutASort) {
  std::string folder = testing::TempDir() + "/latchkey-plan-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/" + std::string(kRecordsFile);
  {
    ASSERT_TRUE(SqliteDatasetStore::Open(path).ok());
    SqliteDatabase::Options options;
    options.path = path;
    options.application_id = kRecordsApplicationId;
    options.migrations = RecordsMigrations();
    const auto reader = SqliteDatabase::OpenReader(options);
    ASSERT_TRUE(reader.ok());
    const std::string by_date =
        "SEARCH records USING INDEX records_by_date (generation=? AND date>? AND date<?)";
    const std::string by_key =
        "SEARCH records USING PRIMARY KEY (generation=? AND key=? AND date>? AND date<?)";
    const std::string by_subkey =
        "SEARCH records USING INDEX records_by_subkey (generation=? AND key=? AND subkey=? AND "
        "date>? AND date<?)";
    const std::string behind_subkey =
        "SEARCH records USING PRIMARY KEY (generation=? AND key=? AND date=? AND subkey>?)";
    const std::string behind_key = "SEARCH records USING PRIMARY KEY (generation=? AND key>?)";
    const std::string whole = "SEARCH records USING PRIMARY KEY (generation=?)";
    struct Case {
      RowOrder order;
      std::optional<std::string> key, subkey;
      bool after;
      std::vector<std::string> plans;
    };
    const Case cases[] = {
        {RowOrder::kNewestFirst, {}, {}, false, {by_date}},
        {RowOrder::kOldestFirst, {}, {}, false, {by_date}},
        {RowOrder::kNewestFirst, "a", {}, false, {by_key}},
        {RowOrder::kOldestFirst, "a", {}, false, {by_key}},
        {RowOrder::kNewestFirst, "a", "", false, {by_key}},
        {RowOrder::kOldestFirst, "a", "", false, {by_key}},
        {RowOrder::kNewestFirst, "a", "b", false, {by_subkey}},
        {RowOrder::kOldestFirst, "a", "b", false, {by_subkey}},
        {RowOrder::kTable, {}, {}, false, {whole}},
        {RowOrder::kTable, {}, {}, true, {behind_subkey, by_key, behind_key}},
        {RowOrder::kNewestFirst, "a", {}, true, {behind_subkey, by_key}},
        {RowOrder::kNewestFirst, "a", "b", true, {by_subkey}},
        {RowOrder::kNewestFirst, "a", "", true, {by_key}},
    };
    for (const Case& c : cases) {
      RecordScan scan;
      scan.order = c.order;
      scan.key = c.key;
      scan.subkey = c.subkey;
      if (c.after) scan.after = ScanPosition{"a", "b", 3};
      std::vector<std::string> plans;
      for (const ScanStage& stage : StagesOf(scan)) {
        auto explain = (*reader)->Prepare("EXPLAIN QUERY PLAN " + std::string(stage.sql));
        ASSERT_TRUE(explain.ok()) << explain.error().internal_text;
        while (*explain->Step()) plans.emplace_back(explain->Text(3));
      }
      EXPECT_EQ(plans, c.plans);
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace latchkey::store
