#include "app/app.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/certificates.h"
#include "app/demo.h"
#include "app/listeners.h"
#include "app/maintenance.h"
#include "app/observe.h"
#include "app/signals.h"
#include "app/storage.h"
#include "app/version.h"
#include "base/crypto.h"
#include "core/reason.h"
#include "env/access_log.h"
#include "env/flat_json.h"
#include "env/metrics.h"
#include "env/worker_pool.h"
#include "gateway/gateway.h"
#include "manage/manage.h"

namespace latchkey::app {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTurn{1'000};  // of the main thread, which otherwise sleeps
constexpr milliseconds kStopTurn{20};
constexpr int kTurnsForJobs = 50;  // once nobody waits for their answers
constexpr int kTurnsPerWatch = 3;  // certificates, old records
constexpr int kTurnsPerWarning = 12 * 3600;

std::vector<std::string> ReasonNames() {
  std::vector<std::string> names(static_cast<std::size_t>(core::Reason::kCount));
  for (const core::ReasonInfo& info : core::AllReasons()) {
    names[static_cast<std::size_t>(info.reason)] = info.name;
  }
  return names;
}

int Threads(const Config& config) {
  if (config.server.threads > 0) return config.server.threads;
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 256U));
}

// Each connection takes a descriptor; a shell's usual soft limit of 1,024 is no bound of ours.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Where each plane can be reached.
struct Urls {
  std::string data;
  std::string plain;  // empty: not opened
  std::string manage;
  std::string internal;
};

class App {
 public:
  App(const ServeOptions& options, Config config)
      : options_(options),
        config_(std::move(config)),
        log_(clock_, config_.log.level, config_.log.format),
        metrics_(ReasonNames()) {}

  int Run() {
    if (Status started = Start(); !started.ok()) {
      if (started.error().internal_text.empty()) {
        log_.Error(started.error().public_text);
      } else {
        log_.Error(started.error().public_text, {{"problem", started.error().internal_text}});
      }
      return 1;
    }
    Status announced = Announce();
    if (!announced.ok()) log_.Error(announced.error().public_text);
    if (announced.ok()) Attend();
    Stop();
    return announced.ok() ? 0 : 1;
  }

 private:
  Status Start() {
    if (Status opened = OpenStorage(); !opened.ok()) return opened;
    Result<std::unique_ptr<AccessLog>> access_log = AccessLog::Open(config_.log.access);
    if (!access_log.ok()) return std::move(access_log).error();
    access_log_ = std::move(*access_log);
    Result<std::unique_ptr<Certificates>> certificates =
        Certificates::Open(config_.certificates, config_.data_folder, clock_, log_);
    if (!certificates.ok()) return std::move(certificates).error();
    certificates_ = std::move(*certificates);
    certificates_->WarnOfExpiry();
    if (options_.demo) {
      Result<std::optional<Demo>> demo = EnsureDemo(*storage_, log_);
      if (!demo.ok()) return std::move(demo).error();
      demo_ = std::move(*demo);
    }
    if (Status started = storage_->StartJobs(); !started.ok()) return started;
    server_ = std::make_unique<http::Server>(Threads(config_));
    pool_ = std::make_unique<WorkerPool>(config_.server.workers, config_.server.worker_queue);
    if (Status made = MakePlanes(); !made.ok()) return made;
    if (Status opened = OpenListeners(); !opened.ok()) return opened;
    std::vector<std::string> listeners = {"data", "manage", "internal"};
    if (!urls_.plain.empty()) listeners.insert(listeners.begin() + 1, "plain");
    ObserveProcess(
        metrics_, {*server_, std::move(listeners), storage_->index(), storage_->catalogue(), *pool_,
                   *certificates_, *access_log_, storage_->folder().path()});
    server_->Start();
    return {};
  }

