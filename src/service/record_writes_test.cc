#include "service/record_writes.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/data_house.h"
#include "test/support/fault_vfs.h"

namespace latchkey::service {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::DataHouse;

std::string Body(int from, int count, int price = 1) {
  std::string body = "[";
  for (int i = from; i < from + count; ++i) {
    if (body.size() > 1) body += ",";
    body += R"({"symbol":"K)" + std::to_string(i) + R"(","date":"2026-01-01","price":)" +
            std::to_string(price) + "}";
  }
  return body + "]";
}

class RecordWritesTest : public testing::Test {
 protected:
  void SetUp() override {
    house_.MakeAccount(5, "acme");
    entry_ = house_.MakePrices();
  }

  DataHouse house_;
  EntryPointer entry_;
};

TEST_F(RecordWritesTest, WritesAnArrayOrOneObjectAndCountsWhatWasStored) {
  const std::uint64_t version = entry_->live->version;
  house_.clock.Advance(std::chrono::seconds(5));
  const auto report = house_.Write(
      R"([{"symbol":"A","date":"2026-01-01","price":1},{"symbol":"B","date":"2026-01-02"},)"
      R"({"symbol":"a","date":"2026-01-01","price":2}])");
  ASSERT_TRUE(report.ok()) << report.error().public_text;
  EXPECT_EQ(report->stored, 2U);
  EXPECT_FALSE(report->created);
  EXPECT_EQ(entry_->live->records, 2U);
  EXPECT_GT(entry_->live->version, version);
  EXPECT_EQ(entry_->live->updated_millis, ToUnixMillis(house_.clock.Now()));
  EXPECT_EQ(house_.Write(R"({"symbol":"C","date":"2026-01-03"})")->stored, 1U);
  EXPECT_EQ(house_.Write("[]")->stored, 0U);
  EXPECT_THAT(house_.Values(),
              ElementsAre(R"(["C","2026-01-03",null])", R"(["B","2026-01-02",null])",
                          R"(["a","2026-01-01",2])"));
}

TEST_F(RecordWritesTest, IgnoreKeepsWhatStandsAndTheFirstOfARequest) {
  ASSERT_TRUE(house_.Write(Body(0, 2)).ok());
  const auto report = house_.Write(Body(1, 2, 9), false, store::Duplicates::kIgnore);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->stored, 1U);
  EXPECT_THAT(house_.Values(), ElementsAre(HasSubstr("\"K0\",\"2026-01-01\",1"),
                                           HasSubstr("\"K1\",\"2026-01-01\",1"),
                                           HasSubstr("\"K2\",\"2026-01-01\",9")));
}

TEST_F(RecordWritesTest, OneBadRecordRefusesAllAndIsNamed) {
  const auto report = house_.Write(
      R"([{"symbol":"A","date":"2026-01-01"},{"symbol":"B","date":"2026-01-01","price":"x"},)"
      R"(5,{"symbol":"C","date":"no"}])");
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(report.error().public_text, AllOf(HasSubstr("3 bad"), HasSubstr("price")));
  ASSERT_THAT(report.error().fields, SizeIs(3));
  EXPECT_EQ(report.error().fields[0].field, "record 2");
  EXPECT_EQ(report.error().fields[1].field, "record 3");
  EXPECT_EQ(report.error().fields[2].field, "record 4");
  for (const char* body : {"", "[", "symbol,date\nA,2026-01-01\n", "[{}", "nonsense"}) {
    EXPECT_EQ(house_.Write(body).error().code, ErrorCode::kInvalid) << body;
  }
  EXPECT_THAT(house_.Values(), IsEmpty());
}

