#include "demo/demo_data.h"

#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "service/datasets.h"
#include "store/files.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"

namespace latchkey::demo {
namespace {

core::FieldType ExpectedType(const std::string& name) {
  if (name == "date") return core::FieldType::kDate;
  if (name == "symbol" || name == "weather") return core::FieldType::kString;
  return name == "volume" ? core::FieldType::kInteger : core::FieldType::kNumber;
}

TEST(DemoDataTest, EveryFileImportsWholeWithTheTypesItShouldHave) {
  std::string folder = testing::TempDir() + "/latchkey-demo-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  {
    auto store = store::SqliteStore::Open({.folder = folder, .create = true, .vfs = {}}, {});
    ASSERT_TRUE(store.ok());
    auto records = store::SqliteDatasetStore::Open(folder + "/" + std::string(store::kRecordsFile));
    ASSERT_TRUE(records.ok());
    core::Plan plan;
    plan.id = core::PlanId{1};
    plan.name = "demo";
    core::Account account;
    account.id = core::AccountId{1};
    account.plan = plan.id;
    account.workspace = kAccountWorkspace;
    store::Mutation mutation;
    mutation.changes = {store::PutPlan{plan, {}}, store::PutAccount{account, {}}};
    ASSERT_TRUE((*store)->Commit(std::move(mutation)).ok());

    service::Catalogue catalogue;
    ManualClock clock(FromUnixMillis(1'800'000'000'000));
    SeededEntropy entropy(1);
    service::Datasets datasets(**store, **records, catalogue, clock, entropy,
                               {.spool_directory = folder});
    ASSERT_TRUE(datasets.Load().ok());
    const std::map<std::string_view, std::uint64_t> counts = {
        {"STOCKS", 560}, {"SP500", 123}, {"SP500_DAILY", 5105}, {"WEATHER", 1461}};
    ASSERT_EQ(DemoDatasets().size(), counts.size());
    for (const DemoDataset& sample : DemoDatasets()) {
      SCOPED_TRACE(sample.name);
      service::ImportOptions options;
      options.workspace = sample.workspace;
      options.name = sample.name;
      options.title = sample.title;
      options.key_field = sample.key_field;
      options.date_field = sample.date_field;
      options.weight = sample.weight;
      options.test = true;
      auto import = datasets.BeginImport(options, {"demo", "", ""});
      ASSERT_TRUE(import.ok()) << import.error().public_text;
      ASSERT_TRUE((*import)->Feed(sample.csv).ok());
      const auto report = (*import)->Finish();
      ASSERT_TRUE(report.ok()) << report.error().public_text;
      EXPECT_EQ(report->imported, counts.at(sample.name));
      EXPECT_EQ(report->replaced, 0U);
      for (const core::Field& field : report->entry->dataset.fields) {
        EXPECT_EQ(field.type, ExpectedType(field.name)) << field.name;
      }
    }
    core::RecordQuery query;
    query.key = "aapl";
    const auto map = catalogue.Snapshot();
    const auto newest = datasets.Query(map->at("core/stocks")->dataset, query, {});
    ASSERT_TRUE(newest.ok());
    ASSERT_EQ(newest->size(), 1U);
    EXPECT_EQ((*newest)[0].values, R"(["AAPL","2010-03-01",223.02])");
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace latchkey::demo
