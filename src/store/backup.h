// Backups: one file with both databases as they stood at one moment, and what puts them back.
//
// The file is a tar archive that tar(1) lists and unpacks, mode 0600, with exactly these members:
//   manifest.json  {"format":1,"created_at":"2026-11-24T20:00:00Z","members":[
//                    {"name":"state.db","schema":1,"bytes":81920,"sha256":"…"},
//                    {"name":"records.db",…}]}
//   state.db       plans, accounts, tokens, definitions, the audit log, the set of removed digests
//   records.db     the records
// The master key is never in it: without the key, secrets can be presented but not used for
// signing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "store/dataset_store.h"
#include "store/store.h"

namespace latchkey::store {

struct BackupReport {
  Timestamp created_at{};
  std::uint64_t bytes = 0;  // of the file
};

// Writes `file`, which must not exist (kConflict); on disk when it returns ok, and absent after an
// error. Needs room for the databases twice, beside `file`. The store takes no change for the
// moment of the cut, not while the copies are made.
Result<BackupReport> WriteBackup(Store& store, DatasetStore& records, const std::string& file,
                                 Timestamp now);
// The same from a data folder that no server has (the caller holds its lock). Changes nothing in
// the folder, an older schema neither.
Result<BackupReport> WriteBackupFromFolder(const std::string& folder, const std::string& file,
                                           Timestamp now);

// What a restore did; stands in restored.json until the operator accepts it.
struct RestoreReport {
  Timestamp backup_created_at{};
  Timestamp restored_at{};
  std::uint64_t tokens = 0;          // that stand after the restore
  std::uint64_t tokens_removed = 0;  // that stood in the backup and were removed since
  bool removed_digests_merged = false;
};

struct RestoreOptions {
  std::string file;
  std::string folder;  // made with mode 0700 if it is not there; must be empty (kConflict)
  // removed.digests of the folder that is being replaced, or absent: tokens removed since the
  // backup was made then work again, until somebody removes them anew.
  std::optional<std::string> removed_digests;
};

// Everything is checked before anything takes its place: the archive's form, sizes and SHA-256, the
// databases' own integrity, that they are not of a newer Latchkey (kNewer). From the first file put
// in place restored.json stands, by which a server knows that it must start locked. After an error
// or a crash the folder is to be emptied and the restore run again.
Result<RestoreReport> RestoreBackup(const RestoreOptions& options, Timestamp now);

// What restored.json says; nullopt if it is not there. A file that can't be read is kCorrupt: the
// server stays locked all the same.
Result<std::optional<RestoreReport>> ReadRestoredMarker(const std::string& folder);
// Removes restored.json. kNotFound if there is nothing to accept.
Status AcceptRestore(const std::string& folder);

}  // namespace latchkey::store
