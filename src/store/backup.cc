#include "store/backup.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/encoding.h"
#include "store/file_io.h"
#include "store/files.h"
#include "store/removed_digests.h"
#include "store/sqlite_database.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"
#include "store/tar.h"

namespace latchkey::store {
namespace {

constexpr std::string_view kManifest = "manifest.json";
constexpr std::uint64_t kMaxManifestBytes = 64 * 1024;
constexpr std::int64_t kFormat = 1;
constexpr std::size_t kPieceBytes = 1024 * 1024;

struct Member {
  std::string name;
  std::int64_t schema = 0;
  std::uint64_t bytes = 0;
  std::string sha256;  // lower-case hex
};

struct Manifest {
  Timestamp created_at{};
  std::vector<Member> members;  // state.db, records.db
};

// Removes files when it goes, unless they were kept.
class FilesToRemove {
 public:
  explicit FilesToRemove(std::vector<std::string> paths) : paths_(std::move(paths)) { Remove(); }
  ~FilesToRemove() { Remove(); }
  FilesToRemove(const FilesToRemove&) = delete;
  FilesToRemove& operator=(const FilesToRemove&) = delete;

 private:
  void Remove() {
    for (const std::string& path : paths_) ::unlink(path.c_str());
  }

  std::vector<std::string> paths_;
};

SqliteDatabase::Options FileOptions(std::string_view name, std::string path) {
  SqliteDatabase::Options options;
  options.path = std::move(path);
  options.create = false;
  const bool state = name == kStateFile;
  options.application_id = state ? kStateApplicationId : kRecordsApplicationId;
  options.migrations = state ? StateMigrations() : RecordsMigrations();
  return options;
}

Status ForEachPiece(const std::string& path, const std::function<Status(std::string_view)>& use) {
  Result<FileDescriptor> file = OpenForReading(path);
  if (!file.ok()) return file.error();
  for (std::uint64_t offset = 0;;) {
    const Result<std::string> piece = ReadAt(file->get(), offset, kPieceBytes, path);
    if (!piece.ok()) return piece.error();
    if (piece->empty()) return {};
    if (Status status = use(*piece); !status.ok()) return status;
    offset += piece->size();
  }
}

// ---- The manifest

std::string WriteManifest(const Manifest& manifest) {
  std::string json = fmt::format(R"({{"format":{},"created_at":"{}","members":[)", kFormat,
                                 FormatRfc3339(manifest.created_at));
  for (const Member& member : manifest.members) {
    if (&member != &manifest.members.front()) json += ',';
    json += fmt::format(R"({{"name":"{}","schema":{},"bytes":{},"sha256":"{}"}})", member.name,
                        member.schema, member.bytes, member.sha256);
  }
  return json + "]}\n";
}

std::optional<std::string> GetText(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}

std::optional<std::int64_t> GetInteger(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->get_int64();
}

std::optional<Member> ReadMember(const boost::json::value& json) {
  if (!json.is_object()) return std::nullopt;
  const boost::json::object& object = json.get_object();
  const auto name = GetText(object, "name");
  const auto sha256 = GetText(object, "sha256");
  const auto schema = GetInteger(object, "schema");
  const auto bytes = GetInteger(object, "bytes");
  if (!name || !sha256 || !schema || !bytes || *bytes < 0) return std::nullopt;
  return Member{*name, *schema, static_cast<std::uint64_t>(*bytes), *sha256};
}

Result<Manifest> ParseManifest(std::string_view text, const std::string& path) {
  const Error corrupt =
      MakeError(ErrorCode::kCorrupt,
                fmt::format("{} is not a whole backup: its manifest can't be read.", path));
  boost::system::error_code failed;
  const boost::json::value json = boost::json::parse(text, failed);
  if (failed || !json.is_object()) return corrupt;
  const boost::json::object& object = json.get_object();
  const std::optional<std::int64_t> format = GetInteger(object, "format");
  if (format && *format > kFormat) {
    return MakeError(ErrorCode::kNewer,
                     fmt::format("{} was written by a newer Latchkey (format {}; this one knows "
                                 "{}). Restore it with that version.",
                                 path, *format, kFormat));
  }
  const std::optional<Timestamp> created_at =
      ParseRfc3339(GetText(object, "created_at").value_or(""));
  const boost::json::value* members = object.if_contains("members");
  if (!format || !created_at || members == nullptr || !members->is_array()) return corrupt;
  Manifest manifest;
  manifest.created_at = *created_at;
  for (const boost::json::value& element : members->get_array()) {
    std::optional<Member> member = ReadMember(element);
    if (!member) return corrupt;
    manifest.members.push_back(*std::move(member));
  }
  if (manifest.members.size() != 2 || manifest.members[0].name != kStateFile ||
      manifest.members[1].name != kRecordsFile) {
    return corrupt;
  }
  return manifest;
}

// ---- Writing

Result<Member> Describe(std::string_view name, const std::string& path) {
  const Result<std::int32_t> schema = SqliteDatabase::CheckFile(FileOptions(name, path));
  if (!schema.ok()) return schema.error();
  Member member;
  member.name = name;
  member.schema = *schema;
  Sha256Stream hash;
  Status status = ForEachPiece(path, [&](std::string_view piece) -> Status {
    hash.Update(piece);
    member.bytes += piece.size();
    return {};
  });
  if (!status.ok()) return status.error();
  member.sha256 = HexEncode(hash.Finish());
  return member;
}

Status WriteMember(TarWriter& tar, const Member& member, const std::string& path) {
  if (Status status = tar.Begin({member.name, member.bytes}); !status.ok()) return status;
  Status status = ForEachPiece(path, [&tar](std::string_view piece) { return tar.Append(piece); });
  if (!status.ok()) return status;
  return tar.End();
}

Status WriteArchive(const Manifest& manifest, const std::array<std::string, 2>& copies,
                    const std::string& path) {
  Result<FileDescriptor> file = CreateFile(path);
  if (!file.ok()) return file.error();
  TarWriter tar(*file, path, manifest.created_at);
  const std::string text = WriteManifest(manifest);
  if (Status status = tar.Begin({std::string(kManifest), text.size()}); !status.ok()) return status;
  if (Status status = tar.Append(text); !status.ok()) return status;
  if (Status status = tar.End(); !status.ok()) return status;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    Status status = WriteMember(tar, manifest.members[i], copies[i]);
    if (!status.ok()) return status;
  }
  if (Status status = tar.Finish(); !status.ok()) return status;
  return SyncFile(file->get(), path);
}

// What stands in its place appears whole or not at all. link(2) never replaces.
Status MoveIntoPlace(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) != 0) {
    if (errno == EEXIST || ::access(to.c_str(), F_OK) == 0) return FileError(EEXIST, "making", to);
    // A file system without hard links.
    if (std::rename(from.c_str(), to.c_str()) != 0) return FileError(errno, "renaming", from);
  }
  return SyncFolderOf(to);
}

