// Whatever is uploaded, as it comes, in pieces of any size: CSV, a JSON array of objects, or JSON
// Lines. Memory is bounded by the limits, whatever the input. How the bytes are cut into pieces
// makes no difference. Pure; not thread-safe.
//
// The content says what it is (wire.md §7), whatever the Content-Type: the first byte that is no
// blank (space, tab, CR, LF; after an optional UTF-8 byte order mark) is
//   [  a JSON array whose elements are the records. What is JSON but no record (a number, an object
//      with a name twice …) is a bad row; what is no JSON ends the reading with an error, since
//      nothing says where the next record begins.
//   {  JSON Lines: one object a line (LF or CRLF), empty lines passed over, a bad line a bad row.
//      Where the first line ends within an object and the next one goes on with it, the file is
//      objects that stand one after the other, each over as many lines as it likes (a single
//      object, indented, is one record); then no JSON ends the reading, as in an array.
//   else CSV (csv_reader.h).
// After more than 64 KiB of blanks it is CSV.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/csv_reader.h"
#include "core/dataset.h"
#include "core/json_records.h"

namespace latchkey::core {

enum class RecordFileFormat : std::uint8_t { kCsv, kJsonArray, kJsonLines };

// A file is either CSV (OnHeader once, then rows) or JSON (objects, no header); OnBadRow in both.
// An error that one of these returns ends the reading: Feed and Finish return it. Views hold until
// the call returns.
class RecordFileHandler : public CsvHandler {
 public:
  // `line` is where the object begins.
  virtual Status OnObject(std::uint64_t line, std::span<const JsonMember> members) = 0;
};

struct RecordFileLimits {
  CsvLimits csv;
  std::size_t max_object_bytes = 4 * kMaxRecordBytes;  // as written; more is a bad row
  std::size_t max_members = kMaxFields;                // more is a bad row
};

class RecordFileReader {
 public:
  // The handler is borrowed and must outlive the reader.
  explicit RecordFileReader(RecordFileHandler& handler, RecordFileLimits limits = {});

  // kInvalid, naming the line, for what ends the reading; else what the handler returned. After an
  // error every call returns it again.
  Status Feed(std::string_view bytes);
  // The end of the file. kInvalid for one without anything but blanks, and for an array that is not
  // closed.
  Status Finish();

  // Absent until the first byte that tells.
  std::optional<RecordFileFormat> format() const { return format_; }
  // The line that is being read; 1 is the file's first.
  std::uint64_t line() const;

  // Only within a call of the handler: the row it is about as text, for people to find it again, at
  // most `max_bytes` (cut between characters) of well-formed UTF-8. JSON as it stands in the file;
  // CSV with its cells quoted anew. A row that is too long has only its beginning.
  std::string RowText(std::size_t max_bytes) const;

 private:
  enum class State : std::uint8_t {
    kLine,         // JSON Lines: in a line
    kFirstLine,    // the first line ended within an object; the next one tells what it was
    kBeforeFirst,  // array: after [ (an element or ])
    kBeforeNext,   // array: after a comma (an element)
    kElement,      // array, objects: in a value
    kAfter,        // array: after an element (a comma or ])
    kBetween,      // objects: between two
    kDone,         // array: after ]
  };

  Status Take(std::string_view bytes);
  Status Detect(std::string_view bytes);
  Status Begin(RecordFileFormat format);
  Status Consume(std::string_view bytes);
  Status TakeLine(std::string_view& bytes);
  Status TakeFirstLine(std::string_view& bytes);
  Status TakeElement(std::string_view& bytes);
  Status FindEnd(std::string_view bytes, std::size_t& end);
  Status TakeBetween(std::string_view& bytes);
  void Keep(std::string_view bytes);
  Status EmitLine(std::string_view text);
  Status EmitElement(std::string_view text);
  Status Emit(std::string_view text, JsonFault fault);
  Status EmitTooLong();
  Status FinishJson();

  RecordFileHandler& handler_;
  const RecordFileLimits limits_;
  CsvReader csv_;
  JsonObjectParser parser_;
  std::optional<RecordFileFormat> format_;
  std::optional<Error> error_;

  std::size_t mark_bytes_ = 0;  // of the byte order mark, as far as it was seen
  std::string blanks_;          // before the first byte that tells

  State state_ = State::kLine;
  std::uint64_t line_ = 1;
  std::uint64_t row_line_ = 1;  // where the value that is being read begins
  std::string kept_;            // what was seen of it in earlier pieces
  bool too_long_ = false;       // it is, and only its end is looked for
  bool first_line_ = true;      // JSON Lines: no line has ended yet
  // Where in a value that ends with its brackets the reading is.
  std::uint64_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool scalar_ = false;        // the value has no brackets: it ends before , ] or a blank
  std::string_view row_text_;  // of the handler's current call
};

}  // namespace latchkey::core
