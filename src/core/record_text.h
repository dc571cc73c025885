// Records as text: the JSON and CSV of the data API (wire.md §7). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/dataset.h"
#include "core/record.h"
#include "core/record_query.h"

namespace latchkey::core {

// The elements of a compact JSON array as Record::values holds it, as views of their JSON text.
// nullopt if it is not such an array.
std::optional<std::vector<std::string_view>> SplitValues(std::string_view values);
// One of them. nullopt if there are not so many, or it is not such an array as far as there.
std::optional<std::string_view> ValueAt(std::string_view values, std::size_t index);

// The system properties: id (the dataset's name as created), key and subkey (as written, "" for
// none), date (milliseconds; null in a dataset without a date), updated (milliseconds). Records of
// core and premium carry them after their fields, and a field of exactly the same name gives way to
// them; records of a workspace as an object of this name, when asked for.
inline constexpr std::string_view kSystemObjectName = "_systemRecordProperties";
// True for the five of core and premium; a workspace's dataset has none to be named in a filter.
bool IsSystemProperty(const Dataset& dataset, std::string_view name);

enum class RecordTextForm : std::uint8_t { kJson, kJsonLines, kCsv };

struct RecordTextOptions {
  RecordTextForm form = RecordTextForm::kJson;
  // Names of fields and of system properties: these alone, in this order, and of a dataset those
  // that it has. Empty: all.
  std::vector<std::string> filter;
  enum class System : std::uint8_t {
    kNever,  // the fields alone, whatever the class: what can be imported again
    kUsual,  // core and premium as above, those that a filter names; a workspace none
    kAlways  // all, whatever the filter says
  };
  System system = System::kUsual;
  bool reverse = false;  // each Append from its last record to its first
};
RecordTextOptions TextOptions(const RecordsRequest& request, RecordFormat format);

// Makes one text of the records of several datasets. Not thread-safe.
//
//   RecordWriter writer(options, datasets);
//   for (…) if (Status status = writer.Append(which, records); !status.ok()) …
//   std::string text = writer.Finish();
//
// JSON: one array of objects, a value that is missing at the end is null. JSON Lines: one object a
// line, each ends with LF. CSV: a header line and one line per record, CRLF (RFC 4180), quoted
// where it must be; the columns of all datasets in the order of their first appearance, empty where
// a record has no such field or null; an empty text is "". In CSV a workspace's system properties
// are columns named "_systemRecordProperties.id" and so on. Values are never altered (a text that
// starts with "=" stays one).
class RecordWriter {
 public:
  // The datasets must outlive the writer; the list of them is copied.
  RecordWriter(RecordTextOptions options, std::span<const Dataset* const> datasets);

  // The next records, of the dataset of this index. kCorrupt if the values of a record are not what
  // an import makes; the text is then of no use.
  Status Append(std::size_t dataset, std::span<const Record> records);

  std::uint64_t records() const { return records_; }  // appended so far
  std::uint64_t bytes() const { return taken_ + text_.size(); }
  // What stands there so far, to be sent already; the rest comes with the next call or with Finish.
  std::string TakeText();
  // The end of the text (all of it, if nothing was taken). Once, last.
  std::string Finish();

 private:
  // One part of a record's text: a field's value or a system property.
  struct Part {
    std::string label;  // JSON: `"name":` with the comma before it, if one belongs there
    int field = -1;     // the index of the field, or -1
    int system = -1;    // which system property, or -1
    int column = -1;    // CSV
  };
  struct Plan {
    bool made = false;
    bool in_order = false;  // the parts that are fields ascend by index, system ones follow
    std::vector<Part> parts;
    std::vector<int> part_of_column;  // CSV: for each column the index of its part, or -1
    std::string system_opening;       // JSON of a workspace: `,"_systemRecordProperties":{`
    std::string id_json;
    std::size_t labels_bytes = 0;
  };
  void MakePlan(const Dataset& dataset, Plan& plan) const;
  void MakeHeader();
  Status AppendJson(const Dataset& dataset, const Plan& plan, const Record& record);
  Status AppendCsv(const Dataset& dataset, const Plan& plan, const Record& record);

  RecordTextOptions options_;
  std::vector<const Dataset*> datasets_;
  std::vector<Plan> plans_;
  std::vector<std::string> columns_;  // CSV
  std::vector<std::string_view> values_;
  std::uint64_t records_ = 0;
  std::uint64_t taken_ = 0;
  std::string text_;
};

// One dataset's records in one text: the array, or the CSV with its header line.
Status AppendRecordsJson(std::string& out, const Dataset& dataset, std::span<const Record> records);
Status AppendRecordsCsv(std::string& out, const Dataset& dataset, std::span<const Record> records);

}  // namespace latchkey::core
