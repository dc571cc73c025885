// An upload of JSON (or whatever it is): however it is cut into pieces the same comes of it, within
// the limits; what its fields are said to be, every object of it is; and the records that come of
// it can be read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "core/json_text.h"
#include "core/record_reader.h"
#include "core/record_text.h"
#include "core/schema_inference.h"
#include "test/support/record_texts.h"

namespace {

using latchkey::Status;
namespace core = latchkey::core;

void Require(bool holds) {
  if (!holds) std::abort();
}

constexpr core::RecordFileLimits kLimits{
    .csv = {.max_cell_bytes = 64, .max_row_bytes = 160, .max_cells = 8},
    .max_object_bytes = 128,
    .max_members = 6};

// Writes down what the reader finds, and holds it against the limits.
class Recorder final : public core::RecordFileHandler {
 public:
  explicit Recorder(const core::RecordFileLimits& limits) : limits_(limits) {}

  Status OnHeader(std::span<const std::string_view> names) override {
    Require(!header && reader->format() == core::RecordFileFormat::kCsv);
    header = true;
    return Take(0, names);
  }
  Status OnRow(std::uint64_t line, std::span<const std::string_view> cells) override {
    Require(header);
    return Take(line, cells);
  }
  Status OnBadRow(std::uint64_t line, std::string_view reason) override {
    Require(!reason.empty() && line >= last_line);
    last_line = line;
    const std::string text = reader->RowText(20);
    Require(text.size() <= 20 && latchkey::IsValidUtf8(text));
    events.append(std::to_string(line)).append("!").append(reason).append(text).append("\n");
    return {};
  }
  Status OnObject(std::uint64_t line, std::span<const core::JsonMember> members) override {
    Require(!header && line >= last_line && members.size() <= limits_.max_members);
    last_line = line;
    std::size_t bytes = 0;
    events.append(std::to_string(line));
    for (const core::JsonMember& member : members) {
      bytes += member.name.size() + member.value.size();
      Require(latchkey::IsValidUtf8(member.name));
      std::string compact;
      Require(core::AppendCompactJson(compact, member.value));
      events.append(",").append(member.name).append("=").append(member.value);
      const bool quoted = member.value.starts_with('"');
      Require(quoted == (member.kind == core::JsonKind::kString));
    }
    Require(bytes <= limits_.max_object_bytes);
    events.append("\n");
    objects.push_back(reader->RowText(limits_.max_object_bytes));
    return {};
  }

  const core::RecordFileReader* reader = nullptr;
  std::string events;
  std::vector<std::string> objects;
  bool header = false;
  std::uint64_t last_line = 0;

 private:
  Status Take(std::uint64_t line, std::span<const std::string_view> cells) {
    Require(line >= last_line);
    last_line = line;
    events.append(std::to_string(line));
    for (const std::string_view cell : cells) events.append(",").append(cell);
    events.append("\n");
    return {};
  }

  const core::RecordFileLimits& limits_;
};

void Read(std::string_view file, std::size_t piece, Recorder& recorder,
          const core::RecordFileLimits& limits) {
  core::RecordFileReader reader(recorder, limits);
  recorder.reader = &reader;
  Status status;
  for (std::size_t at = 0; at < file.size() && status.ok(); at += piece) {
    status = reader.Feed(file.substr(at, piece));
  }
  status = reader.Finish();
  if (!status.ok()) recorder.events += status.error().public_text;
}

void Convert(const std::vector<std::string>& objects) {
  std::vector<core::JsonObjectParser> parsers(objects.size());
  core::SchemaInference inference;
  std::vector<std::size_t> good;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    // What the reader shows of a record is the record.
    Require(parsers[i].Parse(objects[i]) == core::JsonFault::kNone);
    if (inference.Observe(parsers[i].members()).ok()) good.push_back(i);
  }
  core::Dataset dataset;
  dataset.fields = inference.Fields();
  dataset.name = dataset.workspace = "x";
  dataset.owner = latchkey::core::AccountId{1};
  const auto index = core::InferIndex(dataset.fields);
  if (index.ok()) {
    dataset.key_field = index->key_field;
    dataset.subkey_field = index->subkey_field;
    dataset.date_field = index->date_field;
    Require(core::CheckDataset(dataset).ok());
  }
  const core::RowConverter converter = core::RowConverter::ForObjects(dataset);
  std::vector<core::Record> records;
  core::Record record;
  for (const std::size_t i : good) {
    const Status status = converter.Convert(parsers[i].members(), record);
    // What was inferred of an object takes it, but for an index that it lacks.
    Require(status.ok() || index.ok());
    if (!status.ok()) continue;
    Require(record.key.size() <= core::kMaxIndexedValueBytes && latchkey::IsValidUtf8(record.key));
    Require(dataset.key_field.empty() == record.key.empty());
    std::string compact;
    Require(core::AppendCompactJson(compact, record.values) && compact == record.values);
    const auto parts = core::SplitValues(record.values);
    Require(parts && parts->size() == dataset.fields.size());
    records.push_back(record);
  }
  std::string text = latchkey::TextOfRecords(core::RecordTextForm::kJson, dataset, records).value();
  std::string compact;
  Require(core::AppendCompactJson(compact, text) && compact == text);

  // Its JSON reads back as the same records.
  if (dataset.fields.empty()) return;
  constexpr core::RecordFileLimits kNone;
  Recorder again(kNone);
  Read(text, text.size() + 1, again, kNone);
  Require(again.objects.size() == records.size());
  core::JsonObjectParser parser;
  for (std::size_t i = 0; i < records.size(); ++i) {
    Require(parser.Parse(again.objects[i]) == core::JsonFault::kNone);
    Require(converter.Convert(parser.members(), record).ok());
    Require(record.values == records[i].values && record.key == records[i].key &&
            record.subkey == records[i].subkey && record.date_millis == records[i].date_millis);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  Recorder whole(kLimits);
  Read(file, size + 1, whole, kLimits);
  for (const std::size_t piece : {1, 3, 7}) {
    Recorder pieces(kLimits);
    Read(file, piece, pieces, kLimits);
    Require(pieces.events == whole.events);
  }
  Convert(whole.objects);
  return 0;
}
