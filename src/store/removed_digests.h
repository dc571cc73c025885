// The file of removed digests beside the database: the SHA-256 of every token text that was removed
// or replaced, so that restoring an old backup doesn't revive it (product.md).
//
// Append-only: the eight bytes "LKRD" 0 0 0 1, then records of 36 bytes: the digest, then its
// CRC-32 (base/crypto.h), least significant byte first. A record with a wrong checksum and a torn
// end are passed over.
//
// The database has the same set (table removed_digests) and decides: a removal is committed there
// first, then written and flushed here, then acknowledged. Opening the store makes the two equal,
// so a crash between the steps loses nothing and a change that was rolled back never stands here.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "store/file_io.h"

namespace latchkey::store {

// Used by one thread at a time.
class RemovedDigests {
 public:
  // Makes the file (0600) if it is not there; cuts a torn end off. kCorrupt for another file.
  static Result<RemovedDigests> Open(const std::string& path);
  // Without changing anything. kNotFound if there is no such file.
  static Result<std::vector<Digest>> Read(const std::string& path);

  // Everything in the file.
  Result<std::vector<Digest>> ReadAll() const;
  // Makes sure of space on the disk for so many records more, where the file system can.
  Status Reserve(std::size_t records);
  // On disk when it returns ok. After an error none of them count; call again.
  Status Append(std::span<const Digest> digests);

 private:
  RemovedDigests(std::string path, FileDescriptor file, std::uint64_t end)
      : path_(std::move(path)), file_(std::move(file)), end_(end) {}

  std::string path_;
  FileDescriptor file_;
  std::uint64_t end_;  // where the next record goes
};

}  // namespace latchkey::store
