#include "service/upload_files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace latchkey::service {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;

Error Unavailable(const char* doing) {
  const int number = errno;
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return MakeError(ErrorCode::kUnavailable,
                   full ? "The disk is full; nothing was stored."
                        : "The disk reported an error; nothing was stored. The log says more.",
                   std::string(doing) + " a file of an upload: " + std::strerror(number));
}

void AppendCell(std::string& row, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == text.npos) {
    row.append(text);
    return;
  }
  row.push_back('"');
  for (const char c : text) {
    if (c == '"') row.push_back('"');
    row.push_back(c);
  }
  row.push_back('"');
}

}  // namespace

Result<OutputFile> OutputFile::Create(const std::string& path) {
  OutputFile file;
  file.fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file.fd_ < 0) return Unavailable("making");
  file.path_ = path;
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept { *this = std::move(other); }

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  if (this == &other) return *this;
  Close();
  fd_ = std::exchange(other.fd_, -1);
  path_ = std::move(other.path_);
  waiting_ = std::move(other.waiting_);
  size_ = other.size_;
  return *this;
}

OutputFile::~OutputFile() { Close(); }

void OutputFile::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Status OutputFile::Append(std::string_view bytes) {
  waiting_.append(bytes);
  size_ += bytes.size();
  return waiting_.size() < kPieceBytes ? Status{} : WriteOut();
}

Status OutputFile::WriteOut() {
  std::string_view bytes = waiting_;
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Unavailable("writing");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  waiting_.clear();
  return {};
}

Status OutputFile::Finish() {
  if (Status written = WriteOut(); !written.ok()) return written;
  if (::fsync(fd_) != 0) return Unavailable("syncing");
  Close();
  const std::string directory = std::filesystem::path(path_).parent_path().string();
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Unavailable("syncing the name of");
  const bool synced = ::fsync(fd) == 0;
  Status status = synced ? Status{} : Status(Unavailable("syncing the name of"));
  ::close(fd);
  return status;
}

Result<InputFile> InputFile::Open(const std::string& path) {
  InputFile file;
  file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file.fd_ < 0 && errno == ENOENT) {
    // A backup holds the job and not the file.
    return MakeError(ErrorCode::kNotFound, "The file is gone; nothing was stored. Send it again.");
  }
  if (file.fd_ < 0) return Unavailable("opening");
  file.piece_.resize(kPieceBytes);
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept { *this = std::move(other); }

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) ::close(fd_);
  fd_ = std::exchange(other.fd_, -1);
  at_ = other.at_;
  piece_ = std::move(other.piece_);
  return *this;
}

InputFile::~InputFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::string_view> InputFile::Read() {
  for (;;) {
    const ssize_t read = ::pread(fd_, piece_.data(), piece_.size(), static_cast<off_t>(at_));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return Unavailable("reading");
    at_ += static_cast<std::uint64_t>(read);
    return std::string_view(piece_.data(), static_cast<std::size_t>(read));
  }
}

Result<RejectedLinesFile> RejectedLinesFile::Create(const std::string& path) {
  Result<OutputFile> file = OutputFile::Create(path);
  if (!file.ok()) return std::move(file).error();
  RejectedLinesFile rejected;
  rejected.file_ = *std::move(file);
  if (Status begun = rejected.file_.Append("line,reason,text\r\n"); !begun.ok()) {
    return begun.error();
  }
  return rejected;
}

Status RejectedLinesFile::Add(std::uint64_t line, std::string_view reason, std::string_view text) {
  row_.assign(std::to_string(line)).push_back(',');
  AppendCell(row_, reason);
  row_.push_back(',');
  AppendCell(row_, text);
  row_.append("\r\n");
  return file_.Append(row_);
}

}  // namespace latchkey::service
