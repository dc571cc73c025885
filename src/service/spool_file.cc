#include "service/spool_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace latchkey::service {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

Error Unavailable(const char* doing) {
  const int number = errno;
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return MakeError(ErrorCode::kUnavailable,
                   full ? "The disk is full; nothing was changed."
                        : "The disk reported an error; nothing was changed. The log says more.",
                   std::string(doing) + " the spool file: " + std::strerror(number));
}

}  // namespace

Result<SpoolFile> SpoolFile::Create(const std::string& directory) {
  int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
    // A file system without O_TMPFILE: a crash between the two calls leaves an empty file.
    std::string name = directory + "/spool-XXXXXX";
    fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd >= 0) ::unlink(name.c_str());
  }
  if (fd < 0) return Unavailable("making");
  return SpoolFile(fd);
}

SpoolFile::SpoolFile(SpoolFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

SpoolFile::~SpoolFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status SpoolFile::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Unavailable("writing");
    size_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status SpoolFile::ForEachPiece(const std::function<Status(std::string_view)>& use) const {
  std::string piece(kPieceBytes, '\0');
  std::uint64_t at = 0;
  while (at < size_) {
    const ssize_t read = ::pread(fd_, piece.data(), piece.size(), static_cast<off_t>(at));
    if (read < 0 && errno == EINTR) continue;
    if (read == 0) errno = EIO;  // it was longer when it was written
    if (read <= 0) return Unavailable("reading");
    at += static_cast<std::uint64_t>(read);
    if (Status status = use({piece.data(), static_cast<std::size_t>(read)}); !status.ok()) {
      return status;
    }
  }
  return {};
}

}  // namespace latchkey::service
