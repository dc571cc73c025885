#include "http/file_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace latchkey::http {
namespace {

constexpr std::uint64_t kPiece = 64 * 1024;

class FileSource final : public BodySource {
 public:
  FileSource(int fd, std::uint64_t bytes) : fd_(fd), left_(bytes) {}
  ~FileSource() override { ::close(fd_); }

  bool Next(std::string& out) override {
    const std::size_t before = out.size();
    const std::size_t wanted = std::min(kPiece, left_);
    out.resize(before + wanted);
    ssize_t count = 0;
    do {
      count = ::read(fd_, out.data() + before, wanted);
    } while (count < 0 && errno == EINTR);
    const std::size_t got = count > 0 ? static_cast<std::size_t>(count) : 0;
    out.resize(before + got);
    left_ -= got;
    return got > 0 && left_ > 0;
  }
  bool broken() const override { return left_ > 0; }

 private:
  const int fd_;
  std::uint64_t left_;
};

}  // namespace

Result<FileBody> OpenFileBody(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat info = {};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    Error error = MakeError(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                            "The file could not be read.", path + ": " + std::strerror(errno));
    if (fd >= 0) ::close(fd);
    return error;
  }
  (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
  return TakeFileBody(fd, static_cast<std::uint64_t>(info.st_size));
}

FileBody TakeFileBody(int fd, std::uint64_t bytes) {
  return {std::make_unique<FileSource>(fd, bytes), bytes};
}

}  // namespace latchkey::http
