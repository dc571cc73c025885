// What the store needs of files besides SQLite. Thread-safe; errors name the file, never its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace latchkey::store {

// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// From errno. ENOSPC, EDQUOT, EIO and the like: kUnavailable; ENOENT: kNotFound; EEXIST: kConflict.
Error FileError(int error_number, std::string_view doing, const std::string& path);

// `flags` as open(2) has them.
Result<FileDescriptor> OpenFile(const std::string& path, int flags, std::string_view doing);
// A new file with mode 0600; kConflict if something stands there.
Result<FileDescriptor> CreateFile(const std::string& path);
Result<FileDescriptor> OpenForReading(const std::string& path);
Result<std::uint64_t> FileSize(int fd, const std::string& path);
Status WriteAll(int fd, std::string_view bytes, const std::string& path);
// Up to `size` bytes from `offset`; fewer only at the file's end.
Result<std::string> ReadAt(int fd, std::uint64_t offset, std::size_t size, const std::string& path);
Status SyncFile(int fd, const std::string& path);
// Makes names in the folder of `path` durable.
Status SyncFolderOf(const std::string& path);
bool Exists(const std::string& path);
std::string FolderOf(const std::string& path);

}  // namespace latchkey::store
