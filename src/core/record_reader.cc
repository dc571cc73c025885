#include "core/record_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/json_text.h"
#include "core/text.h"

namespace latchkey::core {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kMaxLeadingBlanks = 64 * 1024;

Error ReadingError(std::uint64_t line, std::string_view reason) {
  std::string where = "line " + std::to_string(line);
  Error error = MakeError(ErrorCode::kInvalid, where + ": " + std::string(reason));
  error.fields.push_back({std::move(where), std::string(reason)});
  return error;
}

// Bytes that end a run outside strings (1) and within them (2).
constexpr std::array<std::uint8_t, 256> MakeStops() {
  std::array<std::uint8_t, 256> stops{};
  for (const char c : {'"', '{', '}', '[', ']', '\n'}) stops[static_cast<unsigned char>(c)] |= 1;
  for (std::size_t c = 0; c < 0x20; ++c) stops[c] |= 2;
  stops['"'] |= 2;
  stops['\\'] |= 2;
  return stops;
}
constexpr std::array<std::uint8_t, 256> kStops = MakeStops();
constexpr std::uint8_t kStopsOutside = 1;
constexpr std::uint8_t kStopsInString = 2;

// The first byte that is no blank, counting the line ends before it.
std::size_t SkipBlanks(std::string_view bytes, std::uint64_t& line) {
  std::size_t at = 0;
  while (at < bytes.size() && IsJsonBlank(bytes[at])) {
    if (bytes[at] == '\n') ++line;
    ++at;
  }
  return at;
}

// What the brackets of a line come to.
struct Brackets {
  std::string open;  // those that are not closed
  bool in_string = false;
  char last = 0;  // the last byte that is no blank
};

Brackets Follow(std::string_view line) {
  Brackets brackets;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (!IsJsonBlank(c)) brackets.last = c;
    if (brackets.in_string) {
      if (c == '\\') ++at;
      if (c == '"') brackets.in_string = false;
    } else if (c == '"') {
      brackets.in_string = true;
    } else if (c == '{' || c == '[') {
      brackets.open += c;
    } else if ((c == '}' || c == ']') && !brackets.open.empty()) {
      brackets.open.pop_back();
    }
  }
  return brackets;
}

// Whether a value that ends with these brackets open may go on with an object.
bool TakesObject(const Brackets& brackets) {
  if (brackets.last == ':') return true;
  return brackets.open.ends_with('[') && (brackets.last == '[' || brackets.last == ',');
}

}  // namespace

RecordFileReader::RecordFileReader(RecordFileHandler& handler, RecordFileLimits limits)
    : handler_(handler), limits_(limits), csv_(handler, limits.csv), parser_(limits.max_members) {}

std::uint64_t RecordFileReader::line() const {
  return format_ == RecordFileFormat::kCsv ? csv_.line() : line_;
}

std::string RecordFileReader::RowText(std::size_t max_bytes) const {
  return format_ == RecordFileFormat::kCsv ? csv_.RowText(max_bytes)
                                           : ShownText(row_text_, max_bytes);
}

Status RecordFileReader::Feed(std::string_view bytes) {
  if (error_) return *error_;
  Status status = Take(bytes);
  if (!status.ok()) error_ = status.error();
  return status;
}

Status RecordFileReader::Finish() {
  if (error_) return *error_;
  Status status;
  if (!format_ && mark_bytes_ % kByteOrderMark.size() == 0) {
    status = ReadingError(line_, "the file is empty");
  } else {
    if (!format_) status = Begin(RecordFileFormat::kCsv);
    if (status.ok()) status = format_ == RecordFileFormat::kCsv ? csv_.Finish() : FinishJson();
  }
  if (!status.ok()) error_ = status.error();
  return status;
}

Status RecordFileReader::Take(std::string_view bytes) {
  if (!format_) return Detect(bytes);
  return format_ == RecordFileFormat::kCsv ? csv_.Feed(bytes) : Consume(bytes);
}

