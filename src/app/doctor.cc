#include "app/doctor.h"

#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/certificates.h"
#include "app/maintenance.h"
#include "app/observe.h"
#include "app/storage.h"
#include "env/data_folder.h"
#include "service/master_key.h"
#include "store/files.h"
#include "store/migrations.h"
#include "store/sqlite_database.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"

namespace latchkey::app {
namespace {

constexpr double kGibibyte = 1024.0 * 1024 * 1024;
constexpr double kDiskWarning = 1.0 * kGibibyte;
constexpr double kMebibyte = 1024.0 * 1024;
constexpr double kDiskBad = 4.0 * kMebibyte;  // the next change or import may not fit
constexpr double kExpiryWarningDays = 30;
// A clock before this build's first day, or an hour behind the youngest file, is wrong.
constexpr Timestamp kEarliest = FromUnixMillis(1'760'000'000'000);
constexpr std::chrono::hours kClockTolerance{1};

class Doctor {
 public:
  Doctor(const Config& config, const Clock& clock) : config_(config), clock_(clock) {}

  std::vector<Finding> Run() {
    if (::access(config_.data_folder.c_str(), F_OK) != 0) {
      Bad("data folder",
          fmt::format("{} is not there; `latchkey serve` makes it", config_.data_folder));
      return std::move(findings_);
    }
    Result<DataFolder> folder = DataFolder::Open(config_.data_folder);
    if (!folder.ok()) {
      Bad("permissions", folder.error().public_text);
      return std::move(findings_);
    }
    Good("permissions", "the data folder and its files are for their owner alone");
    CheckDisk();
    CheckClock(*folder);
    CheckCertificates(*folder);
    const Status accepted = CheckRestoreAccepted(*folder);
    if (!accepted.ok()) Warn("restore", accepted.error().public_text);
    if (folder->LockedByAnother()) {
      CheckBesideServer(*folder);
    } else {
      CheckAlone(*folder);
    }
    return std::move(findings_);
  }

 private:
  void Good(std::string what, std::string detail) { Add(Health::kGood, what, detail); }
  void Warn(std::string what, std::string detail) { Add(Health::kWarning, what, detail); }
  void Bad(std::string what, std::string detail) { Add(Health::kBad, what, detail); }
  void Add(Health health, std::string& what, std::string& detail) {
    findings_.push_back({health, std::move(what), std::move(detail)});
  }

  void CheckDisk() {
    const double free = FreeBytes(config_.data_folder);
    const bool small = free < kGibibyte;
    const std::string text =
        fmt::format("{:.1f} {} are free where {} is", free / (small ? kMebibyte : kGibibyte),
                    small ? "MiB" : "GiB", config_.data_folder);
    if (free < kDiskBad) {
      Bad("disk", text + "; changes and imports will soon be refused");
    } else if (free < kDiskWarning) {
      Warn("disk", text);
    } else {
      Good("disk", text);
    }
  }

  void CheckClock(const DataFolder& folder) {
    const Timestamp now = clock_.Now();
    if (now < kEarliest) {
      Bad("clock", fmt::format("it says {}, which is past; set it", FormatRfc3339(now)));
      return;
    }
    struct stat status;
    const bool there = ::stat(folder.File(store::kStateFile).c_str(), &status) == 0;
    const Timestamp written =
        there ? FromUnixMillis(std::int64_t{status.st_mtim.tv_sec} * 1000) : now;
    if (written > now + kClockTolerance) {
      Bad("clock", fmt::format("it says {}, but {} was written at {}", FormatRfc3339(now),
                               folder.File(store::kStateFile), FormatRfc3339(written)));
      return;
    }
    Good("clock", fmt::format("it says {}", FormatRfc3339(now)));
  }

  void CheckCertificates(const DataFolder& folder) {
    std::vector<http::CertificateFiles> files;
    for (const CertificatePair& pair : config_.certificates) {
      files.push_back({pair.chain, pair.key});
    }
    if (files.empty()) {
      if (::access(folder.File("cert.pem").c_str(), F_OK) != 0) {
        Good("certificates", "none is configured; the next start makes a development certificate");
        return;
      }
      Warn("certificates", "none is configured: the development certificate serves");
      files.push_back({folder.File("cert.pem"), folder.File("key.pem")});
    }
    const Result<std::unique_ptr<http::TlsContext>> context =
        http::TlsContext::Create(std::move(files));
    if (!context.ok()) {
      Bad("certificates", context.error().public_text);
      return;
    }
    for (const http::CertificateInfo& certificate : (*context)->Certificates()) {
      const double days = DaysToExpiry(certificate, clock_.Now());
      const std::string text =
          fmt::format("{} ({}) is valid until {}", certificate.chain_file, certificate.key_type,
                      FormatRfc3339(certificate.not_after));
      if (days < kExpiryWarningDays) {
        Warn("certificates", text);
      } else {
        Good("certificates", text);
      }
    }
  }

