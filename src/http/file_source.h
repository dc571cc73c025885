// A file as the body of an answer.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "http/message.h"

namespace latchkey::http {

// Opens the file; it may be removed from then on. A read error in the middle ends the source early.
// May block, on the disk: not on an I/O thread. (What is read later was asked for ahead, and is
// most often in memory.) kNotFound, kUnavailable.
Result<std::unique_ptr<BodySource>> OpenFileSource(const std::string& path);

}  // namespace latchkey::http
