#include "test/store_conformance/dataset_store_conformance.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/store_conformance/record_model.h"

namespace latchkey::store {
namespace {

using core::Record;
using core::RecordQuery;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

}  // namespace

using namespace record_model;  // NOLINT: the words of these tests

void DatasetStoreConformance::SetUp() {
  std::string name = testing::TempDir() + "/latchkey-records-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  folder_ = name;
}

void DatasetStoreConformance::TearDown() { std::filesystem::remove_all(folder_); }

std::unique_ptr<DatasetStore> DatasetStoreConformance::Open() const {
  auto store = GetParam().open(folder_);
  EXPECT_TRUE(store.ok()) << store.error().public_text << store.error().internal_text;
  return store.ok() ? *std::move(store) : nullptr;
}

std::int64_t DatasetStoreConformance::Write(DatasetStore& store, const std::vector<Record>& records,
                                            Duplicates duplicates) {
  auto writer = store.BeginGeneration(0);
  EXPECT_TRUE(writer.ok());
  EXPECT_TRUE((*writer)->Append(records, duplicates).ok());
  EXPECT_TRUE((*writer)->Finish().ok());
  return (*writer)->generation();
}

std::vector<Record> DatasetStoreConformance::Ask(DatasetStore& store, std::int64_t generation,
                                                 const RecordQuery& query) {
  auto records = store.Query(generation, query, UINT64_MAX, [] { return false; });
  EXPECT_TRUE(records.ok());
  return records.ok() ? *std::move(records) : std::vector<Record>{};
}

std::vector<Record> DatasetStoreConformance::All(DatasetStore& store, std::int64_t generation) {
  RecordQuery query;
  query.limit = kEverything;
  return Ask(store, generation, query);
}

TEST_P(DatasetStoreConformance, ARecordComesBackAsItWasWritten) {
  const auto store = Open();
  const std::vector<Record> records = {
      {"AAPL", "Q1", 946'684'800'000, 1'700'000'000'000, R"(["AAPL",39.81,"ä\u0000"])"},
      {"", "", 0, 0, "[]"},
      {"\xC3\x84pfel", "x y", std::numeric_limits<std::int64_t>::min(), -1, "[null]"},
      {"z", "", std::numeric_limits<std::int64_t>::max(), 1, std::string(65536, '9')}};
  const std::int64_t generation = Write(*store, records);
  EXPECT_THAT(All(*store, generation), ElementsAre(records[3], records[0], records[1], records[2]));
}

TEST_P(DatasetStoreConformance, KeysCompareWithAsciiCaseFoldedAndKeepTheirCase) {
  const auto store = Open();
  const std::int64_t generation =
      Write(*store, {Make("Aapl", "Q1", 1), Make("\xC3\x84", "", 1), Make("aaplx", "", 1)});
  RecordQuery query;
  query.limit = 10;
  query.key = "aapl";
  EXPECT_THAT(Ask(*store, generation, query), ElementsAre(Make("Aapl", "Q1", 1)));
  query.subkey = "q1";
  EXPECT_THAT(Ask(*store, generation, query), ElementsAre(Make("Aapl", "Q1", 1)));
  query.subkey = "q";
  EXPECT_THAT(Ask(*store, generation, query), IsEmpty());
  query.subkey.reset();
  query.key = "\xC3\xA4";  // the same letter in lower case, but not ASCII
  EXPECT_THAT(Ask(*store, generation, query), IsEmpty());
  query.key = "aap";
  EXPECT_THAT(Ask(*store, generation, query), IsEmpty());
  query.key = "aap%";
  EXPECT_THAT(Ask(*store, generation, query), IsEmpty());
}

TEST_P(DatasetStoreConformance, ALaterRecordOfTheSameIndexReplacesTheEarlierOrGivesWay) {
  const auto store = Open();
  const std::vector<Record> records = {Make("a", "x", 1, "[1]"), Make("A", "X", 1, "[2]"),
                                       Make("a", "x", 2, "[3]")};
  EXPECT_THAT(All(*store, Write(*store, records, Duplicates::kReplace)),
              ElementsAre(Make("a", "x", 2, "[3]"), Make("A", "X", 1, "[2]")));
  EXPECT_THAT(All(*store, Write(*store, records, Duplicates::kIgnore)),
              ElementsAre(Make("a", "x", 2, "[3]"), Make("a", "x", 1, "[1]")));

  auto writer = store->BeginGeneration(0);
  ASSERT_TRUE(writer.ok());
  for (const Record& record : records) {
    ASSERT_TRUE((*writer)->Append(std::span(&record, 1), Duplicates::kReplace).ok());
  }
  const auto count = (*writer)->Finish();
  ASSERT_TRUE(count.ok());
  EXPECT_EQ(count->records, 2U);
  EXPECT_THAT(All(*store, (*writer)->generation()),
              ElementsAre(Make("a", "x", 2, "[3]"), Make("A", "X", 1, "[2]")));
}

// Random records and random queries give what a plain search of all records gives.
TEST_P(DatasetStoreConformance, AnyQueryGivesWhatASearchOfEverythingGives) {
  const unsigned seed = Seed();
  SCOPED_TRACE("LATCHKEY_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const auto store = Open();
  const std::vector<std::string> names = {"", "a", "A", "b", "aa", "Ab", "\xC3\xA4", "z-"};
  for (int round = 0; round < 6; ++round) {
    Model model;
    std::vector<Record> records;
    const Duplicates duplicates = random() % 2 == 0 ? Duplicates::kIgnore : Duplicates::kReplace;
    for (int i = 0; i < 400; ++i) {
      records.push_back(Make(names[random() % names.size()], names[random() % names.size()],
                             static_cast<std::int64_t>(random() % 20) - 10,
                             "[" + std::to_string(i) + "]"));
      model.Append(records.back(), duplicates);
    }
    const std::int64_t generation = Write(*store, records, duplicates);
    ASSERT_EQ(All(*store, generation).size(), model.size());
    for (int i = 0; i < 300; ++i) {
      RecordQuery query;
      if (random() % 4 != 0) query.key = ToLower(names[random() % names.size()]);
      if (query.key && random() % 2 == 0) query.subkey = ToLower(names[random() % names.size()]);
      if (random() % 2 == 0) query.from_millis = static_cast<std::int64_t>(random() % 24) - 12;
      if (random() % 2 == 0) query.to_millis = static_cast<std::int64_t>(random() % 24) - 12;
      query.newest_first = random() % 2 == 0;
      query.limit = random() % 3 == 0 ? kEverything : 1 + random() % 5;
      query.interval = random() % 3 == 0 ? 1 + random() % 4 : 1;
      query.offset = random() % 3 == 0 ? random() % 6 : 0;
      ASSERT_EQ(Ask(*store, generation, query), model.Query(query)) << CanonicalText(query);
    }
  }
}

TEST_P(DatasetStoreConformance, GenerationsAreApartAndTheirNumbersAreNeverGivenTwice) {
  auto store = Open();
  const std::int64_t one = Write(*store, {Make("a", "", 1, "[1]")});
  const std::int64_t two = Write(*store, {Make("a", "", 1, "[2]")});
  EXPECT_LT(one, two);
  EXPECT_GT(one, 0);
  EXPECT_THAT(All(*store, one), ElementsAre(Make("a", "", 1, "[1]")));
  EXPECT_THAT(All(*store, two), ElementsAre(Make("a", "", 1, "[2]")));
  ASSERT_TRUE(store->Drop(two).ok());
  EXPECT_THAT(All(*store, two), IsEmpty());
  EXPECT_THAT(All(*store, one), SizeIs(1));
  store = nullptr;
  store = Open();
  EXPECT_GT(Write(*store, {}), two);
  EXPECT_THAT(All(*store, one), SizeIs(1));
}

TEST_P(DatasetStoreConformance, TheListTellsWhatIsFinished) {
  const auto store = Open();
  const std::int64_t done = Write(*store, Many(2500, "x"));
  auto writer = store->BeginGeneration(0);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Append(Many(10, "y"), Duplicates::kReplace).ok());
  auto list = store->ListGenerations();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].number, done);
  EXPECT_TRUE((*list)[0].finished);
  EXPECT_EQ((*list)[0].size.records, 2500U);
  EXPECT_FALSE((*list)[1].finished);