Result<BackupReport> WriteBackupOf(Snapshot& state, Snapshot& records, const std::string& file,
                                   Timestamp now) {
  const std::array<std::string, 2> copies = {file + ".state.tmp", file + ".records.tmp"};
  const std::string archive = file + ".tmp";
  const FilesToRemove remove({copies[0], copies[1], archive});
  if (Status status = state.CopyTo(copies[0]); !status.ok()) return status.error();
  if (Status status = records.CopyTo(copies[1]); !status.ok()) return status.error();

  Manifest manifest;
  manifest.created_at = now;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    Result<Member> member = Describe(i == 0 ? kStateFile : kRecordsFile, copies[i]);
    if (!member.ok()) return member.error();
    manifest.members.push_back(*std::move(member));
  }
  if (Status status = WriteArchive(manifest, copies, archive); !status.ok()) return status.error();
  if (Status status = MoveIntoPlace(archive, file); !status.ok()) return status.error();

  struct stat written{};
  if (::stat(file.c_str(), &written) != 0) return FileError(errno, "looking at", file);
  return BackupReport{now, static_cast<std::uint64_t>(written.st_size)};
}

Error ExistsAlready(const std::string& file) {
  return MakeError(ErrorCode::kConflict,
                   fmt::format("{} exists already; a backup never replaces a file.", file));
}

