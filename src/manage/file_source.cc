#include "manage/file_source.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace latchkey::manage {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

class FileSource final : public http::BodySource {
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

Result<OpenedFile> OpenAndUnlink(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat info = {};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    Error error = MakeError(ErrorCode::kUnavailable, "The file could not be read.",
                            path + ": " + std::strerror(errno));
    if (fd >= 0) ::close(fd);
    return error;
  }
  ::unlink(path.c_str());
  return OpenedFile{std::make_unique<FileSource>(fd), static_cast<std::uint64_t>(info.st_size)};
}

}  // namespace latchkey::manage
