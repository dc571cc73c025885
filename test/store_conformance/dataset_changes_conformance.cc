// What every DatasetStore must do when a generation that stands is changed: writes, deletes,
// layers.
#include <atomic>
#include <csignal>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/store_conformance/dataset_store_conformance.h"
#include "test/store_conformance/record_model.h"

namespace latchkey::store {
namespace {

using core::Record;
using core::RecordQuery;
using record_model::kEverything;
using record_model::Make;
using record_model::Many;
using record_model::Model;
using record_model::Seed;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kLane = 5;

// So many records of one key.
std::vector<Record> OfKey(const std::string& key, std::size_t count, const std::string& tag) {
  std::vector<Record> records;
  records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    records.push_back(
        Make(key, "s" + std::to_string(i % 7), static_cast<std::int64_t>(i), "[\"" + tag + "\"]"));
  }
  return records;
}

void DrainAll(DatasetStore& store, std::int64_t generation) {
  for (;;) {
    const auto more = store.Drain(generation, kLane);
    ASSERT_TRUE(more.ok()) << more.error().internal_text;
    if (!*more) return;
  }
}

WriteResult PublishLayer(DatasetStore& store, std::int64_t generation,
                         const std::vector<Record>& records,
                         Duplicates duplicates = Duplicates::kReplace) {
  auto layer = store.BeginLayer(generation, kLane, duplicates);
  EXPECT_TRUE(layer.ok());
  EXPECT_TRUE((*layer)->Append(records).ok());
  const auto published = (*layer)->Publish(std::nullopt);
  EXPECT_TRUE(published.ok());
  return published.ok() ? *published : WriteResult{};
}

std::optional<Generation> Listed(DatasetStore& store, std::int64_t number) {
  const auto list = store.ListGenerations();
  EXPECT_TRUE(list.ok());
  for (const Generation& generation : *list) {
    if (generation.number == number) return generation;
  }
  return std::nullopt;
}

core::UploadJob Job(std::int64_t id, core::UploadState state) {
  core::UploadJob job;
  job.id = {id};
  job.account = {77};
  job.workspace = "acme";
  job.dataset = "Prices";
  job.dataset_id = {9};
  job.state = state;
  job.overwrite = true;
  job.keep_first = true;
  job.create_on_demand = false;
  job.max_errors = 3;
  job.actor = {"tok_x", "192.0.2.1", "r1"};
  job.bytes = 1;
  job.lines = 2;
  job.rejected = 3;
  job.stored = 4;
  job.message = "why";
  job.generation = 12;
  job.created_at = FromUnixMillis(1000);
  job.updated_at = FromUnixMillis(2000 + id);
  return job;
}

bool Same(const core::UploadJob& a, const core::UploadJob& b) {
  return a.id == b.id && a.account == b.account && a.workspace == b.workspace &&
         a.dataset == b.dataset && a.dataset_id == b.dataset_id && a.state == b.state &&
         a.overwrite == b.overwrite && a.keep_first == b.keep_first &&
         a.create_on_demand == b.create_on_demand && a.max_errors == b.max_errors &&
         a.actor.principal == b.actor.principal && a.actor.address == b.actor.address &&
         a.actor.request_id == b.actor.request_id && a.bytes == b.bytes && a.lines == b.lines &&
         a.rejected == b.rejected && a.stored == b.stored && a.message == b.message &&
         a.generation == b.generation && a.created_at == b.created_at &&
         a.updated_at == b.updated_at;
}

std::vector<std::int64_t> IdsOf(const Result<std::vector<core::UploadJob>>& jobs) {
  std::vector<std::int64_t> ids;
  if (!jobs.ok()) return {-1};
  for (const core::UploadJob& job : *jobs) ids.push_back(job.id.value);
  return ids;
}

}  // namespace

TEST_P(DatasetStoreConformance, AWriteStoresEachIndexOnceAndCountsExactly) {
  const auto store = Open();
  const std::int64_t generation = Write(*store, {Make("a", "", 1, "[1]")});
  const std::vector<Record> records = {Make("A", "", 1, "[22]"), Make("b", "x", 1, "[3]"),
                                       Make("B", "X", 1, "[4]")};
  auto written = store->Write(generation, kLane, records, Duplicates::kReplace);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->stored, 2U);
  EXPECT_EQ(written->after, (GenerationSize{2, 2 * 48 + 1 + 4 + 2 + 3}));
  EXPECT_THAT(All(*store, generation),
              ElementsAre(Make("A", "", 1, "[22]"), Make("B", "X", 1, "[4]")));

  const std::vector<Record> more = {Make("a", "", 1, "[0]"), Make("c", "", 1, "[5]"),
                                    Make("c", "", 1, "[6]")};
  written = store->Write(generation, kLane, more, Duplicates::kIgnore);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->stored, 1U);
  EXPECT_EQ(written->after.records, 3U);
  EXPECT_THAT(
      All(*store, generation),
      ElementsAre(Make("A", "", 1, "[22]"), Make("B", "X", 1, "[4]"), Make("c", "", 1, "[5]")));
  EXPECT_EQ(Listed(*store, generation)->size, written->after);
  written = store->Write(generation, kLane, {}, Duplicates::kReplace);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->after.records, 3U);
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

