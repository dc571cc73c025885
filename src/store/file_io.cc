#include "store/file_io.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace latchkey::store {

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Error FileError(int error_number, std::string_view doing, const std::string& path) {
  const std::string detail =
      fmt::format("{} {}: {}", doing, path, std::generic_category().message(error_number));
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return MakeError(ErrorCode::kUnavailable, "The disk is full; nothing was changed.", detail);
    case ENOENT:
      return MakeError(ErrorCode::kNotFound, fmt::format("{} is not there.", path), detail);
    case EEXIST:
      return MakeError(ErrorCode::kConflict, fmt::format("{} exists already.", path), detail);
    case EACCES:
    case EPERM:
    case EROFS:
      return MakeError(ErrorCode::kUnavailable,
                       fmt::format("This user may not use {}; check its owner and mode.", path),
                       detail);
    default:
      return MakeError(ErrorCode::kUnavailable,
                       "The disk reported an error; nothing was changed. The log says more.",
                       detail);
  }
}

Result<FileDescriptor> OpenFile(const std::string& path, int flags, std::string_view doing) {
  for (;;) {
    FileDescriptor fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
    if (fd) return fd;
    if (errno != EINTR) return FileError(errno, doing, path);
  }
}

Result<FileDescriptor> CreateFile(const std::string& path) {
  Result<FileDescriptor> fd = OpenFile(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, "creating");
  // The umask may only have narrowed the mode; the owner must be able to use the file.
  if (fd.ok() && ::fchmod(fd->get(), 0600) != 0) return FileError(errno, "creating", path);
  return fd;
}

Result<FileDescriptor> OpenForReading(const std::string& path) {
  return OpenFile(path, O_RDONLY, "opening");
}

Result<std::uint64_t> FileSize(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return FileError(errno, "looking at", path);
  return static_cast<std::uint64_t>(status.st_size);
}

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError(errno, "writing", path);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::string> ReadAt(int fd, std::uint64_t offset, std::size_t size,
                           const std::string& path) {
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got =
        ::pread(fd, bytes.data() + filled, size - filled, static_cast<off_t>(offset + filled));
    if (got < 0) {
      if (errno == EINTR) continue;
      return FileError(errno, "reading", path);
    }
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

Status SyncFile(int fd, const std::string& path) {
  if (::fsync(fd) != 0) return FileError(errno, "flushing", path);
  return {};
}

Status SyncFolderOf(const std::string& path) {
  const std::string folder = FolderOf(path);
  Result<FileDescriptor> fd = OpenFile(folder, O_RDONLY | O_DIRECTORY, "opening");
  if (!fd.ok()) return fd.error();
  return SyncFile(fd->get(), folder);
}

bool Exists(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace latchkey::store
