#include "test/store_conformance/state_store_conformance.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/encoding.h"

namespace latchkey::store {

using testing::ElementsAre;
using testing::IsEmpty;

core::Plan TestPlan(std::int64_t number) {
  core::Plan plan;
  plan.id.value = number;
  plan.name = fmt::format("plan-{}", number);
  plan.title = fmt::format("Plan № {}", number);
  plan.monthly_core_credits = std::numeric_limits<std::uint64_t>::max() - 5;
  plan.pay_as_you_go = true;
  plan.premium_data = number % 2 == 0;
  if (number % 2 == 0) {
    plan.max_tokens = std::numeric_limits<std::uint32_t>::max();
    plan.max_datasets = 7;
    plan.max_storage_bytes = std::numeric_limits<std::uint64_t>::max();
    plan.max_jobs = 0;
  }
  plan.created_at = kTestTime + std::chrono::milliseconds(number);
  return plan;
}

core::Account TestAccount(std::int64_t number, std::int64_t plan) {
  core::Account account;
  account.id.value = number;
  account.plan.value = plan;
  account.state = number % 2 == 0 ? core::AccountState::kSuspended : core::AccountState::kActive;
  account.browser_guard = number % 3 != 0;
  account.workspace = fmt::format("workspace-{}", number);
  account.title = fmt::format("The \"{}\" & sons", number);
  account.created_at = kTestTime + std::chrono::milliseconds(number);
  return account;
}

core::TokenRecord TestToken(std::int64_t number, std::int64_t account) {
  core::TokenRecord record;
  const bool secret = number % 2 == 0;
  record.token.id.value = number;
  record.token.account.value = account;
  record.token.kind = secret ? core::TokenKind::kSecret : core::TokenKind::kPublishable;
  record.token.environment = number % 3 == 0 ? core::Environment::kTest : core::Environment::kLive;
  record.token.enabled = number % 5 != 0;
  record.token.core_data_access = number % 7 != 0;
  record.token.created_at = kTestTime + std::chrono::milliseconds(number);
  if (number % 4 == 1) record.token.expires_at = kTestTime + std::chrono::hours(number);
  record.token.digest = Sha256(fmt::format("token {}", number));
  record.profile.nickname = fmt::format("Token {} of Zoë", number);
  record.profile.end_user = secret ? "" : fmt::format("customer-{}", number);
  record.profile.labels = {{"project", fmt::format("site \"{}\"", number)}, {"app", "iOS"}};
  record.profile.created_by = "operator";
  record.profile.shown_text = fmt::format("{}_shown_{}", secret ? "sk" : "pk", number);
  if (secret) {
    record.profile.sealed_key_state = fmt::format("sealed\0\xff{}", number);
    record.profile.sealed_key_state[6] = '\0';
    record.profile.master_key_id = 0xffffffff;
  }
  return record;
}

core::Dataset TestDataset(std::int64_t number) {
  core::Dataset dataset;
  dataset.id.value = number;
  dataset.dataset_class = core::DatasetClass::kCore;
  dataset.workspace = "core";
  dataset.name = fmt::format("STOCKS{}", number);
  dataset.title = "Prices";
  dataset.source = "An exchange, \"é\"";
  dataset.fields = {{"symbol", core::FieldType::kString, true},
                    {"Tag \"é\"", core::FieldType::kDate, false},
                    {"price", core::FieldType::kNumber, false}};
  dataset.key_field = "symbol";
  dataset.date_field = "Tag \"é\"";
  dataset.weight = 1'000'000;
  dataset.test = true;
  dataset.generation = 17;
  dataset.created_at = kTestTime;
  dataset.updated_at = kTestTime + std::chrono::milliseconds(1);
  return dataset;
}

Mutation Change(StateChange change, std::string_view action) {
  Mutation mutation;
  mutation.changes.push_back(std::move(change));
  mutation.event.at = kTestTime;
  mutation.event.actor = {"operator", "198.51.100.7", "req-1"};
  mutation.event.action = action;
  mutation.event.subject = "something";
  mutation.event.account.value = 1;
  mutation.event.before = R"({"a":1})";
  mutation.event.after = R"({"a":2})";
  return mutation;
}

Mutation Create(core::Plan plan) { return Change(PutPlan{std::move(plan), std::nullopt}); }
Mutation Create(core::Account account) {
  return Change(PutAccount{std::move(account), std::nullopt});
}
Mutation Create(core::TokenRecord record) {
  return Change(PutToken{std::move(record), {}, {}, {}});
}
Mutation Create(core::Dataset dataset) {
  return Change(PutDataset{std::move(dataset), std::nullopt});
}

void StateStoreConformanceTest::SetUp() {
  place_ = GetParam().make();
  store_ = place_->Open();
  ASSERT_NE(store_, nullptr);
}

void StateStoreConformanceTest::Reopen() {
  store_.reset();
  store_ = place_->Open();
  ASSERT_NE(store_, nullptr);
}

std::int64_t StateStoreConformanceTest::Do(Mutation mutation) {
  const Result<std::int64_t> done = store_->Commit(std::move(mutation));
  EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().internal_text);
  return done.ok() ? *done : -1;
}

void StateStoreConformanceTest::CreateAccount() {
  Do(Create(TestPlan(1)));
  Do(Create(TestAccount(1)));
}