  // A server writes: whatever opens the store as its owner would disturb it. Readers don't.
  void CheckBesideServer(const DataFolder& folder) {
    const Result<RunInfo> running = folder.ReadRunInfo();
    Good("server", running.ok() ? fmt::format("process {} serves {}", running->pid, running->url)
                                : "a process has the folder");
    CheckKeyFile(folder);
    const auto check = [&](std::string_view name, std::int32_t application_id,
                           std::span<const store::Migration> migrations) {
      store::SqliteDatabase::Options options;
      options.path = folder.File(name);
      options.application_id = application_id;
      options.migrations = migrations;
      options.create = false;
      Result<std::unique_ptr<store::SqliteDatabase>> database =
          store::SqliteDatabase::OpenReader(options);
      const Status sound = database.ok() ? (*database)->CheckIntegrity() : database.error();
      Integrity(name, sound);
    };
    check(store::kStateFile, store::kStateApplicationId, store::StateMigrations());
    check(store::kRecordsFile, store::kRecordsApplicationId, store::RecordsMigrations());
  }

  void CheckAlone(DataFolder& folder) {
    Good("server", "none runs on the folder");
    if (::access(folder.File(store::kStateFile).c_str(), F_OK) != 0) {
      Good("databases", "none yet; the first start makes them");
      return;
    }
    // From here on no server can start meanwhile.
    if (Status locked = folder.Lock(); !locked.ok()) {
      Bad("server", locked.error().public_text);
      return;
    }
    store::SqliteStore::Options options;
    options.folder = folder.path();
    options.create = false;
    Result<std::unique_ptr<store::SqliteStore>> state =
        store::SqliteStore::Open(options, clock_.Now());
    if (!state.ok()) {
      Bad(std::string(store::kStateFile), state.error().public_text);
      return;
    }
    CheckKey(folder, **state);
    Integrity(store::kStateFile, (*state)->CheckIntegrity());
    if (::access(folder.File(store::kRecordsFile).c_str(), F_OK) != 0) {
      Bad(std::string(store::kRecordsFile), "it is not there, although the state is");
      return;
    }
    Result<std::unique_ptr<store::SqliteDatasetStore>> records =
        store::SqliteDatasetStore::Open(folder.File(store::kRecordsFile));
    Integrity(store::kRecordsFile, records.ok() ? (*records)->CheckIntegrity() : records.error());
  }

  void Integrity(std::string_view name, const Status& sound) {
    if (sound.ok()) {
      Good(std::string(name), "every page was read and is sound");
    } else {
      Bad(std::string(name), sound.error().public_text);
    }
  }

  std::optional<service::MasterKey> CheckKeyFile(const DataFolder& folder) {
    const std::string path = MasterKeyPath(folder, config_.master_key_file);
    Result<std::string> text = ReadWholeFile(path, 64 * 1024);
    if (!text.ok()) {
      Bad("master key", text.error().public_text);
      return std::nullopt;
    }
    Result<service::MasterKey> key = service::ParseMasterKey(*text);
    if (!key.ok()) {
      Bad("master key", key.error().public_text);
      return std::nullopt;
    }
    Good("master key", fmt::format("{} holds key {}", path, key->id));
    return std::move(*key);
  }

  void CheckKey(const DataFolder& folder, store::Store& state) {
    const std::optional<service::MasterKey> key = CheckKeyFile(folder);
    if (!key) return;
    const Result<std::string> check = state.MasterKeyCheck();
    if (!check.ok()) {
      Bad("master key", check.error().public_text);
    } else if (!check->empty() && *check != service::MasterKeyCheckValue(*key)) {
      Bad("master key", "it is another than that of the databases");
    } else {
      Good("master key", "it is that of the databases");
    }
  }

  const Config& config_;
  const Clock& clock_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> Diagnose(const Config& config, const Clock& clock) {
  return Doctor(config, clock).Run();
}

}  // namespace latchkey::app
