#include "core/csv_reader.h"

#include <algorithm>

#include "base/encoding.h"
#include "core/text.h"

namespace latchkey::core {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kDelimiters = ",\t|";

Error HeaderError(std::uint64_t line, std::string_view reason) {
  std::string where = "line " + std::to_string(line);
  Error error = MakeError(ErrorCode::kInvalid, where + ": " + std::string(reason));
  error.fields.push_back({std::move(where), std::string(reason)});
  return error;
}

}  // namespace

CsvReader::CsvReader(CsvHandler& handler, CsvLimits limits) : handler_(handler), limits_(limits) {}

Status CsvReader::Feed(std::string_view bytes) {
  if (error_) return *error_;
  Status status = Take(bytes);
  if (!status.ok()) error_ = status.error();
  return status;
}

Status CsvReader::Finish() {
  if (error_) return *error_;
  Status status = UseHead();
  const bool line_begun = state_ != State::kCellStart || cell_count_ > 0;
  if (status.ok() && line_begun) {
    if (state_ == State::kQuoted) status = Fail("a quoted cell is not closed");
    if (state_ == State::kCarriage) status = Fail("a carriage return without a line feed");
    if (status.ok()) {
      if (failure_ == nullptr) EndCell();
      status = EndLine();
    }
  }
  if (status.ok() && !has_header_) status = HeaderError(line_, "there is no header line");
  if (!status.ok()) error_ = status.error();
  return status;
}

Status CsvReader::Take(std::string_view bytes) {
  return detected_ ? Consume(bytes) : Detect(bytes);
}

// Keeps the bytes until the header line has ended outside quotes, or is longer than a row may be
// (it will be refused then), and reads on from there.
Status CsvReader::Detect(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !head_line_ended_ && head_.size() <= limits_.max_row_bytes) {
    ScanHead(bytes[taken++]);
  }
  if (taken == bytes.size() && !head_line_ended_ && head_.size() <= limits_.max_row_bytes) {
    return {};
  }
  if (Status status = UseHead(); !status.ok()) return status;
  return Consume(bytes.substr(taken));
}

void CsvReader::ScanHead(char c) {
  const std::size_t at = head_.size();
  head_ += c;
  if (at < kByteOrderMark.size() && c == kByteOrderMark[at]) return;
  if (head_quoted_) {
    head_quoted_ = c != '"';
    // The second half of "" opens again, as the start of a cell does.
    head_cell_start_ = !head_quoted_;
    return;
  }
  if (c == '\n') {
    head_line_ended_ = head_has_text_;
    head_cell_start_ = true;
    return;
  }
  if (c == '\r') return;
  head_has_text_ = true;
  if (c == '"' && head_cell_start_) {
    head_quoted_ = true;
    return;
  }
  const std::size_t delimiter = kDelimiters.find(c);
  head_cell_start_ = delimiter != std::string_view::npos;
  if (head_cell_start_) ++head_delimiters_[delimiter];
}

Status CsvReader::UseHead() {
  if (detected_) return {};
  detected_ = true;
  const auto* most = std::max_element(head_delimiters_.begin(), head_delimiters_.end());
  delimiter_ = kDelimiters[static_cast<std::size_t>(most - head_delimiters_.begin())];
  const std::string head = std::move(head_);
  head_ = std::string();
  std::string_view bytes = head;
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  return Consume(bytes);
}

Status CsvReader::Consume(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t run = RunLength(bytes);
    if (run > 0) {
      if (Status status = Append(bytes.substr(0, run)); !status.ok()) return status;
      bytes.remove_prefix(run);
      continue;
    }
    if (Status status = Step(bytes[0]); !status.ok()) return status;
    bytes.remove_prefix(1);
  }
  return {};
}

// How many of the bytes change nothing but the cell they belong to.
std::size_t CsvReader::RunLength(std::string_view bytes) const {
  std::size_t end = 0;
  switch (state_) {
    case State::kUnquoted:
      while (end < bytes.size() && bytes[end] != delimiter_ && bytes[end] != '\n' &&
             bytes[end] != '\r') {
        ++end;
      }
      return end;
    case State::kQuoted:
      while (end < bytes.size() && bytes[end] != '"' && bytes[end] != '\n') ++end;
      return end;
    case State::kSkipping:
      return std::min(bytes.find('\n'), bytes.size());
    default:
      return 0;
  }
}

Status CsvReader::Append(std::string_view bytes) {
  if (state_ == State::kSkipping) return {};
  const std::size_t cell_room = limits_.max_cell_bytes - (row_.size() - cell_start_);
  const std::size_t row_room = limits_.max_row_bytes - std::min(row_.size(), limits_.max_row_bytes);
  if (bytes.size() > std::min(cell_room, row_room)) {
    row_.append(bytes.substr(0, std::min(cell_room, row_room)));
    // Of the two the one that a single byte more would have met first: pieces must not matter.
    if (row_room < cell_room) return Fail("the row is too long");
    return Fail(state_ == State::kQuoted ? "a cell is too long (is its quote not closed?)"
                                         : "a cell is too long");
  }
  row_.append(bytes);
  return {};
}

