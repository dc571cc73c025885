// The data folder: who may look into it (its owner alone), which server has it (one at a time), and
// files in it that are written whole or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "env/entropy.h"

namespace latchkey {

// What DIR/run.json says of the server that has the folder.
struct RunInfo {
  std::int64_t pid = 0;
  std::string url;           // of the data plane
  std::string manage_url;    // of the management plane
  std::string internal_url;  // of the internal plane
  std::string ca_file;       // empty with configured certificates
};

// Replaces `path` by `bytes`: written beside it with the given mode, flushed, renamed, folder
// flushed. After an error the old file stands. Thread-safe.
Status WriteFileAtomically(const std::string& path, std::string_view bytes, unsigned mode = 0600);
// kNotFound if there is none; kLimit if it is longer than max_bytes.
Result<std::string> ReadWholeFile(const std::string& path,
                                  std::size_t max_bytes = 16 * 1024 * 1024);

class DataFolder {
 public:
  // Makes the folder with mode 0700 if it is not there (its parent must be). kInvalid, in words
  // that name the path, its mode and the chmod that would help, if the folder or a file in it may
  // be read or written by others than its owner, or belongs to someone else.
  static Result<DataFolder> Open(const std::string& path);

  // Takes the folder for this process until it ends or this object goes. kConflict, naming the pid
  // that run.json gives, if another server has it.
  Status Lock();
  // True if a server holds the lock just now. False also when this object holds it.
  bool LockedByAnother() const;

  const std::string& path() const { return path_; }
  // "DIR/name".
  std::string File(std::string_view name) const;

  // DIR/run.json; kNotFound if there is none.
  Result<RunInfo> ReadRunInfo() const;
  Status WriteRunInfo(const RunInfo& info) const;
  void RemoveRunInfo() const;

  // DIR/operator.token: "op_" and 43 characters of base62, made if it is not there.
  Result<Secret> EnsureOperatorToken(Entropy& entropy) const;
  // kNotFound if there is none.
  Result<Secret> ReadOperatorToken() const;

  DataFolder(DataFolder&& other) noexcept;
  DataFolder& operator=(DataFolder&& other) noexcept;
  ~DataFolder();

 private:
  explicit DataFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
  int lock_fd_ = -1;
};

}  // namespace latchkey
