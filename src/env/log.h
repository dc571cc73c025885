// The server's own log: one line per event to a file descriptor (stderr), text on a terminal and
// JSON otherwise. For what happens now and then, never per request: that is access_log.h.
//
// Every text passes RedactTokens, so a token that strays into a message is masked.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "env/clock.h"

namespace latchkey {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kAuto, kText, kJson };

std::string_view ToString(LogLevel level);  // "debug", "info", "warning", "error"
std::optional<LogLevel> ParseLogLevel(std::string_view text);
std::string_view ToString(LogFormat format);  // "auto", "text", "json"
std::optional<LogFormat> ParseLogFormat(std::string_view text);

// One named value of a line. The views need to hold during the call only.
struct LogField {
  LogField(std::string_view field_name, std::string_view text) : name(field_name), value(text) {}
  LogField(std::string_view field_name, std::int64_t number)
      : name(field_name), value(std::to_string(number)), is_number(true) {}

  std::string_view name;
  std::string value;
  bool is_number = false;
};
using LogFields = std::initializer_list<LogField>;

// Thread-safe. Takes a lock per line that is written.
class Log {
 public:
  // Borrows the clock. kAuto looks whether `fd` is a terminal. The descriptor stays open.
  Log(const Clock& clock, LogLevel level, LogFormat format, int fd = 2);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void Write(LogLevel level, std::string_view message, LogFields fields = {});
  void Debug(std::string_view message, LogFields fields = {}) {
    Write(LogLevel::kDebug, message, fields);
  }
  void Info(std::string_view message, LogFields fields = {}) {
    Write(LogLevel::kInfo, message, fields);
  }
  void Warning(std::string_view message, LogFields fields = {}) {
    Write(LogLevel::kWarning, message, fields);
  }
  void Error(std::string_view message, LogFields fields = {}) {
    Write(LogLevel::kError, message, fields);
  }

  void SetLevel(LogLevel level);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace latchkey
