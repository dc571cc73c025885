// A file without a name for what is too large for memory and needed twice. It goes when it is
// closed, however the process ends. Mode 0600. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace latchkey::service {

class SpoolFile {
 public:
  // In this folder, which must be on a disk with room. kUnavailable.
  static Result<SpoolFile> Create(const std::string& directory);
  SpoolFile(SpoolFile&& other) noexcept;
  SpoolFile& operator=(SpoolFile&&) = delete;
  ~SpoolFile();

  // kUnavailable when the disk is full or fails.
  Status Append(std::string_view bytes);
  // All of it, in pieces, from the beginning; ends early with what `use` returns.
  Status ForEachPiece(const std::function<Status(std::string_view)>& use) const;

 private:
  explicit SpoolFile(int fd) : fd_(fd) {}
  int fd_;
  std::uint64_t size_ = 0;
};

}  // namespace latchkey::service
