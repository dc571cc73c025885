// The use cases of datasets over real stores in a temporary folder, as a server has them, with
// faults on demand and a clock that stands. Jobs run only when told to.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "env/clock.h"
#include "env/entropy.h"
#include "service/dataset_definitions.h"
#include "service/datasets.h"
#include "service/job_runner.h"
#include "service/plan_limits.h"
#include "service/record_writes.h"
#include "service/state.h"
#include "service/token_index.h"
#include "service/uploads.h"
#include "store/files.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"
#include "test/support/faulty_store.h"
#include "test/support/forwarding_dataset_store.h"

namespace latchkey::testing_support {

// Real records that are watched, and fail where a test says so. Not thread-safe where that is set.
class WatchedRecords final : public test::ForwardingDatasetStore {
 public:
  using ForwardingDatasetStore::ForwardingDatasetStore;

  // Runs before each change of a generation that stands (Write, Delete, Publish).
  std::function<void()> before_change;
  // Runs once a layer was begun.
  std::function<void()> after_begin_layer;
  // Jobs that have ended can't be stored.
  bool fail_ended_jobs = false;
  // The next layer's publication.
  std::optional<Fault> fail_publish;

  Result<store::WriteResult> Write(std::int64_t generation, std::int64_t lane,
                                   std::span<const core::Record> records,
                                   store::Duplicates duplicates) override {
    if (before_change) before_change();
    return ForwardingDatasetStore::Write(generation, lane, records, duplicates);
  }
  Result<store::DeleteResult> Delete(std::int64_t generation, std::int64_t lane,
                                     const store::DeleteRange& range) override {
    if (before_change) before_change();
    return ForwardingDatasetStore::Delete(generation, lane, range);
  }
  Result<std::unique_ptr<store::LayerWriter>> BeginLayer(std::int64_t generation, std::int64_t lane,
                                                         store::Duplicates duplicates) override {
    auto begun = ForwardingDatasetStore::BeginLayer(generation, lane, duplicates);
    if (after_begin_layer) after_begin_layer();
    if (!begun.ok()) return begun;
    return std::unique_ptr<store::LayerWriter>(new Layer(*this, *std::move(begun)));
  }
  Status PutJob(const core::UploadJob& job) override {
    if (fail_ended_jobs && job.Finished()) {
      return MakeError(ErrorCode::kUnavailable, "The disk is full.");
    }
    return ForwardingDatasetStore::PutJob(job);
  }

 private:
  class Layer final : public store::LayerWriter {
   public:
    Layer(WatchedRecords& records, std::unique_ptr<store::LayerWriter> inner)
        : records_(records), inner_(std::move(inner)) {}
    Status Append(std::span<const core::Record> records) override {
      return inner_->Append(records);
    }
    Result<store::WriteResult> Publish(const std::optional<core::UploadJob>& job) override {
      if (records_.before_change) records_.before_change();
      const std::optional<Fault> fault = std::exchange(records_.fail_publish, std::nullopt);
      if (!fault) return inner_->Publish(job);
      if (fault == Fault::kUnknownDone) {
        if (const auto done = inner_->Publish(job); !done.ok()) return done.error();
      }
      return MakeError(fault == Fault::kNotDone ? ErrorCode::kUnavailable : ErrorCode::kUnknown,
                       "The disk reported an error.");
    }

   private:
    WatchedRecords& records_;
    std::unique_ptr<store::LayerWriter> inner_;
  };
};

class DataHouse {
 public:
  // `copy_of`: the folder of another house, as a kill at this moment would leave it.
  explicit DataHouse(const std::string& copy_of = {}, std::string records_vfs = {})
      : records_vfs_(std::move(records_vfs)) {
    std::string name = (std::filesystem::temp_directory_path() / "latchkey-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    if (!copy_of.empty()) {
      std::filesystem::copy(copy_of, folder_, std::filesystem::copy_options::recursive);
    }
    Start();
  }
  ~DataHouse() {
    Stop();
    std::filesystem::remove_all(folder_);
  }
  DataHouse(const DataHouse&) = delete;
  DataHouse& operator=(const DataHouse&) = delete;

  void Restart() {
    Stop();
    Start();
  }

  static core::Actor Actor() { return {"tok_00000000001", "198.51.100.7", "req-1"}; }

  // Each account has a plan of its own.
  void MakeAccount(std::int64_t id, const std::string& workspace, core::Plan plan = {}) {
    plan.id = core::PlanId{id};
    plan.name = "plan-" + workspace;
    core::Account account;
    account.id = core::AccountId{id};
    account.plan = plan.id;
    account.workspace = workspace;
    store::Mutation mutation;
    mutation.changes = {store::PutPlan{plan, {}}, store::PutAccount{account, {}}};
    mutation.event.action = "account.create";
    ASSERT_TRUE(store->Commit(std::move(mutation)).ok());
    state->Apply(plan);
    state->Apply(account);
  }

  // Columns symbol (the key), date and price.
  service::EntryPointer MakePrices(const std::string& workspace = "acme",
                                   const std::string& name = "PRICES") {
    const auto made = definitions->Create(Prices(workspace, name), Actor());
    EXPECT_TRUE(made.ok()) << made.error().public_text;
    return made.ok() ? *made : nullptr;
  }
  static service::NewDataset Prices(std::string workspace, std::string name) {
    service::NewDataset dataset;
    dataset.workspace = std::move(workspace);
    dataset.name = std::move(name);
    dataset.fields = {{"symbol", core::FieldType::kString, true},
                      {"date", core::FieldType::kDate, true},
                      {"price", core::FieldType::kNumber, false}};
    dataset.key_field = "symbol";
    dataset.date_field = "date";
    return dataset;
  }

