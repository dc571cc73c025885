#include "service/datasets.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/files.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"
#include "test/support/faulty_store.h"

namespace latchkey::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kNow = 1'800'000'000'000;
const core::Actor kActor{"operator", "", "req_1"};

std::string TemporaryFolder() {
  std::string name = testing::TempDir() + "/latchkey-datasets-XXXXXX";
  return ::mkdtemp(name.data()) == nullptr ? std::string() : name;
}

// A server's data side over real databases in a folder.
class Side {
 public:
  explicit Side(const std::string& folder, std::uint64_t seed = 1) : entropy(seed) {
    auto state = store::SqliteStore::Open({.folder = folder, .create = true, .vfs = {}},
                                          FromUnixMillis(kNow));
    EXPECT_TRUE(state.ok()) << state.error().public_text;
    store = *std::move(state);
    auto opened = store::SqliteDatasetStore::Open(folder + "/" + std::string(store::kRecordsFile));
    EXPECT_TRUE(opened.ok()) << opened.error().public_text;
    records = *std::move(opened);
    datasets = std::make_unique<Datasets>(*store, *records, catalogue, clock, entropy,
                                          DatasetsOptions{.spool_directory = folder});
  }

  std::shared_ptr<const core::Dataset> Find(std::string_view key) const {
    const auto map = catalogue.Snapshot();
    const auto found = map->find(key);
    if (found == map->end()) return nullptr;
    return {found->second, &found->second->dataset};
  }

  Result<ImportReport> Import(const ImportOptions& options, std::string_view csv) {
    auto import = datasets->BeginImport(options, kActor);
    if (!import.ok()) return import.error();
    if (Status status = (*import)->Feed(csv); !status.ok()) return status.error();
    return (*import)->Finish();
  }

  // All values, newest first.
  std::vector<std::string> Values(const core::Dataset& dataset) {
    core::RecordQuery query;
    query.limit = 1'000'000;
    auto found = datasets->Query(dataset, query, {});
    EXPECT_TRUE(found.ok()) << found.error().public_text;
    std::vector<std::string> values;
    if (found.ok()) {
      for (core::Record& record : *found) values.push_back(std::move(record.values));
    }
    return values;
  }

  std::size_t Generations() { return records->ListGenerations()->size(); }

  ManualClock clock{FromUnixMillis(kNow)};
  SeededEntropy entropy;
  Catalogue catalogue;
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<store::SqliteDatasetStore> records;
  std::unique_ptr<Datasets> datasets;
};

class DatasetsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = TemporaryFolder();
    ASSERT_FALSE(folder_.empty());
    side_ = std::make_unique<Side>(folder_);
    ASSERT_TRUE(side_->datasets->Load().ok());
  }
  void TearDown() override {
    side_ = nullptr;
    std::filesystem::remove_all(folder_);
  }
  void Restart() {
    side_ = nullptr;
    side_ = std::make_unique<Side>(folder_, 2);
  }
  void AddAccount(const std::string& workspace) {
    core::Plan plan;
    plan.id = core::PlanId{1};
    plan.name = "free";
    core::Account account;
    account.id = core::AccountId{5};
    account.plan = plan.id;
    account.workspace = workspace;
    store::Mutation mutation;
    mutation.changes = {store::PutPlan{plan, {}}, store::PutAccount{account, {}}};
    mutation.event.action = "account.create";
    ASSERT_TRUE(side_->store->Commit(std::move(mutation)).ok());
  }

  static ImportOptions Prices() {
    ImportOptions options;
    options.workspace = "core";
    options.name = "PRICES";
    options.key_field = "symbol";
    options.date_field = "date";
    return options;
  }

  std::string folder_;
  std::unique_ptr<Side> side_;
};