namespace {

template <typename T>
ErrorCode CodeOf(const Result<T>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? ErrorCode::kInternal : result.error().code;
}

Page PageOf(std::size_t size) { return {.size = size, .after_created_at = {}, .after_id = 0}; }

template <typename T>
std::vector<std::int64_t> Ids(const Result<std::vector<T>>& rows) {
  std::vector<std::int64_t> ids;
  EXPECT_TRUE(rows.ok());
  if (!rows.ok()) return ids;
  for (const T& row : *rows) {
    if constexpr (std::is_same_v<T, core::TokenRecord>) {
      ids.push_back(row.token.id.value);
    } else {
      ids.push_back(row.id.value);
    }
  }
  return ids;
}

void ExpectSame(const core::TokenRecord& a, const core::TokenRecord& b) {
  EXPECT_EQ(a.token.id, b.token.id);
  EXPECT_EQ(a.token.account, b.token.account);
  EXPECT_EQ(a.token.kind, b.token.kind);
  EXPECT_EQ(a.token.environment, b.token.environment);
  EXPECT_EQ(a.token.enabled, b.token.enabled);
  EXPECT_EQ(a.token.core_data_access, b.token.core_data_access);
  EXPECT_EQ(a.token.created_at, b.token.created_at);
  EXPECT_EQ(a.token.expires_at, b.token.expires_at);
  EXPECT_EQ(a.token.digest, b.token.digest);
  EXPECT_EQ(a.profile.nickname, b.profile.nickname);
  EXPECT_EQ(a.profile.labels, b.profile.labels);
  EXPECT_EQ(a.profile.end_user, b.profile.end_user);
  EXPECT_EQ(a.profile.created_by, b.profile.created_by);
  EXPECT_EQ(a.profile.shown_text, b.profile.shown_text);
  EXPECT_EQ(a.profile.sealed_key_state, b.profile.sealed_key_state);
  EXPECT_EQ(a.profile.master_key_id, b.profile.master_key_id);
  EXPECT_EQ(a.version, b.version);
}

void ExpectSame(const core::Plan& a, const core::Plan& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.title, b.title);
  EXPECT_EQ(a.monthly_core_credits, b.monthly_core_credits);
  EXPECT_EQ(a.pay_as_you_go, b.pay_as_you_go);
  EXPECT_EQ(a.premium_data, b.premium_data);
  EXPECT_EQ(a.max_tokens, b.max_tokens);
  EXPECT_EQ(a.max_datasets, b.max_datasets);
  EXPECT_EQ(a.max_storage_bytes, b.max_storage_bytes);
  EXPECT_EQ(a.max_jobs, b.max_jobs);
  EXPECT_EQ(a.created_at, b.created_at);
  EXPECT_EQ(a.version, b.version);
}

void ExpectSame(const core::Account& a, const core::Account& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.plan, b.plan);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.browser_guard, b.browser_guard);
  EXPECT_EQ(a.workspace, b.workspace);
  EXPECT_EQ(a.title, b.title);
  EXPECT_EQ(a.created_at, b.created_at);
  EXPECT_EQ(a.version, b.version);
}

void ExpectSame(const core::Dataset& a, const core::Dataset& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.dataset_class, b.dataset_class);
  EXPECT_EQ(a.owner, b.owner);
  EXPECT_EQ(a.workspace, b.workspace);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.title, b.title);
  EXPECT_EQ(a.source, b.source);
  ASSERT_EQ(a.fields.size(), b.fields.size());
  for (std::size_t i = 0; i < a.fields.size(); ++i) {
    EXPECT_EQ(a.fields[i].name, b.fields[i].name);
    EXPECT_EQ(a.fields[i].type, b.fields[i].type);
    EXPECT_EQ(a.fields[i].required, b.fields[i].required);
  }
  EXPECT_EQ(a.key_field, b.key_field);
  EXPECT_EQ(a.subkey_field, b.subkey_field);
  EXPECT_EQ(a.date_field, b.date_field);
  EXPECT_EQ(a.weight, b.weight);
  EXPECT_EQ(a.test, b.test);
  EXPECT_EQ(a.generation, b.generation);
  EXPECT_EQ(a.created_at, b.created_at);
  EXPECT_EQ(a.updated_at, b.updated_at);
  EXPECT_EQ(a.version, b.version);
}

// ---- Every value comes back

TEST_P(StateStoreConformanceTest, GivesBackWhatWasStoredAlsoAfterReopening) {
  for (const std::int64_t number : {1, 2}) {
    Do(Create(TestPlan(number)));
    Do(Create(TestAccount(number, number)));
  }
  for (std::int64_t number = 1; number <= 8; ++number) Do(Create(TestToken(number)));
  Do(Create(TestDataset(1)));
  core::Dataset owned = TestDataset(2);
  owned.dataset_class = core::DatasetClass::kWorkspace;
  owned.owner.value = 2;
  owned.workspace = "workspace-2";
  Do(Create(owned));

  for (const bool reopened : {false, true}) {
    SCOPED_TRACE(reopened);
    if (reopened) Reopen();
    for (const std::int64_t number : {1, 2}) {
      ExpectSame(*store_->GetPlan({number}), TestPlan(number));
      ExpectSame(*store_->FindPlan(TestPlan(number).name), TestPlan(number));
      ExpectSame(*store_->GetAccount({number}), TestAccount(number, number));
      ExpectSame(*store_->FindAccount(TestAccount(number).workspace), TestAccount(number, number));
    }
    for (std::int64_t number = 1; number <= 8; ++number) {
      ExpectSame(*store_->GetToken({number}), TestToken(number));
    }
    ExpectSame(*store_->GetDataset({1}), TestDataset(1));
    ExpectSame(*store_->GetDataset({2}), owned);
  }
}

