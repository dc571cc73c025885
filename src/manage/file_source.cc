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

Result<OpenedFile> OpenFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat info = {};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    Error error = MakeError(ErrorCode::kUnavailable, "The file could not be read.",
                            path + ": " + std::strerror(errno));
    if (fd >= 0) ::close(fd);
    return error;
  }
  return OpenedFile{std::make_unique<FileSource>(fd), static_cast<std::uint64_t>(info.st_size)};
}

Result<OpenedFile> OpenAndUnlink(const std::string& path) {
  Result<OpenedFile> file = OpenFile(path);
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

OpenedFile SpooledBody::Take() {
  ::lseek(fd_, 0, SEEK_SET);
  return {std::make_unique<FileSource>(std::exchange(fd_, -1)), bytes_};
}

}  // namespace latchkey::manage