TEST_F(DatasetsTest, AFileBecomesADatasetThatCanBeQueried) {
  const auto report = side_->Import(
      Prices(), "symbol,date,price\nMSFT,Jan 1 2000,39.81\nAAPL,Feb 1 2000,28.660000\n");
  ASSERT_TRUE(report.ok()) << report.error().public_text;
  EXPECT_EQ(report->imported, 2U);
  EXPECT_EQ(report->rejected, 0U);
  EXPECT_EQ(report->replaced, 0U);

  const auto dataset = side_->Find("core/prices");
  ASSERT_NE(dataset, nullptr);
  EXPECT_EQ(dataset->name, "PRICES");
  EXPECT_EQ(dataset->title, "PRICES");
  EXPECT_EQ(dataset->dataset_class, core::DatasetClass::kCore);
  EXPECT_EQ(side_->catalogue.Find("core", "prices")->live->records, 2U);
  EXPECT_EQ(dataset->weight, 1U);
  EXPECT_EQ(dataset->version, 1);
  EXPECT_EQ(ToUnixMillis(dataset->updated_at), kNow);
  ASSERT_THAT(dataset->fields, SizeIs(3));
  EXPECT_EQ(dataset->fields[1].type, core::FieldType::kDate);
  EXPECT_EQ(dataset->fields[2].type, core::FieldType::kNumber);
  EXPECT_THAT(side_->Values(*dataset),
              ElementsAre(R"(["AAPL","2000-02-01",28.66])", R"(["MSFT","2000-01-01",39.81])"));
  const auto records = side_->datasets->Query(*dataset, core::RecordQuery{}, {});
  ASSERT_TRUE(records.ok());
  ASSERT_THAT(*records, SizeIs(1));
  EXPECT_EQ((*records)[0].key, "AAPL");
  EXPECT_EQ((*records)[0].updated_millis, kNow);

  // The state says the same, and the audit log tells of it.
  const auto stored = side_->store->GetDataset(dataset->id);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->generation, dataset->generation);
  EXPECT_EQ(stored->version, 1);
  const auto events = side_->store->ListAuditEvents(0, 10);
  ASSERT_TRUE(events.ok());
  ASSERT_FALSE(events->empty());
  EXPECT_EQ(events->back().action, "dataset.create");
  EXPECT_EQ(events->back().subject, dataset->id.ToString());
  EXPECT_EQ(events->back().before, "");
  EXPECT_THAT(events->back().after, HasSubstr(R"("dataset":"core/PRICES")"));
}

TEST_F(DatasetsTest, AnImportReplacesAllRecordsAndKeepsTheDefinition) {
  ImportOptions options = Prices();
  options.weight = 3;
  options.test = true;
  options.title = "Prices";
  ASSERT_TRUE(side_->Import(options, "symbol,date,price\nA,2000-01-01,1\nB,2000-01-01,2\n").ok());
  ImportOptions again;
  again.workspace = "CORE";
  again.name = "prices";
  side_->clock.Advance(std::chrono::seconds(5));
  const auto report = side_->Import(again, "date,symbol,volume\n2000-01-02,C,7\n");
  ASSERT_TRUE(report.ok()) << report.error().public_text;
  const auto dataset = side_->Find("core/prices");
  EXPECT_EQ(dataset->name, "PRICES");
  EXPECT_EQ(dataset->title, "Prices");
  EXPECT_EQ(dataset->weight, 3U);
  EXPECT_TRUE(dataset->test);
  EXPECT_EQ(dataset->key_field, "symbol");
  EXPECT_EQ(dataset->version, 2);
  EXPECT_EQ(ToUnixMillis(dataset->created_at), kNow);
  EXPECT_EQ(ToUnixMillis(dataset->updated_at), kNow + 5000);
  EXPECT_EQ(dataset->fields[2].name, "volume");
  EXPECT_THAT(side_->Values(*dataset), ElementsAre(R"(["2000-01-02","C",7])"));
  EXPECT_EQ(side_->store->ListAuditEvents(0, 10)->back().action, "dataset.import");
}