  Status OpenStorage() {
    Result<DataFolder> folder = DataFolder::Open(config_.data_folder);
    if (!folder.ok()) return std::move(folder).error();
    if (Status locked = folder->Lock(); !locked.ok()) return locked;
    // One of an earlier start would tell of a server that is gone. Not before the lock: another
    // server on the folder may have written it.
    if (!options_.ready_file.empty()) ::unlink(options_.ready_file.c_str());
    if (Status accepted = CheckRestoreAccepted(*folder); !accepted.ok()) return accepted;
    const std::chrono::nanoseconds began = clock_.Monotonic();
    Result<std::unique_ptr<Storage>> storage =
        Storage::Open(std::move(*folder), config_.master_key_file, clock_, entropy_, log_);
    if (!storage.ok()) return std::move(storage).error();
    storage_ = std::move(*storage);
    RemoveUnfinishedBackups(storage_->folder());
    const service::TokenIndex::Size size = storage_->index().GetSize();
    log_.Info("the data folder is open",
              {{"folder", config_.data_folder},
               {"tokens", static_cast<std::int64_t>(size.tokens)},
               {"accounts", static_cast<std::int64_t>(size.accounts)},
               {"datasets", static_cast<std::int64_t>(storage_->catalogue().Snapshot()->size())},
               {"ms", (clock_.Monotonic() - began).count() / 1'000'000}});
    return {};
  }

  Status MakePlanes() {
    Result<Secret> operator_token = storage_->folder().EnsureOperatorToken(entropy_);
    if (!operator_token.ok()) return std::move(operator_token).error();
    const gateway::Dependencies data{storage_->index(),
                                     storage_->catalogue(),
                                     storage_->datasets(),
                                     storage_->record_writes(),
                                     storage_->definitions(),
                                     storage_->uploads(),
                                     storage_->legacy_maps(),
                                     *pool_,
                                     clock_,
                                     entropy_,
                                     *access_log_,
                                     metrics_,
                                     log_};
    data_plane_ = std::make_unique<gateway::DataPlane>(data, DataOptions("data"));
    plain_plane_ = std::make_unique<gateway::DataPlane>(data, DataOptions("plain"));

    const manage::Dependencies dependencies{storage_->index(),
                                            storage_->tokens(),
                                            storage_->accounts(),
                                            storage_->answers(),
                                            storage_->datasets(),
                                            storage_->definitions(),
                                            storage_->uploads(),
                                            storage_->catalogue(),
                                            storage_->legacy_maps(),
                                            *pool_,
                                            clock_,
                                            entropy_,
                                            *access_log_,
                                            metrics_,
                                            log_};
    manage::ManageOptions manage;
    manage.host_names = config_.manage.host_names;
    for (std::string& name : certificates_->HostNames()) {
      manage.host_names.push_back(std::move(name));
    }
    manage.max_body_bytes = config_.limits.body_bytes;
    manage.max_upload_bytes = config_.limits.upload_bytes;
    manage.trusted_proxies = config_.trusted_proxies;
    manage::InternalOptions internal;
    internal.host_names = config_.internal.host_names;
    internal.operator_token_digest = Sha256(operator_token->Reveal());
    internal.max_body_bytes = config_.limits.body_bytes;
    internal.max_import_bytes = config_.limits.import_bytes;
    internal.spool_directory = storage_->folder().path();
    internal.metrics = [this] { return metrics_.Expose(); };
    internal.readiness = [this] { return Readiness(); };
    internal.backup = [this](const core::Actor&) {
      return MakeBackup(*storage_, clock_, entropy_);
    };
    internal.rotate_master_key = [this](const core::Actor& actor) -> Result<std::uint32_t> {
      Result<service::KeyRing::Rotation> rotation = storage_->keys().Rotate(actor);
      if (!rotation.ok()) return std::move(rotation).error();
      log_.Info("the master key was rotated",
                {{"id", static_cast<std::int64_t>(rotation->new_id)},
                 {"resealed", static_cast<std::int64_t>(rotation->resealed)}});
      return rotation->new_id;
    };
    planes_ =
        std::make_unique<manage::Planes>(dependencies, std::move(manage), std::move(internal));
    return {};
  }