TEST_P(StateStoreConformanceTest, SaysNotFoundForWhatIsNotThere) {
  EXPECT_EQ(CodeOf(store_->GetPlan({9})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->GetAccount({9})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->GetToken({9})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->GetDataset({9})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->FindPlan("nine")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->FindAccount("nine")), ErrorCode::kNotFound);
}

TEST_P(StateStoreConformanceTest, ForEachGivesEverythingAndStopsAtTheFirstError) {
  CreateAccount();
  for (std::int64_t number = 1; number <= 5; ++number) Do(Create(TestToken(number)));
  Do(Create(TestDataset(1)));

  std::vector<std::int64_t> tokens;
  ASSERT_TRUE(store_
                  ->ForEachToken([&](const core::Token& token) -> Status {
                    tokens.push_back(token.id.value);
                    EXPECT_EQ(token.digest, TestToken(token.id.value).token.digest);
                    return {};
                  })
                  .ok());
  EXPECT_THAT(tokens, testing::UnorderedElementsAre(1, 2, 3, 4, 5));
  int others = 0;
  const auto count = [&others](const auto&) -> Status {
    ++others;
    return {};
  };
  EXPECT_TRUE(store_->ForEachPlan(count).ok());
  EXPECT_TRUE(store_->ForEachAccount(count).ok());
  EXPECT_TRUE(store_->ForEachDataset(count).ok());
  EXPECT_EQ(others, 3);

  int seen = 0;
  const Status stopped = store_->ForEachToken([&](const core::Token&) -> Status {
    if (++seen == 2) return MakeError(ErrorCode::kLimit, "enough");
    return {};
  });
  EXPECT_EQ(CodeOf(stopped), ErrorCode::kLimit);
  EXPECT_EQ(seen, 2);
}

// ---- Creation, update, removal

TEST_P(StateStoreConformanceTest, UpdatesRaiseTheVersionAndKeepWhatIsFixed) {
  CreateAccount();
  Do(Create(TestToken(1)));
  core::TokenRecord changed = TestToken(3);
  changed.token.id.value = 1;
  changed.token.digest = TestToken(1).token.digest;
  changed.token.expires_at.reset();
  changed.profile.created_by = "somebody else";
  changed.token.kind = core::TokenKind::kSecret;
  changed.token.created_at += std::chrono::hours(1);
  Do(Change(PutToken{changed, 1, {}, {}}));

  core::TokenRecord expected = TestToken(3);
  expected.token = TestToken(1).token;
  expected.token.expires_at.reset();
  expected.token.enabled = changed.token.enabled;
  expected.token.core_data_access = changed.token.core_data_access;
  expected.profile.created_by = TestToken(1).profile.created_by;
  expected.version = 2;
  ExpectSame(*store_->GetToken({1}), expected);

  core::Plan plan = TestPlan(2);
  plan.id.value = 1;
  plan.created_at = TestPlan(1).created_at;
  Do(Change(PutPlan{plan, 1}));
  plan.version = 2;
  ExpectSame(*store_->GetPlan({1}), plan);

  core::Account account = TestAccount(2, 1);
  account.id.value = 1;
  Do(Change(PutAccount{account, 1}));
  account.workspace = TestAccount(1).workspace;  // permanent
  account.created_at = TestAccount(1).created_at;
  account.version = 2;
  ExpectSame(*store_->GetAccount({1}), account);

  Do(Create(TestDataset(1)));
  core::Dataset dataset = TestDataset(1);
  dataset.generation = 18;
  dataset.fields.pop_back();
  dataset.updated_at += std::chrono::hours(1);
  Do(Change(PutDataset{dataset, 1}));
  dataset.version = 2;
  ExpectSame(*store_->GetDataset({1}), dataset);
}

TEST_P(StateStoreConformanceTest, RefusesAnUpdateOfAnotherVersionAndOfNothing) {
  CreateAccount();
  Do(Create(TestToken(1)));
  Do(Create(TestDataset(1)));
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutPlan{TestPlan(1), 2}))), ErrorCode::kStale);
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutAccount{TestAccount(1), 2}))), ErrorCode::kStale);
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutToken{TestToken(1), 2, {}, {}}))), ErrorCode::kStale);
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutDataset{TestDataset(1), 2}))), ErrorCode::kStale);
  EXPECT_EQ(CodeOf(store_->Commit(Change(RemoveToken{{1}, 2}))), ErrorCode::kStale);
  EXPECT_EQ(CodeOf(store_->Commit(Change(RemoveDataset{{1}, 2}))), ErrorCode::kStale);

  EXPECT_EQ(CodeOf(store_->Commit(Change(PutPlan{TestPlan(9), 1}))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutAccount{TestAccount(9), 1}))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutToken{TestToken(9), 1, {}, {}}))),
            ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutDataset{TestDataset(9), 1}))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->Commit(Change(RemoveToken{{9}, {}}))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->Commit(Change(RemoveDataset{{9}, 1}))), ErrorCode::kNotFound);
  EXPECT_EQ(store_->GetToken({1})->version, 1);
}

