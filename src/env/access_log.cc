#include "env/access_log.h"

#include <array>
#include <charconv>
#include <cstring>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/encoding.h"
#include "env/redact.h"

namespace latchkey {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::size_t kMaxMethodBytes = 32;
constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::size_t kMaxWordBytes = 64;  // ids, plane, reason
// Whatever an entry holds, its line is shorter: each byte of a text takes three at most.
constexpr std::size_t kMaxLineBytes =
    3 * (kMaxMethodBytes + kMaxPathBytes + 5 * kMaxWordBytes) + 512;
static_assert(kMaxLineBytes < kBufferBytes);

// Bytes that stand for themselves in the log: printable ASCII but the quote and the backslash.
constexpr std::array<bool, 256> MakePlain() {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x7f; ++c) plain[static_cast<std::size_t>(c)] = c != '"' && c != '\\';
  return plain;
}
constexpr std::array<bool, 256> kPlain = MakePlain();
constexpr std::string_view kHex = "0123456789ABCDEF";

// Writes into memory that is known to be large enough.
class LineWriter {
 public:
  explicit LineWriter(char* at) : at_(at) {}
  char* at() const { return at_; }

  void Raw(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  // Everything but plain bytes as %XX.
  void Escaped(std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (kPlain[byte]) {
        *at_++ = c;
      } else {
        *at_++ = '%';
        *at_++ = kHex[byte >> 4];
        *at_++ = kHex[byte & 15];
      }
    }
  }
  void Number(std::uint64_t value) { at_ = std::to_chars(at_, at_ + 20, value).ptr; }
  // `key` with its comma, quotes and colon.
  void Field(std::string_view key, std::string_view text) {
    if (text.empty()) return;
    Raw(key);
    *at_++ = '"';
    Escaped(text.substr(0, kMaxWordBytes));
    *at_++ = '"';
  }
  void Field(std::string_view key, std::uint64_t value) {
    Raw(key);
    Number(value);
  }
  // A text of a client's: masked, bounded and escaped.
  void ClientText(std::string_view key, std::string_view text, std::size_t max_bytes) {
    Raw(key);
    *at_++ = '"';
    // Masked before it is cut, so that no cut leaves a part of a token too short to be known.
    if (text.find('_') != std::string_view::npos && HoldsToken(text)) {
      const std::string masked = RedactTokens(text);
      Escaped(std::string_view(masked).substr(0, max_bytes));
    } else {
      Escaped(text.substr(0, max_bytes));
    }
    *at_++ = '"';
  }
  void Address(const IpAddress& address) {
    if (!address.is_v4()) {
      Raw(address.ToString());
      return;
    }
    for (int i = 12; i < 16; ++i) {
      if (i > 12) *at_++ = '.';
      Number(address.bytes()[static_cast<std::size_t>(i)]);
    }
  }

 private:
  char* at_;
};

int OpenFile(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

Error OpenError(const std::string& path, int error) {
  return MakeError(ErrorCode::kUnavailable,
                   "the access log " + path + " can't be opened: " + std::strerror(error));
}

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::Open(const std::string& destination) {
  if (destination == "off") return std::unique_ptr<AccessLog>(new AccessLog({}, -1));
  if (destination == "stderr") return std::unique_ptr<AccessLog>(new AccessLog({}, STDERR_FILENO));
  const int fd = OpenFile(destination);
  if (fd < 0) return OpenError(destination, errno);
  return std::unique_ptr<AccessLog>(new AccessLog(destination, fd));
}

AccessLog::AccessLog(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

AccessLog::~AccessLog() {
  if (!path_.empty()) ::close(fd_);
}

Status AccessLog::Reopen() {
  if (path_.empty()) return {};
  const int fresh = OpenFile(path_);
  if (fresh < 0) return OpenError(path_, errno);
  // dup3 replaces the file behind the number in one step: no writer ever sees a closed one.
  const bool replaced = ::dup3(fresh, fd_, O_CLOEXEC) >= 0;
  const int error = errno;
  ::close(fresh);
  if (!replaced) return OpenError(path_, error);
  return {};
}

std::unique_ptr<AccessLog::Writer> AccessLog::MakeWriter() {
  return std::unique_ptr<Writer>(new Writer(*this));
}

AccessLog::Writer::Writer(AccessLog& log) : log_(log), enabled_(log.fd_ >= 0) {
  if (enabled_) buffer_ = std::make_unique<char[]>(kBufferBytes);
}

AccessLog::Writer::~Writer() { Flush(); }

void AccessLog::Writer::AppendLine(const AccessEntry& entry) {
  if (kBufferBytes - used_ < kMaxLineBytes) Flush();
  // The date's text changes once a second.
  const std::int64_t millis = ToUnixMillis(entry.at);
  const std::int64_t second = millis >= 0 ? millis / 1000 : (millis - 999) / 1000;
  if (second != cached_second_) {
    const std::string text = FormatRfc3339(FromUnixMillis(second * 1000));
    std::memcpy(cached_date_, text.data(), 19);
    cached_date_[19] = '.';
    cached_second_ = second;
  }
  const auto fraction = static_cast<unsigned>(millis - second * 1000);
  const char digits[5] = {static_cast<char>('0' + fraction / 100),
                          static_cast<char>('0' + fraction / 10 % 10),
                          static_cast<char>('0' + fraction % 10), 'Z', '"'};

  LineWriter line(buffer_.get() + used_);
  line.Raw("{\"time\":\"");
  line.Raw({cached_date_, 20});
  line.Raw({digits, 5});
  line.Field(",\"id\":", entry.request_id);
  line.Field(",\"plane\":", entry.plane);
  line.ClientText(",\"method\":", entry.method, kMaxMethodBytes);
  line.ClientText(",\"path\":", entry.path, kMaxPathBytes);
  line.Raw(",\"address\":\"");
  line.Address(entry.address);
  line.Raw("\"");
  line.Field(",\"account\":", entry.account);
  line.Field(",\"token\":", entry.token);
  line.Field(",\"reason\":", entry.reason);
  line.Field(",\"status\":", static_cast<std::uint64_t>(entry.status));
  line.Field(",\"records\":", entry.records);
  line.Field(",\"cost\":", entry.cost);
  line.Field(",\"premium_cost\":", entry.premium_cost);
  line.Field(",\"bytes\":", entry.bytes);
  line.Field(",\"us\":", entry.micros);
  line.Raw("}\n");
  used_ = static_cast<std::size_t>(line.at() - buffer_.get());
}

void AccessLog::Writer::Flush() {
  if (used_ == 0) return;
  std::string_view rest(buffer_.get(), used_);
  {
    // A pipe takes large writes in pieces; the lock keeps two threads' lines apart there.
    MutexLock lock(log_.write_mutex_);
    while (!rest.empty()) {
      const ssize_t written = ::write(log_.fd_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  // On a full disk lines are lost and counted; requests go on.
  std::uint64_t lost = 0;
  for (const char c : rest) lost += c == '\n';
  if (lost > 0) log_.lost_.fetch_add(lost, std::memory_order_relaxed);
  used_ = 0;
}

}  // namespace latchkey
