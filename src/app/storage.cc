#include "app/storage.h"

#include <cstdlib>
#include <utility>

#include <unistd.h>

#include "store/files.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"

namespace latchkey::app {

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
  storage->tokens_ = std::make_unique<service::Tokens>(*storage->store_, storage->state_,
                                                       *storage->keys_, clock, entropy);
  storage->accounts_ = std::make_unique<service::Accounts>(*storage->store_, storage->state_,
                                                           *storage->keys_, clock, entropy);
  storage->answers_ = std::make_unique<service::Answers>(*storage->store_, clock);
  return storage;
}

}  // namespace latchkey::app