  // Without Finish nothing is left of it.
  const std::int64_t abandoned = (*writer)->generation();
  writer->reset();
  EXPECT_THAT(All(*store, abandoned), IsEmpty());
  list = store->ListGenerations();
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->size(), 1U);
  ASSERT_TRUE(store->Drop(done).ok());
  EXPECT_TRUE(store->Drop(done).ok());  // what is gone may be dropped
  EXPECT_THAT(*store->ListGenerations(), IsEmpty());
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

TEST_P(DatasetStoreConformance, AnInterruptedQueryIsUnavailable) {
  const auto store = Open();
  const std::int64_t generation = Write(*store, Many(20'000, "x"));
  RecordQuery query;
  query.limit = kEverything;
  const auto answer = store->Query(generation, query, UINT64_MAX, [] { return true; });
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(All(*store, generation), SizeIs(20'000));  // the next is none the worse
}

TEST_P(DatasetStoreConformance, WritersTakeTurnsAndReadersSeeWholeGenerations) {
  const auto store = Open();
  const std::int64_t standing = Write(*store, Many(3000, "standing"));
  const std::int64_t dropped = Write(*store, Many(20'000, "dropped"));
  std::atomic<bool> stop = false;
  std::vector<std::int64_t> made(2);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < made.size(); ++i) {
    threads.emplace_back([&, i] {
      auto writer = store->BeginGeneration(0);
      for (int part = 0; part < 5; ++part) {
        EXPECT_TRUE((*writer)->Append(Many(2000, std::to_string(i)), Duplicates::kReplace).ok());
      }
      EXPECT_TRUE((*writer)->Finish().ok());
      made[i] = (*writer)->generation();
    });
  }
  threads.emplace_back([&] { EXPECT_TRUE(store->Drop(dropped).ok()); });
  std::thread reader([&] {
    while (!stop) EXPECT_EQ(All(*store, standing).size(), 3000U);
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  reader.join();
  for (std::size_t i = 0; i < made.size(); ++i) {
    const auto records = All(*store, made[i]);
    EXPECT_EQ(records.size(), 2000U);
    for (const Record& record : records) {
      ASSERT_TRUE(record.values.starts_with("[\"" + std::to_string(i) + "\"")) << record.values;
    }
  }
  EXPECT_THAT(All(*store, dropped), IsEmpty());
  EXPECT_TRUE(store->CheckIntegrity().ok());
}

TEST_P(DatasetStoreConformance, ASnapshotIsTheStoreAsItStood) {
  const auto store = Open();
  const std::int64_t before = Write(*store, Many(1500, "before"));
  const auto expected = All(*store, before);
  auto snapshot = store->TakeSnapshot();
  ASSERT_TRUE(snapshot.ok());
  const std::int64_t after = Write(*store, Many(10, "after"));
  ASSERT_TRUE(store->Drop(before).ok());
  const std::string file = folder_ + "/copy";
  ASSERT_TRUE((*snapshot)->CopyTo(file).ok());
  const auto copy = GetParam().open_copy(file);
  ASSERT_TRUE(copy.ok());
  EXPECT_TRUE((*copy)->CheckIntegrity().ok());
  EXPECT_EQ(All(**copy, before), expected);
  EXPECT_THAT(All(**copy, after), IsEmpty());
}

// A child writes generation after generation, drops the one before, and tells of each step; it is
// killed at a random one. What it told of is there, whole; nothing else counts.
TEST_P(DatasetStoreConformance, KilledAtAnyMomentAGenerationIsWholeOrDoesNotCount) {
  const unsigned seed = Seed();
  SCOPED_TRACE("LATCHKEY_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::size_t kRecords = 2200;
  Open();  // the file is made once
  std::int64_t standing = 0;
  for (int round = 0; round < 12; ++round) {
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto store = GetParam().open(folder_);
      if (!store.ok()) std::_Exit(1);
      std::int64_t last = standing;
      for (;;) {
        auto writer = (*store)->BeginGeneration(0);
        if (!writer.ok()) std::_Exit(2);
        const std::string tag = std::to_string((*writer)->generation());
        std::int64_t message = 0;  // a step
        if (!(*writer)->Append(Many(kRecords, tag), Duplicates::kReplace).ok()) std::_Exit(3);
        if (::write(told[1], &message, sizeof message) != sizeof message) std::_Exit(4);
        if (!(*writer)->Finish().ok()) std::_Exit(5);
        message = (*writer)->generation();  // finished: from here the other may go
        if (::write(told[1], &message, sizeof message) != sizeof message) std::_Exit(6);
        if (!(*store)->Drop(last).ok()) std::_Exit(7);
        last = message;
      }
    }
    ::close(told[1]);
    std::uint32_t steps = random() % 7;
    std::int64_t message = 0;
    while (steps-- > 0 && ::read(told[0], &message, sizeof message) == sizeof message) {
      if (message != 0) standing = message;
    }
    for (volatile std::uint32_t spin = random() % 3'000'000; spin > 0;) spin = spin - 1;
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    // What it told before it died counts too.
    while (::read(told[0], &message, sizeof message) == sizeof message) {
      if (message != 0) standing = message;
    }
    ::close(told[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "child ended by itself: " << WEXITSTATUS(status);

    const auto store = Open();
    ASSERT_NE(store, nullptr);
    const Status integrity = store->CheckIntegrity();
    ASSERT_TRUE(integrity.ok()) << integrity.error().internal_text;
    const auto list = store->ListGenerations();
    ASSERT_TRUE(list.ok());
    bool found = standing == 0;
    for (const Generation& generation : *list) {
      if (generation.number == standing) {
        EXPECT_TRUE(generation.finished);
        found = true;
      }
      if (generation.finished) {
        const auto records = All(*store, generation.number);
        EXPECT_EQ(records.size(), kRecords);
        const std::string tag = "[\"" + std::to_string(generation.number) + "\"";
        for (const Record& record : records) ASSERT_TRUE(record.values.starts_with(tag));
      }
      if (generation.number != standing) {
        ASSERT_TRUE(store->Drop(generation.number).ok());
      }
    }
    EXPECT_TRUE(found) << "generation " << standing;
    ASSERT_TRUE(store->CheckIntegrity().ok());
  }
}

// The disk is full as far as a child sees it: its files may not grow further.
TEST_P(DatasetStoreConformance, AFullDiskEndsTheWriterAndNothingElse) {
  std::int64_t standing = 0;
  {
    const auto store = Open();
    standing = Write(*store, Many(3000, "standing"));
  }
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 20, 1 << 20};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) std::_Exit(1);
    const auto store = GetParam().open(folder_);
    if (!store.ok()) std::_Exit(2);
    {
      auto writer = (*store)->BeginGeneration(0);
      if (!writer.ok()) std::_Exit(3);
      Status status;
      for (int part = 0; part < 100 && status.ok(); ++part) {
        status =
            (*writer)->Append(Many(3000, "too much " + std::to_string(part)), Duplicates::kReplace);
      }
      if (status.ok()) std::_Exit(4);
      const ErrorCode code = status.error().code;
      if (code != ErrorCode::kUnavailable && code != ErrorCode::kUnknown) std::_Exit(5);
    }
    RecordQuery query;
    query.limit = kEverything;
    const auto records = (*store)->Query(standing, query, UINT64_MAX, {});
    std::_Exit(records.ok() && records->size() == 3000 ? 0 : 6);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);

  const auto store = Open();
  ASSERT_TRUE(store->CheckIntegrity().ok());
  EXPECT_THAT(All(*store, standing), SizeIs(3000));
  const auto list = store->ListGenerations();
  ASSERT_TRUE(list.ok());
  for (const Generation& generation : *list) {
    EXPECT_EQ(generation.finished, generation.number == standing);
    if (!generation.finished) {
      EXPECT_TRUE(store->Drop(generation.number).ok());
    }
  }
  EXPECT_THAT(*store->ListGenerations(), SizeIs(1));
}

}  // namespace latchkey::store
