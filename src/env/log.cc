#include "env/log.h"

#include <mutex>

#include <errno.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include "base/encoding.h"
#include "env/redact.h"

namespace latchkey {
namespace {

// One write(2) per line, so that lines of several processes on one pipe stay whole.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit DescriptorSink(int fd) : fd_(fd) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    line_.assign(message.payload.data(), message.payload.size());
    line_.push_back('\n');
    std::string_view rest = line_;
    while (!rest.empty()) {
      const ssize_t written = ::write(fd_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // a log that can't be written has nobody to tell
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void flush_() override {}

 private:
  const int fd_;
  std::string line_;
};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

// The text on one line, whatever it holds.
std::string OneLine(std::string_view text) {
  std::string out = RedactTokens(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

bool NeedsQuotes(std::string_view text) {
  return text.empty() || text.find_first_of(" \"\\=") != std::string_view::npos;
}

std::string TextLine(Timestamp now, LogLevel level, std::string_view message, LogFields fields) {
  std::string line = FormatRfc3339(now);
  std::string name(ToString(level));
  name.resize(8, ' ');
  line.append(" ").append(name).append(OneLine(message));
  for (const LogField& field : fields) {
    const std::string value = OneLine(field.value);
    line.append(" ").append(field.name).append("=");
    if (NeedsQuotes(value)) {
      AppendJsonString(line, value);
    } else {
      line.append(value);
    }
  }
  return line;
}

std::string JsonLine(Timestamp now, LogLevel level, std::string_view message, LogFields fields) {
  std::string line = "{\"time\":\"" + FormatRfc3339(now) + "\",\"level\":\"";
  line.append(ToString(level)).append("\",\"message\":");
  AppendJsonString(line, RedactTokens(message));
  for (const LogField& field : fields) {
    line.push_back(',');
    AppendJsonString(line, field.name);
    line.push_back(':');
    if (field.is_number) {
      line.append(field.value);
    } else {
      AppendJsonString(line, RedactTokens(field.value));
    }
  }
  line.push_back('}');
  return line;
}

}  // namespace

std::string_view ToString(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      break;
  }
  return "error";
}

std::optional<LogLevel> ParseLogLevel(std::string_view text) {
  for (LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (text == ToString(level)) return level;
  }
  return std::nullopt;
}

std::string_view ToString(LogFormat format) {
  switch (format) {
    case LogFormat::kAuto:
      return "auto";
    case LogFormat::kText:
      return "text";
    case LogFormat::kJson:
      break;
  }
  return "json";
}

std::optional<LogFormat> ParseLogFormat(std::string_view text) {
  for (LogFormat format : {LogFormat::kAuto, LogFormat::kText, LogFormat::kJson}) {
    if (text == ToString(format)) return format;
  }
  return std::nullopt;
}

class Log::Impl {
 public:
  Impl(const Clock& clock, LogLevel level, bool json, int fd)
      : clock_(clock), json_(json), logger_("latchkey", std::make_shared<DescriptorSink>(fd)) {
    logger_.set_level(ToSpdlog(level));
  }

  void Write(LogLevel level, std::string_view message, LogFields fields) {
    if (!logger_.should_log(ToSpdlog(level))) return;
    const Timestamp now = clock_.Now();
    const std::string line =
        json_ ? JsonLine(now, level, message, fields) : TextLine(now, level, message, fields);
    logger_.log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
  }

  void SetLevel(LogLevel level) { logger_.set_level(ToSpdlog(level)); }

 private:
  const Clock& clock_;
  const bool json_;
  spdlog::logger logger_;
};

Log::Log(const Clock& clock, LogLevel level, LogFormat format, int fd)
    : impl_(std::make_unique<Impl>(
          clock, level, format == LogFormat::kJson || (format == LogFormat::kAuto && !isatty(fd)),
          fd)) {}

Log::~Log() = default;

void Log::Write(LogLevel level, std::string_view message, LogFields fields) {
  impl_->Write(level, message, fields);
}

void Log::SetLevel(LogLevel level) { impl_->SetLevel(level); }

}  // namespace latchkey
