// The data plane over the real pieces, as a test needs it: server, index, catalogue, use cases,
// stores in a temporary folder. What a test wants to hold back or to break, it does by wrapping the
// store of records.
#pragma once

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "core/reason.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"
#include "test/support/forwarding_dataset_store.h"
#include "test/support/socket_client.h"

namespace latchkey::gateway {

using core::Reason;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Every query goes through `before`, which may wait, count, or refuse.
class WrappedRecords final : public test::ForwardingDatasetStore {
 public:
  using Interrupted = std::function<bool()>;
  using Before = std::function<Status(const Interrupted&)>;

  using ForwardingDatasetStore::ForwardingDatasetStore;

  void SetBefore(Before before) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    before_ = std::move(before);
  }
  int queries() const { return queries_; }

  Result<std::vector<core::Record>> Query(std::int64_t generation, const core::RecordQuery& query,
                                          std::uint64_t max_bytes,
                                          const Interrupted& interrupted) override {
    if (Status status = Begin(1, interrupted); !status.ok()) return std::move(status).error();
    return ForwardingDatasetStore::Query(generation, query, max_bytes, interrupted);
  }
  Result<std::vector<std::vector<core::Record>>> QueryEach(
      std::int64_t generation, std::span<const core::RecordQuery> queries,
      std::uint64_t max_records, std::uint64_t max_bytes, const Interrupted& interrupted) override {
    const Status begun = Begin(static_cast<int>(queries.size()), interrupted);
    if (!begun.ok()) return begun.error();
    return ForwardingDatasetStore::QueryEach(generation, queries, max_records, max_bytes,
                                             interrupted);
  }

 private:
  Status Begin(int queries, const Interrupted& interrupted) EXCLUDES(mutex_) {
    queries_ += queries;
    Before before;
    {
      MutexLock lock(mutex_);
      before = before_;
    }
    return before ? before(interrupted) : Status{};
  }

  std::atomic<int> queries_{0};
  Mutex mutex_;
  Before before_ GUARDED_BY(mutex_);
};

struct Answer {
  std::string raw;
  int status = 0;
  std::map<std::string, std::string> fields;
  std::string body;

  explicit Answer(std::string bytes) : raw(std::move(bytes)) {
    std::istringstream lines(raw);
    std::string line;
    std::getline(lines, line);
    status = std::atoi(line.substr(std::min<std::size_t>(9, line.size())).c_str());
    while (std::getline(lines, line) && line != "\r") {
      const std::size_t colon = line.find(": ");
      if (colon == line.npos) continue;
      fields[line.substr(0, colon)] = line.substr(colon + 2, line.size() - colon - 3);
    }
    const std::size_t end = raw.find("\r\n\r\n");
    if (end != raw.npos) body = raw.substr(end + 4);
  }
  std::string Field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "(absent)" : found->second;
  }
};

inline constexpr std::string_view kStocks =
    "symbol,date,price\nAAPL,2010-01-01,1.5\nAAPL,2010-02-01,2.5\nMSFT,2010-01-01,9\n";

class GatewayTest : public testing::Test {
 protected:
  GatewayTest() {
    CryptoInit();
    std::string pattern = testing::TempDir() + "/gateway_test.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    store_ = store::SqliteStore::Open({.folder = folder_, .create = true, .vfs = {}}, clock_.Now())
                 .value();
    inner_records_ = store::SqliteDatasetStore::Open(folder_ + "/records.db").value();
    records_.emplace(*inner_records_);
    datasets_.emplace(*store_, *records_, catalogue_, clock_, entropy_,
                      service::DatasetsOptions{.spool_directory = folder_});
    EXPECT_TRUE(datasets_->Load().ok());
    access_log_ = AccessLog::Open(folder_ + "/access.log").value();
    std::vector<std::string> names = {"none"};
    for (const core::ReasonInfo& info : core::AllReasons()) names.emplace_back(info.name);
    metrics_.emplace(std::move(names));

    MakeAccounts();
    EXPECT_TRUE(state_.Load(*store_).ok());
    record_writes_.emplace(*datasets_, plan_limits_, runner_);
    definitions_.emplace(*datasets_, plan_limits_);
    uploads_.emplace(*datasets_, plan_limits_, runner_,
                     service::UploadsOptions{.directory = folder_ + "/uploads"});
    EXPECT_TRUE(uploads_->Resume().ok());
    legacy_maps_.emplace(*store_, clock_);
    EXPECT_TRUE(legacy_maps_->Load().ok());
    runner_.Start();
  }