Status CsvReader::Step(char c) {
  if (c == '\n') ++line_;
  switch (state_) {
    case State::kSkipping:
      return EndLine();  // only a line end interrupts the run
    case State::kQuoted:
      if (c != '"') return Append({&c, 1});
      state_ = State::kQuoteClosed;
      return {};
    case State::kCarriage:
      if (c == '\n') return EndLine();
      return Fail("a carriage return without a line feed");
    case State::kQuoteClosed:
      if (c == '"') {
        state_ = State::kQuoted;
        return Append({&c, 1});
      }
      break;
    case State::kCellStart:
      if (c == '"') {
        any_quoted_ = true;
        state_ = State::kQuoted;
        return {};
      }
      break;
    case State::kUnquoted:
      break;
  }
  if (c == delimiter_) {
    EndCell();
    // One byte per cell: the row's limit bounds the number of cells too.
    if (row_.size() > limits_.max_row_bytes) return Fail("the row is too long");
    state_ = State::kCellStart;
    return {};
  }
  if (c == '\n' || c == '\r') {
    EndCell();
    if (c == '\n') return EndLine();
    state_ = State::kCarriage;
    return {};
  }
  if (state_ == State::kQuoteClosed) return Fail("text after a closing quote");
  state_ = State::kUnquoted;
  return Append({&c, 1});
}

void CsvReader::EndCell() {
  ends_.push_back(row_.size());
  row_ += '\n';  // keeps cells apart when the row is checked as a whole
  cell_start_ = row_.size();
  ++cell_count_;
}

Status CsvReader::Fail(const char* reason) {
  if (!has_header_) return HeaderError(row_line_, reason);
  failure_ = reason;
  state_ = State::kSkipping;
  return {};
}

Status CsvReader::EndLine() {
  Status status = EmitRow();
  StartRow();
  return status;
}

void CsvReader::StartRow() {
  row_.clear();
  ends_.clear();
  cell_start_ = 0;
  cell_count_ = 0;
  any_quoted_ = false;
  failure_ = nullptr;
  state_ = State::kCellStart;
  row_line_ = line_;
}

Status CsvReader::EmitRow() {
  if (failure_ != nullptr) return handler_.OnBadRow(row_line_, failure_);
  if (cell_count_ == 1 && !any_quoted_ && ends_[0] == 0) return {};  // an empty line
  const char* reason = nullptr;
  if (row_.find('\0') != std::string::npos) {
    reason = "it holds a NUL character";
  } else if (!IsValidUtf8(row_)) {
    reason = "it is not UTF-8";
  }
  if (reason != nullptr) {
    return has_header_ ? handler_.OnBadRow(row_line_, reason) : HeaderError(row_line_, reason);
  }
  if (has_header_ && cell_count_ != header_cells_) {
    return handler_.OnBadRow(row_line_, "it has " + std::to_string(cell_count_) +
                                            (cell_count_ == 1 ? " cell" : " cells") +
                                            ", the header has " + std::to_string(header_cells_));
  }
  cells_.clear();
  std::size_t start = 0;
  for (const std::size_t end : ends_) {
    cells_.push_back(std::string_view(row_).substr(start, end - start));
    start = end + 1;
  }
  return has_header_ ? handler_.OnRow(row_line_, cells_) : EmitHeader();
}

Status CsvReader::EmitHeader() {
  if (cell_count_ > limits_.max_cells) {
    return HeaderError(
        row_line_, "the header has more than " + std::to_string(limits_.max_cells) + " columns");
  }
  has_header_ = true;
  header_cells_ = cell_count_;
  return handler_.OnHeader(cells_);
}

std::string CsvReader::RowText(std::size_t max_bytes) const {
  std::string text;
  const auto append = [&](std::string_view cell) {
    cell = cell.substr(0, max_bytes + 1);  // what goes beyond is cut off in the end
    if (cell.find_first_of("\"\r\n") == std::string_view::npos &&
        cell.find(delimiter_) == std::string_view::npos) {
      text += cell;
      return;
    }
    text += '"';
    for (const char c : cell) text.append(c == '"' ? 2 : 1, c);
    text += '"';
  };
  std::size_t start = 0;
  for (std::size_t i = 0; i < ends_.size() && text.size() <= max_bytes; ++i) {
    if (i > 0) text += delimiter_;
    append(std::string_view(row_).substr(start, ends_[i] - start));
    start = ends_[i] + 1;
  }
  // The cell in which a bad row ended.
  if (row_.size() > cell_start_ && text.size() <= max_bytes) {
    if (!ends_.empty()) text += delimiter_;
    append(std::string_view(row_).substr(cell_start_));
  }
  return ShownText(text, max_bytes);
}

}  // namespace latchkey::core
