// A file as the body of an answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/message.h"

namespace latchkey::http {

// The source is broken if it gives fewer bytes than these, for whatever reason.
struct FileBody {
  std::unique_ptr<BodySource> source;
  std::uint64_t bytes = 0;
};

// Opens the file; it may be removed from then on, and must not change. May block, on the disk: not
// on an I/O thread. (What is read later was asked for ahead, and is most often in memory.)
// kNotFound, kUnavailable.
Result<FileBody> OpenFileBody(const std::string& path);
// Of an open file, from where it stands. The descriptor is the source's from then on.
FileBody TakeFileBody(int fd, std::uint64_t bytes);

}  // namespace latchkey::http
