// Files that are made to be the body of one answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/file_source.h"

namespace latchkey::manage {

// Opens the file and takes its name away, so that nothing is left of it when the source goes. It
// was written just before, so its pages are in memory and a read does not wait for the disk.
Result<http::FileBody> OpenAndUnlink(const std::string& path);

// A body that is written to a file without a name, then sent from it. Not thread-safe.
class SpooledBody {
 public:
  // In this folder, which must be on a disk with room. kUnavailable.
  static Result<SpooledBody> Create(const std::string& directory);
  SpooledBody(SpooledBody&& other) noexcept;
  SpooledBody& operator=(SpooledBody&&) = delete;
  ~SpooledBody();

  // kUnavailable when the disk is full or fails.
  Status Append(std::string_view bytes);
  // All that was appended; once, last.
  http::FileBody Take();

 private:
  explicit SpooledBody(int fd) : fd_(fd) {}
  int fd_;
  std::uint64_t bytes_ = 0;
};

}  // namespace latchkey::manage
