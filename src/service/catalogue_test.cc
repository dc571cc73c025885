#include "service/catalogue.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace latchkey::service {
namespace {

core::Dataset Make(std::int64_t id, std::string workspace, std::string name,
                   std::int64_t generation = 1) {
  core::Dataset dataset;
  dataset.id = core::DatasetId{id};
  dataset.workspace = std::move(workspace);
  dataset.name = std::move(name);
  dataset.generation = generation;
  return dataset;
}

TEST(CatalogueTest, FindsDatasetsByFoldedName) {
  Catalogue catalogue;
  Catalogue::Reader reader(catalogue);
  EXPECT_TRUE(reader.Get().empty());
  catalogue.Put(Make(1, "core", "STOCKS"));
  const auto found = reader.Get().find(std::string_view("core/stocks"));
  ASSERT_NE(found, reader.Get().end());
  EXPECT_EQ(found->second->dataset.name, "STOCKS");
}

TEST(CatalogueTest, AChangeIsInForceForTheNextGetAndLeavesWhatIsHeld) {
  Catalogue catalogue;
  Catalogue::Reader reader(catalogue);
  catalogue.Put(Make(1, "core", "STOCKS", 1));
  const std::shared_ptr<const CatalogueEntry> held = reader.Get().begin()->second;
  catalogue.Put(Make(1, "core", "STOCKS", 2));
  EXPECT_EQ(reader.Get().begin()->second->dataset.generation, 2);
  EXPECT_EQ(held->dataset.generation, 1);
  EXPECT_EQ(reader.Get().begin()->second->live, held->live);
  catalogue.Put(Make(1, "core", "PRICES", 3));  // a new name of the same dataset
  ASSERT_EQ(reader.Get().size(), 1U);
  EXPECT_EQ(reader.Get().begin()->first, "core/prices");
  EXPECT_EQ(reader.Get().begin()->second->live, held->live);
  EXPECT_EQ(catalogue.Find("core", "stocks"), nullptr);
  EXPECT_EQ(catalogue.Find("CORE", "prices"), reader.Get().begin()->second);
  EXPECT_EQ(catalogue.Find(core::DatasetId{1}), reader.Get().begin()->second);
  EXPECT_EQ(catalogue.Find(core::DatasetId{2}), nullptr);
  catalogue.Remove(core::DatasetId{2});
  EXPECT_EQ(reader.Get().size(), 1U);
  catalogue.Remove(core::DatasetId{1});
  EXPECT_TRUE(reader.Get().empty());
}

TEST(CatalogueTest, ReadersNeverSeeAnOlderStateThanAPutThatReturned) {
  Catalogue catalogue;
  catalogue.Put(Make(1, "core", "A", 0));
  std::atomic<std::int64_t> returned = 0;
  std::thread writer([&] {
    for (std::int64_t generation = 1; generation <= 2000; ++generation) {
      catalogue.Put(Make(1, "core", "A", generation));
      returned.store(generation);
    }
  });
  Catalogue::Reader reader(catalogue);
  std::int64_t at_least = 0;
  while (at_least < 2000) {
    at_least = returned.load();
    ASSERT_GE(reader.Get().begin()->second->dataset.generation, at_least);
  }
  writer.join();
}

}  // namespace
}  // namespace latchkey::service
