// What a CSV file's columns are, and its rows as records. Pure; not thread-safe.
//
// A type is known only when the last line was seen: a later line may widen it ("1", then "1.5",
// then "n/a"). So a file is read twice: SchemaInference looks at every cell, then RowConverter
// makes records with the final types. Each keeps a few bytes per column, whatever the file's size.
//
// Empty cells are null and say nothing of a type. Else, with blanks at the ends set aside:
//   integer  digits, no leading zero, with an optional minus; kept exactly, whatever their number
//   number   an integer or a JSON number (RFC 8259 §6); kept exactly, in its shortest form:
//            1469.250000 is stored as 1469.25
//   boolean  true, false, in lower, upper or title case
//   date     the text forms of date_forms.h
//   string   anything else, and any mixture of the above but integer with number; as written
// A column without a value is a string. Milliseconds are a date only where they are said to be one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/dataset.h"
#include "core/record.h"

namespace latchkey::core {

class SchemaInference {
 public:
  // kInvalid if the names can't be fields (CheckDataset says why): "line 1" and the reason.
  static Result<SchemaInference> Begin(std::span<const std::string_view> names);

  // As many cells as names.
  void Observe(std::span<const std::string_view> cells);
  // The names in the file's order, with the narrowest type that all cells fit. Not required.
  std::vector<Field> Fields() const;

 private:
  struct Column {
    std::string name;
    std::uint8_t seen = 0;  // a bit per form
  };
  std::vector<Column> columns_;
};

class RowConverter {
 public:
  // `dataset` is complete but for its records. Columns are matched to fields by name, without case;
  // a field without a column is null in every record. kInvalid for a column without a field, and
  // for a required or index field without a column.
  static Result<RowConverter> Begin(const Dataset& dataset,
                                    std::span<const std::string_view> names);

  // kInvalid, with the reason as public text, for a cell that its field's type does not take; an
  // empty cell of the key, the date or a required field; an indexed value or a record too long.
  // `record.updated_millis` is left as it is.
  Status Convert(std::span<const std::string_view> cells, Record& record) const;

 private:
  RowConverter() = default;
  std::vector<Field> fields_;
  std::vector<int> column_of_field_;  // -1: none
  int key_ = -1;                      // columns
  int subkey_ = -1;
  int date_ = -1;
};

}  // namespace latchkey::core
