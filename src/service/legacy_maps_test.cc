#include "service/legacy_maps.h"

#include <memory>

#include <gtest/gtest.h>

#include "test/support/service_house.h"

namespace latchkey::service {
namespace {

using testing_support::Fault;
using testing_support::ServiceHouse;

core::Dataset Stocks() {
  core::Dataset dataset;
  dataset.id.value = 7;
  dataset.dataset_class = core::DatasetClass::kCore;
  dataset.workspace = "core";
  dataset.name = "STOCKS";
  dataset.fields = {{"symbol", core::FieldType::kString, true},
                    {"date", core::FieldType::kDate, true},
                    {"price", core::FieldType::kNumber, false}};
  dataset.key_field = "symbol";
  dataset.date_field = "date";
  return dataset;
}

core::LegacyMap MapOf(core::LegacyKind kind, std::vector<core::LegacyRename> renames = {}) {
  core::LegacyMap map;
  map.kind = kind;
  map.renames = std::move(renames);
  return map;
}

class LegacyMapsTest : public testing::Test {
 protected:
  LegacyMapsTest() { Load(); }
  void Load() {
    maps_ = std::make_unique<LegacyMaps>(house_.store(), house_.clock());
    const Status loaded = maps_->Load();
    ASSERT_TRUE(loaded.ok()) << loaded.error().public_text;
  }
  Result<core::LegacyMap> Put(const core::LegacyMap& map,
                              std::optional<std::int64_t> version = std::nullopt) {
    return maps_->Put(map, Stocks(), version, ServiceHouse::Operator());
  }

  ServiceHouse house_;
  std::unique_ptr<LegacyMaps> maps_;
};

TEST_F(LegacyMapsTest, IsInForceForEveryReaderAtOnceAndAfterARestart) {
  LegacyMaps::Reader reader(*maps_);
  EXPECT_EQ(reader.Get().Find(core::LegacyKind::kQuote), nullptr);
  const auto made = Put(MapOf(core::LegacyKind::kQuote, {{"latestPrice", "price"}}));
  ASSERT_TRUE(made.ok()) << made.error().public_text;
  EXPECT_EQ(made->version, 1);
  const core::LegacyMap* map = reader.Get().Find(core::LegacyKind::kQuote);
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(map->dataset.value, 7);
  EXPECT_EQ(map->renames, made->renames);
  EXPECT_EQ(reader.Get().Find(core::LegacyKind::kChart), nullptr);

  house_.Restart();
  Load();
  LegacyMaps::Reader again(*maps_);
  map = again.Get().Find(core::LegacyKind::kQuote);
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(map->renames, made->renames);
  EXPECT_EQ(map->version, 1);
  EXPECT_EQ(map->updated_at, made->updated_at);
}

TEST_F(LegacyMapsTest, MapsAnewAndRemovesByVersion) {
  ASSERT_TRUE(Put(MapOf(core::LegacyKind::kChart)).ok());
  const auto second = Put(MapOf(core::LegacyKind::kChart, {{"close", "price"}}), 1);
  ASSERT_TRUE(second.ok()) << second.error().public_text;
  EXPECT_EQ(second->version, 2);
  const auto stale = Put(MapOf(core::LegacyKind::kChart), 1);
  ASSERT_FALSE(stale.ok());
  EXPECT_EQ(stale.error().code, ErrorCode::kStale);
  const auto nothing = Put(MapOf(core::LegacyKind::kQuote), 1);
  ASSERT_FALSE(nothing.ok());
  EXPECT_EQ(nothing.error().code, ErrorCode::kStale);

  Status removed = maps_->Remove(core::LegacyKind::kChart, 1, ServiceHouse::Operator());
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error().code, ErrorCode::kStale);
  removed = maps_->Remove(core::LegacyKind::kChart, 2, ServiceHouse::Operator());
  EXPECT_TRUE(removed.ok());
  EXPECT_EQ(maps_->Snapshot()->Find(core::LegacyKind::kChart), nullptr);
  removed = maps_->Remove(core::LegacyKind::kChart, std::nullopt, ServiceHouse::Operator());
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error().code, ErrorCode::kNotFound);
}

TEST_F(LegacyMapsTest, TellsTheAuditLogBeforeAndAfter) {
  ASSERT_TRUE(Put(MapOf(core::LegacyKind::kQuote)).ok());
  ASSERT_TRUE(Put(MapOf(core::LegacyKind::kQuote, {{"latestPrice", "price"}})).ok());
  const core::AuditEvent event = house_.LastEvent();
  EXPECT_EQ(event.action, "legacy_map.put");
  EXPECT_EQ(event.subject, "quote");
  EXPECT_EQ(event.before, R"({"dataset":"ds_00000000007","renames":{}})");
  EXPECT_EQ(event.after, R"({"dataset":"ds_00000000007","renames":{"latestPrice":"price"}})");
  ASSERT_TRUE(maps_->Remove(core::LegacyKind::kQuote, std::nullopt, ServiceHouse::Operator()).ok());
  EXPECT_EQ(house_.LastEvent().action, "legacy_map.remove");
  EXPECT_EQ(house_.LastEvent().before, event.after);
  EXPECT_EQ(house_.LastEvent().after, "");
}

TEST_F(LegacyMapsTest, RefusesAMapThatCantHoldAndStoresNothing) {
  const auto wrong = Put(MapOf(core::LegacyKind::kQuote, {{"latestPrice", "Price"}}));
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(maps_->Snapshot()->Find(core::LegacyKind::kQuote), nullptr);
}

TEST_F(LegacyMapsTest, OfAnUnknownOutcomeFollowsTheStore) {
  house_.store().FailNextChange(Fault::kUnknownDone);
  EXPECT_FALSE(Put(MapOf(core::LegacyKind::kQuote)).ok());
  EXPECT_NE(maps_->Snapshot()->Find(core::LegacyKind::kQuote), nullptr);
  house_.store().FailNextChange(Fault::kUnknownNotDone);
  EXPECT_FALSE(
      maps_->Remove(core::LegacyKind::kQuote, std::nullopt, ServiceHouse::Operator()).ok());
  EXPECT_NE(maps_->Snapshot()->Find(core::LegacyKind::kQuote), nullptr);
  house_.store().FailNextChange(Fault::kNotDone);
  EXPECT_FALSE(Put(MapOf(core::LegacyKind::kChart)).ok());
  EXPECT_EQ(maps_->Snapshot()->Find(core::LegacyKind::kChart), nullptr);
}

}  // namespace
}  // namespace latchkey::service
