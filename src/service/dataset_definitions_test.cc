#include "service/dataset_definitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/data_house.h"

namespace latchkey::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::DataHouse;
using testing_support::Fault;

class DatasetDefinitionsTest : public testing::Test {
 protected:
  void SetUp() override { house_.MakeAccount(5, "acme"); }

  ErrorCode CodeOf(const Result<EntryPointer>& result) {
    return result.ok() ? ErrorCode::kInternal : result.error().code;
  }

  DataHouse house_;
};

TEST_F(DatasetDefinitionsTest, CreatesADatasetWithoutRecordsThatStandsAfterARestart) {
  const EntryPointer made = house_.MakePrices();
  EXPECT_EQ(made->dataset.name, "PRICES");
  EXPECT_EQ(made->dataset.title, "PRICES");
  EXPECT_EQ(made->dataset.owner, core::AccountId{5});
  EXPECT_EQ(made->dataset.version, 1);
  EXPECT_EQ(made->live->records, 0U);
  EXPECT_THAT(house_.Values(), IsEmpty());
  const core::AuditEvent event = house_.LastEvent();
  EXPECT_EQ(event.action, "dataset.create");
  EXPECT_EQ(event.account, core::AccountId{5});
  EXPECT_THAT(event.after, HasSubstr("acme/PRICES"));
  house_.Restart();
  ASSERT_NE(house_.Find(), nullptr);
  EXPECT_THAT(house_.Values(), IsEmpty());
}

TEST_F(DatasetDefinitionsTest, ANameIsTakenWithoutCaseAndOnlyInItsWorkspace) {
  house_.MakePrices();
  const auto again = house_.definitions->Create(DataHouse::Prices("acme", "prices"), {});
  EXPECT_EQ(CodeOf(again), ErrorCode::kConflict);
  EXPECT_TRUE(house_.definitions->Create(DataHouse::Prices("core", "prices"), {}).ok());
  EXPECT_EQ(house_.Generations(), 2U);
}

TEST_F(DatasetDefinitionsTest, RefusesWhatCantHoldAndNamesTheField) {
  struct {
    const char* field;
    std::function<void(NewDataset&)> spoil;
  } const cases[] = {
      {"fields", [](NewDataset& d) { d.fields.clear(); }},
      {"key", [](NewDataset& d) { d.key_field = "none"; }},
      {"date", [](NewDataset& d) { d.date_field = "price"; }},
      {"name", [](NewDataset& d) { d.name = "_system"; }},
      {"fields",
       [](NewDataset& d) { d.fields.push_back({"SYMBOL", core::FieldType::kAny, false}); }},
      {"title", [](NewDataset& d) { d.title = std::string(300, 'x'); }},
      {"source", [](NewDataset& d) { d.source = std::string(300, 'x'); }},
      {"weight", [](NewDataset& d) { d.weight = 2'000'000; }},
  };
  for (const auto& c : cases) {
    NewDataset dataset = DataHouse::Prices("acme", "A");
    c.spoil(dataset);
    const auto made = house_.definitions->Create(dataset, {});
    ASSERT_EQ(CodeOf(made), ErrorCode::kInvalid) << c.field;
    EXPECT_THAT(made.error().public_text, HasSubstr(c.field));
  }
  EXPECT_EQ(CodeOf(house_.definitions->Create(DataHouse::Prices("nobody", "A"), {})),
            ErrorCode::kNotFound);
  EXPECT_EQ(house_.Generations(), 0U);
}

TEST_F(DatasetDefinitionsTest, ChangesWhatMayChangeAndTheRecordsStay) {
  const EntryPointer made = house_.MakePrices();
  ASSERT_TRUE(house_.Write(R"([{"symbol":"A","date":"2026-01-01","price":1}])").ok());
  DatasetPatch patch;
  patch.name = "QUOTES";
  patch.title = "Quotes";
  patch.weight = 7;
  patch.fields = made->dataset.fields;
  patch.fields->insert(patch.fields->begin(), {"note", core::FieldType::kString, false});
  (*patch.fields)[3].type = core::FieldType::kAny;
  const auto changed = house_.definitions->Change(made->dataset.id, patch, 1, DataHouse::Actor());
  ASSERT_TRUE(changed.ok()) << changed.error().public_text;
  EXPECT_EQ((*changed)->dataset.version, 2);
  EXPECT_EQ((*changed)->dataset.fields[3].name, "note");
  EXPECT_EQ((*changed)->live, made->live);
  EXPECT_EQ(house_.Find("PRICES"), nullptr);
  EXPECT_EQ(house_.Find("quotes"), *changed);
  EXPECT_THAT(house_.Values("QUOTES"), ElementsAre(R"(["A","2026-01-01",1])"));
  EXPECT_EQ(house_.LastEvent().action, "dataset.update");
  house_.Restart();
  EXPECT_THAT(house_.Values("QUOTES"), ElementsAre(R"(["A","2026-01-01",1])"));
  EXPECT_EQ(house_.Find("QUOTES")->dataset.weight, 7U);
}

TEST_F(DatasetDefinitionsTest, RefusesAStaleVersionATakenNameAndAFieldThatGoes) {
  const core::DatasetId id = house_.MakePrices()->dataset.id;
  house_.MakePrices("acme", "OTHER");
  DatasetPatch patch;
  patch.title = "x";
  EXPECT_EQ(CodeOf(house_.definitions->Change(id, patch, 2, {})), ErrorCode::kStale);
  patch.name = "other";
  EXPECT_EQ(CodeOf(house_.definitions->Change(id, patch, 1, {})), ErrorCode::kConflict);
  patch.name = "prices";  // its own, in another case
  EXPECT_TRUE(house_.definitions->Change(id, patch, 1, {}).ok());
  DatasetPatch fewer;
  fewer.fields = house_.Find()->dataset.fields;
  fewer.fields->pop_back();
  const auto refused = house_.definitions->Change(id, fewer, std::nullopt, {});
  ASSERT_EQ(CodeOf(refused), ErrorCode::kInvalid);
  EXPECT_THAT(refused.error().public_text, HasSubstr("price"));
  EXPECT_EQ(CodeOf(house_.definitions->Change(core::DatasetId{99}, patch, 1, {})),
            ErrorCode::kNotFound);
}

