#include "store/removed_digests.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace latchkey::store {
namespace {

constexpr std::string_view kMagic("LKRD\0\0\0\1", 8);
constexpr std::size_t kRecordBytes = 32 + 4;

std::string Encode(const Digest& digest) {
  std::string record(reinterpret_cast<const char*>(digest.data()), digest.size());
  const std::uint32_t checksum = Crc32(record);
  for (int shift = 0; shift < 32; shift += 8) {
    record.push_back(static_cast<char>(checksum >> shift & 0xff));
  }
  return record;
}

Error ForeignFileError(const std::string& path) {
  return MakeError(ErrorCode::kCorrupt,
                   fmt::format("{} is not a file of removed digests. It was left as it is; restore "
                               "it from a backup.",
                               path));
}

Result<std::vector<Digest>> ReadRecords(int fd, const std::string& path) {
  const Result<std::uint64_t> size = FileSize(fd, path);
  if (!size.ok()) return size.error();
  const Result<std::string> bytes = ReadAt(fd, 0, *size, path);
  if (!bytes.ok()) return bytes.error();
  if (!std::string_view(*bytes).starts_with(kMagic.substr(0, bytes->size()))) {
    return ForeignFileError(path);
  }
  std::vector<Digest> digests;
  for (std::size_t at = kMagic.size(); at + kRecordBytes <= bytes->size(); at += kRecordBytes) {
    Digest digest;
    std::copy_n(bytes->begin() + static_cast<std::ptrdiff_t>(at), digest.size(),
                reinterpret_cast<char*>(digest.data()));
    if (std::string_view(*bytes).substr(at, kRecordBytes) == Encode(digest)) {
      digests.push_back(digest);
    }
  }
  return digests;
}

Status WriteAt(int fd, std::string_view bytes, std::uint64_t offset, const std::string& path) {
  if (::lseek(fd, static_cast<off_t>(offset), SEEK_SET) < 0) {
    return FileError(errno, "writing", path);
  }
  return WriteAll(fd, bytes, path);
}

}  // namespace

Result<RemovedDigests> RemovedDigests::Open(const std::string& path) {
  const bool existing = Exists(path);
  Result<FileDescriptor> file =
      existing ? OpenFile(path, O_RDWR | O_NOFOLLOW, "opening") : CreateFile(path);
  if (!file.ok()) return file.error();
  const Result<std::uint64_t> size = FileSize(file->get(), path);
  if (!size.ok()) return size.error();
  const Result<std::string> head = ReadAt(file->get(), 0, kMagic.size(), path);
  if (!head.ok()) return head.error();
  if (!kMagic.starts_with(*head)) return ForeignFileError(path);
  if (head->size() < kMagic.size()) {  // new, or a crash came while it was made
    if (Status status = WriteAt(file->get(), kMagic, 0, path); !status.ok()) return status.error();
    if (Status status = SyncFile(file->get(), path); !status.ok()) return status.error();
    if (Status status = SyncFolderOf(path); !status.ok()) return status.error();
    return RemovedDigests(path, *std::move(file), kMagic.size());
  }
  const std::uint64_t torn = (*size - kMagic.size()) % kRecordBytes;
  if (torn != 0 && ::ftruncate(file->get(), static_cast<off_t>(*size - torn)) != 0) {
    return FileError(errno, "cutting", path);
  }
  return RemovedDigests(path, *std::move(file), *size - torn);
}

Result<std::vector<Digest>> RemovedDigests::Read(const std::string& path) {
  Result<FileDescriptor> file = OpenForReading(path);
  if (!file.ok()) return file.error();
  return ReadRecords(file->get(), path);
}

Result<std::vector<Digest>> RemovedDigests::ReadAll() const {
  return ReadRecords(file_.get(), path_);
}

Status RemovedDigests::Reserve(std::size_t records) {
  if (::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(end_),
                  static_cast<off_t>(records * kRecordBytes)) == 0) {
    return {};
  }
  // A file system that can't say reports it when the record is written.
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) return {};
  return FileError(errno, "reserving space in", path_);
}

Status RemovedDigests::Append(std::span<const Digest> digests) {
  std::string bytes;
  bytes.reserve(digests.size() * kRecordBytes);
  for (const Digest& digest : digests) bytes += Encode(digest);
  // At end_, not at the file's end: what a failed attempt left there is written over.
  if (Status status = WriteAt(file_.get(), bytes, end_, path_); !status.ok()) return status;
  if (::fdatasync(file_.get()) != 0) return FileError(errno, "flushing", path_);
  end_ += bytes.size();
  return {};
}

}  // namespace latchkey::store
