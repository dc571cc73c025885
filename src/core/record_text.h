// Records as text: the JSON and CSV of the data API (wire.md §7). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
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
// Those that a filter may name beside the fields: the five of core and premium; of a workspace
// none.
std::span<const std::string_view> SystemProperties(const Dataset& dataset);

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
  std::uint64_t max_bytes = UINT64_MAX;
};
RecordTextOptions TextOptions(const RecordsRequest& request, RecordFormat format);

// Makes one text of the records of several datasets. Not thread-safe.
//
//   RecordWriter writer(options, datasets);
//   for (…) if (Status status = writer.Append(which, records); !status.ok()) …
//   Result<std::string> text = writer.Finish();
//
// JSON: one array of objects, a value that is missing at the end is null. JSON Lines: one object a
// line, each ends with LF. CSV: a header line and one line per record, CRLF (RFC 4180), quoted
// where it must be; the columns of all datasets in the order of their first appearance (with a
// filter in its order), empty where a record has no such field or null; an empty text is "". In CSV
// a workspace's system properties are columns named "_systemRecordProperties.id" and so on. Values
// are never altered (a text that starts with "=" stays one).
class RecordWriter {
 public:
  // The datasets must outlive the writer; the list of them is copied.
  RecordWriter(RecordTextOptions options, std::span<const Dataset* const> datasets);
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  // The next records, of the dataset of this index. kCorrupt if the values of a record are not what
  // an import makes; kLimit when the text outgrows max_bytes. The text is then of no use.
  Status Append(std::size_t dataset, std::span<const Record> records);

  std::uint64_t records() const { return records_; }  // appended so far
  std::uint64_t bytes() const { return taken_ + text_.size(); }
  // What stands there so far, to be sent already; the rest comes with the next call or with Finish.
  std::string TakeText();
  // The end of the text (all of it, if nothing was taken). Once, last. kLimit as Append.
  Result<std::string> Finish();

 private:
  enum class PartKind : std::uint8_t { kField, kConstant, kKey, kSubkey, kDate, kUpdated };
  // One part of a record's text: the value of a field or a system property.
  struct Part {
    PartKind kind = PartKind::kField;
    int field = -1;  // of kField: which
    std::string_view name;
    // JSON: what stands before the value, from the comma to the colon, in Plan::labels, and of
    // kConstant the value as well. CSV: of kConstant the cell.
    std::size_t label = 0;
    std::size_t label_size = 0;
    std::size_t column = 0;  // CSV; the parts stand in the order of their columns
  };
  struct Plan {
    bool made = false;
    bool ascending = true;       // the fields' indices ascend from part to part
    bool system_object = false;  // the system properties end as an object of their own
    std::vector<Part> parts;
    std::string labels;  // with kLabelSlack bytes more at the end
  };
  static void AddField(const Dataset& dataset, int field, Plan& plan);
  static void AddSystem(std::size_t property, std::string_view name, Plan& plan);
  void AddFiltered(const Dataset& dataset, std::vector<bool>& taken, Plan& plan) const;
  void AddLabels(const Dataset& dataset, Plan& plan) const;
  void MakePlan(const Dataset& dataset, Plan& plan) const;
  void MakeHeader();
  bool AppendJson(const Plan& plan, const Record& record);
  bool AppendCsv(const Plan& plan, const Record& record);
  Error TooLarge() const;

  RecordTextOptions options_;
  std::vector<const Dataset*> datasets_;
  std::vector<Plan> plans_;
  std::unordered_map<std::string_view, std::size_t> filter_;  // the names' places in the filter
  std::vector<std::string_view> columns_;                     // CSV
  std::vector<std::string_view> values_;
  std::string scratch_;
  std::uint64_t records_ = 0;
  std::uint64_t taken_ = 0;
  std::string text_;
};

}  // namespace latchkey::core
