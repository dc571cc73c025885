// A file as the body of an answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/message.h"

namespace latchkey::manage {

struct OpenedFile {
  std::unique_ptr<http::BodySource> source;
  std::uint64_t bytes = 0;
};

// Opens the file and takes its name away, so that nothing is left of it when the source goes. A
// read error in the middle ends the source early, which a receiver sees by the number of bytes; the
// file was written just before, so its pages are in memory and a read does not wait for the disk.
Result<OpenedFile> OpenAndUnlink(const std::string& path);

}  // namespace latchkey::manage