Result<std::unique_ptr<Snapshot>> SnapshotOfFile(const std::string& folder, std::string_view name) {
  const SqliteDatabase::Options options = FileOptions(name, fmt::format("{}/{}", folder, name));
  if (const auto checked = SqliteDatabase::CheckFile(options); !checked.ok()) {
    return checked.error();
  }
  Result<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::OpenReader(options);
  if (!database.ok()) return database.error();
  return (*database)->TakeSnapshot();
}

// ---- Restoring

Status CheckMember(TarReader& tar, const Member& expected, const std::string& path) {
  const Error corrupt = MakeError(
      ErrorCode::kCorrupt,
      fmt::format("{} is damaged: {} in it is not what was written.", path, expected.name));
  const Result<TarMember> member = tar.Next();
  if (!member.ok()) {
    return member.error().code == ErrorCode::kNotFound ? corrupt : member.error();
  }
  if (member->name != expected.name || member->bytes != expected.bytes) return corrupt;
  Sha256Stream hash;
  Status status = tar.Read([&hash](std::string_view piece) -> Status {
    hash.Update(piece);
    return {};
  });
  if (!status.ok()) return status;
  if (HexEncode(hash.Finish()) != expected.sha256) return corrupt;
  return {};
}

Result<Manifest> ReadManifest(TarReader& tar, const std::string& path) {
  const Result<TarMember> member = tar.Next();
  if (!member.ok() || member->name != kManifest || member->bytes > kMaxManifestBytes) {
    if (!member.ok() && member.error().code == ErrorCode::kUnavailable) return member.error();
    return MakeError(ErrorCode::kCorrupt,
                     fmt::format("{} is not a backup that Latchkey wrote.", path));
  }
  std::string text;
  Status status = tar.Read([&text](std::string_view piece) -> Status {
    text += piece;
    return {};
  });
  if (!status.ok()) return status.error();
  return ParseManifest(text, path);
}

// The whole archive, before a byte of it is written anywhere.
Result<Manifest> CheckArchive(const FileDescriptor& file, const std::string& path) {
  TarReader tar(file, path);
  Result<Manifest> manifest = ReadManifest(tar, path);
  if (!manifest.ok()) return manifest;
  for (const Member& member : manifest->members) {
    if (Status status = CheckMember(tar, member, path); !status.ok()) return status.error();
  }
  const Result<TarMember> more = tar.Next();
  if (more.ok()) {
    return MakeError(ErrorCode::kCorrupt,
                     fmt::format("{} holds {}, which is no part of a backup.", path, more->name));
  }
  if (more.error().code != ErrorCode::kNotFound) return more.error();
  return manifest;
}

Status ExtractNext(TarReader& tar, const std::string& path) {
  if (const Result<TarMember> member = tar.Next(); !member.ok()) return member.error();
  Result<FileDescriptor> file = CreateFile(path);
  if (!file.ok()) return file.error();
  Status status =
      tar.Read([&](std::string_view piece) { return WriteAll(file->get(), piece, path); });
  if (!status.ok()) return status;
  return SyncFile(file->get(), path);
}

Status CheckDatabase(std::string_view name, const std::string& path) {
  const SqliteDatabase::Options options = FileOptions(name, path);
  if (const auto checked = SqliteDatabase::CheckFile(options); !checked.ok()) {
    return checked.error();
  }
  Result<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::OpenReader(options);
  if (!database.ok()) return database.error();
  return (*database)->CheckIntegrity();
}

Status MakeEmptyFolder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) return SyncFolderOf(folder);
  if (errno != EEXIST) return FileError(errno, "making", folder);
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return FileError(errno, "opening", folder);
  bool empty = true;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") empty = false;
  }
  ::closedir(directory);
  if (empty) return {};
  return MakeError(
      ErrorCode::kConflict,
      fmt::format("{} is not empty. A backup is restored into an empty folder only.", folder));
}