TEST_F(DatasetsTest, ALaterLineWidensTheTypeOfEarlierOnes) {
  ASSERT_TRUE(side_
                  ->Import(Prices(),
                           "symbol,date,price\n1,2000-01-03,1.0\n2,2000-01-02,\nx,2000-01-01,n/a\n")
                  .ok());
  EXPECT_THAT(side_->Values(*side_->Find("core/prices")),
              ElementsAre(R"(["1","2000-01-03","1.0"])", R"(["2","2000-01-02",null])",
                          R"(["x","2000-01-01","n/a"])"));
}

TEST_F(DatasetsTest, IndexFieldsAreFoundWithoutCaseAndMillisecondsAreADateIfSaidSo) {
  ImportOptions options = Prices();
  options.key_field = "SYMBOL";
  options.date_field = "Time";
  ASSERT_TRUE(side_->Import(options, "symbol,time\nA,946684800000\n").ok());
  const auto dataset = side_->Find("core/prices");
  EXPECT_EQ(dataset->key_field, "symbol");
  EXPECT_EQ(dataset->date_field, "time");
  const auto records = side_->datasets->Query(*dataset, core::RecordQuery{}, {});
  EXPECT_EQ((*records)[0].date_millis, 946'684'800'000);
  EXPECT_EQ((*records)[0].values, R"(["A",946684800000])");
}

TEST_F(DatasetsTest, OneBadLineAndNothingIsImported) {
  ASSERT_TRUE(side_->Import(Prices(), "symbol,date,price\nA,2000-01-01,1\n").ok());
  const auto before = side_->Find("core/prices");
  const auto report = side_->Import(Prices(),
                                    "symbol,date,price\nA,2000-01-01,1\nB,2000-01-02\n"
                                    "C,yesterday,3\n\"D\"x,2000-01-01,4\n,2000-01-01,5\n");
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(report.error().public_text,
            "Nothing was imported: 4 bad lines. Line 3: it has 2 cells, the header has 3");
  ASSERT_THAT(report.error().fields, SizeIs(4));
  EXPECT_EQ(report.error().fields[1].field, "line 4");
  EXPECT_THAT(report.error().fields[1].detail, HasSubstr("date: must be a date"));
  EXPECT_EQ(report.error().fields[2].detail, "text after a closing quote");
  EXPECT_EQ(report.error().fields[3].detail, "symbol: must not be empty");
  EXPECT_EQ(side_->Find("core/prices"), before);
  EXPECT_EQ(side_->Generations(), 1U);
}

TEST_F(DatasetsTest, BadLinesUpToTheNumberAllowedAreLeftOutAndTold) {
  ImportOptions options = Prices();
  options.max_errors = 2;
  const std::string file = "symbol,date\nA,2000-01-01\nB\nC,never\nA,2000-01-01\n";
  const auto report = side_->Import(options, file);
  ASSERT_TRUE(report.ok()) << report.error().public_text;
  EXPECT_EQ(report->imported, 1U);
  EXPECT_EQ(report->replaced, 1U);
  EXPECT_EQ(report->rejected, 2U);
  ASSERT_THAT(report->first_rejected, SizeIs(2));
  EXPECT_EQ(report->first_rejected[0].line, 3U);
  EXPECT_EQ(report->first_rejected[1].line, 4U);
  EXPECT_FALSE(side_->Import(options, file + "D\n").ok());
}

TEST_F(DatasetsTest, AHopelessUploadEndsEarlyAndTellsAHundredLines) {
  std::string file = "symbol,date\n";
  for (int i = 0; i < 150; ++i) file += "A\n";
  auto import = side_->datasets->BeginImport(Prices(), kActor);
  ASSERT_TRUE(import.ok());
  const Status status = (*import)->Feed(file);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().fields, SizeIs(100));
  EXPECT_FALSE((*import)->Feed("A,2000-01-01\n").ok());
  EXPECT_FALSE((*import)->Finish().ok());
}