TEST_F(RecordWritesTest, ManyRecordsAreSeenAtOnceAndSettleIntoTheirPlace) {
  ASSERT_TRUE(house_.Write(Body(0, 10)).ok());
  const auto report = house_.Write(Body(5, 2'500, 2));
  ASSERT_TRUE(report.ok()) << report.error().public_text;
  EXPECT_EQ(report->stored, 2'500U);
  EXPECT_THAT(house_.Values(), SizeIs(2'505));
  house_.RunJobs();
  EXPECT_THAT(house_.real_records->GenerationsWithLayers(), IsEmpty());
  EXPECT_THAT(house_.Values(), SizeIs(2'505));
  EXPECT_EQ(entry_->live->records, 2'505U);
  EXPECT_TRUE(house_.real_records->CheckIntegrity().ok());
  house_.Restart();
  EXPECT_THAT(house_.Values(), SizeIs(2'505));
}

// More than one batch, with records of one index in different ones.
TEST_F(RecordWritesTest, OfEqualRecordsFarApartInARequestTheSameCountsAsInASmallOne) {
  constexpr int kRecords = 9'000;
  std::string body = "[";
  for (int i = 0; i < kRecords; ++i) {
    if (i > 0) body += ",";
    body += R"({"symbol":"K)" + std::to_string(i % 6'000) + R"(","date":"2026-01-01","price":)" +
            std::to_string(i) + "}";
  }
  body += "]";
  const struct {
    store::Duplicates duplicates;
    std::string_view price;  // of K0, which is the first and the 6,001st
  } kCases[] = {{store::Duplicates::kReplace, "6000]"}, {store::Duplicates::kIgnore, "0]"}};
  for (const auto& c : kCases) {
    // Into a dataset that stands, and one that is made.
    for (const std::string name : {"PRICES", "FRESH"}) {
      SCOPED_TRACE(name);
      const auto written = house_.Write(body, true, c.duplicates, name);
      ASSERT_TRUE(written.ok()) << written.error().public_text;
      EXPECT_EQ(written->stored, 6'000U);
      house_.RunJobs();
      core::RecordQuery query;
      query.key = "k0";
      const auto records = house_.datasets->Query(written->entry->dataset, query, {}, UINT64_MAX);
      ASSERT_TRUE(records.ok());
      ASSERT_EQ(records->size(), 1U);
      EXPECT_THAT(records->front().values, testing::EndsWith(c.price));
      ASSERT_TRUE(house_.definitions->Remove(written->entry->dataset.id, {}, {}).ok());
    }
    house_.MakePrices();
  }
}

TEST_F(RecordWritesTest, MakesTheDatasetOnlyWhenAskedTo) {
  const std::string body =
      R"([{"ticker":"A","when":"2026-01-01","volume":1},{"ticker":"B","volume":1.5}])";
  EXPECT_EQ(house_.Write(body, false, store::Duplicates::kReplace, "NEW").error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(house_.Write(body, true, store::Duplicates::kReplace, "NEW", "nobody").error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(house_.Write("[]", true, store::Duplicates::kReplace, "NEW").error().code,
            ErrorCode::kInvalid);
  EXPECT_EQ(house_.Write(body, true, store::Duplicates::kReplace, "_system").error().code,
            ErrorCode::kInvalid);
  const auto dated = house_.Write(R"([{"ticker":"A","when":"2026-01-01","volume":1}])", true,
                                  store::Duplicates::kReplace, "NEW");
  ASSERT_TRUE(dated.ok()) << dated.error().public_text;
  EXPECT_TRUE(dated->created);
  EXPECT_EQ(dated->stored, 1U);
  const core::Dataset& dataset = house_.Find("new")->dataset;
  EXPECT_EQ(dataset.key_field, "ticker");
  EXPECT_EQ(dataset.date_field, "when");
  EXPECT_EQ(dataset.name, "NEW");
  EXPECT_EQ(house_.LastEvent().action, "dataset.create");
  EXPECT_THAT(house_.Values("NEW"), ElementsAre(R"(["A","2026-01-01",1])"));
}

TEST_F(RecordWritesTest, ThePlansStorageIsBoundedToTheByte) {
  ASSERT_TRUE(house_.Write(Body(0, 1)).ok());
  const std::uint64_t one = entry_->live->bytes;
  core::Plan plan;
  plan.max_storage_bytes = 3 * one;
  house_.MakeAccount(6, "small", plan);
  house_.MakePrices("small", "A");
  house_.MakePrices("small", "B");
  const auto write = [&](int from, int count, const std::string& dataset) {
    return house_.Write(Body(from, count), true, store::Duplicates::kReplace, dataset, "small");
  };
  ASSERT_TRUE(write(0, 2, "A").ok());
  const auto too_much = write(2, 2, "B");
  ASSERT_FALSE(too_much.ok());
  EXPECT_EQ(too_much.error().code, ErrorCode::kLimit);
  EXPECT_THAT(too_much.error().public_text, HasSubstr("storage"));
  EXPECT_EQ(write(2, 2, "NEW").error().code, ErrorCode::kLimit);
  EXPECT_TRUE(write(2, 1, "B").ok());
  EXPECT_EQ(write(3, 1, "B").error().code, ErrorCode::kLimit);
  ASSERT_EQ(*house_.writes->Delete(house_.Find("A", "small")->dataset.id, {"k0", {}, {}, {}}), 1U);
  EXPECT_TRUE(write(3, 1, "B").ok());
  house_.Restart();
  EXPECT_EQ(write(4, 1, "B").error().code, ErrorCode::kLimit);
}

TEST_F(RecordWritesTest, DeletesOfAKeyASubkeyAndDays) {
  ASSERT_TRUE(
      house_
          .Write(R"([{"symbol":"A","date":"2026-01-01"},{"symbol":"A","date":"2026-01-02"},)"
                 R"({"symbol":"A","date":"2026-01-03"},{"symbol":"B","date":"2026-01-01"}])")
          .ok());
  const std::uint64_t version = entry_->live->version;
  const core::DatasetId id = entry_->dataset.id;
  const std::int64_t second = 1'767'312'000'000;  // 2026-01-02
  EXPECT_EQ(*house_.writes->Delete(id, {"a", {}, second, second}), 1U);
  EXPECT_GT(entry_->live->version, version);
  EXPECT_EQ(*house_.writes->Delete(id, {"A", "", {}, second}), 1U);
  EXPECT_EQ(*house_.writes->Delete(id, {"A", "none", {}, {}}), 0U);
  EXPECT_EQ(*house_.writes->Delete(id, {"A", {}, {}, {}}), 1U);
  EXPECT_THAT(house_.Values(), ElementsAre(HasSubstr("B")));
  EXPECT_EQ(entry_->live->records, 1U);
  EXPECT_EQ(house_.writes->Delete(core::DatasetId{99}, {"A", {}, {}, {}}).error().code,
            ErrorCode::kNotFound);
  ASSERT_TRUE(house_.Write(R"([{"id":1}])", true, store::Duplicates::kReplace, "UNDATED").ok());
  EXPECT_EQ(house_.writes->Delete(house_.Find("UNDATED")->dataset.id, {"1", {}, 0, 5}).error().code,
            ErrorCode::kInvalid);
}

TEST_F(RecordWritesTest, DeletesManyRecordsAtOnce) {
  std::string body = "[";
  for (int i = 0; i < 2'500; ++i) {
    body += (i > 0 ? "," : "") + std::string(R"({"symbol":"A","date":)") + std::to_string(i) + "}";
  }
  ASSERT_TRUE(house_.Write(body + "]").ok());
  house_.RunJobs();
  EXPECT_EQ(*house_.writes->Delete(entry_->dataset.id, {"a", {}, {}, {}}), 2'500U);
  EXPECT_THAT(house_.Values(), IsEmpty());
  house_.RunJobs();
  EXPECT_THAT(house_.real_records->GenerationsWithLayers(), IsEmpty());
  EXPECT_EQ(entry_->live->records, 0U);
  EXPECT_EQ(entry_->live->bytes, 0U);
}

// Each write is acknowledged into records that count from then on, whatever else happens to the
// dataset: what was acknowledged after the last overwrite is there at the end.
TEST_F(RecordWritesTest, NoAcknowledgedWriteIsLostToAChangeOrAnOverwriteAtTheSameTime) {
  std::atomic<int> overwrites{0};
  std::atomic<bool> stop{false};
  struct Acknowledged {
    int key;
    int overwrites;  // that had ended before the write began
  };
  std::vector<std::vector<Acknowledged>> written(3);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 150; ++i) {
        const int before = overwrites;
        const int key = t * 1'000 + i;
        const auto report = house_.Write(Body(key, 1));
        if (report.ok()) {
          written[static_cast<std::size_t>(t)].push_back({key, before});
        } else {
          EXPECT_EQ(report.error().code, ErrorCode::kUnavailable) << report.error().public_text;
        }
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; !stop; ++i) {
      if (i % 2 == 0) {
        DatasetPatch patch;
        patch.title = std::to_string(i);
        ASSERT_TRUE(house_.definitions->Change(entry_->dataset.id, patch, {}, {}).ok());
        continue;
      }
      ImportOptions options;
      options.workspace = "acme";
      options.name = "PRICES";
      options.fields = entry_->dataset.fields;
      auto import = house_.datasets->BeginImport(options, {});
      ASSERT_TRUE(import.ok());
      ASSERT_TRUE((*import)->Feed("symbol,date,price\nIMPORT,2026-01-01,1\n").ok());
      const auto report = (*import)->Finish();
      ASSERT_TRUE(report.ok()) << report.error().public_text;
      ++overwrites;
    }
  });
  for (int t = 0; t < 3; ++t) threads[static_cast<std::size_t>(t)].join();
  stop = true;
  threads.back().join();
  ASSERT_GT(overwrites, 0);
  std::string all;
  for (const std::string& values : house_.Values()) all += values;
  for (const auto& list : written) {
    for (const Acknowledged& each : list) {
      if (each.overwrites < overwrites) continue;
      EXPECT_THAT(all, HasSubstr("\"K" + std::to_string(each.key) + "\"")) << each.key;
    }
  }
  EXPECT_EQ(house_.Find()->live->records, house_.Values().size());
}

// So that none goes into records that are being replaced, whatever the moment.
TEST_F(RecordWritesTest, EveryChangeOfADatasetIsMadeWithItsMutexHeld) {
  int changes = 0;
  const auto check = [&] {
    ++changes;
    std::thread([&] {
      const bool free = entry_->live->write_mutex.try_lock();
      EXPECT_FALSE(free) << "change " << changes;
      if (free) entry_->live->write_mutex.unlock();
    }).join();
  };
  house_.records->before_change = check;
  house_.store->BeforeChange(check);
  ASSERT_TRUE(house_.Write(Body(0, 1)).ok());
  ASSERT_TRUE(house_.Write(Body(0, 1'001)).ok());
  ASSERT_TRUE(house_.writes->Delete(entry_->dataset.id, {"k0", {}, {}, {}}).ok());
  ASSERT_TRUE(house_.definitions->Change(entry_->dataset.id, {}, {}, {}).ok());
  ImportOptions options;
  options.workspace = "acme";
  options.name = "PRICES";
  auto import = house_.datasets->BeginImport(options, {});
  ASSERT_TRUE((*import)->Feed("symbol,date,price\nNEW,2026-01-01,1\n").ok());
  ASSERT_TRUE((*import)->Finish().ok());
  UploadOptions upload;
  ASSERT_TRUE(house_.Send("symbol,date\nA,2026-01-01\n", upload).ok());
  upload.overwrite = true;
  ASSERT_TRUE(house_.Send("symbol,date\nA,2026-01-01\n", upload).ok());
  house_.RunJobs();
  ASSERT_TRUE(house_.definitions->Remove(entry_->dataset.id, {}, {}).ok());
  EXPECT_EQ(changes, 8);
}

TEST_F(RecordWritesTest, WhatWasStagedOverRecordsThatWereReplacedIsWrittenIntoTheNewOnes) {
  int begun = 0;
  house_.records->after_begin_layer = [&] {
    if (begun++ > 0) return;
    ImportOptions options;
    options.workspace = "acme";
    options.name = "PRICES";
    options.fields = entry_->dataset.fields;
    auto import = house_.datasets->BeginImport(options, {});
    ASSERT_TRUE((*import)->Feed("symbol,date,price\nNEW,2026-01-01,1\n").ok());
    ASSERT_TRUE((*import)->Finish().ok());
  };
  const auto report = house_.Write(Body(0, 1'200));
  ASSERT_TRUE(report.ok()) << report.error().public_text;
  EXPECT_EQ(report->stored, 1'200U);
  EXPECT_EQ(begun, 2);
  EXPECT_THAT(house_.Values(), SizeIs(1'201));
}

// Of an overwrite that was under way, a write that was acknowledged before it ended may be gone,
// never one of after it.
TEST_F(RecordWritesTest, AWriteAfterAnOverwriteIsThere) {
  ImportOptions options;
  options.workspace = "acme";
  options.name = "PRICES";
  options.fields = entry_->dataset.fields;
  auto import = house_.datasets->BeginImport(options, {});
  ASSERT_TRUE(house_.Write(Body(0, 1)).ok());
  ASSERT_TRUE((*import)->Feed("symbol,date,price\nNEW,2026-01-01,1\n").ok());
  ASSERT_TRUE((*import)->Finish().ok());
  ASSERT_TRUE(house_.Write(Body(1, 1)).ok());
  EXPECT_THAT(house_.Values(), ElementsAre(HasSubstr("K1"), HasSubstr("NEW")));
}

TEST_F(RecordWritesTest, ManyAtOnceMayMakeTheSameDatasetAndNoneLosesARecord) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        const auto report =
            house_.Write(Body(t * 10 + i, 1), true, store::Duplicates::kReplace, "NEW");
        EXPECT_TRUE(report.ok()) << report.error().public_text;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(house_.Values("NEW"), SizeIs(20));
  house_.clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(house_.datasets->Sweep().ok());
  EXPECT_EQ(house_.Generations(), 2U);
}

TEST(RecordWritesFaultTest, AFullDiskLeavesOldOrNewAndNothingInBetween) {
  test::FaultVfs vfs("record-writes-faults");
  for (const int count : {3, 1'200}) {
    bool succeeded = false;
    for (int writes = 0; writes < 200 && !succeeded; writes += 1 + writes / 8) {
      DataHouse house({}, vfs.name());
      house.MakeAccount(5, "acme");
      const EntryPointer entry = house.MakePrices();
      ASSERT_TRUE(house.Write(Body(0, 2)).ok());
      vfs.FillUpAfterWrites(writes);
      const auto report = house.Write(Body(1, count, 7));
      vfs.Heal();
      succeeded = report.ok();
      const std::size_t expected = succeeded ? static_cast<std::size_t>(count) + 1 : 2;
      EXPECT_THAT(house.Values(), SizeIs(expected)) << writes;
      EXPECT_TRUE(succeeded || report.error().code == ErrorCode::kUnavailable);
      house.Restart();
      EXPECT_THAT(house.Values(), SizeIs(expected)) << writes;
      EXPECT_TRUE(house.Write(Body(50, 1)).ok());
      house.RunJobs();
      EXPECT_TRUE(house.real_records->CheckIntegrity().ok());
    }
    EXPECT_TRUE(succeeded);
  }
}

}  // namespace
}  // namespace latchkey::service