TEST_F(DatasetDefinitionsTest, ThePlanBoundsHowManyThereAre) {
  core::Plan plan;
  plan.max_datasets = 2;
  house_.MakeAccount(6, "small", plan);
  house_.MakePrices("small", "A");
  const core::DatasetId second = house_.MakePrices("small", "B")->dataset.id;
  const auto third = house_.definitions->Create(DataHouse::Prices("small", "C"), {});
  ASSERT_EQ(CodeOf(third), ErrorCode::kLimit);
  EXPECT_THAT(third.error().public_text, HasSubstr("2 datasets"));
  ASSERT_TRUE(house_.definitions->Remove(second, std::nullopt, {}).ok());
  EXPECT_TRUE(house_.definitions->Create(DataHouse::Prices("small", "C"), {}).ok());
}

TEST_F(DatasetDefinitionsTest, RemovesADatasetWithItsRecords) {
  const core::DatasetId id = house_.MakePrices()->dataset.id;
  ASSERT_TRUE(house_.Write(R"([{"symbol":"A","date":"2026-01-01"}])").ok());
  EXPECT_EQ(house_.definitions->Remove(id, 9, {}).error().code, ErrorCode::kStale);
  ASSERT_TRUE(house_.definitions->Remove(id, 1, DataHouse::Actor()).ok());
  EXPECT_EQ(house_.Find(), nullptr);
  EXPECT_EQ(house_.LastEvent().action, "dataset.remove");
  EXPECT_EQ(house_.definitions->Remove(id, 1, {}).error().code, ErrorCode::kNotFound);
  house_.clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(house_.datasets->Sweep().ok());
  EXPECT_EQ(house_.Generations(), 0U);
}

TEST_F(DatasetDefinitionsTest, WhatTheStoreDidNotDoLeavesNothing) {
  house_.store->FailNextChange(Fault::kNotDone);
  EXPECT_EQ(CodeOf(house_.definitions->Create(DataHouse::Prices("acme", "A"), {})),
            ErrorCode::kUnavailable);
  EXPECT_EQ(house_.Find("A"), nullptr);
  ASSERT_TRUE(house_.datasets->Sweep().ok());
  EXPECT_EQ(house_.Generations(), 0U);
  const core::DatasetId id = house_.MakePrices()->dataset.id;
  DatasetPatch patch;
  patch.title = "x";
  house_.store->FailNextChange(Fault::kNotDone);
  EXPECT_EQ(CodeOf(house_.definitions->Change(id, patch, 1, {})), ErrorCode::kUnavailable);
  EXPECT_EQ(house_.Find()->dataset.title, "PRICES");
}

TEST_F(DatasetDefinitionsTest, AnUnknownOutcomeIsWhatTheStoreShows) {
  house_.store->FailNextChange(Fault::kUnknownDone);
  ASSERT_TRUE(house_.definitions->Create(DataHouse::Prices("acme", "A"), {}).ok());
  EXPECT_THAT(house_.Values("A"), IsEmpty());
  house_.store->FailNextChange(Fault::kUnknownNotDone);
  EXPECT_EQ(CodeOf(house_.definitions->Create(DataHouse::Prices("acme", "B"), {})),
            ErrorCode::kUnknown);
  EXPECT_EQ(house_.Find("B"), nullptr);
  const core::DatasetId id = house_.Find("A")->dataset.id;
  DatasetPatch patch;
  patch.title = "x";
  house_.store->FailNextChange(Fault::kUnknownDone);
  ASSERT_TRUE(house_.definitions->Change(id, patch, 1, {}).ok());
  house_.store->FailNextChange(Fault::kUnknownNotDone);
  EXPECT_EQ(house_.definitions->Remove(id, 2, {}).error().code, ErrorCode::kUnknown);
  EXPECT_EQ(house_.Find("A")->dataset.title, "x");
  house_.store->FailNextChange(Fault::kUnknownDone);
  EXPECT_TRUE(house_.definitions->Remove(id, 2, {}).ok());
  EXPECT_EQ(house_.Find("A"), nullptr);
  house_.Restart();
  EXPECT_EQ(house_.catalogue.Snapshot()->size(), 0U);
}

TEST_F(DatasetDefinitionsTest, AnIdempotentAnswerIsStoredWithTheCreation) {
  IdempotencyRecord<CatalogueEntry> record;
  record.scope = "tok_1 datasets";
  record.key_digest[0] = 1;
  record.seal = [](const CatalogueEntry& entry) {
    return NameOf(entry.dataset) + FormatRfc3339(entry.dataset.created_at);
  };
  const auto made = house_.definitions->Create(DataHouse::Prices("acme", "A"), {}, &record);
  ASSERT_TRUE(made.ok());
  const auto answer = house_.store->FindAnswer(record.scope, record.key_digest, Timestamp{});
  ASSERT_TRUE(answer.ok() && *answer);
  EXPECT_EQ((*answer)->sealed_answer, "acme/A" + FormatRfc3339((*made)->dataset.created_at));
  EXPECT_EQ(CodeOf(house_.definitions->Create(DataHouse::Prices("acme", "B"), {}, &record)),
            ErrorCode::kConflict);
}

}  // namespace
}  // namespace latchkey::service