  Result<service::WriteReport> Write(std::string_view body, bool create = false,
                                     store::Duplicates duplicates = store::Duplicates::kReplace,
                                     const std::string& dataset = "PRICES",
                                     const std::string& workspace = "acme") {
    return writes->Write({workspace, dataset, body, duplicates, create}, Actor());
  }

  Result<core::UploadJob> Send(std::string_view file, service::UploadOptions options = {}) {
    if (options.workspace.empty()) options.workspace = "acme";
    if (options.dataset.empty()) options.dataset = "PRICES";
    auto upload = uploads->Begin(options, Actor());
    if (!upload.ok()) return upload.error();
    for (std::size_t at = 0; at < file.size(); at += 50'000) {
      if (Status fed = (*upload)->Feed(file.substr(at, 50'000)); !fed.ok()) return fed.error();
    }
    return (*upload)->Finish();
  }
  void RunJobs() {
    while (runner->RunOne()) {
    }
  }
  core::UploadJob Job(core::UploadJobId id) {
    const auto job = uploads->Find("acme", id);
    EXPECT_TRUE(job.ok());
    return job.ok() ? *job : core::UploadJob{};
  }

  service::EntryPointer Find(std::string_view name = "PRICES",
                             std::string_view workspace = "acme") const {
    return catalogue.Find(workspace, name);
  }
  // All values, newest first.
  std::vector<std::string> Values(std::string_view name = "PRICES",
                                  std::string_view workspace = "acme") {
    const service::EntryPointer entry = Find(name, workspace);
    if (entry == nullptr) return {};
    core::RecordQuery query;
    query.limit = 10'000'000;
    auto found = datasets->Query(entry->dataset, query, {});
    EXPECT_TRUE(found.ok()) << found.error().public_text;
    std::vector<std::string> values;
    if (found.ok()) {
      for (core::Record& record : *found) values.push_back(std::move(record.values));
    }
    return values;
  }
  core::AuditEvent LastEvent() {
    const auto events = store->ListAuditEvents(0, 10'000);
    EXPECT_TRUE(events.ok() && !events->empty());
    return events.ok() && !events->empty() ? events->back() : core::AuditEvent{};
  }
  std::size_t Generations() { return real_records->ListGenerations()->size(); }
  std::vector<std::string> UploadFiles() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/uploads")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  const std::string& folder() const { return folder_; }

  ManualClock clock{FromUnixMillis(1'800'000'000'000)};
  SystemEntropy entropy;
  std::unique_ptr<store::SqliteStore> real_store;
  std::unique_ptr<FaultyStore> store;
  std::unique_ptr<store::SqliteDatasetStore> real_records;
  std::unique_ptr<WatchedRecords> records;
  std::unique_ptr<service::TokenIndex> index;
  std::unique_ptr<service::State> state;
  service::Catalogue catalogue;
  std::unique_ptr<service::Datasets> datasets;
  std::unique_ptr<service::PlanLimits> limits;
  std::unique_ptr<service::JobRunner> runner;
  std::unique_ptr<service::DatasetDefinitions> definitions;
  std::unique_ptr<service::RecordWrites> writes;
  std::unique_ptr<service::Uploads> uploads;

  void Stop() {
    if (runner) runner->Stop();
    uploads.reset();
    writes.reset();
    definitions.reset();
    runner.reset();
    limits.reset();
    datasets.reset();
    const auto map = catalogue.Snapshot();
    for (const auto& [name, entry] : *map) catalogue.Remove(entry->dataset.id);
    state.reset();
    index.reset();
    records.reset();
    real_records.reset();
    store.reset();
    real_store.reset();
  }
  void Start() {
    auto opened = store::SqliteStore::Open({folder_, true, {}}, clock.Now());
    ASSERT_TRUE(opened.ok()) << opened.error().public_text;
    real_store = *std::move(opened);
    store = std::make_unique<FaultyStore>(*real_store);
    const std::string path = folder_ + "/" + std::string(store::kRecordsFile);
    auto of_file = store::SqliteDatasetStore::Open(path, records_vfs_);
    ASSERT_TRUE(of_file.ok()) << of_file.error().public_text;
    real_records = *std::move(of_file);
    records = std::make_unique<WatchedRecords>(*real_records);
    index = std::make_unique<service::TokenIndex>();
    state = std::make_unique<service::State>(*index);
    ASSERT_TRUE(state->Load(*store).ok());
    service::DatasetsOptions options;
    options.spool_directory = folder_;
    datasets =
        std::make_unique<service::Datasets>(*store, *records, catalogue, clock, entropy, options);
    const Status loaded = datasets->Load();
    ASSERT_TRUE(loaded.ok()) << loaded.error().public_text;
    limits = std::make_unique<service::PlanLimits>(*state, catalogue);
    runner = std::make_unique<service::JobRunner>(clock);
    definitions = std::make_unique<service::DatasetDefinitions>(*datasets, *limits);
    writes = std::make_unique<service::RecordWrites>(*datasets, *limits, *runner);
    service::UploadsOptions uploads_options;
    uploads_options.directory = folder_ + "/uploads";
    uploads = std::make_unique<service::Uploads>(*datasets, *limits, *runner, uploads_options);
    const Status resumed = uploads->Resume();
    ASSERT_TRUE(resumed.ok()) << resumed.error().public_text;
  }

 private:
  const std::string records_vfs_;
  std::string folder_;
};

}  // namespace latchkey::testing_support
