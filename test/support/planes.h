// The management and the internal plane over loopback, on a real SQLite store in a folder of its
// own.
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

#include <boost/json.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "core/reason.h"
#include "env/access_log.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "env/log.h"
#include "env/metrics.h"
#include "env/worker_pool.h"
#include "http/client.h"
#include "http/server.h"
#include "manage/manage.h"
#include "service/accounts.h"
#include "service/catalogue.h"
#include "service/dataset_definitions.h"
#include "service/datasets.h"
#include "service/idempotency.h"
#include "service/job_runner.h"
#include "service/legacy_maps.h"
#include "service/master_key.h"
#include "service/plan_limits.h"
#include "service/state.h"
#include "service/token_index.h"
#include "service/tokens.h"
#include "service/uploads.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"

namespace latchkey::test {

// The answer's body; a failure, and an empty one, if it is no JSON object.
inline boost::json::object Object(const http::ClientResponse& response) {
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(response.body, error);
  if (!error && value.is_object()) return value.as_object();
  ADD_FAILURE() << "not an object: " << response.status << " " << response.body;
  return {};
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "latchkey-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// Gives T from a Result or ends the test program: for what must work before a test begins.
template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.error().public_text << " " << result.error().internal_text;
    std::abort();
  }
  return std::move(result).value();
}

inline constexpr std::string_view kOperatorToken = "op_test0operator0token";

class Planes {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // `adjust` may change what the composition root passes in.
  explicit Planes(const std::function<void(manage::InternalOptions&)>& adjust = nullptr,
                  int workers = 2, std::size_t queue = 64) {
    CryptoInit();
    store = Must(store::SqliteStore::Open({.folder = folder.path(), .create = true, .vfs = {}},
                                          clock.Now()));
    records = Must(store::SqliteDatasetStore::Open(folder.File("records.db")));
    if (!state.Load(*store).ok()) std::abort();
    keys = Must(service::KeyRing::Open(folder.File("master.key"), *store, clock, entropy));
    tokens.emplace(*store, state, *keys, clock, entropy);
    accounts.emplace(*store, state, *keys, clock, entropy);
    answers.emplace(*store, clock);
    datasets.emplace(*store, *records, catalogue, clock, entropy,
                     service::DatasetsOptions{.spool_directory = folder.path()});
    if (!datasets->Load().ok()) std::abort();
    limits.emplace(state, catalogue);
    definitions.emplace(*datasets, *limits);
    service::UploadsOptions uploads_options;
    uploads_options.directory = folder.File("uploads");
    uploads.emplace(*datasets, *limits, runner, std::move(uploads_options));
    if (!uploads->Resume().ok()) std::abort();
    legacy_maps.emplace(*store, clock);
    if (!legacy_maps->Load().ok()) std::abort();
    access_log = Must(AccessLog::Open(folder.File("access.log")));
    pool.emplace(workers, queue);

    manage::InternalOptions internal;
    internal.operator_token_digest = Sha256(kOperatorToken);
    internal.host_names = {"latchkey.internal"};
    internal.metrics = [this] { return metrics.Expose(); };
    internal.readiness = [] { return std::vector<std::string>(); };
    internal.backup = [](const core::Actor&) -> Result<std::string> {
      return MakeError(ErrorCode::kUnavailable, "There is no room.", "disk full");
    };
    internal.rotate_master_key = [this](const core::Actor& actor) -> Result<std::uint32_t> {
      const auto rotation = keys->Rotate(actor);
      if (!rotation.ok()) return rotation.error();
      return rotation->new_id;
    };
    internal.spool_directory = folder.path();
    if (adjust) adjust(internal);
    manage::ManageOptions manage;
    manage.host_names = {"manage.example.com"};
    planes.emplace(manage::Dependencies{index, *tokens, *accounts, *answers, *datasets,
                                        *definitions, *uploads, catalogue, *legacy_maps, *pool,
                                        clock, entropy, *access_log, metrics, log},
                   manage, std::move(internal));
    server.emplace(2);
    manage_port =
        Listen("manage", [this](int thread) { return planes->MakeManageHandler(thread); });
    internal_port =
        Listen("internal", [this](int thread) { return planes->MakeInternalHandler(thread); });
    server->Start();
  }
  ~Planes() {
    server->Stop(std::chrono::seconds(5));
    pool.reset();
    server.reset();
    ::close(log_fd);
  }
  Planes(const Planes&) = delete;
  Planes& operator=(const Planes&) = delete;

