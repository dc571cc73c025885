#include "manage/file_source.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace latchkey::manage {
Result<http::FileBody> OpenAndUnlink(const std::string& path) {
  Result<http::FileBody> file = http::OpenFileBody(path);
  if (file.ok()) ::unlink(path.c_str());
  return file;
}

Result<SpooledBody> SpooledBody::Create(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    return MakeError(ErrorCode::kUnavailable, "The file can't be made.",
                     directory + ": " + std::strerror(errno));
  }
  return SpooledBody(fd);
}

SpooledBody::SpooledBody(SpooledBody&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), bytes_(other.bytes_) {}

SpooledBody::~SpooledBody() {
  if (fd_ >= 0) ::close(fd_);
}

Status SpooledBody::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return MakeError(ErrorCode::kUnavailable, "There is no room on the disk for the file.",
                       std::strerror(errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
    bytes_ += static_cast<std::uint64_t>(count);
  }
  return {};
}

http::FileBody SpooledBody::Take() {
  ::lseek(fd_, 0, SEEK_SET);
  return http::TakeFileBody(std::exchange(fd_, -1), bytes_);
}

}  // namespace latchkey::manage