TEST_P(DatasetStoreConformance, AWriteIsRefusedWholeWhereItCantBe) {
  const auto store = Open();
  const std::int64_t generation = Write(*store, {});
  const auto code = [](const auto& result) {
    return result.ok() ? std::optional<ErrorCode>() : result.error().code;
  };
  const std::vector<Record> two = {Make("a", "", 1), Make("b", "", 1, "")};
  EXPECT_EQ(code(store->Write(generation, kLane, Many(1001, "x"), Duplicates::kReplace)),
            ErrorCode::kInvalid);
  EXPECT_EQ(code(store->Write(generation, kLane, two, Duplicates::kReplace)), ErrorCode::kInvalid);
  EXPECT_EQ(code((*store->BeginLayer(generation, kLane, Duplicates::kReplace))->Append(two)),
            ErrorCode::kInvalid);
  EXPECT_EQ(code((*store->BeginGeneration(kLane))->Append(two, Duplicates::kReplace)),
            ErrorCode::kInvalid);
  EXPECT_THAT(All(*store, generation), IsEmpty());
  EXPECT_TRUE(store->Write(generation, kLane, Many(1000, "x"), Duplicates::kReplace).ok());

  auto writer = store->BeginGeneration(0);
  ASSERT_TRUE(writer.ok());
  const std::int64_t gone = Write(*store, Many(3, "x"));
  ASSERT_TRUE(store->Drop(gone).ok());
  for (const std::int64_t number : {(*writer)->generation(), gone, std::int64_t{0}}) {
    for (const Duplicates duplicates : {Duplicates::kReplace, Duplicates::kIgnore}) {
      EXPECT_EQ(code(store->Write(number, kLane, Many(1, "x"), duplicates)), ErrorCode::kNotFound);
      EXPECT_EQ(code(store->BeginLayer(number, kLane, duplicates)), ErrorCode::kNotFound);
    }
    EXPECT_EQ(code(store->Delete(number, kLane, {"k0", {}, {}, {}})), ErrorCode::kNotFound);
    EXPECT_EQ(*store->Drain(number, kLane), false);
    EXPECT_THAT(All(*store, number), IsEmpty());
  }
  writer->reset();
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

TEST_P(DatasetStoreConformance, ALayerIsSeenFromItsPublishOnAndWhileItDrains) {
  auto store = Open();
  const std::int64_t generation = Write(*store, {Make("a", "", 1, "[1]"), Make("b", "", 2, "[1]")});
  auto layer = store->BeginLayer(generation, kLane, Duplicates::kReplace);
  ASSERT_TRUE(layer.ok());
  std::vector<Record> records = Many(1200, "layer");
  records.push_back(Make("b", "", 2, "[2]"));
  ASSERT_TRUE((*layer)->Append(records).ok());
  EXPECT_THAT(All(*store, generation), SizeIs(2));
  EXPECT_THAT(store->GenerationsWithLayers(), IsEmpty());
  const auto published = (*layer)->Publish(std::nullopt);
  ASSERT_TRUE(published.ok());
  EXPECT_EQ(published->stored, 1201U);
  EXPECT_EQ(published->after.records, 1202U);
  EXPECT_FALSE((*layer)->Publish(std::nullopt).ok());
  layer->reset();
  EXPECT_THAT(store->GenerationsWithLayers(), ElementsAre(generation));
  EXPECT_EQ(Listed(*store, generation)->size, published->after);

  const auto expected = All(*store, generation);
  EXPECT_THAT(expected, SizeIs(1202));
  int chunks = 0;
  for (bool more = true; more; ++chunks) {
    const auto drained = store->Drain(generation, kLane);
    ASSERT_TRUE(drained.ok());
    more = *drained;
    ASSERT_EQ(All(*store, generation), expected);
    ASSERT_EQ(Listed(*store, generation)->size, published->after);
    if (chunks == 0) {  // a start in the middle goes on where it was
      store = nullptr;
      store = Open();
      ASSERT_THAT(store->GenerationsWithLayers(), ElementsAre(generation));
      ASSERT_EQ(All(*store, generation), expected);
      ASSERT_TRUE(store->CheckIntegrity().ok());
    }
  }
  EXPECT_GT(chunks, 2);
  EXPECT_THAT(store->GenerationsWithLayers(), IsEmpty());
  EXPECT_THAT(*store->ListGenerations(), SizeIs(1));
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

TEST_P(DatasetStoreConformance, ALayerThatIsNotPublishedLeavesNothing) {
  auto store = Open();
  const std::int64_t generation = Write(*store, Many(10, "x"));
  {
    auto layer = store->BeginLayer(generation, kLane, Duplicates::kReplace);
    ASSERT_TRUE(layer.ok());
    ASSERT_TRUE((*layer)->Append(Many(2000, "y")).ok());
    const auto list = store->ListGenerations();
    ASSERT_EQ(list->size(), 2U);
    EXPECT_FALSE((*list)[1].finished);
  }
  EXPECT_THAT(*store->ListGenerations(), SizeIs(1));
  EXPECT_EQ(Listed(*store, generation)->size.records, 10U);
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

TEST_P(DatasetStoreConformance, OfLayersTheOnePublishedLaterLiesAbove) {
  const auto store = Open();
  const std::int64_t generation = Write(*store, {Make("a", "", 1, "[0]")});
  auto first = store->BeginLayer(generation, kLane, Duplicates::kReplace);
  auto second = store->BeginLayer(generation, kLane, Duplicates::kReplace);
  auto third = store->BeginLayer(generation, kLane, Duplicates::kIgnore);
  const std::vector<Record> one = {Make("a", "", 1, "[1]"), Make("b", "", 1, "[1]")};
  const std::vector<Record> two = {Make("a", "", 1, "[2]"), Make("c", "", 1, "[2]")};
  const std::vector<Record> three = {Make("a", "", 1, "[3]"), Make("d", "", 1, "[3]")};
  ASSERT_TRUE((*first)->Append(one).ok());
  ASSERT_TRUE((*second)->Append(two).ok());
  ASSERT_TRUE((*third)->Append(three).ok());
  EXPECT_EQ((*second)->Publish(std::nullopt)->stored, 2U);
  EXPECT_EQ((*third)->Publish(std::nullopt)->stored, 1U);
  EXPECT_EQ((*first)->Publish(std::nullopt)->stored, 2U);
  const auto expected = std::vector<Record>{one[0], one[1], two[1], three[1]};
  EXPECT_EQ(All(*store, generation), expected);
  DrainAll(*store, generation);
  EXPECT_EQ(All(*store, generation), expected);
  EXPECT_EQ(Listed(*store, generation)->size.records, 4U);
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

TEST_P(DatasetStoreConformance, IgnoringCountsWhatIsNewWhenItIsPublished) {
  const auto store = Open();
  const std::int64_t generation = Write(*store, Many(10, "old"));
  auto layer = store->BeginLayer(generation, kLane, Duplicates::kIgnore);
  ASSERT_TRUE((*layer)->Append(Many(2500, "new")).ok());  // 10 of them stand
  ASSERT_TRUE(store->Write(generation, kLane, Many(30, "between"), Duplicates::kReplace).ok());
  ASSERT_TRUE(store->Delete(generation, kLane, {"k0", {}, {}, 0}).ok());
  const auto published = (*layer)->Publish(std::nullopt);
  ASSERT_TRUE(published.ok());
  EXPECT_EQ(published->stored, 2500U - 29U);
  EXPECT_EQ(published->after.records, 2500U);
  DrainAll(*store, generation);
  EXPECT_EQ(Listed(*store, generation)->size, published->after);
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

TEST_P(DatasetStoreConformance, DeletingTakesExactlyTheRangeHoweverManyThereAre) {
  for (const std::size_t count : {std::size_t{20}, std::size_t{3500}}) {
    const auto store = Open();
    Model model;
    std::vector<Record> records = OfKey("A", count, "x");
    records.push_back(Make("AB", "s1", 3));
    records.push_back(Make("B", "s1", 3));
    const std::int64_t generation = Write(*store, records);
    model.Write(records, Duplicates::kReplace);
    const auto last = static_cast<std::int64_t>(count) - 1;
    const DeleteRange ranges[] = {{"nobody", {}, {}, {}}, {"a", "s1", 8, 8},
                                  {"a", "s2", {}, 9},     {"a", {}, last - 4, last - 2},
                                  {"a", "s3", {}, {}},    {"a", "", {}, {}},
                                  {"a", {}, 5, 4},        {"a", {}, {}, {}},
                                  {"a", {}, {}, {}}};
    for (const DeleteRange& range : ranges) {
      const auto deleted = store->Delete(generation, kLane, range);
      ASSERT_TRUE(deleted.ok());
      EXPECT_EQ(deleted->deleted, model.Delete(range));
      EXPECT_EQ(deleted->after, model.Size());
      EXPECT_EQ(All(*store, generation), model.Query([] {
        RecordQuery all;
        all.limit = kEverything;
        return all;
      }()));
    }
    EXPECT_EQ(store->GenerationsWithLayers().empty(), count == 20);
    DrainAll(*store, generation);
    EXPECT_EQ(All(*store, generation), (std::vector<Record>{records[count], records[count + 1]}));
    EXPECT_EQ(Listed(*store, generation)->size, model.Size());
    EXPECT_TRUE(store->CheckIntegrity().ok());
  }
}

// The pages of a long record go one by one: many such records are no less work than many records.
TEST_P(DatasetStoreConformance, DeletingFewRecordsOfManyBytesIsDoneInSteps) {
  const auto store = Open();
  Model model;
  std::vector<Record> records;
  for (std::int64_t i = 0; i < 40; ++i) {
    records.push_back(Make("k", "", i, "[\"" + std::string(60'000, 'v') + "\"]"));
  }
  const std::int64_t generation = Write(*store, records);
  model.Write(records, Duplicates::kReplace);
  for (const DeleteRange& range : {DeleteRange{"k", {}, {}, 4}, DeleteRange{"k", {}, {}, 38}}) {
    const auto deleted = store->Delete(generation, kLane, range);
    ASSERT_TRUE(deleted.ok());
    EXPECT_EQ(deleted->deleted, model.Delete(range));
    EXPECT_EQ(deleted->after, model.Size());
    EXPECT_EQ(All(*store, generation), model.InTableOrder());
    EXPECT_EQ(store->GenerationsWithLayers().empty(), range.to_millis == 4);
  }
  int chunks = 1;
  for (; *store->Drain(generation, kLane); ++chunks) {
    ASSERT_EQ(All(*store, generation), model.InTableOrder());
    ASSERT_EQ(Listed(*store, generation)->size, model.Size());
  }
  EXPECT_GE(chunks, 4);  // 34 × 60 KB
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

// Every query, and every record that is staged, looks at each layer: who stages must not outrun who
// drains.
TEST_P(DatasetStoreConformance, LayersDoNotPileUpHoweverFastTheyArePublished) {
  const auto store = Open();
  Model model;
  const std::int64_t generation = Write(*store, {});
  for (int number = 0; number < 30; ++number) {
    const std::vector<Record> records = OfKey("k", 700, std::to_string(number));
    model.Write(records, Duplicates::kReplace);
    PublishLayer(*store, generation, records);
  }
  EXPECT_EQ(All(*store, generation), model.InTableOrder());
  int chunks = 0;
  while (*store->Drain(generation, kLane)) ++chunks;
  EXPECT_LT(chunks, 15);  // two a layer
  EXPECT_EQ(All(*store, generation), model.InTableOrder());
  EXPECT_EQ(Listed(*store, generation)->size, model.Size());
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

// Records of one date, so that only their subkeys tell pages apart.
TEST_P(DatasetStoreConformance, DeletesAndScansManySubkeysOfOneDate) {
  const auto store = Open();
  std::vector<Record> records;
  for (int i = 0; i < 2600; ++i) records.push_back(Make("k", "S" + std::to_string(i), 0));
  records.push_back(Make("l", "", 0));
  const std::int64_t generation = Write(*store, records);
  std::size_t seen = 0;
  std::optional<ScanPosition> after;
  for (;;) {
    const auto page = store->Scan(generation, after, 100, UINT64_MAX, {});
    ASSERT_TRUE(page.ok());
    if (page->empty()) break;
    seen += page->size();
    after = ScanPosition{page->back().key, page->back().subkey, page->back().date_millis};
  }
  EXPECT_EQ(seen, records.size());
  const auto deleted = store->Delete(generation, kLane, {"k", {}, {}, {}});
  ASSERT_TRUE(deleted.ok());
  EXPECT_EQ(deleted->deleted, 2600U);
  EXPECT_EQ(deleted->after.records, 1U);
  EXPECT_THAT(All(*store, generation), ElementsAre(records.back()));
}

// Every kind of change in a random order, also while layers stand, are staged and drain; every
// answer and every count is that of a plain map.
TEST_P(DatasetStoreConformance, AnyOrderOfChangesGivesWhatAPlainMapGives) {
  const unsigned seed = Seed();
  SCOPED_TRACE("LATCHKEY_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const std::vector<std::string> keys = {"", "a", "A", "b", "aa", "\xC3\xA4"};
  const std::vector<std::string> subkeys = {"", "x", "X", "yy"};
  int number = 0;
  const auto any = [&](std::size_t most) {
    std::vector<Record> records(random() % (most + 1));
    for (Record& record : records) {
      record = Make(keys[random() % keys.size()], subkeys[random() % subkeys.size()],
                    static_cast<std::int64_t>(random() % 12) - 6,
                    random() % 8 == 0
                        ? "[null]"
                        : "[" + std::to_string(86'400'000 * (random() % 9)) + ",\"" +
                              std::string(random() % 5, '.') + std::to_string(++number) + "\"]");
    }
    return records;
  };
  struct Staged {
    std::unique_ptr<LayerWriter> writer;
    std::vector<Record> records;
    Duplicates duplicates;
  };
  for (int round = 0; round < 4; ++round) {
    auto store = Open();
    Model model;
    const std::vector<Record> first = any(200);
    const std::int64_t generation = Write(*store, first);
    model.Write(first, Duplicates::kReplace);
    std::vector<Staged> staged;
    for (int step = 0; step < 400; ++step) {
      const Duplicates duplicates = random() % 2 == 0 ? Duplicates::kReplace : Duplicates::kIgnore;
      switch (random() % 10) {
        case 0:
        case 1: {
          const std::vector<Record> records = any(20);
          const auto written = store->Write(generation, kLane, records, duplicates);
          ASSERT_TRUE(written.ok());
          ASSERT_EQ(written->stored, model.Write(records, duplicates));
          break;
        }
        case 2: {
          if (staged.size() > 3) break;
          auto writer = store->BeginLayer(generation, kLane, duplicates);
          ASSERT_TRUE(writer.ok());
          staged.push_back({*std::move(writer), {}, duplicates});
          break;
        }
        case 3:
        case 4: {
          if (staged.empty()) break;
          Staged& one = staged[random() % staged.size()];
          const std::vector<Record> records = any(40);
          ASSERT_TRUE(one.writer->Append(records).ok());
          one.records.insert(one.records.end(), records.begin(), records.end());
          break;
        }
        case 5: {
          if (staged.empty()) break;
          const std::size_t at = random() % staged.size();
          const auto published = staged[at].writer->Publish(std::nullopt);
          ASSERT_TRUE(published.ok());
          ASSERT_EQ(published->stored, model.Write(staged[at].records, staged[at].duplicates));
          staged.erase(staged.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        }
        case 6: {
          DeleteRange range;
          range.key = ToLower(keys[random() % keys.size()]);
          if (random() % 2 == 0) range.subkey = ToLower(subkeys[random() % subkeys.size()]);
          if (random() % 2 == 0) range.from_millis = static_cast<std::int64_t>(random() % 12) - 6;
          if (random() % 2 == 0) range.to_millis = static_cast<std::int64_t>(random() % 12) - 6;
          const auto deleted = store->Delete(generation, kLane, range);
          ASSERT_TRUE(deleted.ok());
          ASSERT_EQ(deleted->deleted, model.Delete(range));
          break;
        }
        case 7: {
          ASSERT_TRUE(store->Drain(generation, kLane).ok());
          break;
        }
        case 8: {
          if (random() % 20 != 0) break;
          staged.clear();
          store = nullptr;
          store = Open();
          break;
        }
        default: {
          RecordQuery query;
          if (random() % 4 != 0) query.key = ToLower(keys[random() % keys.size()]);
          if (query.key && random() % 2 == 0) {
            query.subkey = ToLower(subkeys[random() % subkeys.size()]);
          }
          const bool by_field = random() % 3 == 0;
          const std::int64_t unit = by_field ? 86'400'000 : 1;
          if (by_field) query.date_field = 0;
          if (random() % 2 == 0) {
            query.from_millis = unit * (static_cast<std::int64_t>(random() % 14) - 7);
          }
          if (random() % 2 == 0) {
            query.to_millis = unit * (static_cast<std::int64_t>(random() % 14) - 7);
          }
          query.newest_first = random() % 2 == 0;
          query.limit = random() % 3 == 0 ? kEverything : 1 + random() % 5;
          query.interval = random() % 3 == 0 ? 1 + random() % 4 : 1;
          query.offset = random() % 3 == 0 ? random() % 6 : 0;
          ASSERT_EQ(Ask(*store, generation, query), model.Query(query)) << CanonicalText(query);
          std::vector<Record> scanned;
          std::optional<ScanPosition> after;
          for (;;) {
            const auto page = store->Scan(generation, after, 1 + random() % 30, 2000, {});
            ASSERT_TRUE(page.ok());
            if (page->empty()) break;
            scanned.insert(scanned.end(), page->begin(), page->end());
            after =
                ScanPosition{scanned.back().key, scanned.back().subkey, scanned.back().date_millis};
          }
          ASSERT_EQ(scanned, model.InTableOrder());
        }
      }
      if (store->GenerationsWithLayers().empty()) {
        ASSERT_EQ(Listed(*store, generation)->size, model.Size()) << step;
      }
    }
    ASSERT_TRUE(store->CheckIntegrity().ok());
    staged.clear();
    DrainAll(*store, generation);
    ASSERT_EQ(Listed(*store, generation)->size, model.Size());
    const Status integrity = store->CheckIntegrity();
    ASSERT_TRUE(integrity.ok()) << integrity.error().internal_text;
    ASSERT_TRUE(store->Drop(generation).ok());
    ASSERT_THAT(*store->ListGenerations(), IsEmpty());
  }
}

// One publishes layer after layer, each of which writes the same number into every record or
// removes them all, another drains, a third writes all of them directly; whoever reads sees one
// number, and never one that is older than what he saw before.
TEST_P(DatasetStoreConformance, ReadersSeeEachChangeWholeWhileLayersArePublishedAndDrained) {
  const auto store = Open();
  constexpr std::size_t kRecords = 700;
  const auto numbered = [](int number) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < kRecords; ++i) {
      records.push_back(Make("k", "s" + std::to_string(i % 3), static_cast<std::int64_t>(i),
                             std::to_string(number)));
    }
    return records;
  };
  const std::int64_t generation = Write(*store, numbered(0));
  std::atomic<bool> stop = false;
  std::atomic<int> reads = 0;
  std::vector<std::thread> others;
  for (int reader = 0; reader < 3; ++reader) {
    others.emplace_back([&, reader] {
      RecordQuery query;
      query.limit = kEverything;
      if (reader == 1) query.key = "k";
      if (reader == 2) {
        query.key = "k";
        query.newest_first = false;
      }
      int last = 0;
      while (!stop) {
        const std::vector<Record> records = Ask(*store, generation, query);
        std::set<std::string> numbers;
        for (const Record& record : records) numbers.insert(record.values);
        ASSERT_LE(numbers.size(), 1U);
        ASSERT_TRUE(records.empty() || records.size() == kRecords) << records.size();
        if (!records.empty()) {
          ASSERT_GE(std::stoi(*numbers.begin()), last);
          last = std::stoi(*numbers.begin());
        }
        ++reads;
      }
    });
  }
  others.emplace_back([&] {
    while (!stop) ASSERT_TRUE(store->Drain(generation, kLane + 1).ok());
  });
  for (int number = 1; number <= 60 || reads < 60; ++number) {
    switch (number % 3) {
      case 0:
        ASSERT_TRUE(store->Write(generation, kLane, numbered(number), Duplicates::kReplace).ok());
        break;
      case 1:
        PublishLayer(*store, generation, numbered(number));
        break;
      default: {
        const auto deleted = store->Delete(generation, kLane, {"k", {}, {}, {}});
        ASSERT_TRUE(deleted.ok());
        EXPECT_EQ(deleted->deleted, kRecords);
        EXPECT_EQ(PublishLayer(*store, generation, numbered(number), Duplicates::kIgnore).stored,
                  kRecords);
      }
    }
  }
  stop = true;
  for (std::thread& other : others) other.join();
  DrainAll(*store, generation);
  EXPECT_EQ(Listed(*store, generation)->size.records, kRecords);
  const Status integrity = store->CheckIntegrity();
  EXPECT_TRUE(integrity.ok()) << integrity.error().internal_text;
}

TEST_P(DatasetStoreConformance, ADropTakesTheLayersAlongAndEndsThoseThatAreStaged) {
  const auto store = Open();
  const std::int64_t generation = Write(*store, Many(700, "x"));
  PublishLayer(*store, generation, Many(1500, "y"));
  auto staged = store->BeginLayer(generation, kLane, Duplicates::kReplace);
  ASSERT_TRUE((*staged)->Append(Many(600, "z")).ok());
  auto unpublished = store->BeginLayer(generation, kLane, Duplicates::kIgnore);
  ASSERT_TRUE((*unpublished)->Append(Many(600, "z")).ok());
  ASSERT_TRUE(store->Drop(generation).ok());
  const Status append = (*staged)->Append(Many(600, "z"));
  ASSERT_FALSE(append.ok());
  EXPECT_EQ(append.error().code, ErrorCode::kNotFound);
  const auto publish = (*unpublished)->Publish(std::nullopt);
  ASSERT_FALSE(publish.ok());
  EXPECT_EQ(publish.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(store->GenerationsWithLayers(), IsEmpty());
  EXPECT_THAT(All(*store, generation), IsEmpty());
  staged->reset();
  unpublished->reset();
  EXPECT_THAT(*store->ListGenerations(), IsEmpty());
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

TEST_P(DatasetStoreConformance, EveryKindOfQueryCanBeInterrupted) {
  const auto store = Open();
  const std::int64_t generation = Write(*store, Many(5000, "x"));
  const auto interrupted = [] { return true; };
  RecordQuery everything;
  everything.limit = kEverything;
  RecordQuery skipping;
  skipping.offset = kEverything;
  RecordQuery by_field;
  by_field.date_field = 1;
  for (const bool layered : {false, true}) {
    if (layered) PublishLayer(*store, generation, Many(5000, "y"));
    for (const RecordQuery& query : {everything, skipping, by_field}) {
      const auto answer = store->Query(generation, query, UINT64_MAX, interrupted);
      ASSERT_FALSE(answer.ok());
      EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
      EXPECT_TRUE(store->Query(generation, query, UINT64_MAX, [] { return false; }).ok());
    }
    EXPECT_FALSE(store->Scan(generation, {}, kEverything, UINT64_MAX, interrupted).ok());
    EXPECT_THAT(All(*store, generation), SizeIs(5000));  // the next is none the worse
  }
}

TEST_P(DatasetStoreConformance, SeveralQueriesSeeOneMoment) {
  const auto store = Open();
  const auto both = [](const std::string& tag) {
    std::vector<Record> records = OfKey("a", 1, tag);
    records.push_back(OfKey("b", 1, tag).front());
    return records;
  };
  const std::int64_t generation = Write(*store, both("0"));
  std::vector<RecordQuery> queries(2);
  queries[0].key = "a";
  queries[1].key = "b";
  int turn = 0;
  // What is changed between the two is seen by the next ones alone.
  for (const bool layered : {false, true, false, true}) {
    SCOPED_TRACE(turn);
    const std::string before = "[\"" + std::to_string(turn) + "\"]";
    const std::string next = std::to_string(++turn);
    int asked = 0;
    const auto change = [&] {
      if (++asked != 2) return false;
      if (layered) {
        PublishLayer(*store, generation, both(next));
      } else {
        EXPECT_TRUE(store->Write(generation, kLane, both(next), Duplicates::kReplace).ok());
      }
      return false;
    };
    const auto answers = store->QueryEach(generation, queries, 10, UINT64_MAX, change);
    ASSERT_TRUE(answers.ok());
    ASSERT_GE(asked, 2);
    ASSERT_THAT(*answers, ElementsAre(SizeIs(1), SizeIs(1)));
    EXPECT_EQ((*answers)[0][0].values, before);
    EXPECT_EQ((*answers)[1][0].values, before);
    const auto after = store->QueryEach(generation, queries, 10, UINT64_MAX, {});
    EXPECT_EQ((*after)[0][0].values, "[\"" + next + "\"]");
    EXPECT_EQ((*after)[1][0].values, "[\"" + next + "\"]");
  }
}

TEST_P(DatasetStoreConformance, SeveralQueriesAreBoundedTogether) {
  const auto store = Open();
  std::vector<Record> records = OfKey("a", 5, "x");
  for (const Record& record : OfKey("b", 5, "x")) records.push_back(record);
  const std::int64_t generation = Write(*store, records);
  std::vector<RecordQuery> queries(3);
  queries[0].key = "a";
  queries[1].key = "b";
  queries[2].key = "a";
  for (RecordQuery& query : queries) query.limit = kEverything;
  const auto sizes = [&](std::uint64_t max_records) {
    const auto answers = store->QueryEach(generation, queries, max_records, UINT64_MAX, {});
    std::vector<std::size_t> found;
    for (const std::vector<Record>& each : *answers) found.push_back(each.size());
    return found;
  };
  EXPECT_THAT(sizes(15), ElementsAre(5, 5, 5));
  EXPECT_THAT(sizes(14), ElementsAre(5, 5, 5));  // one too many, to be seen
  EXPECT_THAT(sizes(7), ElementsAre(5, 3, 0));
  EXPECT_THAT(sizes(4), ElementsAre(5, 0, 0));
  const std::uint64_t bytes = 5 * (48 + 1 + 2 + 5);
  EXPECT_TRUE(store->QueryEach(generation, queries, 100, 3 * bytes, {}).ok());
  const auto large = store->QueryEach(generation, queries, 100, 3 * bytes - 1, {});
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, ErrorCode::kLimit);
  EXPECT_FALSE(store->QueryEach(generation, queries, 100, UINT64_MAX, [] { return true; }).ok());
}

TEST_P(DatasetStoreConformance, AnAnswerIsBoundedInBytes) {
  const auto store = Open();
  const std::int64_t generation = Write(*store, Many(10, "x"));  // 7 or 8 bytes of values each
  RecordQuery query;
  query.limit = 10;
  const std::uint64_t all = 10 * (48 + 2 + 7);
  EXPECT_TRUE(store->Query(generation, query, all, {}).ok());
  auto answer = store->Query(generation, query, all - 1, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kLimit);
  query.date_field = 1;
  answer = store->Query(generation, query, all - 1, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kLimit);
  query.limit = 9;
  EXPECT_TRUE(store->Query(generation, query, all - 1, {}).ok());
}

TEST_P(DatasetStoreConformance, JobsComeBackAsTheyWerePut) {
  auto store = Open();
  using State = core::UploadState;
  ASSERT_TRUE(store->PutJob(Job(30, State::kValidating)).ok());
  ASSERT_TRUE(store->PutJob(Job(10, State::kIngested)).ok());
  ASSERT_TRUE(store->PutJob(Job(20, State::kIngesting)).ok());
  core::UploadJob other = Job(40, State::kFailed);
  other.workspace = "other";
  ASSERT_TRUE(store->PutJob(other).ok());
  core::UploadJob changed = Job(30, State::kFailed);
  changed.message = "changed";
  ASSERT_TRUE(store->PutJob(changed).ok());
  store = nullptr;
  store = Open();
  EXPECT_TRUE(Same(**store->GetJob({30}), changed));
  EXPECT_TRUE(Same(**store->GetJob({20}), Job(20, State::kIngesting)));
  EXPECT_EQ(*store->GetJob({50}), std::nullopt);
  EXPECT_THAT(IdsOf(store->ListJobs("acme", {}, 10)), ElementsAre(20, 10, 30));
  EXPECT_THAT(IdsOf(store->ListJobs("acme", {}, 2)), ElementsAre(20, 10));
  EXPECT_THAT(IdsOf(store->ListJobs("acme", core::UploadJobId{10}, 2)), ElementsAre(30));
  EXPECT_THAT(IdsOf(store->ListJobs("acme", core::UploadJobId{50}, 2)), IsEmpty());
  EXPECT_THAT(IdsOf(store->ListJobs("nobody", {}, 2)), IsEmpty());
  EXPECT_THAT(IdsOf(store->UnfinishedJobs()), ElementsAre(20));
  EXPECT_THAT(IdsOf(store->FinishedJobsBefore(FromUnixMillis(2030))), ElementsAre(10));
  // By workspace, and one that has not ended is none of them.
  EXPECT_THAT(IdsOf(store->FinishedJobsBeyond(2)), IsEmpty());
  EXPECT_THAT(IdsOf(store->FinishedJobsBeyond(1)), ElementsAre(30));
  EXPECT_THAT(IdsOf(store->FinishedJobsBeyond(0)), ElementsAre(30, 10, 40));
  ASSERT_TRUE(store->RemoveJob({10}).ok());
  ASSERT_TRUE(store->RemoveJob({10}).ok());
  EXPECT_THAT(IdsOf(store->ListJobs("acme", {}, 10)), ElementsAre(20, 30));
}

TEST_P(DatasetStoreConformance, AJobIsStoredWithTheLayerItPublishes) {
  const auto store = Open();
  const std::int64_t generation = Write(*store, {});
  ASSERT_TRUE(store->PutJob(Job(1, core::UploadState::kValidated)).ok());
  auto layer = store->BeginLayer(generation, kLane, Duplicates::kReplace);
  ASSERT_TRUE((*layer)->Append(Many(5, "x")).ok());
  ASSERT_TRUE((*layer)->Publish(Job(1, core::UploadState::kIngesting)).ok());
  EXPECT_EQ((*store->GetJob({1}))->state, core::UploadState::kIngesting);

  auto late = store->BeginLayer(generation, kLane, Duplicates::kReplace);
  ASSERT_TRUE(store->Drop(generation).ok());
  EXPECT_FALSE((*late)->Publish(Job(1, core::UploadState::kIngested)).ok());
  EXPECT_EQ((*store->GetJob({1}))->state, core::UploadState::kIngesting);
}

// A child changes one generation again and again, each time all of it, and tells of each change
// that has returned; it is killed at a random moment. What it told of is there, or the change after
// it.
TEST_P(DatasetStoreConformance, KilledAtAnyMomentAChangeIsWholeOrNotThere) {
  const unsigned seed = Seed();
  SCOPED_TRACE("LATCHKEY_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::size_t kRecords = 1200;
  const auto numbered = [](int number, std::size_t count) {
    return OfKey("k", count, std::to_string(number));
  };
  std::int64_t generation = 0;
  {
    const auto store = Open();
    generation = Write(*store, numbered(0, kRecords));
  }
  int told_last = 0;
  for (int round = 0; round < 10; ++round) {
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto store = GetParam().open(folder_);
      if (!store.ok()) std::_Exit(1);
      for (int number = told_last + 1;; ++number) {
        if (number % 3 == 0) {
          if (!(*store)->Delete(generation, 0, {"k", {}, {}, {}}).ok()) std::_Exit(2);
        } else if (number % 3 == 1) {
          auto layer = (*store)->BeginLayer(generation, 0, Duplicates::kReplace);
          if (!layer.ok() || !(*layer)->Append(numbered(number, kRecords)).ok() ||
              !(*layer)->Publish(std::nullopt).ok()) {
            std::_Exit(3);
          }
        } else {
          // The first thousand again, which is all that a direct write may be.
          if (!(*store)
                   ->Write(generation, 0, numbered(number, kMaxRecordsPerWrite),
                           Duplicates::kReplace)
                   .ok()) {
            std::_Exit(4);
          }
        }
        if (::write(told[1], &number, sizeof number) != sizeof number) std::_Exit(5);
        if (!(*store)->Drain(generation, 0).ok()) std::_Exit(6);
      }
    }
    ::close(told[1]);
    std::uint32_t changes = random() % 6;
    int number = told_last;
    while (changes-- > 0 && ::read(told[0], &number, sizeof number) == sizeof number) {
    }
    for (volatile std::uint32_t spin = random() % 4'000'000; spin > 0;) spin = spin - 1;
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    while (::read(told[0], &number, sizeof number) == sizeof number) {
    }
    ::close(told[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "child ended by itself: " << WEXITSTATUS(status);
    told_last = std::max(told_last, number);

    const auto store = Open();
    const Status integrity = store->CheckIntegrity();
    ASSERT_TRUE(integrity.ok()) << integrity.error().internal_text;
    const auto expected = [&](int last) {
      Model model;
      if (last % 3 == 2) model.Write(numbered(last - 1, kRecords), Duplicates::kReplace);
      if (last % 3 == 2) model.Write(numbered(last, kMaxRecordsPerWrite), Duplicates::kReplace);
      if (last % 3 == 1) model.Write(numbered(last, kRecords), Duplicates::kReplace);
      if (last == 0) model.Write(numbered(0, kRecords), Duplicates::kReplace);
      return model.InTableOrder();
    };
    const auto found = store->Scan(generation, {}, kEverything, UINT64_MAX, {});
    ASSERT_TRUE(found.ok());
    if (*found == expected(told_last + 1)) ++told_last;
    ASSERT_EQ(*found, expected(told_last)) << told_last;
    const auto list = store->ListGenerations();
    ASSERT_TRUE(list.ok());
    for (const Generation& one : *list) {
      if (!one.finished) {
        ASSERT_TRUE(store->Drop(one.number).ok());
      }
    }
    if (round % 2 == 0) DrainAll(*store, generation);
    ASSERT_EQ(*store->Scan(generation, {}, kEverything, UINT64_MAX, {}), expected(told_last));
    ASSERT_TRUE(store->CheckIntegrity().ok());
  }
}

}  // namespace latchkey::store
