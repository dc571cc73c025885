// The part of the tar format (POSIX ustar) that a backup needs: regular files with short names, one
// after another. What this writes, tar(1) lists and unpacks; what it reads is nothing more than
// what it writes, and anything else is kCorrupt.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "store/file_io.h"

namespace latchkey::store {

struct TarMember {
  std::string name;  // 1 to 99 of a-z, 0-9, dot, dash, underscore
  std::uint64_t bytes = 0;
};

// Into a file that is open for writing. Not thread-safe.
class TarWriter {
 public:
  // References are borrowed. `at` becomes every member's time.
  TarWriter(const FileDescriptor& file, std::string path, Timestamp at)
      : file_(file), path_(std::move(path)), at_(at) {}

  Status Begin(const TarMember& member);
  // All calls for one member together give exactly its bytes.
  Status Append(std::string_view bytes);
  Status End();
  // After the last member.
  Status Finish();

 private:
  const FileDescriptor& file_;
  std::string path_;
  Timestamp at_;
  std::uint64_t member_bytes_ = 0;
  std::uint64_t written_ = 0;
};

// From a file, in order. Not thread-safe.
class TarReader {
 public:
  TarReader(const FileDescriptor& file, std::string path) : file_(file), path_(std::move(path)) {}

  // kNotFound at the archive's end, after which nothing but zeros may stand.
  Result<TarMember> Next();
  // The bytes of the member that Next gave, in pieces, once.
  Status Read(const std::function<Status(std::string_view)>& use);

 private:
  Status CheckEnd();
  Error Corrupt(std::string_view why) const;

  const FileDescriptor& file_;
  std::string path_;
  std::uint64_t offset_ = 0;
  std::uint64_t member_bytes_ = 0;
};

}  // namespace latchkey::store
