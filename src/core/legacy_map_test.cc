#include "core/legacy_map.h"

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

Dataset Stocks() {
  Dataset dataset;
  dataset.id.value = 7;
  dataset.dataset_class = DatasetClass::kCore;
  dataset.workspace = "core";
  dataset.name = "STOCKS";
  dataset.fields = {{"symbol", FieldType::kString, true},
                    {"date", FieldType::kDate, true},
                    {"price", FieldType::kNumber, false}};
  dataset.key_field = "symbol";
  dataset.date_field = "date";
  return dataset;
}

LegacyMap MapOf(LegacyKind kind, std::vector<LegacyRename> renames = {}) {
  LegacyMap map;
  map.kind = kind;
  map.dataset.value = 7;
  map.renames = std::move(renames);
  return map;
}

TEST(LegacyMapTest, KindsParseBack) {
  for (const LegacyKind kind : kLegacyKinds) EXPECT_EQ(ParseLegacyKind(ToString(kind)), kind);
  EXPECT_FALSE(ParseLegacyKind("company"));
  EXPECT_FALSE(ParseLegacyKind("Quote"));
}

TEST(LegacyMapTest, NamesAFieldByItsRenameOrItself) {
  const LegacyMap map = MapOf(LegacyKind::kQuote, {{"latestPrice", "price"}});
  EXPECT_EQ(map.NameOf(Stocks(), "price"), "latestPrice");
  EXPECT_EQ(map.NameOf(Stocks(), "symbol"), "symbol");
}

// A field called as another one was renamed to could be added to a mapped dataset, and both then
// stood in one object under one name.
TEST(LegacyMapTest, AFieldThatComesLaterGivesWayToARenameOfItsName) {
  const LegacyMap map = MapOf(LegacyKind::kQuote, {{"latestPrice", "price"}});
  Dataset dataset = Stocks();
  dataset.fields.push_back({"latestPrice", FieldType::kNumber, false});
  EXPECT_EQ(map.NameOf(dataset, "price"), "latestPrice");
  EXPECT_EQ(map.NameOf(dataset, "latestPrice"), std::nullopt);
  // Of a field that an import took away the rename is without effect.
  dataset.fields.erase(dataset.fields.begin() + 2);
  EXPECT_EQ(map.NameOf(dataset, "latestPrice"), "latestPrice");
}

TEST(LegacyMapTest, TakesWhatAnOldFormCanBeMadeOf) {
  EXPECT_TRUE(CheckLegacyMap(MapOf(LegacyKind::kQuote), Stocks()).ok());
  EXPECT_TRUE(CheckLegacyMap(MapOf(LegacyKind::kChart, {{"close", "price"}}), Stocks()).ok());
  // Two fields may change their names with each other.
  EXPECT_TRUE(
      CheckLegacyMap(MapOf(LegacyKind::kQuote, {{"price", "date"}, {"date", "price"}}), Stocks())
          .ok());
  Dataset undated = Stocks();
  undated.date_field.clear();
  EXPECT_TRUE(CheckLegacyMap(MapOf(LegacyKind::kQuote), undated).ok());
}

TEST(LegacyMapTest, NamesWhatCantHold) {
  Dataset premium = Stocks();
  premium.dataset_class = DatasetClass::kPremium;
  Dataset own = Stocks();
  own.dataset_class = DatasetClass::kWorkspace;
  Dataset no_key = Stocks();
  no_key.key_field.clear();
  Dataset no_date = Stocks();
  no_date.date_field.clear();
  const struct {
    const char* what;
    LegacyMap map;
    Dataset dataset;
    const char* field;
  } cases[] = {
      {"premium", MapOf(LegacyKind::kQuote), premium, "dataset"},
      {"an account's", MapOf(LegacyKind::kQuote), own, "dataset"},
      {"no key", MapOf(LegacyKind::kQuote), no_key, "dataset"},
      {"chart without a date", MapOf(LegacyKind::kChart), no_date, "dataset"},
      {"no such field", MapOf(LegacyKind::kQuote, {{"a", "Price"}}), Stocks(), "renames.a"},
      {"empty", MapOf(LegacyKind::kQuote, {{"", "price"}}), Stocks(), "renames."},
      {"control", MapOf(LegacyKind::kQuote, {{"a\n", "price"}}), Stocks(), "renames.a\n"},
      {"twice", MapOf(LegacyKind::kQuote, {{"a", "price"}, {"b", "price"}}), Stocks(), "renames.b"},
      {"one name for two", MapOf(LegacyKind::kQuote, {{"a", "price"}, {"a", "date"}}), Stocks(),
       "renames.a"},
      {"the name of another field", MapOf(LegacyKind::kQuote, {{"symbol", "price"}}), Stocks(),
       "renames.symbol"},
  };
  for (const auto& c : cases) {
    const Status status = CheckLegacyMap(c.map, c.dataset);
    ASSERT_FALSE(status.ok()) << c.what;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalid) << c.what;
    ASSERT_FALSE(status.error().fields.empty()) << c.what;
    EXPECT_EQ(status.error().fields.front().field, c.field) << c.what;
  }
}

}  // namespace
}  // namespace latchkey::core