std::string MarkerPath(const std::string& folder) {
  return fmt::format("{}/{}", folder, kRestoredMarkerFile);
}

Status WriteMarker(const std::string& folder, const RestoreReport& report) {
  const std::string path = MarkerPath(folder);
  const std::string fresh = path + ".tmp";
  ::unlink(fresh.c_str());
  Result<FileDescriptor> file = CreateFile(fresh);
  if (!file.ok()) return file.error();
  const std::string text = fmt::format(
      R"({{"backup_created_at":"{}","restored_at":"{}","tokens":{},"tokens_removed":{},)"
      R"("removed_digests_merged":{}}})"
      "\n",
      FormatRfc3339(report.backup_created_at), FormatRfc3339(report.restored_at), report.tokens,
      report.tokens_removed, report.removed_digests_merged);
  if (Status status = WriteAll(file->get(), text, fresh); !status.ok()) return status;
  if (Status status = SyncFile(file->get(), fresh); !status.ok()) return status;
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return FileError(errno, "renaming", fresh);
  return SyncFolderOf(path);
}

Status WriteRemovedDigests(const std::string& folder, const std::vector<Digest>& digests) {
  Result<RemovedDigests> file =
      RemovedDigests::Open(fmt::format("{}/{}", folder, kRemovedDigestsFile));
  if (!file.ok()) return file.error();
  return file->Append(digests);
}

// In an order in which a crash never leaves databases without the marker, or tokens without the
// digests that end them.
Status PutInPlace(const std::string& folder, const std::vector<Digest>& removed,
                  const RestoreReport& report) {
  if (Status status = WriteMarker(folder, report); !status.ok()) return status;
  if (Status status = WriteRemovedDigests(folder, removed); !status.ok()) return status;
  for (const std::string_view name : {kRecordsFile, kStateFile}) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (std::rename((path + ".tmp").c_str(), path.c_str()) != 0) {
      return FileError(errno, "renaming", path + ".tmp");
    }
    if (Status status = SyncFolderOf(path); !status.ok()) return status;
  }
  return {};
}

// Opening the store removes what was removed since (SqliteStore::Open).
Status CountTokens(const std::string& folder, Timestamp now, RestoreReport& report) {
  SqliteStore::Options options;
  options.folder = folder;
  options.create = false;
  Result<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(options, now);
  if (!store.ok()) return store.error();
  report.tokens_removed = (*store)->tokens_removed_at_open();
  return (*store)->ForEachToken([&report](const core::Token&) -> Status {
    ++report.tokens;
    return {};
  });
}

}  // namespace

Result<BackupReport> WriteBackup(Store& store, DatasetStore& records, const std::string& file,
                                 Timestamp now) {
  if (Exists(file)) return ExistsAlready(file);
  // The records' view is fixed while no definition can change: so every generation that the state
  // names is in it, although no transaction spans the two.
  std::unique_ptr<Snapshot> records_snapshot;
  Result<std::unique_ptr<Snapshot>> state_snapshot = store.TakeSnapshot([&]() -> Status {
    Result<std::unique_ptr<Snapshot>> taken = records.TakeSnapshot();
    if (!taken.ok()) return taken.error();
    records_snapshot = *std::move(taken);
    return {};
  });
  if (!state_snapshot.ok()) return state_snapshot.error();
  return WriteBackupOf(**state_snapshot, *records_snapshot, file, now);
}

Result<BackupReport> WriteBackupFromFolder(const std::string& folder, const std::string& file,
                                           Timestamp now) {
  if (Exists(file)) return ExistsAlready(file);
  Result<std::unique_ptr<Snapshot>> state = SnapshotOfFile(folder, kStateFile);
  if (!state.ok()) return state.error();
  Result<std::unique_ptr<Snapshot>> records = SnapshotOfFile(folder, kRecordsFile);
  if (!records.ok()) return records.error();
  return WriteBackupOf(**state, **records, file, now);
}

