#include "store/sqlite_dataset_store.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "store/files.h"
#include "test/store_conformance/dataset_store_conformance.h"

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

// SQLite's own words on how it would run a query: one search in an index, no sort.
TEST(SqliteDatasetStoreTest, EveryQueryIsOneSearchWithoutASort) {
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
    struct Case {
      std::optional<std::string> key, subkey;
      const char* plan;
    };
    const Case cases[] = {
        {{}, {}, "SEARCH records USING INDEX records_by_date (generation=? AND date>? AND date<?)"},
        {"a",
         {},
         "SEARCH records USING PRIMARY KEY (generation=? AND key=? AND date>? AND date<?)"},
        {"a", "",
         "SEARCH records USING PRIMARY KEY (generation=? AND key=? AND date>? AND date<?)"},
        {"a", "b",
         "SEARCH records USING INDEX records_by_subkey (generation=? AND key=? AND subkey=? AND "
         "date>? AND date<?)"}};
    for (const Case& c : cases) {
      for (const bool newest_first : {true, false}) {
        core::RecordQuery query;
        query.key = c.key;
        query.subkey = c.subkey;
        query.newest_first = newest_first;
        const std::string_view sql = SqliteDatasetStore::QuerySql(query);
        auto explain = (*reader)->Prepare("EXPLAIN QUERY PLAN " + std::string(sql));
        ASSERT_TRUE(explain.ok()) << explain.error().internal_text;
        std::vector<std::string> steps;
        while (*explain->Step()) steps.emplace_back(explain->Text(3));
        EXPECT_THAT(steps, testing::ElementsAre(c.plan)) << sql;
      }
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace latchkey::store