TEST_P(StateStoreConformanceTest, RefusesWhatStandsAlready) {
  CreateAccount();
  Do(Create(TestToken(1)));
  Do(Create(TestDataset(1)));

  core::Plan plan = TestPlan(2);
  plan.name = TestPlan(1).name;
  EXPECT_EQ(CodeOf(store_->Commit(Create(plan))), ErrorCode::kConflict);
  plan = TestPlan(2);
  plan.id.value = 1;
  EXPECT_EQ(CodeOf(store_->Commit(Create(plan))), ErrorCode::kConflict);
  core::Account account = TestAccount(2);
  account.workspace = TestAccount(1).workspace;
  const Result<std::int64_t> taken = store_->Commit(Create(account));
  EXPECT_EQ(CodeOf(taken), ErrorCode::kConflict);
  EXPECT_EQ(taken.error().public_text, "This workspace name is taken.");
  core::TokenRecord token = TestToken(2);
  token.token.digest = TestToken(1).token.digest;
  EXPECT_EQ(CodeOf(store_->Commit(Create(token))), ErrorCode::kConflict);
  core::Dataset dataset = TestDataset(2);
  dataset.name = "stockS1";
  EXPECT_EQ(CodeOf(store_->Commit(Create(dataset))), ErrorCode::kConflict);
  dataset.workspace = "premium";
  EXPECT_TRUE(store_->Commit(Create(dataset)).ok());
}

TEST_P(StateStoreConformanceTest, RefusesACreationUnderWhatIsNotThere) {
  EXPECT_EQ(CodeOf(store_->Commit(Create(TestAccount(1)))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->Commit(Create(TestToken(1)))), ErrorCode::kNotFound);
  core::Dataset dataset = TestDataset(1);
  dataset.owner.value = 9;
  EXPECT_EQ(CodeOf(store_->Commit(Create(dataset))), ErrorCode::kNotFound);
}

TEST_P(StateStoreConformanceTest, ARemovedTokenIsGoneAndItsTextNeverComesBack) {
  CreateAccount();
  Do(Create(TestToken(1)));
  Do(Create(TestToken(2)));
  Do(Change(RemoveToken{{1}, 1}));
  for (const bool reopened : {false, true}) {
    SCOPED_TRACE(reopened);
    if (reopened) Reopen();
    EXPECT_EQ(CodeOf(store_->GetToken({1})), ErrorCode::kNotFound);
    EXPECT_THAT(Ids(store_->ListTokens({1}, PageOf(50), "")), ElementsAre(2));
    core::TokenRecord again = TestToken(3);
    again.token.digest = TestToken(1).token.digest;
    EXPECT_EQ(CodeOf(store_->Commit(Create(again))), ErrorCode::kConflict);
    core::TokenRecord other = TestToken(2);
    other.token.digest = TestToken(1).token.digest;
    EXPECT_EQ(CodeOf(store_->Commit(Change(PutToken{other, 1, {}, {}}))), ErrorCode::kConflict);
  }
}

TEST_P(StateStoreConformanceTest, ATextThatWasReplacedNeverComesBack) {
  CreateAccount();
  Do(Create(TestToken(1)));
  core::TokenRecord rotated = TestToken(1);
  rotated.token.digest = TestToken(3).token.digest;
  Do(Change(PutToken{rotated, 1, {}, {}}));
  EXPECT_EQ(store_->GetToken({1})->token.digest, rotated.token.digest);
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutToken{TestToken(1), 2, {}, {}}))),
            ErrorCode::kConflict);
}

TEST_P(StateStoreConformanceTest, ADatasetThatWasRemovedMayComeBack) {
  Do(Create(TestDataset(1)));
  Do(Change(RemoveDataset{{1}, 1}));
  EXPECT_EQ(CodeOf(store_->GetDataset({1})), ErrorCode::kNotFound);
  Do(Create(TestDataset(1)));
}

TEST_P(StateStoreConformanceTest, AnOwnerHasNoMoreDatasetsThanMaxDatasets) {
  CreateAccount();
  const auto create = [this](std::int64_t number, std::optional<std::uint32_t> max_datasets) {
    core::Dataset dataset = TestDataset(number);
    dataset.owner.value = 1;
    dataset.dataset_class = core::DatasetClass::kWorkspace;
    dataset.workspace = TestAccount(1).workspace;
    return store_->Commit(Change(PutDataset{dataset, std::nullopt, max_datasets}));
  };
  EXPECT_EQ(CodeOf(create(1, 0)), ErrorCode::kLimit);
  EXPECT_TRUE(create(1, 2).ok());
  // Those of nobody don't count.
  Do(Create(TestDataset(7)));
  EXPECT_TRUE(create(2, 2).ok());
  EXPECT_EQ(CodeOf(create(3, 2)), ErrorCode::kLimit);
  EXPECT_EQ(CodeOf(store_->GetDataset({3})), ErrorCode::kNotFound);
  EXPECT_TRUE(create(3, std::nullopt).ok());
  // A change is no creation.
  core::Dataset dataset = *store_->GetDataset({1});
  dataset.title = "Changed";
  EXPECT_TRUE(store_->Commit(Change(PutDataset{dataset, 1, 1})).ok());
}

