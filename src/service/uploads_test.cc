#include "service/uploads.h"

#include <algorithm>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "test/support/data_house.h"
#include "test/support/fault_vfs.h"

namespace latchkey::service {
namespace {

using core::UploadJob;
using core::UploadState;
using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::DataHouse;
using testing_support::Fault;

std::string Csv(int from, int count, int price = 1) {
  std::string text = "symbol,date,price\n";
  for (int i = from; i < from + count; ++i) {
    text += "K" + std::to_string(i) + ",2026-01-01," + std::to_string(price) + "\n";
  }
  return text;
}

class UploadsTest : public testing::Test {
 protected:
  void SetUp() override {
    house_.MakeAccount(5, "acme");
    house_.MakePrices();
  }

  UploadJob SendAndRun(std::string_view file, UploadOptions options = {}) {
    const auto sent = house_.Send(file, std::move(options));
    EXPECT_TRUE(sent.ok()) << sent.error().public_text;
    if (!sent.ok()) return {};
    house_.RunJobs();
    return house_.Job(sent->id);
  }

  DataHouse house_;
};

TEST_F(UploadsTest, AnAcknowledgedFileIsOnDiskForItsOwnerAloneAndItsJobWaits) {
  const auto sent = house_.Send(Csv(0, 3));
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent->state, UploadState::kValidating);
  EXPECT_EQ(sent->bytes, Csv(0, 3).size());
  EXPECT_EQ(sent->workspace, "acme");
  EXPECT_EQ(sent->actor.principal, "tok_00000000001");
  const std::string path = house_.folder() + "/uploads/" + sent->id.ToString();
  EXPECT_EQ(DataHouse::ReadFile(path), Csv(0, 3));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat((house_.folder() + "/uploads").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  EXPECT_THAT(house_.Values(), IsEmpty());
}

TEST_F(UploadsTest, GoesThroughItsStatesAndIsSeenAtOnce) {
  ASSERT_TRUE(house_.Write(R"([{"symbol":"OLD","date":"2026-01-01"}])").ok());
  const auto sent = house_.Send(Csv(0, 8'000));
  ASSERT_TRUE(sent.ok());
  std::string states;
  std::uint64_t lines = 0;
  UploadState last = UploadState::kFailed;
  do {
    const UploadJob job = house_.Job(sent->id);
    if (job.state != last) states.append(ToString(last = job.state)).append(" ");
    EXPECT_GE(job.lines, lines);
    lines = job.lines;
    EXPECT_THAT(house_.Values().size(), AnyOf(1U, 8'001U));
    const std::size_t least = job.state == UploadState::kIngested ? 8'001 : 1;
    EXPECT_GE(house_.Values().size(), least);
  } while (house_.runner->RunOne());
  EXPECT_EQ(states, "VALIDATING VALIDATED INGESTING INGESTED ");
  const UploadJob job = house_.Job(sent->id);
  EXPECT_EQ(job.lines, 8'000U);
  EXPECT_EQ(job.rejected, 0U);
  EXPECT_EQ(job.stored, 8'000U);
  EXPECT_EQ(house_.Find()->live->records, 8'001U);
  EXPECT_THAT(house_.real_records->GenerationsWithLayers(), IsEmpty());
  EXPECT_TRUE(house_.real_records->CheckIntegrity().ok());
  EXPECT_THAT(house_.UploadFiles(), IsEmpty());
}

TEST_F(UploadsTest, TakesJsonAndJsonLinesAndDecidesOfDuplicates) {
  EXPECT_EQ(SendAndRun(R"([{"symbol":"A","date":"2026-01-01","price":1}])").stored, 1U);
  UploadOptions ignore;
  ignore.duplicates = store::Duplicates::kIgnore;
  const UploadJob job = SendAndRun(
      "{\"symbol\":\"A\",\"date\":\"2026-01-01\",\"price\":2}\n"
      "{\"symbol\":\"B\",\"date\":\"2026-01-01\",\"price\":2}\n",
      ignore);
  EXPECT_EQ(job.state, UploadState::kIngested) << job.message;
  EXPECT_EQ(job.stored, 1U);
  EXPECT_THAT(house_.Values(), ElementsAre(R"(["A","2026-01-01",1])", R"(["B","2026-01-01",2])"));
}

TEST_F(UploadsTest, AnEmptyArrayAndAHeaderAloneStoreNothing) {
  for (const char* file : {"[]", "symbol,date,price\n"}) {
    const UploadJob job = SendAndRun(file);
    EXPECT_EQ(job.state, UploadState::kIngested) << file << job.message;
    EXPECT_EQ(job.stored, 0U);
  }
  for (const char* file : {"", "[{\"symbol\":", "symbol,none\nA,1\n"}) {
    const UploadJob job = SendAndRun(file);
    EXPECT_EQ(job.state, UploadState::kFailed) << file;
    EXPECT_NE(job.message, "");
  }
  EXPECT_THAT(house_.UploadFiles(), IsEmpty());
}

TEST_F(UploadsTest, MakesTheDatasetOnDemandWithWhatTheWholeFileShows) {
  UploadOptions options;
  options.dataset = "NEW";
  const UploadJob job = SendAndRun("ticker,when,n\nA,2026-01-01,1\nB,2026-01-02,1.5\n", options);
  ASSERT_EQ(job.state, UploadState::kIngested) << job.message;
  EXPECT_EQ(job.dataset_id, house_.Find("NEW")->dataset.id);
  EXPECT_EQ(house_.Find("NEW")->dataset.fields[2].type, core::FieldType::kNumber);
  EXPECT_THAT(house_.Values("NEW"),
              ElementsAre(R"(["B","2026-01-02",1.5])", R"(["A","2026-01-01",1])"));
  const core::AuditEvent event = house_.LastEvent();
  EXPECT_EQ(event.action, "dataset.create");
  EXPECT_EQ(event.actor.principal, "tok_00000000001");
  options.dataset = "NONE";
  options.create_on_demand = false;
  EXPECT_EQ(house_.Send("a,b\n", options).error().code, ErrorCode::kNotFound);
  options.create_on_demand = true;
  options.workspace = "nobody";
  EXPECT_EQ(house_.Send("a,b\n", options).error().code, ErrorCode::kNotFound);
}

TEST_F(UploadsTest, OverwriteReplacesAllRecordsAndKeepsTheDefinition) {
  ASSERT_TRUE(house_.Write(R"([{"symbol":"OLD","date":"2026-01-01"}])").ok());
  UploadOptions options;
  options.overwrite = true;
  const UploadJob job = SendAndRun("symbol,date\nA,2026-01-01\n", options);
  ASSERT_EQ(job.state, UploadState::kIngested) << job.message;
  EXPECT_THAT(house_.Values(), ElementsAre(R"(["A","2026-01-01",null])"));
  EXPECT_EQ(house_.Find()->dataset.fields.size(), 3U);
  EXPECT_EQ(house_.Find()->live->records, 1U);
  EXPECT_EQ(house_.LastEvent().action, "dataset.overwrite");
}

TEST_F(UploadsTest, TellsExactlyWhichLinesAreBadAndLeavesThemOutIfTheyAreFewEnough) {
  const std::string file =
      "symbol,date,price\n"
      "A,2026-01-01,1\n"
      "B,never,1\n"
      "C,2026-01-01,\"x,\"\"y\"\n"
      "D,2026-01-01\n"
      "E,2026-01-01,5\n";
  UploadOptions options;
  options.max_errors = 3;
  const UploadJob job = SendAndRun(file, options);
  ASSERT_EQ(job.state, UploadState::kIngested) << job.message;
  EXPECT_EQ(job.lines, 5U);
  EXPECT_EQ(job.rejected, 3U);
  EXPECT_EQ(job.stored, 2U);
  const auto path = house_.uploads->RejectedFile("ACME", job.id);
  ASSERT_TRUE(path.ok());
  const std::string rejected = DataHouse::ReadFile(*path);
  EXPECT_THAT(rejected, testing::StartsWith("line,reason,text\r\n3,"));
  EXPECT_THAT(rejected, AllOf(HasSubstr("\"B,never,1\"\r\n4,"),
                              HasSubstr(R"("C,2026-01-01,""x,""""y""")"), HasSubstr("\r\n5,")));
  EXPECT_EQ(std::count(rejected.begin(), rejected.end(), '\n'), 4);

  options.max_errors = 2;
  const UploadJob failed = SendAndRun(Csv(0, 1) + file.substr(18), options);
  EXPECT_EQ(failed.state, UploadState::kFailed);
  EXPECT_EQ(failed.rejected, 3U);
  EXPECT_EQ(failed.stored, 0U);
  EXPECT_THAT(failed.message, HasSubstr("3 of 6"));
  EXPECT_TRUE(house_.uploads->RejectedFile("acme", failed.id).ok());
  EXPECT_THAT(house_.Values(), SizeIs(2));
}

TEST_F(UploadsTest, AJobIsToldOnlyToItsWorkspaceAndListsAreOldestFirst) {
  std::vector<core::UploadJobId> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(house_.Send(Csv(i, 1))->id);
    house_.clock.Advance(std::chrono::seconds(1));
  }
  house_.RunJobs();
  EXPECT_EQ(house_.uploads->Find("core", ids[0]).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(house_.uploads->Find("acme", core::UploadJobId{1}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(house_.uploads->RejectedFile("acme", ids[0]).error().code, ErrorCode::kNotFound);
  PageRequest page;
  page.size = 2;
  const auto first = house_.uploads->List("ACME", page);
  ASSERT_TRUE(first.ok());
  ASSERT_THAT(first->items, SizeIs(2));
  EXPECT_EQ(first->items[0].id, ids[0]);
  page.after = first->next;
  const auto second = house_.uploads->List("acme", page);
  ASSERT_THAT(second->items, SizeIs(1));
  EXPECT_EQ(second->items[0].id, ids[2]);
  EXPECT_FALSE(second->next);
  EXPECT_THAT(house_.uploads->List("core", {})->items, IsEmpty());
}

TEST_F(UploadsTest, AnUploadThatIsGivenUpLeavesNothing) {
  {
    auto upload = house_.uploads->Begin({.workspace = "acme", .dataset = "PRICES"}, {});
    ASSERT_TRUE(upload.ok());
    ASSERT_TRUE((*upload)->Feed("symbol,date\n").ok());
    EXPECT_THAT(house_.UploadFiles(), SizeIs(1));
  }
  EXPECT_THAT(house_.UploadFiles(), IsEmpty());
  EXPECT_FALSE(house_.runner->RunOne());
}

TEST_F(UploadsTest, ThePlanBoundsTheJobsAndTheStorage) {
  core::Plan plan;
  plan.max_jobs = 2;
  plan.max_storage_bytes = 200;
  plan.max_datasets = 1;
  house_.MakeAccount(6, "small", plan);
  house_.MakePrices("small", "A");
  UploadOptions options;
  options.workspace = "small";
  options.dataset = "A";
  auto open = house_.uploads->Begin(options, {});
  ASSERT_TRUE(open.ok());
  const auto second = house_.Send(Csv(0, 2), options);
  ASSERT_TRUE(second.ok());
  const auto third = house_.Send(Csv(0, 2), options);
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().code, ErrorCode::kLimit);
  EXPECT_THAT(third.error().public_text, HasSubstr("2 uploads"));
  house_.RunJobs();
  EXPECT_EQ(house_.uploads->Find("small", second->id)->state, UploadState::kIngested);
  (*open).reset();
  // Both have ended, one way or the other. A record of these is 71 bytes: a third has no room.
  const auto large = house_.Send(Csv(2, 1), options);
  ASSERT_TRUE(large.ok()) << large.error().public_text;
  house_.RunJobs();
  const UploadJob failed = *house_.uploads->Find("small", large->id);
  EXPECT_EQ(failed.state, UploadState::kFailed);
  EXPECT_THAT(failed.message, HasSubstr("200 bytes"));
  EXPECT_THAT(house_.Values("A", "small"), SizeIs(2));
  options.overwrite = true;  // what is replaced makes room
  const auto instead = house_.Send(Csv(5, 2), options);
  ASSERT_TRUE(instead.ok());
  house_.RunJobs();
  EXPECT_EQ(house_.uploads->Find("small", instead->id)->state, UploadState::kIngested);
  options.dataset = "B";
  EXPECT_EQ(house_.Send(Csv(0, 1), options).error().code, ErrorCode::kLimit);
}

TEST_F(UploadsTest, AccountsTakeTurns) {
  house_.MakeAccount(6, "other");
  house_.MakePrices("other", "PRICES");
  const auto large = house_.Send(Csv(0, 100'000));
  UploadOptions options;
  options.workspace = "other";
  const auto small = house_.Send(Csv(0, 10), options);
  ASSERT_TRUE(large.ok() && small.ok());
  int steps = 0;
  while (house_.uploads->Find("other", small->id)->state != UploadState::kIngested) {
    ASSERT_TRUE(house_.runner->RunOne());
    ++steps;
  }
  EXPECT_LT(steps, 40);
  EXPECT_EQ(house_.Job(large->id).state, UploadState::kValidating);
  EXPECT_GT(house_.Job(large->id).lines, 0U);
}

TEST_F(UploadsTest, BeginsAnewWhenTheDatasetIsChangedUnderIt) {
  const auto sent = house_.Send(Csv(0, 9'000));
  while (house_.Job(sent->id).state != UploadState::kIngesting) house_.runner->RunOne();
  house_.runner->RunOne();
  UploadOptions options;
  options.overwrite = true;
  ImportOptions import_options;
  import_options.workspace = "acme";
  import_options.name = "PRICES";
  import_options.fields = house_.Find()->dataset.fields;
  auto import = house_.datasets->BeginImport(import_options, {});
  ASSERT_TRUE((*import)->Feed("symbol,date,price\nNEW,2026-01-01,1\n").ok());
  ASSERT_TRUE((*import)->Finish().ok());
  house_.clock.Advance(std::chrono::minutes(5));
  ASSERT_TRUE(house_.datasets->Sweep().ok());
  house_.RunJobs();
  const UploadJob job = house_.Job(sent->id);
  EXPECT_EQ(job.state, UploadState::kIngested) << job.message;
  EXPECT_EQ(job.stored, 9'000U);
  EXPECT_THAT(house_.Values(), SizeIs(9'001));
}

TEST_F(UploadsTest, WhatIsRemovedDoesNotComeBackWithAFileThatWasSentBefore) {
  for (const bool restart : {false, true}) {
    const auto sent = house_.Send(Csv(0, 9'000));
    while (house_.Job(sent->id).state != UploadState::kIngesting) house_.runner->RunOne();
    const auto waits = house_.Send(Csv(0, 10));
    ASSERT_TRUE(house_.definitions->Remove(house_.Find()->dataset.id, {}, {}).ok());
    if (restart) house_.Restart();
    house_.RunJobs();
    for (const core::UploadJobId id : {sent->id, waits->id}) {
      EXPECT_EQ(house_.Job(id).state, UploadState::kFailed);
      EXPECT_THAT(house_.Job(id).message, HasSubstr("was removed"));
    }
    EXPECT_EQ(house_.Find(), nullptr);
    EXPECT_THAT(house_.UploadFiles(), IsEmpty());
    house_.MakePrices();
  }
}

TEST_F(UploadsTest, FinishedJobsAreForgottenAfterAWeek) {
  UploadOptions options;
  options.max_errors = 5;
  const UploadJob job = SendAndRun(Csv(0, 1) + "B,never,1\n", options);
  ASSERT_EQ(job.rejected, 1U);
  house_.clock.Advance(std::chrono::hours(7 * 24));
  ASSERT_TRUE(house_.uploads->Sweep().ok());
  EXPECT_TRUE(house_.uploads->Find("acme", job.id).ok());
  house_.clock.Advance(std::chrono::seconds(1));
  ASSERT_TRUE(house_.uploads->Sweep().ok());
  EXPECT_EQ(house_.uploads->Find("acme", job.id).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(house_.UploadFiles(), IsEmpty());
  EXPECT_THAT(house_.Values(), SizeIs(1));
}

TEST_F(UploadsTest, OfEachWorkspaceOnlyTheLastJobsThatEndedAreKept) {
  house_.MakeAccount(6, "other");
  std::vector<core::UploadJobId> jobs;
  UploadOptions options;
  options.max_errors = 5;
  for (int i = 0; i < 4; ++i) {
    jobs.push_back(SendAndRun(Csv(0, 1) + "B,never,1\n", options).id);
  }
  options.workspace = "other";
  const auto foreign = house_.Send(Csv(0, 1), options);
  ASSERT_TRUE(foreign.ok());
  house_.RunJobs();
  Uploads few(*house_.datasets, *house_.limits, *house_.runner,
              {.directory = house_.folder() + "/uploads", .keep_finished_jobs = 2});
  ASSERT_TRUE(few.Sweep().ok());
  const auto left = few.Newest("ACME", 10);
  ASSERT_TRUE(left.ok());
  ASSERT_THAT(*left, SizeIs(2));
  EXPECT_EQ((*left)[0].id, jobs[3]);
  EXPECT_EQ((*left)[1].id, jobs[2]);
  EXPECT_THAT(*few.Newest("acme", 1), SizeIs(1));
  EXPECT_TRUE(few.Find("other", foreign->id).ok());
  // Their rejected lines too.
  EXPECT_THAT(house_.UploadFiles(), SizeIs(2));
}

TEST_F(UploadsTest, RejectedLinesTakeABoundedPartOfTheDisk) {
  std::string file = "symbol,date,price\n";
  const std::string bad = "B,never," + std::string(1'000, 'x') + "\n";
  constexpr std::uint64_t kLines = 8'500;
  for (std::uint64_t i = 0; i < kLines; ++i) file += bad;
  const UploadJob job = SendAndRun(file);
  EXPECT_EQ(job.rejected, kLines);
  const auto path = house_.uploads->RejectedFile("acme", job.id);
  ASSERT_TRUE(path.ok());
  EXPECT_GT(std::filesystem::file_size(*path), Uploads::kMaxRejectedBytes / 2);
  EXPECT_LE(std::filesystem::file_size(*path), Uploads::kMaxRejectedBytes + 4'096);
}

// The folder as it is between any two steps is what a kill would leave: a start with it ends with
// the whole file once, for a new dataset, one that is overwritten and one that is added to.
TEST(UploadsKillTest, GoesOnFromEveryStepWithAllOfItOrTheOldAndNeverTwice) {
  for (const char* kind : {"new", "overwrite", "layer"}) {
    DataHouse house;
    house.MakeAccount(5, "acme");
    UploadOptions options;
    options.max_errors = 1;
    std::size_t before = 0;
    if (std::string_view(kind) != "new") {
      house.MakePrices();
      ASSERT_TRUE(house.Write(R"([{"symbol":"OLD","date":"2026-01-01"}])").ok());
      before = 1;
    }
    options.overwrite = std::string_view(kind) == "overwrite";
    options.duplicates = store::Duplicates::kIgnore;  // twice would store nothing
    const std::size_t after = std::string_view(kind) == "layer" ? 6'001 : 6'000;
    const auto sent = house.Send(Csv(0, 6'000) + "BAD,2026-01-01,x,x\n", options);
    ASSERT_TRUE(sent.ok());
    int steps = 0;
    do {
      EXPECT_THAT(house.Values().size(), AnyOf(before, after)) << kind << steps;
      DataHouse again(house.folder());
      EXPECT_THAT(again.Values().size(), AnyOf(before, after)) << kind << steps;
      again.RunJobs();
      const UploadJob job = again.Job(sent->id);
      EXPECT_EQ(job.state, UploadState::kIngested) << kind << steps << job.message;
      EXPECT_EQ(job.lines, 6'001U) << kind << steps;
      EXPECT_EQ(job.rejected, 1U) << kind << steps;
      EXPECT_EQ(job.stored, 6'000U) << kind << steps;
      EXPECT_THAT(again.Values(), SizeIs(after)) << kind << steps;
      EXPECT_THAT(again.UploadFiles(), ElementsAre(sent->id.ToString() + ".rejected"));
      ASSERT_TRUE(again.datasets->Sweep().ok());
      again.clock.Advance(std::chrono::minutes(5));
      ASSERT_TRUE(again.datasets->Sweep().ok());
      EXPECT_EQ(again.Generations(), 1U) << kind << steps;
      EXPECT_TRUE(again.real_records->CheckIntegrity().ok());
      ++steps;
    } while (house.runner->RunOne());
    EXPECT_GT(steps, 8);
  }
}

// The moment between the records' publication and the end of the job.
TEST(UploadsKillTest, AKillAfterThePublicationDoesNotTakeTheFileTwice) {
  for (const bool standing : {true, false}) {
    for (const bool overwrite : {true, false}) {
      DataHouse house;
      house.MakeAccount(5, "acme");
      if (standing) house.MakePrices();
      UploadOptions options;
      options.overwrite = overwrite;
      options.duplicates = store::Duplicates::kIgnore;  // twice would store nothing
      const auto sent = house.Send(Csv(0, 10), options);
      house.records->fail_ended_jobs = true;
      house.RunJobs();
      EXPECT_THAT(house.Values(), SizeIs(10));
      EXPECT_THAT(house.UploadFiles(), testing::Contains(sent->id.ToString()));
      DataHouse again(house.folder());
      again.RunJobs();
      EXPECT_EQ(again.Job(sent->id).state, UploadState::kIngested);
      EXPECT_EQ(again.Job(sent->id).stored, 10U) << standing << overwrite;
      EXPECT_EQ(again.Job(sent->id).lines, 10U) << standing << overwrite;
      EXPECT_THAT(again.Values(), SizeIs(10));
      EXPECT_EQ(again.Find()->dataset.version, house.Find()->dataset.version);
      EXPECT_THAT(again.UploadFiles(), IsEmpty());
      // And without a kill, once there is room again.
      house.records->fail_ended_jobs = false;
      house.clock.Advance(std::chrono::minutes(1));
      house.RunJobs();
      EXPECT_EQ(house.Job(sent->id).stored, 10U);
      EXPECT_THAT(house.UploadFiles(), IsEmpty());
    }
  }
}

TEST(UploadsKillTest, AFileThatWasNotAcknowledgedGoesWithTheNextStart) {
  DataHouse house;
  house.MakeAccount(5, "acme");
  house.MakePrices();
  auto upload = house.uploads->Begin({.workspace = "acme", .dataset = "PRICES"}, {});
  ASSERT_TRUE((*upload)->Feed(Csv(0, 1)).ok());
  DataHouse again(house.folder());
  EXPECT_THAT(again.UploadFiles(), IsEmpty());
  EXPECT_FALSE(again.runner->RunOne());
}

// A kill between the end of a job and the removal of its files leaves both.
TEST(UploadsKillTest, FilesOfAnEndedJobGoWithTheNextStartButForItsRejectedLines) {
  DataHouse house;
  house.MakeAccount(5, "acme");
  house.MakePrices();
  UploadOptions options;
  options.max_errors = 1;
  const auto good = house.Send(Csv(0, 1), options);
  const auto bad = house.Send(Csv(0, 1) + "B,never,1\n", options);
  ASSERT_TRUE(good.ok() && bad.ok());
  house.RunJobs();
  const std::string folder = house.folder() + "/uploads/";
  for (const core::UploadJobId id : {good->id, bad->id}) {
    std::ofstream(folder + id.ToString()) << "left";
  }
  std::ofstream(folder + good->id.ToString() + ".rejected") << "left";
  house.Restart();
  EXPECT_THAT(house.UploadFiles(), SizeIs(1));
  EXPECT_TRUE(house.uploads->RejectedFile("acme", bad->id).ok());
}

TEST(UploadsKillTest, AJobWhoseFileIsGoneFailsAndSaysSo) {
  DataHouse house;
  house.MakeAccount(5, "acme");
  house.MakePrices();
  const auto sent = house.Send(Csv(0, 1));
  std::filesystem::remove(house.folder() + "/uploads/" + sent->id.ToString());
  house.Restart();
  house.RunJobs();
  EXPECT_EQ(house.Job(sent->id).state, UploadState::kFailed);
  EXPECT_THAT(house.Job(sent->id).message, HasSubstr("gone"));
}

TEST(UploadsFaultTest, AFullDiskFailsTheJobWholeOrNotAtAllAndNothingStaysBehind) {
  test::FaultVfs vfs("uploads-faults");
  bool ingested = false;
  for (int writes = 0; writes < 400 && !ingested; writes += 1 + writes / 8) {
    DataHouse house({}, vfs.name());
    house.MakeAccount(5, "acme");
    house.MakePrices();
    ASSERT_TRUE(house.Write(R"([{"symbol":"OLD","date":"2026-01-01"}])").ok());
    const auto sent = house.Send(Csv(0, 1'500));
    ASSERT_TRUE(sent.ok());
    vfs.FillUpAfterWrites(writes);
    house.RunJobs();
    EXPECT_THAT(house.Values().size(), AnyOf(1U, 1'501U)) << writes;
    vfs.Heal();
    house.clock.Advance(std::chrono::minutes(1));
    house.RunJobs();
    const UploadJob job = house.Job(sent->id);
    ASSERT_TRUE(job.Finished()) << writes;
    ingested = job.state == UploadState::kIngested;
    const std::size_t expected = ingested ? 1'501 : 1;
    EXPECT_THAT(house.Values(), SizeIs(expected)) << writes << job.message;
    EXPECT_THAT(job.message, HasSubstr(ingested ? "" : "full"));
    ASSERT_TRUE(house.datasets->Sweep().ok());
    EXPECT_THAT(house.UploadFiles(), IsEmpty());
    house.Restart();
    EXPECT_THAT(house.Values(), SizeIs(expected)) << writes;
    ASSERT_TRUE(house.datasets->Sweep().ok());
    EXPECT_EQ(house.Generations(), 1U);
    EXPECT_TRUE(house.real_records->CheckIntegrity().ok());
  }
  EXPECT_TRUE(ingested);
}

TEST(UploadsFaultTest, APublicationOfUnknownOutcomeIsWhatTheJobsRowShows) {
  for (const Fault fault : {Fault::kNotDone, Fault::kUnknownNotDone, Fault::kUnknownDone}) {
    DataHouse house;
    house.MakeAccount(5, "acme");
    house.MakePrices();
    UploadOptions options;
    options.duplicates = store::Duplicates::kIgnore;  // twice would store nothing
    const auto sent = house.Send(Csv(0, 10), options);
    ASSERT_TRUE(sent.ok());
    house.records->fail_publish = fault;
    house.RunJobs();
    const UploadJob job = house.Job(sent->id);
    EXPECT_EQ(job.state, fault == Fault::kNotDone ? UploadState::kFailed : UploadState::kIngested);
    EXPECT_EQ(job.stored, fault == Fault::kNotDone ? 0U : 10U);
    EXPECT_THAT(house.Values(), SizeIs(fault == Fault::kNotDone ? 0 : 10));
    EXPECT_THAT(house.UploadFiles(), IsEmpty());
    EXPECT_THAT(house.real_records->GenerationsWithLayers(), IsEmpty());
  }
}

TEST(UploadsFaultTest, ACommitOfUnknownOutcomeIsWhatTheStoreShows) {
  for (const Fault fault : {Fault::kNotDone, Fault::kUnknownNotDone, Fault::kUnknownDone}) {
    DataHouse house;
    house.MakeAccount(5, "acme");
    const auto sent = house.Send(Csv(0, 10));
    ASSERT_TRUE(sent.ok());
    house.store->FailNextChange(fault);
    house.RunJobs();
    const UploadJob job = house.Job(sent->id);
    if (fault == Fault::kNotDone) {
      EXPECT_EQ(job.state, UploadState::kFailed);
      EXPECT_EQ(house.Find(), nullptr);
      continue;
    }
    EXPECT_EQ(job.state,
              fault == Fault::kUnknownDone ? UploadState::kIngested : UploadState::kIngesting);
    house.Restart();
    house.RunJobs();
    EXPECT_EQ(house.Job(sent->id).state, UploadState::kIngested);
    EXPECT_THAT(house.Values(), SizeIs(10));
  }
}

}  // namespace
}  // namespace latchkey::service
