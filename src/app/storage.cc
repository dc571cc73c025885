#include "app/storage.h"

#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "store/files.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"

namespace latchkey::app {
namespace {

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Error Missing(const DataFolder& folder, std::string_view name, std::string_view beside) {
  return MakeError(ErrorCode::kCorrupt,
                   fmt::format("{} is missing, although {} is there: this is no new data folder; "
                               "bring the file back, or restore a backup into an empty folder",
                               folder.File(name), beside));
}

// A start makes the state first. Where the records stand without it, it was lost, and a new one
// would begin with nothing beside data that others relied on.
Status CheckStateIsThere(const DataFolder& folder) {
  if (Exists(folder.File(store::kStateFile)) || !Exists(folder.File(store::kRecordsFile)))
    return {};
  return Missing(folder, store::kStateFile, store::kRecordsFile);
}

// The same of the records, which may be absent only as long as no dataset names any.
Status CheckRecordsAreThere(const DataFolder& folder, store::Store& state) {
  if (Exists(folder.File(store::kRecordsFile))) return {};
  bool named = false;
  Status read = state.ForEachDataset([&](const core::Dataset& dataset) -> Status {
    named = named || dataset.generation != 0;
    return {};
  });
  if (!read.ok() || !named) return read;
  return Missing(folder, store::kRecordsFile, store::kStateFile);
}

}  // namespace

std::string MasterKeyPath(const DataFolder& folder, const std::string& configured) {
  if (!configured.empty()) return configured;
  // systemd.exec(5), LoadCredential=master.key:…
  if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY")) {
    std::string path = std::string(credentials) + "/master.key";
    if (::access(path.c_str(), F_OK) == 0) return path;
  }
  return folder.File("master.key");
}

Result<std::unique_ptr<Storage>> Storage::Open(DataFolder folder,
                                               const std::string& master_key_file,
                                               const Clock& clock, Entropy& entropy, Log& log) {
  if (Status locked = folder.Lock(); !locked.ok()) return locked.error();
  std::unique_ptr<Storage> storage(new Storage(std::move(folder)));
  const DataFolder& where = storage->folder_;
  if (Status whole = CheckStateIsThere(where); !whole.ok()) return whole.error();

  store::SqliteStore::Options options;
  options.folder = where.path();
  Result<std::unique_ptr<store::SqliteStore>> state =
      store::SqliteStore::Open(options, clock.Now());
  if (!state.ok()) return std::move(state).error();
  if ((*state)->tokens_removed_at_open() > 0) {
    log.Warning("tokens that had been removed stood in the database and were removed again",
                {{"tokens", static_cast<std::int64_t>((*state)->tokens_removed_at_open())}});
  }
  storage->store_ = std::move(*state);
  if (Status whole = CheckRecordsAreThere(where, *storage->store_); !whole.ok()) {
    return whole.error();
  }
  Result<std::unique_ptr<store::SqliteDatasetStore>> records =
      store::SqliteDatasetStore::Open(where.File(store::kRecordsFile));
  if (!records.ok()) return std::move(records).error();
  storage->records_ = std::move(*records);

  Result<std::unique_ptr<service::KeyRing>> keys = service::KeyRing::Open(
      MasterKeyPath(where, master_key_file), *storage->store_, clock, entropy);
  if (!keys.ok()) return std::move(keys).error();
  storage->keys_ = std::move(*keys);

  if (Status loaded = storage->state_.Load(*storage->store_); !loaded.ok()) return loaded.error();
  service::DatasetsOptions datasets;
  datasets.spool_directory = where.path();
  storage->datasets_ = std::make_unique<service::Datasets>(
      *storage->store_, *storage->records_, storage->catalogue_, clock, entropy, datasets);
  if (Status loaded = storage->datasets_->Load(); !loaded.ok()) return loaded.error();
  storage->legacy_maps_ = std::make_unique<service::LegacyMaps>(*storage->store_, clock);
  if (Status loaded = storage->legacy_maps_->Load(); !loaded.ok()) return loaded.error();
  service::Datasets& all = *storage->datasets_;
  storage->limits_ = std::make_unique<service::PlanLimits>(storage->state_, storage->catalogue_);
  storage->runner_ = std::make_unique<service::JobRunner>(clock);
  storage->definitions_ = std::make_unique<service::DatasetDefinitions>(all, *storage->limits_);
  storage->record_writes_ =
      std::make_unique<service::RecordWrites>(all, *storage->limits_, *storage->runner_);
  service::UploadsOptions uploads;
  uploads.directory = where.File("uploads");
  uploads.on_failure = [&log](const core::UploadJob& job, const Error& error) {
    log.Warning("an upload failed", {{"job", job.id.ToString()},
                                     {"dataset", job.workspace + "/" + job.dataset},
                                     {"error", error.public_text},
                                     {"problem", error.internal_text}});
  };
  storage->uploads_ = std::make_unique<service::Uploads>(all, *storage->limits_, *storage->runner_,
                                                         std::move(uploads));
  storage->tokens_ = std::make_unique<service::Tokens>(*storage->store_, storage->state_,
                                                       *storage->keys_, clock, entropy);
  storage->accounts_ = std::make_unique<service::Accounts>(*storage->store_, storage->state_,
                                                           *storage->keys_, clock, entropy);
  storage->answers_ = std::make_unique<service::Answers>(*storage->store_, clock);
  return storage;
}

Storage::~Storage() {
  if (runner_) runner_->Stop();
}

Status Storage::StartJobs() {
  if (Status resumed = uploads_->Resume(); !resumed.ok()) return resumed;
  runner_->Start();
  return {};
}

}  // namespace latchkey::app
