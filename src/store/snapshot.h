// A fixed view of one database, for a backup.
#pragma once

#include <string>

#include "base/result.h"

namespace latchkey::store {

// Sees the database as it stood when the snapshot was taken, whatever is committed meanwhile. Not
// thread-safe. Holds back the log's truncation while it lives, so it should not live long.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  // Copies it into `file`, which must not exist; mode 0600; file and folder are on disk when this
  // returns ok. On an error no file is left behind.
  virtual Status CopyTo(const std::string& file) = 0;
};

}  // namespace latchkey::store