  gateway::DataPlaneOptions DataOptions(std::string plane) const {
    gateway::DataPlaneOptions options;
    options.plane = std::move(plane);
    options.version = kVersion;
    options.max_records = config_.datasets.max_records;
    options.max_answer_bytes = config_.datasets.answer_bytes;
    options.max_record_body_bytes = config_.limits.record_bytes;
    options.max_upload_bytes = config_.limits.upload_bytes;
    // Each thread's handlers of both planes share what the configuration grants in all.
    const int shares = Threads(config_) * (config_.data.http_port ? 2 : 1);
    options.answer_cache_bytes = config_.datasets.cache_bytes / static_cast<std::size_t>(shares);
    options.query_timeout = config_.datasets.query_timeout;
    options.trusted_proxies = config_.trusted_proxies;
    options.refuse_secret_tokens_over_http = !config_.data.secret_tokens_over_http;
    options.hsts = options.plane == "data" && !certificates_->development();
    return options;
  }

  Status OpenListeners() {
    const std::string https =
        config_.data.listen.empty() && options_.demo ? "127.0.0.1" : config_.data.listen;
    const auto open = [&](ListenerRequest request, std::string& url) -> Status {
      Result<std::string> bound = AddListener(*server_, config_, std::move(request));
      if (!bound.ok()) return std::move(bound).error();
      url = std::move(*bound);
      return {};
    };
    Status opened = open({"data", https, config_.data.https_port, &certificates_->Context(),
                          [this](int thread) { return data_plane_->MakeHandler(thread); }},
                         urls_.data);
    if (opened.ok() && config_.data.http_port) {
      opened = open({"plain", config_.data.http_listen, *config_.data.http_port, nullptr,
                     [this](int thread) { return plain_plane_->MakeHandler(thread); }},
                    urls_.plain);
    }
    if (opened.ok()) {
      opened = open({"manage", config_.manage.listen.empty() ? https : config_.manage.listen,
                     config_.manage.port, &certificates_->Context(),
                     [this](int thread) { return planes_->MakeManageHandler(thread); }},
                    urls_.manage);
    }
    if (opened.ok()) {
      opened = open({"internal", config_.internal.listen, config_.internal.port, nullptr,
                     [this](int thread) { return planes_->MakeInternalHandler(thread); }},
                    urls_.internal);
    }
    return opened;
  }

  // Tells commands, tools and people that every listener accepts.
  Status Announce() {
    RunInfo info;
    info.pid = ::getpid();
    info.url = urls_.data;
    info.manage_url = urls_.manage;
    info.internal_url = urls_.internal;
    info.ca_file = certificates_->ca_file();
    if (Status written = storage_->folder().WriteRunInfo(info); !written.ok()) return written;
    if (!options_.ready_file.empty()) {
      Status written = WriteFileAtomically(options_.ready_file, ReadyText());
      if (!written.ok()) return written;
    }
    log_.Info("ready", {{"version", kVersion},
                        {"data", urls_.data},
                        {"plain", urls_.plain},
                        {"manage", urls_.manage},
                        {"internal", urls_.internal}});
    if (demo_) {
      const std::string port = urls_.data.substr(urls_.data.rfind(':') + 1);
      std::fputs(DemoBanner(*demo_, port, certificates_->ca_file()).c_str(), stdout);
      std::fflush(stdout);
    }
    return {};
  }

  std::string ReadyText() const {
    const auto absolute = [](const std::string& path) {
      return std::filesystem::absolute(path).lexically_normal().string();
    };
    FlatJsonWriter writer;
    writer.Add("pid", static_cast<std::int64_t>(::getpid()));
    writer.Add("url", urls_.data);
    if (!urls_.plain.empty()) writer.Add("http_url", urls_.plain);
    writer.Add("manage_url", urls_.manage);
    writer.Add("internal_url", urls_.internal);
    if (!certificates_->ca_file().empty()) writer.Add("ca_file", certificates_->ca_file());
    writer.Add("operator_token_file", absolute(storage_->folder().File("operator.token")));
    if (demo_) {
      writer.Add("account", demo_->account);
      writer.Add("publishable_token", demo_->publishable_token);
      writer.Add("secret_token", demo_->secret_token.Reveal());
    }
    return writer.Finish();
  }

  // The main thread's work until a signal ends it.
  void Attend() {
    for (int turn = 1;; ++turn) {
      switch (signals_.Wait(kTurn)) {
        case Signal::kStop:
          return;
        case Signal::kReload:
          Reload();
          break;
        case Signal::kNone:
          break;
      }
      if (turn % kTurnsPerWatch == 0) {
        certificates_->Watch();
        Sweep();
      }
      if (turn % kTurnsPerWarning == 0) certificates_->WarnOfExpiry();
    }
  }

