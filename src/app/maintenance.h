// What is done with a data folder as a whole: backup, restore, a new master key. Commands call this
// where no server runs; a server's backup takes the same way.
#pragma once

#include <cstdint>
#include <string>

#include "app/storage.h"
#include "base/result.h"
#include "env/clock.h"
#include "env/config.h"
#include "env/data_folder.h"
#include "env/entropy.h"
#include "env/log.h"

namespace latchkey::app {

// kConflict, with the difference and the command that accepts it, if the folder was restored from a
// backup and nobody has accepted that yet: no server starts on it before.
Status CheckRestoreAccepted(const DataFolder& folder);

// The file, in the data folder, that holds a backup of both databases at one cut; mode 0600. The
// caller takes its name away.
Result<std::string> MakeBackup(Storage& storage, const Clock& clock, Entropy& entropy);
// Removes what backups that a crash cut off left in the folder.
void RemoveUnfinishedBackups(const DataFolder& folder);

// For a folder without a server, kConflict if one runs. `file` must not exist.
Status BackUpFolder(const std::string& data_folder, const std::string& file, const Clock& clock);

// Into an empty or absent folder. `removed_digests`: that file of the folder that is being
// replaced; empty: there is none. What the operator is to read: what came back, and what differs.
Result<std::string> RestoreFolder(const std::string& data_folder, const std::string& file,
                                  const std::string& removed_digests, const Clock& clock);
// After it, servers start again.
Status AcceptRestore(const std::string& data_folder);

// For a folder without a server. The new key's id.
Result<std::uint32_t> RotateMasterKey(const Config& config, const Clock& clock, Entropy& entropy,
                                      Log& log);

}  // namespace latchkey::app