TEST_F(DatasetsTest, WhatCanNotHoldIsRefusedBeforeAByteIsSent) {
  struct Case {
    const char* named;
    void (*spoils)(ImportOptions&);
  };
  const Case cases[] = {
      {"name", [](ImportOptions& o) { o.name = "_x"; }},
      {"key", [](ImportOptions& o) { o.key_field = o.date_field = std::nullopt; }},
      {"weight", [](ImportOptions& o) { o.weight = 1'000'001; }},
      {"title", [](ImportOptions& o) { o.title = std::string(300, 'x'); }},
      {"subkey", [](ImportOptions& o) { o.subkey_field = "symbol"; }},
      {"key", [](ImportOptions& o) { o.fields = {{{"date", core::FieldType::kDate, false}}}; }},
  };
  for (const Case& c : cases) {
    ImportOptions options = Prices();
    c.spoils(options);
    const auto import = side_->datasets->BeginImport(options, kActor);
    ASSERT_FALSE(import.ok()) << c.named;
    EXPECT_EQ(import.error().code, ErrorCode::kInvalid);
    ASSERT_THAT(import.error().fields, SizeIs(1)) << import.error().public_text;
    EXPECT_EQ(import.error().fields[0].field, c.named);
  }
  ImportOptions options = Prices();
  options.workspace = "nobody";
  const auto import = side_->datasets->BeginImport(options, kActor);
  ASSERT_FALSE(import.ok());
  EXPECT_EQ(import.error().code, ErrorCode::kNotFound);
}

TEST_F(DatasetsTest, AHeaderWithoutTheIndexIsRefusedWithTheNamesThereAre) {
  auto import = side_->datasets->BeginImport(Prices(), kActor);
  ASSERT_TRUE(import.ok());
  const Status status = (*import)->Feed("ticker,date\n");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().public_text, "key: there is no field symbol; there are ticker, date");
}

TEST_F(DatasetsTest, GivenFieldsDecideAndAreChecked) {
  ImportOptions options = Prices();
  options.fields = {{{"symbol", core::FieldType::kString, false},
                     {"date", core::FieldType::kDate, false},
                     {"price", core::FieldType::kString, true},
                     {"note", core::FieldType::kAny, false}}};
  ASSERT_TRUE(side_->Import(options, "price,symbol,date\n1.50,A,2000-01-01\n").ok());
  EXPECT_THAT(side_->Values(*side_->Find("core/prices")),
              ElementsAre(R"(["A","2000-01-01","1.50",null])"));
  EXPECT_FALSE(side_->Import(options, "price,symbol,date\n,A,2000-01-01\n").ok());
  EXPECT_FALSE(side_->Import(options, "price,symbol,date,other\n1,A,2000-01-01,2\n").ok());
}

TEST_F(DatasetsTest, AWorkspacesDatasetBelongsToItsAccount) {
  AddAccount("acme");
  ImportOptions options = Prices();
  options.workspace = "Acme";
  ASSERT_TRUE(side_->Import(options, "symbol,date\nA,2000-01-01\n").ok());
  const auto dataset = side_->Find("acme/prices");
  ASSERT_NE(dataset, nullptr);
  EXPECT_EQ(dataset->owner, core::AccountId{5});
  EXPECT_EQ(dataset->workspace, "acme");
  EXPECT_EQ(dataset->dataset_class, core::DatasetClass::kWorkspace);
  EXPECT_EQ(side_->store->ListAuditEvents(0, 10)->back().account, core::AccountId{5});
}

TEST_F(DatasetsTest, OfTwoImportsAtOnceTheFirstToFinishWinsAndTheOtherLeavesNothing) {
  for (const bool standing : {false, true}) {
    SCOPED_TRACE(standing);
    auto one = side_->datasets->BeginImport(Prices(), kActor);
    auto two = side_->datasets->BeginImport(Prices(), kActor);
    ASSERT_TRUE(one.ok() && two.ok());
    ASSERT_TRUE((*one)->Feed("symbol,date\nONE,2000-01-01\n").ok());
    ASSERT_TRUE((*two)->Feed("symbol,date\nTWO,2000-01-01\n").ok());
    ASSERT_TRUE((*two)->Finish().ok());
    const auto late = (*one)->Finish();
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().code, ErrorCode::kConflict);
    EXPECT_THAT(side_->Values(*side_->Find("core/prices")), ElementsAre(R"(["TWO","2000-01-01"])"));
    side_->clock.Advance(std::chrono::minutes(1));
    ASSERT_TRUE(side_->datasets->Sweep().ok());
    EXPECT_EQ(side_->Generations(), 1U);
  }
}

