#include "store/tar.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "base/encoding.h"

namespace latchkey::store {
namespace {

constexpr std::size_t kBlockBytes = 512;
constexpr std::size_t kPieceBytes = 1024 * 1024;
constexpr std::size_t kMaxNameBytes = 99;

// Where the fields of a header stand (POSIX pax, "ustar Interchange Format").
constexpr std::size_t kModeAt = 100;
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kTimeAt = 136;
constexpr std::size_t kChecksumAt = 148;
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kMagicAt = 257;
constexpr std::string_view kMagic("ustar\00000", 8);
constexpr std::uint64_t kOctalLimit = std::uint64_t{1} << 33;  // eleven octal digits

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '.' || c == '-' || c == '_';
}

bool IsMemberName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), IsNameCharacter);
}

void Put(std::string& header, std::size_t at, std::string_view bytes) {
  header.replace(at, bytes.size(), bytes);
}

// Octal, or, where that is too short, GNU's base-256 with the first bit set.
void PutSize(std::string& header, std::uint64_t bytes) {
  if (bytes < kOctalLimit) {
    Put(header, kSizeAt, fmt::format("{:011o}", bytes));
    return;
  }
  header[kSizeAt] = static_cast<char>(0x80);
  for (std::size_t i = 0; i < 8; ++i) {
    header[kSizeAt + 11 - i] = static_cast<char>(bytes >> (8 * i) & 0xff);
  }
}

std::optional<std::uint64_t> GetSize(std::string_view header) {
  const std::string_view field = header.substr(kSizeAt, 12);
  std::uint64_t bytes = 0;
  if (static_cast<unsigned char>(field[0]) == 0x80) {
    if (field.substr(1, 3) != std::string_view("\0\0\0", 3)) return std::nullopt;
    for (const char c : field.substr(4)) bytes = bytes << 8 | static_cast<unsigned char>(c);
    if (bytes < kOctalLimit || bytes > INT64_MAX) return std::nullopt;
    return bytes;
  }
  for (const char c : field.substr(0, 11)) {
    if (c < '0' || c > '7') return std::nullopt;
    bytes = bytes << 3 | static_cast<std::uint64_t>(c - '0');
  }
  return bytes;
}

// The sum of all bytes, the checksum's own place counted as blanks.
std::string Checksum(std::string_view header) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool own = i >= kChecksumAt && i < kChecksumAt + 8;
    sum += own ? ' ' : static_cast<unsigned char>(header[i]);
  }
  return fmt::format("{:06o}", sum) + std::string("\0 ", 2);
}

std::uint64_t Padding(std::uint64_t bytes) {
  return (kBlockBytes - bytes % kBlockBytes) % kBlockBytes;
}

bool IsAllZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

}  // namespace

Status TarWriter::Begin(const TarMember& member) {
  assert(IsMemberName(member.name));
  std::string header(kBlockBytes, '\0');
  Put(header, 0, member.name);
  Put(header, kModeAt, "0000600");
  Put(header, kModeAt + 8, "0000000");   // owner
  Put(header, kModeAt + 16, "0000000");  // group
  PutSize(header, member.bytes);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at_.time_since_epoch());
  const auto time = static_cast<std::uint64_t>(std::max<std::int64_t>(0, seconds.count()));
  Put(header, kTimeAt, fmt::format("{:011o}", time % kOctalLimit));
  header[kTypeAt] = '0';
  Put(header, kMagicAt, kMagic);
  Put(header, kChecksumAt, Checksum(header));
  member_bytes_ = member.bytes;
  written_ = 0;
  return WriteAll(file_.get(), header, path_);
}

Status TarWriter::Append(std::string_view bytes) {
  written_ += bytes.size();
  return WriteAll(file_.get(), bytes, path_);
}

Status TarWriter::End() {
  if (written_ != member_bytes_) {
    return MakeError(ErrorCode::kInternal, "A file changed while it was being backed up.",
                     fmt::format("{}: {} bytes instead of {}", path_, written_, member_bytes_));
  }
  return WriteAll(file_.get(), std::string(Padding(member_bytes_), '\0'), path_);
}

Status TarWriter::Finish() {
  return WriteAll(file_.get(), std::string(2 * kBlockBytes, '\0'), path_);
}

Error TarReader::Corrupt(std::string_view why) const {
  return MakeError(ErrorCode::kCorrupt, fmt::format("{} is not a whole backup: {}.", path_, why));
}

Result<TarMember> TarReader::Next() {
  const Result<std::string> header = ReadAt(file_.get(), offset_, kBlockBytes, path_);
  if (!header.ok()) return header.error();
  if (header->size() < kBlockBytes) return Corrupt("it is cut short");
  if (IsAllZero(*header)) {
    if (Status status = CheckEnd(); !status.ok()) return status.error();
    return MakeError(ErrorCode::kNotFound, "There is no further member.");
  }
  TarMember member;
  member.name = header->substr(0, std::min(header->find('\0'), kMaxNameBytes));
  const std::optional<std::uint64_t> bytes = GetSize(*header);
  if (header->substr(kChecksumAt, 8) != Checksum(*header) || !bytes ||
      header->substr(kMagicAt, kMagic.size()) != kMagic || (*header)[kTypeAt] != '0' ||
      !IsMemberName(member.name)) {
    return Corrupt("a header in it is not one that Latchkey writes");
  }
  member.bytes = *bytes;
  member_bytes_ = *bytes;
  offset_ += kBlockBytes;
  return member;
}

Status TarReader::Read(const std::function<Status(std::string_view)>& use) {
  std::uint64_t left = std::exchange(member_bytes_, 0);
  const std::uint64_t padding = Padding(left);
  while (left > 0) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, kPieceBytes));
    const Result<std::string> piece = ReadAt(file_.get(), offset_, wanted, path_);
    if (!piece.ok()) return piece.error();
    if (piece->size() < wanted) return Corrupt("it is cut short");
    if (Status status = use(*piece); !status.ok()) return status;
    offset_ += wanted;
    left -= wanted;
  }
  const Result<std::string> rest =
      ReadAt(file_.get(), offset_, static_cast<std::size_t>(padding), path_);
  if (!rest.ok()) return rest.error();
  if (rest->size() < padding || !IsAllZero(*rest)) return Corrupt("it is cut short");
  offset_ += padding;
  return {};
}

// tar(1) fills an archive up with zeros, if it was packed anew.
Status TarReader::CheckEnd() {
  const Result<std::uint64_t> size = FileSize(file_.get(), path_);
  if (!size.ok()) return size.error();
  if (*size < offset_ + 2 * kBlockBytes) return Corrupt("it is cut short");
  for (std::uint64_t at = offset_; at < *size;) {
    const Result<std::string> piece = ReadAt(file_.get(), at, kPieceBytes, path_);
    if (!piece.ok()) return piece.error();
    if (!IsAllZero(*piece)) return Corrupt("something stands behind its end");
    if (piece->empty()) break;
    at += piece->size();
  }
  return {};
}

}  // namespace latchkey::store
