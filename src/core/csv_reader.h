// CSV as it comes, in pieces of any size: RFC 4180 with LF or CRLF, an optional UTF-8 byte order
// mark, and comma, tab or pipe between the cells. Memory is bounded by the limits, whatever the
// input. How the bytes are cut into pieces makes no difference. Pure; not thread-safe.
//
// The delimiter is the one of the three that stands most often in the header line outside quotes
// (a comma when none does, or when two stand equally often). A quoted cell may hold delimiters,
// line ends and "" for a quote; a quote inside an unquoted cell is an ordinary character. Lines
// without a character are passed over. Blanks belong to the cell.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/dataset.h"

namespace latchkey::core {

// What the reader finds, in the order of the file. An error that one of these returns ends the
// reading: Feed and Finish return it. Views hold until the call returns.
class CsvHandler {
 public:
  virtual ~CsvHandler() = default;
  // Once, before any row.
  virtual Status OnHeader(std::span<const std::string_view> names) = 0;
  // As many cells as the header has. `line` is where the row begins: 1 is the file's first line,
  // and a line end inside quotes counts.
  virtual Status OnRow(std::uint64_t line, std::span<const std::string_view> cells) = 0;
  // A row that is none; the reading goes on with the next line.
  virtual Status OnBadRow(std::uint64_t line, std::string_view reason) = 0;
};

struct CsvLimits {
  std::size_t max_cell_bytes = kMaxRecordBytes;
  std::size_t max_row_bytes = 4 * kMaxRecordBytes;  // of its cells
  std::size_t max_cells = kMaxFields;
};

class CsvReader {
 public:
  // The handler is borrowed and must outlive the reader.
  explicit CsvReader(CsvHandler& handler, CsvLimits limits = {});

  // kInvalid when the header line is no header; else what the handler returned. After an error
  // every call returns it again.
  Status Feed(std::string_view bytes);
  // The end of the file; the last line needs no line end. kInvalid if there was no header line.
  Status Finish();

  // The line that is being read.
  std::uint64_t line() const { return line_; }

  // Only within a call of the handler: the row it is about as text with its cells quoted anew, at
  // most `max_bytes` (cut between characters) of well-formed UTF-8. A row that is too long has only
  // its beginning.
  std::string RowText(std::size_t max_bytes) const;

 private:
  enum class State : std::uint8_t {
    kCellStart,    // nothing of the cell was seen
    kUnquoted,     // in a cell without quotes
    kQuoted,       // between the quotes
    kQuoteClosed,  // a quote within a quoted cell: its end, or the first half of ""
    kCarriage,     // CR outside quotes: LF must follow
    kSkipping,     // the row is bad: on to the line end
  };

  Status Take(std::string_view bytes);
  Status Detect(std::string_view bytes);
  void ScanHead(char c);
  Status UseHead();
  Status Consume(std::string_view bytes);
  std::size_t RunLength(std::string_view bytes) const;
  Status Append(std::string_view bytes);
  Status Step(char c);
  void EndCell();
  Status EndLine();
  Status EmitRow();
  Status EmitHeader();
  Status Fail(const char* reason);
  void StartRow();

  CsvHandler& handler_;
  const CsvLimits limits_;

  // Until the delimiter is known: what was seen so far, and where in a line it ends.
  bool detected_ = false;
  std::string head_;
  bool head_has_text_ = false;
  bool head_quoted_ = false;
  bool head_cell_start_ = true;
  bool head_line_ended_ = false;
  std::array<std::size_t, 3> head_delimiters_{};
  char delimiter_ = ',';

  bool has_header_ = false;
  std::size_t header_cells_ = 0;
  State state_ = State::kCellStart;
  std::uint64_t line_ = 1;
  std::uint64_t row_line_ = 1;
  // The cells of the row one after the other with one byte between them, and where each ends.
  std::string row_;
  std::vector<std::size_t> ends_;
  std::size_t cell_start_ = 0;
  std::size_t cell_count_ = 0;
  bool any_quoted_ = false;
  const char* failure_ = nullptr;  // why the row is bad, once it is
  std::vector<std::string_view> cells_;
  std::optional<Error> error_;
};

}  // namespace latchkey::core
