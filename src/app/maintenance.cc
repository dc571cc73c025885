#include "app/maintenance.h"

#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "store/backup.h"

namespace latchkey::app {
namespace {

constexpr std::string_view kUnfinishedPrefix = "backup-";
constexpr std::string_view kUnfinishedSuffix = ".tmp";

std::string Difference(const store::RestoreReport& report) {
  std::string text = fmt::format(
      "restored from a backup of {}: {} tokens stand, {} of the backup's were removed since and "
      "stay removed",
      FormatRfc3339(report.backup_created_at), report.tokens, report.tokens_removed);
  if (!report.removed_digests_merged) {
    text +=
        "; no removed.digests was given, so tokens that were removed after the backup work again "
        "until they are removed anew";
  }
  return text;
}

}  // namespace

Status CheckRestoreAccepted(const DataFolder& folder) {
  const Result<std::optional<store::RestoreReport>> report =
      store::ReadRestoredMarker(folder.path());
  if (!report.ok()) return report.error();
  if (!report->has_value()) return {};
  return MakeError(ErrorCode::kConflict,
                   fmt::format("the data folder {} was {}; to accept that, run: latchkey restore "
                               "--accept --data {}",
                               folder.path(), Difference(**report), folder.path()));
}

Result<std::string> MakeBackup(Storage& storage, const Clock& clock, Entropy& entropy) {
  std::string name(kUnfinishedPrefix);
  name.append(entropy.Base62(16)).append(kUnfinishedSuffix);
  std::string file = storage.folder().File(name);
  const Result<store::BackupReport> done =
      store::WriteBackup(storage.store(), storage.records(), file, clock.Now());
  if (!done.ok()) return done.error();
  return file;
}

void RemoveUnfinishedBackups(const DataFolder& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder.path(), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name.starts_with(kUnfinishedPrefix) && name.ends_with(kUnfinishedSuffix)) {
      std::filesystem::remove_all(entry->path(), ignored);
    }
  }
}

Status BackUpFolder(const std::string& data_folder, const std::string& file, const Clock& clock) {
  if (!std::filesystem::exists(data_folder)) {
    return MakeError(ErrorCode::kNotFound, "there is no data folder " + data_folder);
  }
  Result<DataFolder> folder = DataFolder::Open(data_folder);
  if (!folder.ok()) return std::move(folder).error();
  if (Status locked = folder->Lock(); !locked.ok()) return locked;
  const Result<store::BackupReport> done =
      store::WriteBackupFromFolder(data_folder, file, clock.Now());
  if (!done.ok()) return done.error();
  return {};
}

Result<std::string> RestoreFolder(const std::string& data_folder, const std::string& file,
                                  const std::string& removed_digests, const Clock& clock) {
  store::RestoreOptions options;
  options.file = file;
  options.folder = data_folder;
  if (!removed_digests.empty()) options.removed_digests = removed_digests;
  const Result<store::RestoreReport> report = store::RestoreBackup(options, clock.Now());
  if (!report.ok()) return report.error();
  return fmt::format(
      "{}: {}\nThe master key is not in a backup: put it into {}/master.key, mode 0600.\n",
      data_folder, Difference(*report), data_folder);
}

Status AcceptRestore(const std::string& data_folder) {
  if (!std::filesystem::exists(data_folder)) {
    return MakeError(ErrorCode::kNotFound, "there is no data folder " + data_folder);
  }
  Result<DataFolder> folder = DataFolder::Open(data_folder);
  if (!folder.ok()) return std::move(folder).error();
  if (Status locked = folder->Lock(); !locked.ok()) return locked;
  return store::AcceptRestore(data_folder);
}

Result<std::uint32_t> RotateMasterKey(const Config& config, const Clock& clock, Entropy& entropy,
                                      Log& log) {
  if (!std::filesystem::exists(config.data_folder)) {
    return MakeError(ErrorCode::kNotFound, "there is no data folder " + config.data_folder);
  }
  Result<DataFolder> folder = DataFolder::Open(config.data_folder);
  if (!folder.ok()) return std::move(folder).error();
  Result<std::unique_ptr<Storage>> storage =
      Storage::Open(std::move(*folder), config.master_key_file, clock, entropy, log);
  if (!storage.ok()) return std::move(storage).error();
  core::Actor actor;
  actor.principal = "operator";
  Result<service::KeyRing::Rotation> rotation = (*storage)->keys().Rotate(std::move(actor));
  if (!rotation.ok()) return std::move(rotation).error();
  return rotation->new_id;
}

}  // namespace latchkey::app