TEST_P(StateStoreConformanceTest, KeepsOneMapOfEachOldForm) {
  const auto maps = [this] {
    std::vector<core::LegacyMap> all;
    EXPECT_TRUE(store_
                    ->ForEachLegacyMap([&all](const core::LegacyMap& map) -> Status {
                      all.push_back(map);
                      return {};
                    })
                    .ok());
    return all;
  };
  core::LegacyMap map;
  map.kind = core::LegacyKind::kChart;
  map.dataset.value = 7;
  map.renames = {{"close \"é\"", "price"}, {"label", "date"}};
  map.updated_at = kTestTime;
  const std::int64_t feed = Do(Change(PutLegacyMap{map, std::nullopt}));
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutLegacyMap{map, std::nullopt}))), ErrorCode::kConflict);
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutLegacyMap{map, 2}))), ErrorCode::kStale);
  map.dataset.value = 8;
  Do(Change(PutLegacyMap{map, 1}));
  Reopen();
  ASSERT_EQ(maps().size(), 1u);
  EXPECT_EQ(maps()[0].kind, map.kind);
  EXPECT_EQ(maps()[0].dataset.value, 8);
  EXPECT_EQ(maps()[0].renames, map.renames);
  EXPECT_EQ(maps()[0].updated_at, kTestTime);
  EXPECT_EQ(maps()[0].version, 2);

  map.kind = core::LegacyKind::kQuote;
  EXPECT_EQ(CodeOf(store_->Commit(Change(PutLegacyMap{map, 1}))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->Commit(Change(RemoveLegacyMap{map.kind, {}}))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store_->Commit(Change(RemoveLegacyMap{core::LegacyKind::kChart, 1}))),
            ErrorCode::kStale);
  Do(Change(RemoveLegacyMap{core::LegacyKind::kChart, 2}));
  EXPECT_TRUE(maps().empty());
  const auto rows = store_->Feed(feed - 1, 10);
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 3u);
  for (const FeedRow& row : *rows) {
    EXPECT_EQ(row.kind, FeedRow::Kind::kLegacyMap);
    EXPECT_EQ(row.id, static_cast<std::int64_t>(core::LegacyKind::kChart));
  }
  EXPECT_FALSE((*rows)[1].removed);
  EXPECT_TRUE((*rows)[2].removed);
}

TEST_P(StateStoreConformanceTest, AMutationIsDoneWholeOrNotAtAll) {
  CreateAccount();
  Mutation mutation = Create(TestToken(1));
  mutation.changes.push_back(PutToken{TestToken(2), {}, {}, {}});
  mutation.changes.push_back(PutToken{TestToken(3, 9), {}, {}, {}});
  const std::int64_t feed = *store_->LastFeedSequence();
  EXPECT_EQ(CodeOf(store_->Commit(mutation)), ErrorCode::kNotFound);
  EXPECT_EQ(*store_->CountTokens({1}), 0u);
  EXPECT_EQ(*store_->LastFeedSequence(), feed);
  EXPECT_EQ(store_->ListAuditEvents(0, 500)->size(), 2u);

  mutation.changes.pop_back();
  Do(mutation);
  EXPECT_EQ(*store_->CountTokens({1}), 2u);
}

TEST_P(StateStoreConformanceTest, MaxTokensIsExactUnderConcurrentCreators) {
  CreateAccount();
  constexpr std::uint32_t kMax = 50;
  constexpr int kCreators = 8;
  constexpr int kEach = 20;
  std::atomic<int> created = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> creators;
  for (int creator = 0; creator < kCreators; ++creator) {
    creators.emplace_back([&, creator] {
      for (int i = 0; i < kEach; ++i) {
        const Result<std::int64_t> done =
            store_->Commit(Change(PutToken{TestToken(1 + creator * kEach + i), {}, kMax, {}}));
        if (done.ok()) {
          ++created;
        } else {
          EXPECT_EQ(done.error().code, ErrorCode::kLimit);
          ++refused;
        }
      }
    });
  }
  for (std::thread& creator : creators) creator.join();
  EXPECT_EQ(created, static_cast<int>(kMax));
  EXPECT_EQ(refused, kCreators * kEach - static_cast<int>(kMax));
  EXPECT_EQ(*store_->CountTokens({1}), kMax);
  EXPECT_TRUE(store_->CheckIntegrity().ok());
}

TEST_P(StateStoreConformanceTest, EnabledSecretsAreBoundedWhenCreatedAndWhenEnabled) {
  CreateAccount();
  const auto put = [&](std::int64_t number, bool enabled,
                       std::optional<std::int64_t> expected_version) {
    core::TokenRecord record = TestToken(number);
    record.token.enabled = enabled;
    return store_->Commit(Change(PutToken{record, expected_version, {}, 2}));
  };
  EXPECT_TRUE(put(2, true, {}).ok());
  EXPECT_TRUE(put(4, false, {}).ok());
  EXPECT_TRUE(put(6, true, {}).ok());
  EXPECT_EQ(CodeOf(put(8, true, {})), ErrorCode::kConflict);
  EXPECT_EQ(CodeOf(put(4, true, 1)), ErrorCode::kConflict);
  EXPECT_TRUE(put(1, true, {}).ok());  // publishable
  EXPECT_TRUE(put(6, true, 1).ok());   // it stands among the two
  EXPECT_TRUE(put(6, false, 2).ok());
  EXPECT_TRUE(put(4, true, 1).ok());
  EXPECT_EQ(CodeOf(store_->GetToken({8})), ErrorCode::kNotFound);
}

