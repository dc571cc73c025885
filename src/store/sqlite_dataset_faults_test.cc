// Changes of a standing generation on a disk that is full, broken, or loses its power.
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "store/files.h"
#include "store/sqlite_dataset_store.h"
#include "test/store_conformance/record_model.h"
#include "test/support/fault_vfs.h"

namespace latchkey::store {
namespace {

using core::Record;
using record_model::kEverything;
using record_model::Make;
using record_model::Model;
using record_model::Seed;

std::vector<Record> OfKey(const std::string& key, std::size_t count, int number) {
  std::vector<Record> records;
  for (std::size_t i = 0; i < count; ++i) {
    records.push_back(Make(key, i % 2 == 0 ? "" : "s", static_cast<std::int64_t>(i),
                           "[" + std::string(100, '1') + "," + std::to_string(number) + "]"));
  }
  return records;
}

class SqliteDatasetFaultsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/latchkey-changes-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<SqliteDatasetStore> Open() {
    // The log is moved all the time.
    auto store = SqliteDatasetStore::Open(folder_ + "/" + std::string(kRecordsFile), vfs_.name(),
                                          {.beside = 40, .at_most = 150, .few = 20});
    EXPECT_TRUE(store.ok()) << store.error().internal_text;
    return store.ok() ? *std::move(store) : nullptr;
  }
  static std::int64_t MakeGeneration(DatasetStore& store, const std::vector<Record>& records) {
    auto writer = store.BeginGeneration(0);
    EXPECT_TRUE(writer.ok());
    EXPECT_TRUE((*writer)->Append(records, Duplicates::kReplace).ok());
    EXPECT_TRUE((*writer)->Finish().ok());
    return (*writer)->generation();
  }
  static Status Publish(DatasetStore& store, std::int64_t generation,
                        const std::vector<Record>& records, Duplicates duplicates) {
    auto layer = store.BeginLayer(generation, 0, duplicates);
    if (!layer.ok()) return layer.error();
    if (Status status = (*layer)->Append(records); !status.ok()) return status;
    const auto published = (*layer)->Publish(std::nullopt);
    if (!published.ok()) return published.error();
    return {};
  }
  static Status DrainAll(DatasetStore& store, std::int64_t generation) {
    for (;;) {
      const auto more = store.Drain(generation, 0);
      if (!more.ok()) return more.error();
      if (!*more) return {};
    }
  }
  static std::vector<Record> All(DatasetStore& store, std::int64_t generation) {
    auto all = store.Scan(generation, {}, kEverything, UINT64_MAX, {});
    EXPECT_TRUE(all.ok());
    return all.ok() ? *std::move(all) : std::vector<Record>{};
  }
  // As a start does it.
  static void DropUnfinished(DatasetStore& store) {
    const auto list = store.ListGenerations();
    ASSERT_TRUE(list.ok());
    for (const Generation& generation : *list) {
      if (!generation.finished) {
        ASSERT_TRUE(store.Drop(generation.number).ok());
      }
    }
  }
  static void ExpectSound(DatasetStore& store) {
    const Status integrity = store.CheckIntegrity();
    EXPECT_TRUE(integrity.ok()) << integrity.error().internal_text;
  }