TEST_F(DatasetsTest, AnImportThatIsGivenUpLeavesNothing) {
  {
    auto import = side_->datasets->BeginImport(Prices(), kActor);
    ASSERT_TRUE((*import)->Feed("symbol,date\nA,2000-01-01\n").ok());
  }
  EXPECT_TRUE(side_->catalogue.Snapshot()->empty());
  EXPECT_EQ(side_->Generations(), 0U);
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr("spool")));
  }
}

TEST_F(DatasetsTest, WhoHoldsTheOldDefinitionGetsWholeAnswersForTheGraceAndNeverAPart) {
  ASSERT_TRUE(side_->Import(Prices(), "symbol,date\nA,2000-01-01\nB,2000-01-01\n").ok());
  const auto old = side_->Find("core/prices");
  ASSERT_TRUE(side_->Import(Prices(), "symbol,date\nC,2000-01-01\n").ok());
  side_->clock.Advance(std::chrono::milliseconds(29'999));
  ASSERT_TRUE(side_->datasets->Sweep().ok());
  EXPECT_THAT(side_->Values(*old), SizeIs(2));
  EXPECT_EQ(side_->Generations(), 2U);

  // Due while a query reads it: it stays until the query has ended.
  side_->clock.Advance(std::chrono::milliseconds(1));
  bool swept = false;
  core::RecordQuery query;
  query.limit = 10;
  Result<ImportReport> big = [&] {
    std::string file = "symbol,date\n";
    for (int i = 0; i < 5000; ++i) file += std::to_string(i) + ",2000-01-01\n";
    return side_->Import(Prices(), file);
  }();
  ASSERT_TRUE(big.ok());
  const auto reading = side_->Find("core/prices");
  ASSERT_TRUE(side_->Import(Prices(), "symbol,date\nD,2000-01-01\n").ok());
  query.limit = 100'000;
  const auto records = side_->datasets->Query(*reading, query, [&] {
    if (!swept) {
      swept = true;
      side_->clock.Advance(std::chrono::minutes(10));
      EXPECT_TRUE(side_->datasets->Sweep().ok());
    }
    return false;
  });
  EXPECT_TRUE(swept);
  ASSERT_TRUE(records.ok());
  EXPECT_THAT(*records, SizeIs(5000));
  EXPECT_EQ(side_->Generations(), 2U);
  ASSERT_TRUE(side_->datasets->Sweep().ok());
  EXPECT_EQ(side_->Generations(), 1U);

  const auto late = side_->datasets->Query(*old, query, {});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(side_->Values(*side_->Find("core/prices")), ElementsAre(R"(["D","2000-01-01"])"));
}

TEST_F(DatasetsTest, ARemovedDatasetIsGoneAndItsRecordsGoAfterTheGrace) {
  ASSERT_TRUE(side_->Import(Prices(), "symbol,date\nA,2000-01-01\n").ok());
  const auto held = side_->Find("core/prices");
  ASSERT_TRUE(side_->datasets->changes().Remove(held->id, held->version, kActor).ok());
  EXPECT_EQ(side_->Find("core/prices"), nullptr);
  EXPECT_EQ(side_->datasets->changes().Remove(held->id, std::nullopt, kActor).error().code,
            ErrorCode::kNotFound);
  EXPECT_THAT(side_->Values(*held), SizeIs(1));
  side_->clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(side_->datasets->Sweep().ok());
  EXPECT_EQ(side_->Generations(), 0U);
  EXPECT_EQ(side_->store->ListAuditEvents(0, 10)->back().action, "dataset.remove");
}

TEST_F(DatasetsTest, AStartFindsTheDatasetsAndDropsWhatNothingNames) {
  ASSERT_TRUE(side_->Import(Prices(), "symbol,date\nA,2000-01-01\n").ok());
  ASSERT_TRUE(side_->Import(Prices(), "symbol,date\nB,2000-01-01\n").ok());
  Restart();
  EXPECT_EQ(side_->Generations(), 2U);
  ASSERT_TRUE(side_->datasets->Load().ok());
  EXPECT_THAT(side_->Values(*side_->Find("core/prices")), ElementsAre(R"(["B","2000-01-01"])"));
  ASSERT_TRUE(side_->datasets->Sweep().ok());
  EXPECT_EQ(side_->Generations(), 1U);
}

TEST_F(DatasetsTest, AStartWithoutTheRecordsThatTheStateNamesIsRefusedInClearWords) {
  ASSERT_TRUE(side_->Import(Prices(), "symbol,date\nA,2000-01-01\n").ok());
  side_ = nullptr;
  std::filesystem::remove(folder_ + "/" + std::string(store::kRecordsFile));
  side_ = std::make_unique<Side>(folder_);
  const Status status = side_->datasets->Load();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(status.error().public_text, HasSubstr("core/PRICES"));
}

TEST_F(DatasetsTest, DaysOfADatasetWithoutADateAreRefused) {
  ImportOptions options = Prices();
  options.date_field = std::nullopt;
  ASSERT_TRUE(side_->Import(options, "symbol,price\nA,1\n").ok());
  core::RecordQuery query;
  query.from_millis = 0;
  const auto records = side_->datasets->Query(*side_->Find("core/prices"), query, {});
  ASSERT_FALSE(records.ok());
  EXPECT_EQ(records.error().code, ErrorCode::kInvalid);
}

TEST_F(DatasetsTest, WhatACommitCameToDecidesWhatIsInForce) {
  using testing_support::Fault;
  ASSERT_TRUE(side_->Import(Prices(), "symbol,date\nOLD,2000-01-01\n").ok());
  testing_support::FaultyStore faulty(*side_->store);
  Datasets datasets(faulty, *side_->records, side_->catalogue, side_->clock, side_->entropy,
                    DatasetsOptions{.spool_directory = folder_});
  ASSERT_TRUE(datasets.Load().ok());
  const auto import = [&](std::string_view csv) {
    auto begun = datasets.BeginImport(Prices(), kActor);
    EXPECT_TRUE(begun.ok() && (*begun)->Feed(csv).ok());
    return (*begun)->Finish();
  };
  const auto newest = [&] {
    const auto records = datasets.Query(*side_->Find("core/prices"), core::RecordQuery{}, {});
    return records.ok() && records->size() == 1 ? (*records)[0].key : std::string();
  };

  faulty.FailNextChange(Fault::kNotDone);
  EXPECT_EQ(import("symbol,date\nA,2000-01-01\n").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(newest(), "OLD");
  ASSERT_TRUE(datasets.Sweep().ok());
  EXPECT_EQ(side_->Generations(), 1U);  // the new one is gone

  // Unknown and not there: it may still be after a crash, so its records stay till the next start.
  faulty.FailNextChange(Fault::kUnknownNotDone);
  EXPECT_EQ(import("symbol,date\nB,2000-01-01\n").error().code, ErrorCode::kUnknown);
  EXPECT_EQ(newest(), "OLD");
  ASSERT_TRUE(datasets.Sweep().ok());
  EXPECT_EQ(side_->Generations(), 2U);

  faulty.FailNextChange(Fault::kUnknownDone);
  const auto report = import("symbol,date\nC,2000-01-01\n");
  ASSERT_TRUE(report.ok()) << report.error().public_text;
  EXPECT_EQ(report->entry->dataset.version, 2);
  EXPECT_EQ(newest(), "C");
  side_->clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(datasets.Sweep().ok());
  EXPECT_EQ(side_->Generations(), 3U);  // OLD may count again

  const core::DatasetId id = report->entry->dataset.id;
  EXPECT_EQ(datasets.changes().Remove(id, 1, kActor).error().code, ErrorCode::kStale);
  faulty.FailNextChange(Fault::kUnknownNotDone);
  EXPECT_EQ(datasets.changes().Remove(id, 2, kActor).error().code, ErrorCode::kUnknown);
  EXPECT_EQ(newest(), "C");
  faulty.FailNextChange(Fault::kUnknownDone);
  EXPECT_TRUE(datasets.changes().Remove(id, 2, kActor).ok());
  EXPECT_EQ(side_->Find("core/prices"), nullptr);
}

// Readers that follow the catalogue see a whole generation while imports and sweeps go on.
TEST_F(DatasetsTest, ReadersSeeTheOldOrTheNewAndNeverAMixture) {
  const auto file = [](int tag) {
    std::string text = "symbol,date,tag\n";
    for (int i = 0; i < 1500; ++i) {
      text += "K" + std::to_string(i) + ",2000-01-01," + std::to_string(tag) + "\n";
    }
    return text;
  };
  ASSERT_TRUE(side_->Import(Prices(), file(0)).ok());
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      Catalogue::Reader catalogue(side_->catalogue);
      core::RecordQuery query;
      query.limit = 10'000;
      while (!stop) {
        const auto dataset = catalogue.Get().begin()->second;
        const auto records = side_->datasets->Query(dataset->dataset, query, {});
        ASSERT_TRUE(records.ok()) << records.error().public_text;
        ASSERT_EQ(records->size(), 1500U);
        const auto tag = [](const core::Record& record) {
          return record.values.substr(record.values.rfind(','));
        };
        const std::string first = tag(records->front());
        for (const core::Record& record : *records) ASSERT_EQ(tag(record), first);
      }
    });
  }
  for (int i = 1; i <= 6; ++i) {
    ASSERT_TRUE(side_->Import(Prices(), file(i)).ok());
    ASSERT_TRUE(side_->datasets->Sweep().ok());
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  side_->clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(side_->datasets->Sweep().ok());
  EXPECT_EQ(side_->Generations(), 1U);
}

// A child imports again and again and tells after each; it is killed at a random moment. After the
// start the dataset is one whole import, the last that was told of or the one after it.
TEST_F(DatasetsTest, KilledDuringImportsTheDatasetIsOneWholeImport) {
  const char* given = std::getenv("LATCHKEY_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                         : std::random_device{}();
  SCOPED_TRACE("LATCHKEY_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  side_ = nullptr;
  int last_told = -1;
  for (int round = 0; round < 8; ++round) {
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Side side(folder_, static_cast<std::uint64_t>(round) + 10);
      if (!side.datasets->Load().ok() || !side.datasets->Sweep().ok()) std::_Exit(1);
      for (int tag = last_told + 1;; ++tag) {
        std::string file = "symbol,date,tag\n";
        for (int i = 0; i < 1200; ++i) {
          file += "K" + std::to_string(i) + ",2000-01-01," + std::to_string(tag) + "\n";
        }
        const auto report = side.Import(Prices(), file);
        if (!report.ok()) std::_Exit(2);
        if (::write(told[1], &tag, sizeof tag) != sizeof tag) std::_Exit(3);
        side.clock.Advance(std::chrono::minutes(1));
        if (!side.datasets->Sweep().ok()) std::_Exit(4);
      }
    }
    ::close(told[1]);
    std::uint32_t steps = random() % 4;
    int message = 0;
    while (steps-- > 0 && ::read(told[0], &message, sizeof message) == sizeof message) {
      last_told = message;
    }
    for (volatile std::uint32_t spin = random() % 10'000'000; spin > 0;) spin = spin - 1;
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    while (::read(told[0], &message, sizeof message) == sizeof message) last_told = message;
    ::close(told[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);

    Side side(folder_);
    const Status loaded = side.datasets->Load();
    ASSERT_TRUE(loaded.ok()) << loaded.error().public_text;
    ASSERT_TRUE(side.records->CheckIntegrity().ok());
    ASSERT_TRUE(side.store->CheckIntegrity().ok());
    ASSERT_TRUE(side.datasets->Sweep().ok());
    const auto dataset = side.Find("core/prices");
    if (dataset == nullptr) {
      EXPECT_EQ(last_told, -1);
      continue;
    }
    const std::vector<std::string> values = side.Values(*dataset);
    ASSERT_EQ(values.size(), 1200U);
    const int tag = std::atoi(values[0].substr(values[0].rfind(',') + 1).c_str());
    for (const std::string& value : values) {
      ASSERT_EQ(std::atoi(value.substr(value.rfind(',') + 1).c_str()), tag);
    }
    EXPECT_TRUE(tag == last_told || tag == last_told + 1) << tag << " after " << last_told;
    EXPECT_EQ(side.Generations(), 1U);
    last_told = tag;
  }
}

TEST_F(DatasetsTest, ImportsJsonAndJsonLinesAsItDoesCsv) {
  const std::vector<std::string> expected = {R"(["B","2000-01-02",2.5])",
                                             R"(["A","2000-01-01",1])"};
  for (const char* file : {R"([{"symbol":"A","date":"2000-01-01","price":1},)"
                           R"({"symbol":"B","date":"2000-01-02","price":2.50}])",
                           "{\"symbol\":\"A\",\"date\":\"2000-01-01\",\"price\":1}\n"
                           "{\"price\":2.5,\"symbol\":\"B\",\"date\":\"2000-01-02\"}\n",
                           "symbol,date,price\nA,2000-01-01,1\nB,2000-01-02,2.50\n"}) {
    const auto report = side_->Import(Prices(), file);
    ASSERT_TRUE(report.ok()) << report.error().public_text;
    EXPECT_EQ(side_->Values(*side_->Find("core/prices")), expected) << file;
    EXPECT_EQ(report->entry->dataset.fields[2].type, core::FieldType::kNumber);
  }
}

TEST_F(DatasetsTest, ABadObjectIsABadLineAndBrokenJsonImportsNothing) {
  ImportOptions options = Prices();
  options.max_errors = 1;
  const auto report = side_->Import(options, "{\"symbol\":\"A\",\"date\":\"2000-01-01\"}\n5\n");
  ASSERT_TRUE(report.ok()) << report.error().public_text;
  EXPECT_EQ(report->rejected, 1U);
  EXPECT_EQ(report->first_rejected[0].line, 2U);
  EXPECT_FALSE(side_->Import(options, R"([{"symbol":"B","date":"2000-01-01"},)").ok());
  EXPECT_FALSE(side_->Import(options, "[]").ok());
  EXPECT_THAT(side_->Values(*side_->Find("core/prices")), SizeIs(1));
}

TEST_F(DatasetsTest, AnExportGivesAllRecordsInPagesAndKeepsThemThroughAnImport) {
  std::string file = "symbol,date\n";
  for (int i = 0; i < 2'500; ++i) file += "K" + std::to_string(i) + ",2000-01-01\n";
  ASSERT_TRUE(side_->Import(Prices(), file).ok());
  auto all = side_->datasets->BeginExport(*side_->Find("core/prices"));
  ASSERT_TRUE(all.ok());
  std::vector<std::string> keys;
  for (;;) {
    const auto page = (*all)->Next();
    ASSERT_TRUE(page.ok()) << page.error().public_text;
    if (page->empty()) break;
    for (const core::Record& record : *page) keys.push_back(record.key);
    ASSERT_TRUE(side_->Import(Prices(), "symbol,date\nNEW,2000-01-01\n").ok());
    side_->clock.Advance(std::chrono::minutes(1));
    ASSERT_TRUE(side_->datasets->Sweep().ok());
  }
  EXPECT_THAT(keys, SizeIs(2'500));
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::unique(keys.begin(), keys.end()), keys.end());
  all->reset();
  ASSERT_TRUE(side_->datasets->Sweep().ok());
  EXPECT_EQ(side_->Generations(), 1U);
}

}  // namespace
}  // namespace latchkey::service
