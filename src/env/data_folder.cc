#include "env/data_folder.h"

#include <cstring>
#include <filesystem>
#include <utility>

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"
#include "env/flat_json.h"

namespace latchkey {
namespace {

constexpr std::string_view kLockFile = "lock";
constexpr std::string_view kRunFile = "run.json";
constexpr std::string_view kOperatorTokenFile = "operator.token";
constexpr std::size_t kOperatorTokenCharacters = 43;  // 256 bits

Error SystemError(const std::string& what, const std::string& path, int error) {
  return MakeError(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                   fmt::format("{} {}: {}", what, path, std::strerror(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

// What is wrong with who may look at `path`, or ok.
Status CheckPrivate(const std::string& path, const struct stat& status, bool folder) {
  if (status.st_uid != ::geteuid()) {
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format(
            "{} belongs to user {}, and this process runs as user {}; start as the owner, or "
            "run: chown -R {} {}",
            path, status.st_uid, ::geteuid(), ::geteuid(), path));
  }
  if ((status.st_mode & 077) != 0) {
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format(
            "{} has mode {:04o}: others than its owner could read or change it; run: chmod {} {}",
            path, status.st_mode & 07777, folder ? "0700" : "0600", path));
  }
  return {};
}

Status CheckPrivateEntry(const std::string& path, bool folder) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) {
    // A temporary file may have gone since the folder was listed.
    return errno == ENOENT ? Status() : SystemError("cannot look at", path, errno);
  }
  if (S_ISLNK(status.st_mode)) return {};  // what it points to has an owner of its own
  return CheckPrivate(path, status, folder);
}

}  // namespace

Status WriteFileAtomically(const std::string& path, std::string_view bytes, unsigned mode) {
  // The name is drawn by mkostemp, so that two writers never share a file.
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) return SystemError("cannot write beside", path, errno);
  const bool written = ::fchmod(file.get(), mode) == 0 && WriteAll(file.get(), bytes) &&
                       ::fsync(file.get()) == 0 && ::rename(temporary.c_str(), path.c_str()) == 0;
  if (!written) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return SystemError("cannot write", path, error);
  }
  const std::string folder = FolderOf(path);
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) {
    return SystemError("cannot flush the folder", folder, errno);
  }
  return {};
}

Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError("cannot read", path, errno);
  std::string out;
  char piece[16 * 1024];
  for (;;) {
    const ssize_t got = ::read(file.get(), piece, sizeof(piece));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("cannot read", path, errno);
    if (got == 0) return out;
    out.append(piece, static_cast<std::size_t>(got));
    if (out.size() > max_bytes) {
      return MakeError(ErrorCode::kLimit,
                       fmt::format("{} is longer than {} bytes", path, max_bytes));
    }
  }
}

DataFolder::DataFolder(DataFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

DataFolder& DataFolder::operator=(DataFolder&& other) noexcept {
  if (this != &other) {
    if (lock_fd_ >= 0) ::close(lock_fd_);
    path_ = std::move(other.path_);
    lock_fd_ = std::exchange(other.lock_fd_, -1);
  }
  return *this;
}

DataFolder::~DataFolder() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Result<DataFolder> DataFolder::Open(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return SystemError("cannot make the data folder", path, errno);
  }
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return SystemError("cannot look at", path, errno);
  if (!S_ISDIR(status.st_mode)) {
    return MakeError(ErrorCode::kInvalid, fmt::format("{} is no folder", path));
  }
  // Also behind a link: it is there that all is written.
  Status folder = CheckPrivate(path, status, true);
  if (!folder.ok()) return folder.error();
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(path, error), end; entry != end;
       entry.increment(error)) {
    if (error) break;
    std::error_code ignored;
    Status file = CheckPrivateEntry(entry->path().string(), entry->is_directory(ignored));
    if (!file.ok()) return file.error();
  }
  if (error)
    return MakeError(ErrorCode::kUnavailable, "cannot list " + path + ": " + error.message());
  return DataFolder(path);
}

Status DataFolder::Lock() {
  if (lock_fd_ >= 0) return {};
  const std::string path = File(kLockFile);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return SystemError("cannot open", path, errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error != EWOULDBLOCK) return SystemError("cannot lock", path, error);
    const Result<RunInfo> running = ReadRunInfo();
    return MakeError(ErrorCode::kConflict,
                     running.ok() ? fmt::format("another server has the data folder {}: process {}",
                                                path_, running->pid)
                                  : fmt::format("another process has the data folder {}", path_));
  }
  lock_fd_ = fd;
  return {};
}

bool DataFolder::LockedByAnother() const {
  if (lock_fd_ >= 0) return false;
  const Descriptor file(::open(File(kLockFile).c_str(), O_RDWR | O_CLOEXEC));
  if (file.get() < 0) return false;
  return ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::string DataFolder::File(std::string_view name) const {
  std::string file = path_;
  file.append("/").append(name);
  return file;
}

Result<RunInfo> DataFolder::ReadRunInfo() const {
  const Result<std::string> text = ReadWholeFile(File(kRunFile));
  if (!text.ok()) return text.error();
  const std::optional<FlatJson> members = ParseFlatJson(*text);
  if (!members) return MakeError(ErrorCode::kCorrupt, File(kRunFile) + " is damaged");
  const auto find = [&](std::string_view name) {
    const auto at = members->find(name);
    return at == members->end() ? std::string() : at->second;
  };
  RunInfo info;
  info.pid = ParseInt64(find("pid")).value_or(0);
  info.url = find("url");
  info.manage_url = find("manage_url");
  info.internal_url = find("internal_url");
  info.ca_file = find("ca_file");
  return info;
}

Status DataFolder::WriteRunInfo(const RunInfo& info) const {
  FlatJsonWriter writer;
  writer.Add("pid", info.pid);
  writer.Add("url", info.url);
  writer.Add("manage_url", info.manage_url);
  writer.Add("internal_url", info.internal_url);
  if (!info.ca_file.empty()) writer.Add("ca_file", info.ca_file);
  return WriteFileAtomically(File(kRunFile), writer.Finish());
}

void DataFolder::RemoveRunInfo() const { ::unlink(File(kRunFile).c_str()); }

Result<Secret> DataFolder::EnsureOperatorToken(Entropy& entropy) const {
  Result<Secret> standing = ReadOperatorToken();
  if (standing.ok() || standing.error().code != ErrorCode::kNotFound) return standing;
  const std::string token = "op_" + entropy.Base62(kOperatorTokenCharacters);
  Status written = WriteFileAtomically(File(kOperatorTokenFile), token + "\n");
  if (!written.ok()) return written.error();
  return Secret(token);
}

Result<Secret> DataFolder::ReadOperatorToken() const {
  Result<std::string> text = ReadWholeFile(File(kOperatorTokenFile), 1024);
  if (!text.ok()) return text.error();
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (!text->starts_with("op_") || text->size() != 3 + kOperatorTokenCharacters) {
    return MakeError(ErrorCode::kCorrupt,
                     File(kOperatorTokenFile) +
                         " holds no operator token; remove it, and the next start makes a new one");
  }
  return Secret(std::move(*text));
}

}  // namespace latchkey