Result<RestoreReport> RestoreBackup(const RestoreOptions& options, Timestamp now) {
  Result<FileDescriptor> file = OpenForReading(options.file);
  if (!file.ok()) return file.error();
  const Result<Manifest> manifest = CheckArchive(*file, options.file);
  if (!manifest.ok()) return manifest.error();
  std::vector<Digest> removed;
  if (options.removed_digests) {
    Result<std::vector<Digest>> read = RemovedDigests::Read(*options.removed_digests);
    if (!read.ok()) return read.error();
    removed = *std::move(read);
  }
  if (Status status = MakeEmptyFolder(options.folder); !status.ok()) return status.error();

  std::vector<std::string> temporary;
  for (const Member& member : manifest->members) {
    const std::string path = fmt::format("{}/{}.tmp", options.folder, member.name);
    for (const char* suffix : {"", "-wal", "-shm"}) temporary.push_back(path + suffix);
  }
  const FilesToRemove remove(std::move(temporary));
  TarReader tar(*file, options.file);
  if (Result<Manifest> again = ReadManifest(tar, options.file); !again.ok()) return again.error();
  for (const Member& member : manifest->members) {
    const std::string path = fmt::format("{}/{}.tmp", options.folder, member.name);
    if (Status status = ExtractNext(tar, path); !status.ok()) return status.error();
    if (Status status = CheckDatabase(member.name, path); !status.ok()) return status.error();
  }

  RestoreReport report;
  report.backup_created_at = manifest->created_at;
  report.restored_at = now;
  report.removed_digests_merged = options.removed_digests.has_value();
  if (Status status = PutInPlace(options.folder, removed, report); !status.ok()) {
    return status.error();
  }
  if (Status status = CountTokens(options.folder, now, report); !status.ok()) return status.error();
  if (Status status = WriteMarker(options.folder, report); !status.ok()) return status.error();
  return report;
}

Result<std::optional<RestoreReport>> ReadRestoredMarker(const std::string& folder) {
  const std::string path = MarkerPath(folder);
  if (!Exists(path)) return std::optional<RestoreReport>();
  Result<FileDescriptor> file = OpenForReading(path);
  if (!file.ok()) return file.error();
  const Result<std::string> text = ReadAt(file->get(), 0, kMaxManifestBytes, path);
  if (!text.ok()) return text.error();
  const Error corrupt = MakeError(ErrorCode::kCorrupt, fmt::format("{} can't be read.", path));
  boost::system::error_code failed;
  const boost::json::value json = boost::json::parse(*text, failed);
  if (failed || !json.is_object()) return corrupt;
  const boost::json::object& object = json.get_object();
  const auto backup = ParseRfc3339(GetText(object, "backup_created_at").value_or(""));
  const auto restored = ParseRfc3339(GetText(object, "restored_at").value_or(""));
  const auto tokens = GetInteger(object, "tokens");
  const auto tokens_removed = GetInteger(object, "tokens_removed");
  const boost::json::value* merged = object.if_contains("removed_digests_merged");
  if (!backup || !restored || !tokens || !tokens_removed || merged == nullptr ||
      !merged->is_bool()) {
    return corrupt;
  }
  RestoreReport report;
  report.backup_created_at = *backup;
  report.restored_at = *restored;
  report.tokens = static_cast<std::uint64_t>(*tokens);
  report.tokens_removed = static_cast<std::uint64_t>(*tokens_removed);
  report.removed_digests_merged = merged->get_bool();
  return std::optional<RestoreReport>(report);
}

Status AcceptRestore(const std::string& folder) {
  const std::string path = MarkerPath(folder);
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) {
      return MakeError(ErrorCode::kNotFound,
                       fmt::format("{} holds no restore that waits to be accepted.", folder));
    }
    return FileError(errno, "removing", path);
  }
  return SyncFolderOf(path);
}

}  // namespace latchkey::store