  http::ClientResponse Send(std::uint16_t port, std::string method, std::string target,
                            std::string_view token, std::string body = {},
                            Headers headers = {}) const {
    http::Client client({.base_url = "http://127.0.0.1:" + std::to_string(port), .ca_file = {}});
    http::ClientRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    if (!token.empty())
      request.headers.emplace_back("Authorization", "Bearer " + std::string(token));
    for (auto& header : headers) request.headers.push_back(std::move(header));
    request.body = std::move(body);
    auto response = client.Send(request);
    if (!response.ok()) {
      ADD_FAILURE() << response.error().public_text;
      return {};
    }
    return std::move(response).value();
  }
  http::ClientResponse Operator(std::string method, std::string target, std::string body = {},
                                Headers headers = {}) const {
    return Send(internal_port, std::move(method), std::move(target), kOperatorToken,
                std::move(body), std::move(headers));
  }

  http::ClientResponse Manage(std::string method, std::string target, std::string_view token,
                              std::string body = {}, Headers headers = {}) const {
    return Send(manage_port, std::move(method), std::move(target), token, std::move(body),
                std::move(headers));
  }
  // Ends every upload that came in.
  void RunJobs() {
    while (runner.RunOne()) {
    }
  }

  // What the access log holds once the server has stopped.
  std::string StopAndReadAccessLog() {
    server->Stop(std::chrono::seconds(5));
    std::ifstream file(folder.File("access.log"));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  TemporaryFolder folder;
  ManualClock clock{FromUnixMillis(1'795'000'000'000)};
  SystemEntropy entropy;
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<store::SqliteDatasetStore> records;
  service::TokenIndex index;
  service::State state{index};
  std::unique_ptr<service::KeyRing> keys;
  std::optional<service::Tokens> tokens;
  std::optional<service::Accounts> accounts;
  std::optional<service::Answers> answers;
  service::Catalogue catalogue;
  std::optional<service::Datasets> datasets;
  service::JobRunner runner{clock};  // without a thread: RunJobs
  std::optional<service::PlanLimits> limits;
  std::optional<service::DatasetDefinitions> definitions;
  std::optional<service::Uploads> uploads;
  std::optional<service::LegacyMaps> legacy_maps;
  std::unique_ptr<AccessLog> access_log;
  Metrics metrics{ReasonNames()};
  int log_fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Log log{clock, LogLevel::kError, LogFormat::kText, log_fd};
  std::optional<manage::Planes> planes;
  std::optional<http::Server> server;
  std::optional<WorkerPool> pool;
  std::uint16_t manage_port = 0;
  std::uint16_t internal_port = 0;

 private:
  static std::vector<std::string> ReasonNames() {
    std::vector<std::string> names(static_cast<std::size_t>(core::Reason::kCount));
    for (const core::ReasonInfo& info : core::AllReasons()) {
      names[static_cast<std::size_t>(info.reason)] = info.name;
    }
    return names;
  }
  std::uint16_t Listen(const std::string& name,
                       std::function<std::unique_ptr<http::Handler>(int)> make_handler) {
    http::ListenerOptions options;
    options.name = name;
    options.address = *IpAddress::Parse("127.0.0.1");
    options.make_handler = std::move(make_handler);
    return Must(server->Listen(std::move(options)));
  }
};

}  // namespace latchkey::test
