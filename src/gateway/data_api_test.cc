#include "gateway/data_api.h"

#include <string>

#include <gtest/gtest.h>

namespace latchkey::gateway {
namespace {

using core::RecordFormat;

Result<RecordsWish> Read(std::string_view parameters, std::string_view key = "AAPL",
                         std::string_view subkey = {}) {
  return ReadRecordsWish(key, subkey, parameters, RecordFormat::kJson, 100);
}

TEST(RecordsWishTest, FormatBeatsAccept) {
  EXPECT_EQ(Read("format=csv")->format, RecordFormat::kCsv);
  EXPECT_EQ(Read("")->format, RecordFormat::kJson);
  EXPECT_EQ(ReadRecordsWish("k", {}, "format=json", RecordFormat::kCsv, 100)->format,
            RecordFormat::kJson);
  EXPECT_EQ(ReadRecordsWish("k", {}, "", RecordFormat::kCsv, 100)->format, RecordFormat::kCsv);
}

TEST(RecordsWishTest, TellsAbsentFromPresentParts) {
  EXPECT_FALSE(ReadRecordsWish({}, {}, "", RecordFormat::kJson, 100)->query.key.has_value());
  EXPECT_EQ(Read("")->query.key, "aapl");
  EXPECT_FALSE(Read("")->query.subkey.has_value());
  EXPECT_EQ(Read("", "AAPL", "X")->query.subkey, "x");
}

TEST(RecordsWishTest, AWholeRangeAsksForOneMoreThanMayBeGiven) {
  EXPECT_TRUE(Read("from=2010-01-01")->whole_range);
  EXPECT_EQ(Read("from=2010-01-01")->query.limit, 101u);
  for (const std::string_view bounded :
       {"from=2010-01-01&limit=100", "last=100&from=2010-01-01", "first=100&to=2010-01-01"}) {
    EXPECT_FALSE(Read(bounded)->whole_range) << bounded;
    EXPECT_EQ(Read(bounded)->query.limit, 100u) << bounded;
  }
  EXPECT_FALSE(Read("")->whole_range);
}

TEST(RecordsWishTest, RefusesByName) {
  for (const std::string_view parameters :
       {"colour=red", "last=0", "last=101", "limit=x", "from=yesterday", "format=xml",
        "last=1&last=1", "last=%FF"}) {
    const Result<RecordsWish> wish = Read(parameters);
    ASSERT_FALSE(wish.ok()) << parameters;
    EXPECT_EQ(wish.error().code, ErrorCode::kInvalid);
    const std::string name(parameters.substr(0, parameters.find('=')));
    EXPECT_NE(wish.error().public_text.find(name), std::string::npos) << wish.error().public_text;
  }
}

TEST(RefuseParametersTest, NamesTheFirst) {
  EXPECT_TRUE(RefuseParameters("").ok());
  EXPECT_EQ(RefuseParameters("last=1&x=2").error().public_text,
            "The parameter last is not known here");
  EXPECT_EQ(RefuseParameters("a%0Ab").error().public_text, "The parameter a?b is not known here");
}

TEST(CostTest, IsWeightTimesRecordsInTheCreditsOfTheClass) {
  core::Dataset dataset;
  dataset.weight = 1'000'000;
  dataset.dataset_class = core::DatasetClass::kCore;
  EXPECT_EQ(CostOf(dataset, 10'000).core, 10'000'000'000u);
  EXPECT_EQ(CostOf(dataset, 10'000).premium, 0u);
  dataset.dataset_class = core::DatasetClass::kWorkspace;
  EXPECT_EQ(CostOf(dataset, 2).core, 2'000'000u);
  dataset.dataset_class = core::DatasetClass::kPremium;
  EXPECT_EQ(CostOf(dataset, 2).core, 0u);
  EXPECT_EQ(CostOf(dataset, 2).premium, 2'000'000u);
  dataset.weight = 0;
  EXPECT_EQ(CostOf(dataset, 2).premium, 0u);
}

TEST(CatalogueJsonTest, ShowsWhatWireSays) {
  core::Dataset dataset;
  dataset.name = "STOCKS";
  dataset.workspace = "core";
  dataset.title = "Monthly \"closes\"";
  dataset.dataset_class = core::DatasetClass::kCore;
  dataset.key_field = "symbol";
  dataset.date_field = "date";
  dataset.weight = 2;
  dataset.updated_at = FromUnixMillis(1'700'000'000'123);
  service::CatalogueEntry entry{dataset, std::make_shared<service::RecordsState>()};
  entry.live->records = 560;
  entry.live->updated_millis = ToUnixMillis(dataset.updated_at);
  const service::CatalogueEntry* list[] = {&entry, &entry};
  const std::string one =
      R"({"id":"STOCKS","workspace":"core","title":"Monthly \"closes\"","class":"core",)"
      R"("key":"symbol","subkey":null,"date":"date","weight":2,"records":560,)"
      R"("updated":1700000000123})";
  EXPECT_EQ(CatalogueJson(list), "[" + one + "," + one + "]");
  EXPECT_EQ(CatalogueJson({}), "[]");
}

TEST(StatusJsonTest, IsWhatOldClientsRead) {
  EXPECT_EQ(StatusJson("0.1.0", FromUnixMillis(1'700'000'000'123)),
            R"({"status":"up","version":"0.1.0","time":1700000000123})");
}

TEST(DatasetKeyTest, FoldsCase) { EXPECT_EQ(DatasetKey("Core", "STOCKS"), "core/stocks"); }

}  // namespace
}  // namespace latchkey::gateway
