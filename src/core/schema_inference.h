// What the fields of a file are, and its rows and objects as records. Pure; not thread-safe.
//
// A type is known only when the last line was seen: a later line may widen it ("1", then "1.5",
// then "n/a"). So a file is read twice: SchemaInference looks at every value, then RowConverter
// makes records with the final types. Each keeps a few bytes per field, whatever the file's size.
//
// CSV: empty cells are null and say nothing of a type. Else, with blanks at the ends set aside:
//   integer  digits, no leading zero, with an optional minus; kept exactly, whatever their number
//   number   an integer or a JSON number (RFC 8259 §6); kept exactly, in its shortest form:
//            1469.250000 is stored as 1469.25
//   boolean  true, false, in lower, upper or title case
//   date     the text forms of date_forms.h
//   string   anything else, and any mixture of the above but integer with number; as written
// A column without a value is a string.
//
// JSON: null says nothing of a type. A number is an integer (without fraction and exponent) or a
// number, a string is a date (the text forms of date_forms.h) or a string, the rest is what it is:
// boolean, object, array. Dates with other strings are a string, integers with numbers a number,
// any other mixture is any. A field without a value is any. Values are kept as written, without
// blanks between their parts, a number in its shortest form.
//
// Milliseconds are a date where they are said to be one, and in a field named "date" (without case)
// whose values are whole numbers of 12 to 14 digits, or these and dates as text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/dataset.h"
#include "core/field_names.h"
#include "core/json_records.h"
#include "core/record.h"

namespace latchkey::core {

class SchemaInference {
 public:
  // Of JSON objects: no field yet.
  SchemaInference() = default;
  // Of CSV. kInvalid if the names can't be fields (CheckDataset says why): "line 1" and the reason.
  static Result<SchemaInference> Begin(std::span<const std::string_view> names);

  // CSV: as many cells as names.
  void Observe(std::span<const std::string_view> cells);
  // JSON: names that are new become fields; names that differ in case alone are one field.
  // kInvalid, and nothing was observed, for a name that can't be a field's, two names in the object
  // that are one field, or more fields than a dataset may have.
  Status Observe(std::span<const JsonMember> members);
  // In the order in which they were seen first, with the narrowest type that all values fit. Not
  // required. After objects without a member there is none.
  std::vector<Field> Fields() const;

 private:
  struct Column {
    bool named_date = false;
    std::uint16_t seen = 0;    // a bit per form
    std::uint64_t object = 0;  // the last one that had it
  };
  void Add(std::string_view name);
  Status FindColumns(std::span<const JsonMember> members);

  bool json_ = true;
  FieldNames names_;
  std::vector<Column> columns_;
  std::uint64_t objects_ = 0;
  std::vector<std::size_t> found_;  // the columns of the object's members
};

// The fields that are the index of a dataset made on demand.
struct InferredIndex {
  std::string key_field;  // empty: none
  std::string subkey_field;
  std::string date_field;
};
// Names compare without case, and a key or subkey is no object or array:
//   key     the field named key, else symbol, ticker, id, else the first string, else the first
//           integer; none of them is the subkey's or the date's
//   subkey  the field named subkey, if there is a key
//   date    the field named date, if it is a date, else the first date that is not key or subkey
// kInvalid if there is neither key nor date.
Result<InferredIndex> InferIndex(std::span<const Field> fields);

class RowConverter {
 public:
  // `dataset` is complete but for its records. Columns are matched to fields by name, without case;
  // a field without a column is null in every record. kInvalid for a column without a field, and
  // for a required or index field without a column.
  static Result<RowConverter> Begin(const Dataset& dataset,
                                    std::span<const std::string_view> names);
  // Of JSON objects. Members are matched to fields by name, with case ignored where no field has
  // exactly that name.
  static RowConverter ForObjects(const Dataset& dataset);

  // kInvalid, with the reason as public text, for a cell that its field's type does not take; an
  // empty cell of the key or a required field; an indexed value or a record too long.
  // `record.updated_millis` is left as it is.
  //
  // Key and subkey are the text of the value that is stored: 1.50 in a number field is "1.5".
  Status Convert(std::span<const std::string_view> cells, Record& record) const;
  // As above, of an object: an absent member is null. Strings are taken where the field is a string
  // or a date, milliseconds where it is a date, numbers without a fraction other than zero where it
  // is an integer; nothing is turned into another type. kInvalid too for a member that is no field,
  // and for two that are the same one.
  Status Convert(std::span<const JsonMember> members, Record& record) const;

 private:
  RowConverter() = default;
  template <typename AppendField>
  Status Assemble(Record& record, AppendField append) const;

  std::vector<Field> fields_;
  FieldNames names_;                  // of fields
  std::vector<int> column_of_field_;  // of CSV; -1: none
  int key_ = -1;                      // fields
  int subkey_ = -1;
  int date_ = -1;
};

}  // namespace latchkey::core