Status RecordFileReader::Detect(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    const bool mark_done = mark_bytes_ == kByteOrderMark.size();
    if (!mark_done && blanks_.empty() && c == kByteOrderMark[mark_bytes_]) {
      ++mark_bytes_;
      continue;
    }
    const bool mark_broken = mark_bytes_ > 0 && !mark_done;
    if (!mark_broken && IsJsonBlank(c) && blanks_.size() < kMaxLeadingBlanks) {
      blanks_ += c;
      continue;
    }
    RecordFileFormat format = RecordFileFormat::kCsv;
    if (!mark_broken && c == '[') format = RecordFileFormat::kJsonArray;
    if (!mark_broken && c == '{') format = RecordFileFormat::kJsonLines;
    if (Status status = Begin(format); !status.ok()) return status;
    // The bracket of the array is taken; everything else has yet to be read.
    return Take(bytes.substr(format == RecordFileFormat::kJsonArray ? at + 1 : at));
  }
  return {};
}

Status RecordFileReader::Begin(RecordFileFormat format) {
  format_ = format;
  const std::string blanks = std::move(blanks_);
  blanks_ = std::string();
  if (format == RecordFileFormat::kCsv) {
    Status status = csv_.Feed(kByteOrderMark.substr(0, mark_bytes_));
    if (status.ok()) status = csv_.Feed(blanks);
    return status;
  }
  SkipBlanks(blanks, line_);
  row_line_ = line_;
  state_ = format == RecordFileFormat::kJsonArray ? State::kBeforeFirst : State::kLine;
  return {};
}

Status RecordFileReader::Consume(std::string_view bytes) {
  while (!bytes.empty()) {
    Status status;
    switch (state_) {
      case State::kLine:
        status = TakeLine(bytes);
        break;
      case State::kFirstLine:
        status = TakeFirstLine(bytes);
        break;
      case State::kElement:
        status = TakeElement(bytes);
        break;
      case State::kBeforeFirst:
      case State::kBeforeNext:
      case State::kAfter:
      case State::kBetween:
      case State::kDone:
        status = TakeBetween(bytes);
        break;
    }
    if (!status.ok()) return status;
  }
  return {};
}

// ---- JSON Lines

Status RecordFileReader::TakeLine(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  const std::string_view piece = bytes.substr(0, end);
  std::string_view text = piece;
  if (end == std::string_view::npos || !kept_.empty() || piece.size() > limits_.max_object_bytes) {
    Keep(piece);
    text = kept_;
  }
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  if (end == std::string_view::npos) return {};

  ++line_;
  if (first_line_ && !too_long_) {
    const Brackets brackets = Follow(text);
    if (!brackets.open.empty() && !brackets.in_string) {
      if (kept_.empty()) Keep(text);
      state_ = State::kFirstLine;
      return {};
    }
  }
  return EmitLine(text);
}

// The first line ended within its object: either it is a bad line, or the object goes on.
Status RecordFileReader::TakeFirstLine(std::string_view& bytes) {
  bytes.remove_prefix(SkipBlanks(bytes, line_));
  if (bytes.empty()) return {};
  const Brackets brackets = Follow(kept_);
  if (bytes[0] == '{' && !TakesObject(brackets)) return EmitLine(kept_);
  depth_ = brackets.open.size();
  Keep("\n");
  state_ = State::kElement;
  return {};
}

Status RecordFileReader::EmitLine(std::string_view text) {
  state_ = State::kLine;
  first_line_ = false;
  std::uint64_t ignored = 0;
  Status status;
  if (too_long_) {
    status = EmitTooLong();
  } else if (SkipBlanks(text, ignored) < text.size()) {
    status = Emit(text, parser_.Parse(text));
  }
  kept_.clear();
  too_long_ = false;
  row_line_ = line_;
  return status;
}

// ---- Values that end with their brackets

Status RecordFileReader::TakeBetween(std::string_view& bytes) {
  bytes.remove_prefix(SkipBlanks(bytes, line_));
  if (bytes.empty()) return {};
  const char c = bytes[0];
  if (state_ == State::kDone) return ReadingError(line_, "there is text after the array");
  if (state_ == State::kAfter || (state_ == State::kBeforeFirst && c == ']')) {
    if (c != ',' && c != ']') return ReadingError(line_, ToString(JsonFault::kNotJson));
    state_ = c == ',' ? State::kBeforeNext : State::kDone;
    bytes.remove_prefix(1);
    return {};
  }
  const bool begins = state_ == State::kBetween
                          ? c == '{'
                          : std::string_view(",:]}").find(c) == std::string_view::npos;
  if (!begins) return ReadingError(line_, ToString(JsonFault::kNotJson));
  row_line_ = line_;
  depth_ = 0;
  in_string_ = false;
  escaped_ = false;
  scalar_ = c != '{' && c != '[' && c != '"';
  state_ = State::kElement;
  return {};
}

