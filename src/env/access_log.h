// The access log: one JSON object per line and request. Each I/O thread appends to a buffer of its
// own, without a lock or an allocation, and hands it to the kernel in one write(2) when it is full
// or when the thread ticks.
//
//   {"time":"2026-11-24T19:46:01.123Z","id":"…","plane":"data","method":"GET","path":"/v1/data/x",
//    "address":"198.51.100.7","account":"acc_…","token":"tok_…","reason":"","status":200,
//    "records":1,"cost":1,"premium_cost":0,"bytes":412,"us":38}
//
// Never a query string, never a token: what looks like one is masked, in paths and in the lines of
// malformed requests too (redact.h). Absent texts are left out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "base/result.h"
#include "base/thread_annotations.h"
#include "base/time.h"

namespace latchkey {

// One request. Views need to hold during Append only.
struct AccessEntry {
  Timestamp at{};  // when it was answered
  std::string_view request_id;
  std::string_view plane;   // "data", "plain", "manage", "internal"
  std::string_view method;  // as sent; at most 32 bytes are written
  std::string_view path;    // without the query; at most 1,024 bytes are written
  IpAddress address;        // the client's, behind trusted proxies
  std::string_view account;
  std::string_view token;   // its opaque id, never its text
  std::string_view reason;  // of a refusal
  int status = 0;
  std::uint64_t records = 0;
  std::uint64_t cost = 0;          // core credits
  std::uint64_t premium_cost = 0;  // premium credits
  std::uint64_t bytes = 0;         // of the answer's body
  std::uint64_t micros = 0;        // from the head's last byte to the answer
};

class AccessLog {
 public:
  // "stderr", "off", or the path of a file, which is made with mode 0600 and appended to.
  static Result<std::unique_ptr<AccessLog>> Open(const std::string& destination);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // Opens the file of that name again (after a rotation), for every writer at once. On an error the
  // old one stays in use. From any thread.
  Status Reopen();
  // Lines that no writer could write (a full disk), since the start.
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

  // One per thread, used on that thread alone. Must not outlive the log. Flushes when destroyed.
  class Writer {
   public:
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void Append(const AccessEntry& entry) {
      if (enabled_) AppendLine(entry);
    }
    // For the thread's tick.
    void Flush();

   private:
    friend class AccessLog;
    explicit Writer(AccessLog& log);
    void AppendLine(const AccessEntry& entry);

    AccessLog& log_;
    const bool enabled_;
    std::size_t used_ = 0;
    std::int64_t cached_second_ = INT64_MIN;
    char cached_date_[24];  // "2026-11-24T19:46:01."
    std::unique_ptr<char[]> buffer_;
  };
  std::unique_ptr<Writer> MakeWriter();

 private:
  AccessLog(std::string path, int fd);

  const std::string path_;  // empty: stderr or off
  const int fd_;            // -1: off
  std::atomic<std::uint64_t> lost_{0};
  Mutex write_mutex_;
};

}  // namespace latchkey