  void Sweep() {
    // A full queue has more urgent work; the next turn comes soon.
    (void)pool_->Submit(0, [this] {
      const Status swept = storage_->datasets().Sweep();
      if (!swept.ok()) log_.Warning("old records stay", {{"problem", swept.error().public_text}});
      const Status forgotten = storage_->uploads().Sweep();
      if (!forgotten.ok()) {
        log_.Warning("old uploads stay", {{"problem", forgotten.error().public_text}});
      }
    });
  }

  void Reload() {
    const Result<Config> fresh = options_.load_config();
    if (!fresh.ok()) {
      log_.Error("the configuration is wrong, the standing one stays in use",
                 {{"problem", fresh.error().public_text}});
    } else {
      log_.SetLevel(fresh->log.level);
    }
    certificates_->Reload(fresh.ok() ? fresh->certificates : config_.certificates);
    if (fresh.ok()) config_.certificates = fresh->certificates;
    if (Status reopened = access_log_->Reopen(); !reopened.ok()) {
      log_.Error("the access log stays where it was", {{"problem", reopened.error().public_text}});
    }
    log_.Info("reloaded");
  }

  // Drains: a second signal, or the end of patience, cuts what still runs.
  void Stop() {
    draining_.store(true, std::memory_order_relaxed);
    log_.Info("stopping: running requests may end");
    std::atomic<bool> done{false};
    std::atomic<bool> drained{false};
    bool clean = true;
    std::thread stopper([&] {
      clean = server_->Stop(config_.server.drain_timeout);
      drained.store(true, std::memory_order_release);
      // Jobs that still run answer to nobody; what they change is whole.
      pool_.reset();
      // An upload that still runs goes on with the next start.
      storage_->runner().Stop();
      done.store(true, std::memory_order_release);
    });
    // Where the process ends before its objects do, nothing needs tidying up: what was acknowledged
    // is on disk, and the next start drops what was half done.
    int turns_drained = 0;
    while (!done.load(std::memory_order_acquire)) {
      if (signals_.Wait(kStopTurn) == Signal::kStop) {
        log_.Warning("a second signal: ending at once");
        storage_->folder().RemoveRunInfo();
        ::_exit(1);
      }
      if (!drained.load(std::memory_order_acquire) || ++turns_drained < kTurnsForJobs) continue;
      log_.Warning("a long job, such as an import, did not end in time and was cut");
      storage_->folder().RemoveRunInfo();
      ::_exit(0);
    }
    stopper.join();
    if (!clean) log_.Warning("requests that did not end in time were cut");
    storage_->folder().RemoveRunInfo();
    log_.Info("stopped");
  }

  std::vector<std::string> Readiness() {
    std::vector<std::string> problems;
    if (draining_.load(std::memory_order_relaxed)) problems.emplace_back("The server is stopping.");
    if (!storage_->store().LastFeedSequence().ok()) {
      problems.emplace_back("The store does not answer.");
    }
    return problems;
  }

  const ServeOptions& options_;
  Config config_;
  const Signals signals_;
  const SystemClock clock_;
  SystemEntropy entropy_;
  Log log_;
  Metrics metrics_;
  std::unique_ptr<AccessLog> access_log_;
  std::unique_ptr<Certificates> certificates_;
  std::unique_ptr<Storage> storage_;
  std::optional<Demo> demo_;
  Urls urls_;
  std::atomic<bool> draining_{false};
  // Destroyed from below: the pool's jobs refer to the planes, the server's handlers too.
  std::unique_ptr<gateway::DataPlane> data_plane_;
  std::unique_ptr<gateway::DataPlane> plain_plane_;
  std::unique_ptr<manage::Planes> planes_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<WorkerPool> pool_;
};

}  // namespace

int Serve(const ServeOptions& options) {
  CryptoInit();
  Result<Config> config = options.load_config();
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.error().public_text.c_str());
    return 2;
  }
  RaiseDescriptorLimit();
  // Whatever a library makes is for this user alone.
  ::umask(077);
  return App(options, std::move(*config)).Run();
}

}  // namespace latchkey::app