Status RecordFileReader::TakeElement(std::string_view& bytes) {
  std::size_t end = std::string_view::npos;
  if (scalar_) {
    for (std::size_t at = 0; at < bytes.size() && end == std::string_view::npos; ++at) {
      const char c = bytes[at];
      if (c == ',' || c == ']' || c == '}' || IsJsonBlank(c)) end = at;
    }
  } else if (Status status = FindEnd(bytes, end); !status.ok()) {
    return status;
  }
  const std::string_view piece = bytes.substr(0, end);
  std::string_view text = piece;
  if (end == std::string_view::npos || !kept_.empty() || piece.size() > limits_.max_object_bytes) {
    Keep(piece);
    text = kept_;
  }
  bytes.remove_prefix(piece.size());
  return end == std::string_view::npos ? Status() : EmitElement(text);
}

// Where the value ends in `bytes`; `end` stays as it is if it does not.
Status RecordFileReader::FindEnd(std::string_view bytes, std::size_t& end) {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    if (escaped_) {
      escaped_ = false;
      if (c == '"' || c == '\\') continue;
    }
    const std::uint8_t stops = in_string_ ? kStopsInString : kStopsOutside;
    if ((kStops[static_cast<unsigned char>(c)] & stops) == 0) continue;
    if (in_string_) {
      if (c != '"' && c != '\\') return ReadingError(line_, ToString(JsonFault::kNotJson));
      escaped_ = c == '\\';
      in_string_ = c != '"';
    } else if (c == '\n') {
      ++line_;
    } else if (c == '"') {
      in_string_ = true;
    } else {
      depth_ += c == '{' || c == '[' ? 1 : -1;
    }
    if (depth_ == 0 && !in_string_ && c != '\n') {
      end = at + 1;
      return {};
    }
  }
  return {};
}

Status RecordFileReader::EmitElement(std::string_view text) {
  state_ = format_ == RecordFileFormat::kJsonArray ? State::kAfter : State::kBetween;
  Status status;
  if (too_long_) {
    status = EmitTooLong();
  } else {
    const JsonFault fault = parser_.Parse(text);
    // Nothing says where the next value begins.
    status = fault == JsonFault::kNotJson ? Status(ReadingError(row_line_, ToString(fault)))
                                          : Emit(text, fault);
  }
  kept_.clear();
  too_long_ = false;
  return status;
}

// ---- Both

void RecordFileReader::Keep(std::string_view bytes) {
  const std::size_t room = limits_.max_object_bytes - kept_.size();
  too_long_ = too_long_ || bytes.size() > room;
  kept_.append(bytes.substr(0, room));
}

Status RecordFileReader::Emit(std::string_view text, JsonFault fault) {
  row_text_ = text;
  Status status = fault == JsonFault::kNone ? handler_.OnObject(row_line_, parser_.members())
                                            : handler_.OnBadRow(row_line_, ToString(fault));
  row_text_ = {};
  return status;
}

Status RecordFileReader::EmitTooLong() {
  row_text_ = kept_;
  Status status = handler_.OnBadRow(
      row_line_, "it is longer than " + std::to_string(limits_.max_object_bytes) + " bytes");
  row_text_ = {};
  return status;
}

Status RecordFileReader::FinishJson() {
  switch (state_) {
    case State::kLine:
    case State::kFirstLine:
      return EmitLine(kept_);
    case State::kBetween:
    case State::kDone:
      return {};
    case State::kElement:
      if (format_ == RecordFileFormat::kJsonLines) {
        return ReadingError(row_line_, "the object is not closed");
      }
      break;
    default:
      break;
  }
  return ReadingError(line_, "the array is not closed");
}

}  // namespace latchkey::core