  // acme; rich, which has the premium subscription; late, which is suspended. acme's plan takes two
  // datasets.
  void MakeAccounts() {
    store::Mutation made;
    core::Plan plan;
    plan.id = {1};
    plan.name = "basic";
    plan.max_datasets = 2;
    core::Plan more = plan;
    more.id = {2};
    more.name = "more";
    more.max_datasets.reset();
    more.premium_data = true;
    core::Account acme;
    acme.id = {1};
    acme.plan = {1};
    acme.workspace = "acme";
    core::Account rich = acme;
    rich.id = {2};
    rich.plan = {2};
    rich.workspace = "rich";
    core::Account late = acme;
    late.id = {3};
    late.workspace = "late";
    late.state = core::AccountState::kSuspended;
    made.changes = {store::PutPlan{plan, {}}, store::PutPlan{more, {}}};
    for (const core::Account& account : {acme, rich, late}) {
      made.changes.emplace_back(store::PutAccount{account, {}});
    }
    made.event.actor = {"operator", "", ""};
    made.event.action = "test";
    made.event.subject = "test";
    ASSERT_TRUE(store_->Commit(std::move(made)).ok());
  }

  ~GatewayTest() override {
    records_->SetBefore(nullptr);
    release_.store(true);
    server_.reset();
    pool_.reset();
    plane_.reset();
    access_log_.reset();
    runner_.Stop();
    uploads_.reset();
    datasets_.reset();
    std::filesystem::remove_all(folder_);
  }

  struct MadeToken {
    core::Token token;
    std::string text;
  };
  MadeToken MakeToken(core::TokenKind kind, std::int64_t account = 1,
                      core::Environment environment = core::Environment::kLive) {
    MadeToken made;
    made.text = core::MakeTokenText(kind, environment, entropy_.Base62(30));
    made.token.id = {++last_id_};
    made.token.account = {account};
    made.token.kind = kind;
    made.token.environment = environment;
    made.token.digest = Sha256(made.text);
    index_.Put(made.token);
    return made;
  }
  MadeToken Publishable(std::int64_t account = 1) {
    return MakeToken(core::TokenKind::kPublishable, account);
  }
  MadeToken SecretToken(std::int64_t account = 1) {
    return MakeToken(core::TokenKind::kSecret, account);
  }

  void Import(std::string workspace, std::string name, std::string_view csv,
              std::uint32_t weight = 1, bool test = false) {
    service::ImportOptions options;
    options.workspace = std::move(workspace);
    options.name = std::move(name);
    options.key_field = "symbol";
    options.date_field = "date";
    options.weight = weight;
    options.test = test;
    auto import = datasets_->BeginImport(std::move(options), {"operator", "", ""});
    ASSERT_TRUE(import.ok()) << import.error().public_text;
    ASSERT_TRUE((*import)->Feed(csv).ok());
    const auto report = (*import)->Finish();
    ASSERT_TRUE(report.ok()) << report.error().public_text;
  }

  // A definition alone, in the workspace of an account.
  void Define(std::string workspace, std::string name) {
    core::Dataset dataset;
    dataset.id = {++last_id_};
    dataset.workspace = std::move(workspace);
    dataset.name = std::move(name);
    catalogue_.Put(std::move(dataset));
  }

  // One I/O thread, so that two requests meet the same prepared answers.
  void Start(DataPlaneOptions options = {}, int workers = 2, std::size_t queued = 100) {
    MakePlane(std::move(options), workers, queued);
    server_.emplace(1);
    http::ListenerOptions listener;
    listener.name = "data";
    listener.address = *IpAddress::Parse("127.0.0.1");
    listener.make_handler = [this](int thread) { return plane_->MakeHandler(thread); };
    port_ = server_->Listen(std::move(listener)).value();
    server_->Start();
  }
  void MakePlane(DataPlaneOptions options = {}, int workers = 2, std::size_t queued = 100) {
    pool_.emplace(workers, queued);
    if (options.version.empty()) options.version = "1.2.3";
    plane_.emplace(
        Dependencies{index_, catalogue_, *datasets_, *record_writes_, *definitions_, *uploads_,
                     *legacy_maps_, *pool_, clock_, entropy_, *access_log_, *metrics_, log_},
        std::move(options));
  }

  static std::string Head(std::string_view method, std::string_view target,
                          std::string_view fields) {
    return std::string(method)
        .append(" ")
        .append(target)
        .append(" HTTP/1.1\r\nHost: localhost\r\n")
        .append(fields)
        .append("\r\n");
  }
  Answer Ask(std::string_view target, std::string_view fields = {},
             std::string_view method = "GET") {
    test::SocketClient client(port_);
    EXPECT_TRUE(client.Send(Head(method, target, fields)));
    return Answer(client.ReadAnswer(method == "HEAD"));
  }
  static std::string WithToken(std::string_view target, const MadeToken& token) {
    const char* joint = target.find('?') == target.npos ? "?" : "&";
    return std::string(target).append(joint).append("token=").append(token.text);
  }

