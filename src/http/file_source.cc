#include "http/file_source.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace latchkey::http {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

class FileSource final : public BodySource {
 public:
  explicit FileSource(int fd) : fd_(fd) {}
  ~FileSource() override { ::close(fd_); }

  bool Next(std::string& out) override {
    const std::size_t before = out.size();
    out.resize(before + kPiece);
    ssize_t count = 0;
    do {
      count = ::read(fd_, out.data() + before, kPiece);
    } while (count < 0 && errno == EINTR);
    out.resize(before + static_cast<std::size_t>(count > 0 ? count : 0));
    return count > 0;
  }

 private:
  const int fd_;
};

}  // namespace

Result<std::unique_ptr<BodySource>> OpenFileSource(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return MakeError(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                     "The file could not be read.", path + ": " + std::strerror(errno));
  }
  (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
  return std::unique_ptr<BodySource>(std::make_unique<FileSource>(fd));
}

}  // namespace latchkey::http