  test::FaultVfs vfs_{"latchkey-change-faults"};
  std::string folder_;
};

// Of each kind of change the first writes, and then writes ever further on, are the first that
// fails.
TEST_F(SqliteDatasetFaultsTest, WhereverTheDiskFailsAChangeIsWholeOrNotThere) {
  const unsigned seed = Seed();
  SCOPED_TRACE("LATCHKEY_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  struct Change {
    const char* name;
    std::function<Status(DatasetStore&, std::int64_t)> prepare;  // on a good disk
    std::function<Status(DatasetStore&, std::int64_t)> change;
    std::function<void(Model&)> same;
  };
  const auto nothing = [](DatasetStore&, std::int64_t) { return Status(); };
  const auto write = [](std::size_t count, Duplicates duplicates) {
    return [=](DatasetStore& store, std::int64_t generation) -> Status {
      const auto written = store.Write(generation, 0, OfKey("a", count, 1), duplicates);
      if (!written.ok()) return written.error();
      return {};
    };
  };
  const auto remove = [](DatasetStore& store, std::int64_t generation) -> Status {
    const auto deleted = store.Delete(generation, 0, {"a", {}, {}, {}});
    if (!deleted.ok()) return deleted.error();
    return {};
  };
  const auto stage = [](std::size_t count) {
    return [=](DatasetStore& store, std::int64_t generation) -> Status {
      if (Status status = Publish(store, generation, OfKey("a", count, 1), Duplicates::kReplace);
          !status.ok()) {
        return status;
      }
      const auto deleted = store.Delete(generation, 0, {"b", {}, {}, {}});
      if (!deleted.ok()) return deleted.error();
      return Publish(store, generation, OfKey("a", count + 50, 2), Duplicates::kIgnore);
    };
  };
  const auto staged = [](Model& model, std::size_t count) {
    model.Write(OfKey("a", count, 1), Duplicates::kReplace);
    model.Delete({"b", {}, {}, {}});
    model.Write(OfKey("a", count + 50, 2), Duplicates::kIgnore);
  };
  const Change changes[] = {
      {"write", nothing, write(900, Duplicates::kReplace),
       [](Model& model) { model.Write(OfKey("a", 900, 1), Duplicates::kReplace); }},
      {"write of what is new", nothing, write(900, Duplicates::kIgnore),
       [](Model& model) { model.Write(OfKey("a", 900, 1), Duplicates::kIgnore); }},
      {"write under layers", stage(700), write(900, Duplicates::kReplace),
       [&](Model& model) {
         staged(model, 700);
         model.Write(OfKey("a", 900, 1), Duplicates::kReplace);
       }},
      {"layer", nothing,
       [](DatasetStore& store, std::int64_t generation) {
         return Publish(store, generation, OfKey("a", 1600, 1), Duplicates::kReplace);
       },
       [](Model& model) { model.Write(OfKey("a", 1600, 1), Duplicates::kReplace); }},
      {"delete of few", nothing, remove, [](Model& model) { model.Delete({"a", {}, {}, {}}); }},
      {"delete of many", stage(1600), remove,
       [&](Model& model) {
         staged(model, 1600);
         model.Delete({"a", {}, {}, {}});
       }},
      {"drain", stage(1600), DrainAll, [&](Model& model) { staged(model, 1600); }},
  };
  std::vector<Record> standing = OfKey("a", 600, 0);
  for (const Record& record : OfKey("b", 20, 0)) standing.push_back(record);

  for (const Change& c : changes) {
    for (const bool full : {true, false}) {
      int failures = 0;
      for (std::int64_t after = 0;;
           after += 1 + after / 2 + static_cast<std::int64_t>(random()) % (after + 1)) {
        SCOPED_TRACE(std::string(c.name) + (full ? ", full after " : ", broken after ") +
                     std::to_string(after));
        std::int64_t generation = 0;
        std::vector<Record> before;
        Model model;
        model.Write(standing, Duplicates::kReplace);
        c.same(model);
        const std::vector<Record> expected = model.InTableOrder();
        Status outcome;
        {
          const auto store = Open();
          ASSERT_NE(store, nullptr);
          generation = MakeGeneration(*store, standing);
          ASSERT_TRUE(c.prepare(*store, generation).ok());
          before = All(*store, generation);
          if (full) {
            vfs_.FillUpAfterWrites(after);
          } else {
            vfs_.BreakAfterWrites(after);
          }
          outcome = c.change(*store, generation);
          ASSERT_EQ(All(*store, generation), outcome.ok() ? expected : before);
          if (!outcome.ok()) {
            EXPECT_TRUE(outcome.error().code == ErrorCode::kUnavailable ||
                        outcome.error().code == ErrorCode::kUnknown)
                << outcome.error().internal_text;
          }
          vfs_.Heal();
          if (after % 2 == 0) {
            // The same process goes on as if nothing had been.
            ASSERT_TRUE(c.change(*store, generation).ok());
            ASSERT_EQ(All(*store, generation), expected);
          }
        }
        const auto store = Open();
        ASSERT_NE(store, nullptr);
        const std::vector<Record> found = All(*store, generation);
        if (outcome.ok() || after % 2 == 0) {
          ASSERT_EQ(found, expected);
        } else {
          ASSERT_TRUE(found == before || found == expected) << found.size();
        }
        DropUnfinished(*store);
        ExpectSound(*store);
        ASSERT_TRUE(DrainAll(*store, generation).ok());
        ASSERT_EQ(All(*store, generation), found);
        ExpectSound(*store);
        ASSERT_TRUE(store->Drop(generation).ok());
        ASSERT_TRUE(store->ListGenerations()->empty());
        if (outcome.ok()) break;
        ++failures;
      }
      EXPECT_GT(failures, 2) << c.name;
    }
  }
}

// The power goes at a random write of a random change; of what was not flushed a random part is on
// the disk afterwards. What was answered is there; what was under way is there whole or not at all.
TEST_F(SqliteDatasetFaultsTest, WhenThePowerGoesWhatWasAnsweredIsThere) {
  const unsigned seed = Seed();
  SCOPED_TRACE("LATCHKEY_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  Model model;
  std::int64_t generation = 0;
  {
    const auto store = Open();
    ASSERT_NE(store, nullptr);
    generation = MakeGeneration(*store, OfKey("a", 300, 0));
    model.Write(OfKey("a", 300, 0), Duplicates::kReplace);
  }
  vfs_.RememberUnflushed();
  int number = 0;
  for (int round = 0; round < 15; ++round) {
    Model next = model;
    {
      const auto store = Open();
      ASSERT_NE(store, nullptr);
      vfs_.PowerOffAfterWrites(static_cast<std::int64_t>(random() % 1500));
      for (int step = 0; step < 30; ++step) {
        const std::string key = random() % 2 == 0 ? "a" : "b";
        const Duplicates duplicates =
            random() % 2 == 0 ? Duplicates::kReplace : Duplicates::kIgnore;
        const std::size_t count = 1 + random() % 900;
        Status outcome;
        switch (random() % 4) {
          case 0: {
            next.Write(OfKey(key, count, ++number), duplicates);
            const auto written = store->Write(generation, 0, OfKey(key, count, number), duplicates);
            if (!written.ok()) outcome = written.error();
            break;
          }
          case 1:
            next.Write(OfKey(key, 2 * count, ++number), duplicates);
            outcome = Publish(*store, generation, OfKey(key, 2 * count, number), duplicates);
            break;
          case 2: {
            const DeleteRange range{key, {}, {}, static_cast<std::int64_t>(2 * count)};
            next.Delete(range);
            const auto deleted = store->Delete(generation, 0, range);
            if (!deleted.ok()) outcome = deleted.error();
            break;
          }
          default: {
            const auto drained = store->Drain(generation, 0);
            if (!drained.ok()) outcome = drained.error();
          }
        }
        if (!outcome.ok()) break;
        model = next;
      }
      // Before it is closed, so that closing can't flush.
      vfs_.PowerOffAfterWrites(0);
    }
    const std::uint32_t kept = random() % 3;  // nothing, half of it, all of it
    vfs_.LoseUnflushed([&] { return kept == 2 || (kept == 1 && random() % 2 == 0); });

    const auto store = Open();
    ASSERT_NE(store, nullptr);
    const std::vector<Record> found = All(*store, generation);
    if (found == next.InTableOrder()) model = next;
    ASSERT_EQ(found, model.InTableOrder()) << "round " << round;
    DropUnfinished(*store);
    ExpectSound(*store);
    ASSERT_EQ(All(*store, generation), model.InTableOrder());
  }
}

TEST_F(SqliteDatasetFaultsTest, AChangeReturnsOnlyWhenTheDiskHasIt) {
  const auto store = Open();
  ASSERT_NE(store, nullptr);
  const std::int64_t generation = MakeGeneration(*store, OfKey("a", 10, 0));
  std::int64_t day = 1;
  const std::function<bool()> changes[] = {
      [&] { return store->Write(generation, 0, OfKey("a", 5, 1), Duplicates::kReplace).ok(); },
      [&] { return Publish(*store, generation, OfKey("a", 5, 2), Duplicates::kReplace).ok(); },
      [&] { return store->Delete(generation, 0, {"a", {}, day, day}).ok(); },
      [&] { return store->PutJob(core::UploadJob()).ok(); },
  };
  for (const auto& change : changes) {
    const std::int64_t before = vfs_.flushes();
    EXPECT_TRUE(change());
    EXPECT_GT(vfs_.flushes(), before);
  }
  day = 2;
  const std::vector<Record> all = All(*store, generation);
  for (const auto& change : changes) {
    vfs_.BreakAfterFlushes(0);
    EXPECT_FALSE(change());
    vfs_.Heal();
    EXPECT_EQ(All(*store, generation), all);
  }
}

// A file of the first schema: its records are counted in bytes, and nothing else changes.
TEST_F(SqliteDatasetFaultsTest, AFileOfBeforeSizesAndLayersIsTakenOver) {
  const std::string path = folder_ + "/" + std::string(kRecordsFile);
  {
    SqliteDatabase::Options options;
    options.path = path;
    options.application_id = kRecordsApplicationId;
    options.migrations = RecordsMigrations().first(1);
    const auto database = SqliteDatabase::Open(options);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)
                    ->Execute("INSERT INTO generations VALUES (1, 1, 2), (2, 0, 0);"
                              "INSERT INTO records VALUES (1, 'a', 5, 'x', 6, '[1]'),"
                              "(1, '\xC3\xA4', 5, '', 6, '[22]'), (2, 'a', 5, 'x', 6, '[1]')")
                    .ok());
  }
  const auto store = Open();
  ASSERT_NE(store, nullptr);
  const auto list = store->ListGenerations();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].size, (GenerationSize{2, 2 * 48 + 2 + 3 + 2 + 4}));
  EXPECT_FALSE((*list)[1].finished);
  ExpectSound(*store);
  ASSERT_TRUE(store->Write(1, 0, OfKey("a", 3, 1), Duplicates::kReplace).ok());
  EXPECT_EQ(All(*store, 1).size(), 5U);
  ExpectSound(*store);
}

}  // namespace
}  // namespace latchkey::store