  // With a body.
  Answer Send(std::string_view method, std::string_view target, std::string_view body,
              std::string_view fields = {}) {
    test::SocketClient client(port_);
    EXPECT_TRUE(client.Send(Head(method, target,
                                 std::string("Content-Length: ")
                                     .append(std::to_string(body.size()))
                                     .append("\r\n")
                                     .append(fields))
                                .append(body)));
    return Answer(client.ReadAnswer(false));
  }
  Answer Post(std::string_view target, std::string_view body, std::string_view fields = {}) {
    return Send("POST", target, body, fields);
  }
  // Until the job of an upload's answer has ended; its last answer.
  Answer AwaitJob(const Answer& upload, const MadeToken& token) {
    const std::string url = JsonText(upload.body, "jobUrl");
    while (true) {
      Answer job = Ask(WithToken(url, token));
      const std::string status = JsonText(job.body, "status");
      if (job.status != 200 || status == "INGESTED" || status == "FAILED") return job;
      std::this_thread::yield();
    }
  }
  // The text of a member of a flat JSON object.
  static std::string JsonText(const std::string& json, const std::string& name) {
    const std::size_t at = json.find("\"" + name + "\":\"");
    if (at == json.npos) return {};
    const std::size_t start = at + name.size() + 4;
    return json.substr(start, json.find('"', start) - start);
  }
  void MapLegacy(core::LegacyKind kind, std::vector<core::LegacyRename> renames = {}) {
    const auto entry = catalogue_.Find("core", "STOCKS");
    ASSERT_NE(entry, nullptr);
    core::LegacyMap map;
    map.kind = kind;
    map.dataset = entry->dataset.id;
    map.renames = std::move(renames);
    const auto put = legacy_maps_->Put(map, entry->dataset, {}, {"operator", "", ""});
    ASSERT_TRUE(put.ok()) << put.error().public_text;
  }

  // Lets queries wait until the end of the test or until released.
  void HoldQueries() {
    records_->SetBefore([this](const WrappedRecords::Interrupted&) -> Status {
      ++waiting_;
      while (!release_) std::this_thread::yield();
      return {};
    });
  }
  void AwaitWaiting(int count) {
    while (waiting_ < count) std::this_thread::yield();
  }

  std::string AccessLines() {
    server_.reset();
    std::ifstream file(folder_ + "/access.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  ManualClock clock_{FromUnixMillis(1'800'000'000'000)};
  SystemEntropy entropy_;
  std::string folder_;
  Log log_{clock_, LogLevel::kError, LogFormat::kText};
  service::TokenIndex index_;
  service::Catalogue catalogue_;
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<store::SqliteDatasetStore> inner_records_;
  std::optional<WrappedRecords> records_;
  std::optional<service::Datasets> datasets_;
  service::State state_{index_};
  service::PlanLimits plan_limits_{state_, catalogue_};
  service::JobRunner runner_{clock_};
  std::optional<service::RecordWrites> record_writes_;
  std::optional<service::DatasetDefinitions> definitions_;
  std::optional<service::Uploads> uploads_;
  std::optional<service::LegacyMaps> legacy_maps_;
  std::unique_ptr<AccessLog> access_log_;
  std::optional<Metrics> metrics_;
  std::optional<DataPlane> plane_;
  std::optional<WorkerPool> pool_;
  std::optional<http::Server> server_;
  std::uint16_t port_ = 0;
  std::int64_t last_id_ = 100;
  std::atomic<bool> release_{false};
  std::atomic<int> waiting_{0};
};

inline void ExpectSecurityFields(const Answer& answer) {
  EXPECT_EQ(answer.Field("Access-Control-Allow-Origin"), "*") << answer.raw;
  EXPECT_THAT(answer.Field("Access-Control-Expose-Headers"), HasSubstr("Latchkey-Reason"));
  EXPECT_EQ(answer.Field("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.Field("Content-Security-Policy"), "default-src 'none'; sandbox");
  EXPECT_EQ(answer.Field("Cache-Control"), "no-store");
  EXPECT_EQ(answer.Field("Latchkey-Request-Id").size(), kRequestIdBytes);
  EXPECT_EQ(answer.Field("Strict-Transport-Security"), "(absent)");
}

}  // namespace latchkey::gateway