// Callers that commit at the same time share a transaction; an error of one must not show in
// another's rows.
TEST_P(StateStoreConformanceTest, ConcurrentMutationsSucceedAndFailEachOnItsOwn) {
  CreateAccount();
  constexpr int kCallers = 8;
  constexpr int kEach = 25;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < kEach; ++i) {
        const std::int64_t number = 1 + caller * kEach + i;
        Mutation mutation = Create(TestToken(number));
        // Every third one fails after its first change.
        if (i % 3 == 0) {
          mutation.changes.push_back(PutToken{TestToken(10'000 + number, 9), {}, {}, {}});
        }
        EXPECT_EQ(store_->Commit(std::move(mutation)).ok(), i % 3 != 0);
        EXPECT_EQ(store_->GetToken({number}).ok(), i % 3 != 0);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  const std::size_t done = kCallers * (kEach - (kEach + 2) / 3);
  EXPECT_EQ(*store_->CountTokens({1}), done);
  EXPECT_EQ(store_->ListAuditEvents(0, 500)->size(), 2 + done);
  EXPECT_EQ(store_->Feed(0, 500)->size(), 2 + done);
  EXPECT_TRUE(store_->CheckIntegrity().ok());
}

// ---- Lists

TEST_P(StateStoreConformanceTest, ListsPageByCreationThenId) {
  CreateAccount();
  // 4 and 2 were made in the same millisecond; 7 before all others; 5 is another account's.
  Do(Create(TestAccount(2)));
  const auto create = [&](std::int64_t number, int millis, std::int64_t account = 1) {
    core::TokenRecord record = TestToken(number, account);
    record.token.created_at = kTestTime + std::chrono::milliseconds(millis);
    Do(Create(record));
  };
  create(4, 10);
  create(2, 10);
  create(7, -10);
  create(1, 20);
  create(5, 15, 2);
  EXPECT_THAT(Ids(store_->ListTokens({1}, PageOf(50), "")), ElementsAre(7, 2, 4, 1));

  Page page = PageOf(1);
  std::vector<std::int64_t> ids;
  for (;;) {
    const Result<std::vector<core::TokenRecord>> rows = store_->ListTokens({1}, page, "");
    ASSERT_TRUE(rows.ok());
    if (rows->empty()) break;
    ASSERT_EQ(rows->size(), 1u);
    ids.push_back(rows->back().token.id.value);
    page.after_created_at = rows->back().token.created_at;
    page.after_id = rows->back().token.id.value;
  }
  EXPECT_THAT(ids, ElementsAre(7, 2, 4, 1));
  EXPECT_EQ(*store_->CountTokens({1}), 4u);
  EXPECT_EQ(*store_->CountTokens({2}), 1u);

  EXPECT_THAT(Ids(store_->ListAccounts(PageOf(50), "")), ElementsAre(1, 2));
  EXPECT_THAT(Ids(store_->ListAccounts(PageOf(1), "")), ElementsAre(1));
  page = PageOf(50);
  page.after_created_at = TestAccount(1).created_at;
  page.after_id = 1;
  EXPECT_THAT(Ids(store_->ListAccounts(page, "")), ElementsAre(2));
  Do(Create(TestPlan(3)));
  EXPECT_THAT(Ids(store_->ListPlans(PageOf(50))), ElementsAre(1, 3));
  page.after_created_at = TestPlan(1).created_at;
  EXPECT_THAT(Ids(store_->ListPlans(page)), ElementsAre(3));
}

TEST_P(StateStoreConformanceTest, SearchFindsSubstringsWithoutCase) {
  CreateAccount();
  Do(Create(TestAccount(2)));
  for (std::int64_t number = 1; number <= 3; ++number) Do(Create(TestToken(number)));
  core::TokenRecord odd = TestToken(4);
  odd.profile.nickname = "100%_sure\\";
  odd.profile.labels = {{"Kunde", "Müller"}};
  Do(Create(odd));

  const auto search = [&](std::string_view text) {
    return Ids(store_->ListTokens({1}, PageOf(50), text));
  };
  EXPECT_THAT(search("TOKEN 2"), ElementsAre(2));      // nickname
  EXPECT_THAT(search("Customer-3"), ElementsAre(3));   // end user
  EXPECT_THAT(search("ios"), ElementsAre(1, 2, 3));    // a label's value
  EXPECT_THAT(search("\"2\""), ElementsAre(2));        // with quotes in it
  EXPECT_THAT(search("SK_SHOWN"), ElementsAre(2, 4));  // shown text
  EXPECT_THAT(search("project"), IsEmpty());           // not a label's name
  EXPECT_THAT(search("%"), ElementsAre(4));            // no pattern
  EXPECT_THAT(search("0%_s"), ElementsAre(4));
  EXPECT_THAT(search("e\\"), ElementsAre(4));
  EXPECT_THAT(search("Müller"), ElementsAre(4));
  EXPECT_THAT(search("nothing of this"), IsEmpty());
  EXPECT_THAT(Ids(store_->ListAccounts(PageOf(50), "SPACE-2")), ElementsAre(2));
  EXPECT_THAT(Ids(store_->ListAccounts(PageOf(50), "& SONS")), ElementsAre(1, 2));
}

// ---- The feed and the audit log

TEST_P(StateStoreConformanceTest, TheFeedTellsOfEveryChangeInOrder) {
  CreateAccount();
  Do(Create(TestToken(5)));
  Mutation two = Change(RemoveToken{{5}, {}});
  two.changes.push_back(PutDataset{TestDataset(6), {}});
  const std::int64_t last = Do(two);
  EXPECT_EQ(*store_->LastFeedSequence(), last);

  const Result<std::vector<FeedRow>> feed = store_->Feed(0, 100);
  ASSERT_TRUE(feed.ok());
  ASSERT_EQ(feed->size(), 5u);
  using Kind = FeedRow::Kind;
  const std::vector<std::tuple<Kind, std::int64_t, bool>> expected = {{Kind::kPlan, 1, false},
                                                                      {Kind::kAccount, 1, false},
                                                                      {Kind::kToken, 5, false},
                                                                      {Kind::kToken, 5, true},
                                                                      {Kind::kDataset, 6, false}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const FeedRow& row = (*feed)[i];
    EXPECT_EQ(std::make_tuple(row.kind, row.id, row.removed), expected[i]) << i;
    EXPECT_GT(row.sequence, i == 0 ? 0 : (*feed)[i - 1].sequence) << i;
  }
  EXPECT_EQ(feed->back().sequence, last);
  EXPECT_EQ(store_->Feed((*feed)[2].sequence, 1)->front().sequence, (*feed)[3].sequence);
  EXPECT_THAT(*store_->Feed(last, 100), IsEmpty());

  Reopen();
  EXPECT_EQ(*store_->LastFeedSequence(), last);
  EXPECT_GT(Do(Create(TestToken(7))), last);
}

TEST_P(StateStoreConformanceTest, EveryChangeHasItsEventAndTheChainHolds) {
  CreateAccount();
  for (std::int64_t number = 1; number <= 5; ++number) Do(Create(TestToken(number)));
  Reopen();
  Do(Change(RemoveToken{{1}, {}}, "token.remove"));

  const Result<std::vector<core::AuditEvent>> events = store_->ListAuditEvents(0, 100);
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->size(), 8u);
  Digest previous{};
  for (std::size_t i = 0; i < events->size(); ++i) {
    const core::AuditEvent& event = (*events)[i];
    EXPECT_EQ(event.sequence, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(event.previous_hash, previous);
    EXPECT_EQ(event.hash, core::AuditHash(event));
    EXPECT_EQ(event.at, kTestTime);
    EXPECT_EQ(event.actor.principal, "operator");
    EXPECT_EQ(event.actor.address, "198.51.100.7");
    EXPECT_EQ(event.actor.request_id, "req-1");
    EXPECT_EQ(event.subject, "something");
    EXPECT_EQ(event.account.value, 1);
    EXPECT_EQ(event.before, R"({"a":1})");
    EXPECT_EQ(event.after, R"({"a":2})");
    previous = event.hash;
  }
  EXPECT_EQ(events->back().action, "token.remove");
  EXPECT_EQ(store_->ListAuditEvents(6, 1)->front().sequence, 7);
  EXPECT_TRUE(store_->CheckIntegrity().ok());
}

TEST_P(StateStoreConformanceTest, TheCheckFindsATamperedAuditLog) {
  CreateAccount();
  for (std::int64_t number = 1; number <= 5; ++number) Do(Create(TestToken(number)));
  const std::vector<core::AuditEvent> events = *store_->ListAuditEvents(0, 100);
  struct Tampering {
    std::string sql;
    std::string undo;  // empty: it is the last
    std::string words;
  };
  const std::vector<Tampering> tamperings = {
      {"UPDATE audit_events SET after = '{}' WHERE sequence = 3",
       R"(UPDATE audit_events SET after = '{"a":2}' WHERE sequence = 3)", "event 3"},
      {"UPDATE audit_events SET at = at + 1 WHERE sequence = 1",
       "UPDATE audit_events SET at = at - 1 WHERE sequence = 1", "event 1"},
      {"UPDATE audit_events SET sequence = 99 WHERE sequence = 4",
       "UPDATE audit_events SET sequence = 4 WHERE sequence = 99", "event 4"},
      {"DELETE FROM audit_events WHERE sequence = 7", "", "event 7"},
  };
  for (const Tampering& tampering : tamperings) {
    SCOPED_TRACE(tampering.sql);
    store_.reset();
    place_->RunSql(tampering.sql);
    store_ = place_->Open();
    const Status checked = store_->CheckIntegrity();
    EXPECT_EQ(CodeOf(checked), ErrorCode::kCorrupt);
    EXPECT_NE(checked.error().public_text.find(tampering.words), std::string::npos)
        << checked.error().public_text;
    store_.reset();
    if (!tampering.undo.empty()) {
      place_->RunSql(tampering.undo);
      store_ = place_->Open();
      EXPECT_TRUE(store_->CheckIntegrity().ok());
    }
  }
}

// Whoever rewrites an event with its hash breaks the link of the next one.
TEST_P(StateStoreConformanceTest, TheCheckFindsARewrittenEvent) {
  CreateAccount();
  for (std::int64_t number = 1; number <= 3; ++number) Do(Create(TestToken(number)));
  core::AuditEvent event = store_->ListAuditEvents(2, 1)->front();
  event.after = "{}";
  store_.reset();
  place_->RunSql(
      fmt::format("UPDATE audit_events SET after = '{{}}', hash = x'{}' WHERE sequence = {}",
                  HexEncode(core::AuditHash(event)), event.sequence));
  store_ = place_->Open();
  const Status checked = store_->CheckIntegrity();
  ASSERT_EQ(CodeOf(checked), ErrorCode::kCorrupt);
  EXPECT_EQ(checked.error().public_text,
            "The audit log is broken at event 4: it does not follow the event before it.");
}

// ---- Idempotent answers

IdempotentAnswer TestAnswer(std::string_view key, Timestamp at) {
  IdempotentAnswer answer;
  answer.scope = "tok_1 POST /manage/v1/tokens";
  answer.key_digest = Sha256(key);
  answer.body_digest = Sha256("body");
  answer.sealed_answer = std::string("sealed\0answer", 13);
  answer.at = at;
  return answer;
}

TEST_P(StateStoreConformanceTest, KeepsOneAnswerForEachKeyForADay) {
  CreateAccount();
  Mutation first = Create(TestToken(1));
  first.answer = TestAnswer("one", kTestTime);
  Do(first);
  const auto find = [&](std::string_view key, Timestamp not_before) {
    return *store_->FindAnswer("tok_1 POST /manage/v1/tokens", Sha256(key), not_before);
  };
  ASSERT_TRUE(find("one", kTestTime));
  EXPECT_EQ(find("one", kTestTime)->sealed_answer, first.answer->sealed_answer);
  EXPECT_EQ(find("one", kTestTime)->body_digest, first.answer->body_digest);
  EXPECT_EQ(find("one", kTestTime)->at, kTestTime);
  EXPECT_FALSE(find("one", kTestTime + std::chrono::milliseconds(1)));
  EXPECT_FALSE(find("two", kTestTime));
  EXPECT_FALSE(*store_->FindAnswer("tok_2", Sha256("one"), kTestTime));

  // The same key again: nothing is changed.
  Mutation again = Create(TestToken(2));
  again.answer = TestAnswer("one", kTestTime + std::chrono::hours(23));
  EXPECT_EQ(CodeOf(store_->Commit(again)), ErrorCode::kConflict);
  EXPECT_EQ(CodeOf(store_->GetToken({2})), ErrorCode::kNotFound);

  // After a day the key may be used anew.
  again.answer = TestAnswer("one", kTestTime + std::chrono::hours(25));
  Do(again);
  EXPECT_EQ(find("one", kTestTime)->at, kTestTime + std::chrono::hours(25));
}

// ---- The master key

TEST_P(StateStoreConformanceTest, KeepsTheMasterKeysCheck) {
  EXPECT_EQ(*store_->MasterKeyCheck(), "");
  ASSERT_TRUE(store_->SetMasterKeyCheck("1:abc").ok());
  ASSERT_TRUE(store_->SetMasterKeyCheck("2:def").ok());
  Reopen();
  EXPECT_EQ(*store_->MasterKeyCheck(), "2:def");
}

TEST_P(StateStoreConformanceTest, ReseallingChangesEveryKeyStateOrNone) {
  CreateAccount();
  for (std::int64_t number = 1; number <= 6; ++number) Do(Create(TestToken(number)));
  ASSERT_TRUE(store_->SetMasterKeyCheck("old").ok());
  const std::int64_t feed = *store_->LastFeedSequence();
  core::AuditEvent event = Create(TestPlan(1)).event;
  event.action = "master_key.rotate";

  int calls = 0;
  const Status failed = store_->ResealKeyStates(
      [&](const core::Token&, const core::TokenProfile&) -> Result<std::string> {
        if (++calls == 3) return MakeError(ErrorCode::kCorrupt, "wrong key");
        return std::string("new");
      },
      2, "new", event);
  EXPECT_EQ(CodeOf(failed), ErrorCode::kCorrupt);
  ExpectSame(*store_->GetToken({2}), TestToken(2));
  EXPECT_EQ(*store_->MasterKeyCheck(), "old");

  const Status done = store_->ResealKeyStates(
      [&](const core::Token& token, const core::TokenProfile& profile) -> Result<std::string> {
        EXPECT_EQ(profile.sealed_key_state, TestToken(token.id.value).profile.sealed_key_state);
        return fmt::format("resealed {}", token.id.value);
      },
      2, "new", event);
  ASSERT_TRUE(done.ok());
  for (const std::int64_t number : {2, 4, 6}) {
    core::TokenRecord expected = TestToken(number);
    expected.profile.sealed_key_state = fmt::format("resealed {}", number);
    expected.profile.master_key_id = 2;
    ExpectSame(*store_->GetToken({number}), expected);
  }
  ExpectSame(*store_->GetToken({1}), TestToken(1));
  EXPECT_EQ(*store_->MasterKeyCheck(), "new");
  EXPECT_EQ(store_->ListAuditEvents(0, 100)->back().action, "master_key.rotate");
  EXPECT_EQ(*store_->LastFeedSequence(), feed);
  Do(Create(TestToken(8)));
  EXPECT_TRUE(store_->CheckIntegrity().ok());
}

// ---- Snapshots

TEST_P(StateStoreConformanceTest, NothingIsCommittedWhileASnapshotIsCut) {
  CreateAccount();
  std::atomic<bool> committed = false;
  std::thread committer;
  const Result<std::unique_ptr<Snapshot>> snapshot = store_->TakeSnapshot([&]() -> Status {
    committer = std::thread([&] {
      EXPECT_TRUE(store_->Commit(Create(TestToken(1))).ok());
      committed = true;
    });
    // Reads go on.
    EXPECT_EQ(*store_->CountTokens({1}), 0u);
    EXPECT_FALSE(committed);
    return {};
  });
  committer.join();
  EXPECT_TRUE(snapshot.ok());
  EXPECT_TRUE(committed);

  EXPECT_EQ(CodeOf(store_->TakeSnapshot(
                []() -> Status { return MakeError(ErrorCode::kUnavailable, "no"); })),
            ErrorCode::kUnavailable);
}

}  // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateStoreConformanceTest);

}  // namespace latchkey::store
