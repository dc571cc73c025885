// An uploaded file: however it is cut into pieces the same comes of it, within the limits; what its
// columns are said to be, every row of it is; and the records that come of it can be read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "core/csv_reader.h"
#include "core/json_text.h"
#include "core/record_text.h"
#include "core/schema_inference.h"
#include "test/support/record_texts.h"

namespace {

using latchkey::ErrorCode;
using latchkey::Status;
namespace core = latchkey::core;

void Require(bool holds) {
  if (!holds) std::abort();
}

constexpr core::CsvLimits kLimits{.max_cell_bytes = 64, .max_row_bytes = 160, .max_cells = 8};

// Writes down what the reader finds, and holds it against the limits.
class Recorder final : public core::CsvHandler {
 public:
  Status OnHeader(std::span<const std::string_view> names) override {
    Require(events.empty() && !names.empty() && names.size() <= kLimits.max_cells);
    columns = names.size();
    return Take(0, names);
  }
  Status OnRow(std::uint64_t line, std::span<const std::string_view> cells) override {
    Require(columns > 0 && cells.size() == columns && line > last_line);
    last_line = line;
    rows.emplace_back(cells.begin(), cells.end());
    return Take(line, cells);
  }
  Status OnBadRow(std::uint64_t line, std::string_view reason) override {
    Require(columns > 0 && !reason.empty() && line > last_line);
    last_line = line;
    events.append(std::to_string(line)).append("!").append(reason).append("\n");
    return {};
  }

  std::string events;
  std::size_t columns = 0;
  std::uint64_t last_line = 0;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;

 private:
  Status Take(std::uint64_t line, std::span<const std::string_view> cells) {
    if (line == 0) header.assign(cells.begin(), cells.end());
    events.append(std::to_string(line));
    for (const std::string_view cell : cells) {
      Require(cell.size() <= kLimits.max_cell_bytes && latchkey::IsValidUtf8(cell) &&
              cell.find('\0') == std::string_view::npos);
      events.append(",").append(std::to_string(cell.size())).append(":").append(cell);
    }
    events.append("\n");
    return {};
  }
};

void Read(std::string_view file, std::size_t piece, Recorder& recorder) {
  core::CsvReader reader(recorder, kLimits);
  Status status;
  for (std::size_t at = 0; at < file.size() && status.ok(); at += piece) {
    status = reader.Feed(file.substr(at, piece));
  }
  status = reader.Finish();
  if (!status.ok()) recorder.events += status.error().public_text;
}

void Convert(const Recorder& file) {
  const std::vector<std::string_view> names(file.header.begin(), file.header.end());
  auto inference = core::SchemaInference::Begin(names);
  if (!inference.ok()) return;
  std::vector<std::vector<std::string_view>> rows;
  for (const auto& row : file.rows) rows.emplace_back(row.begin(), row.end());
  for (const auto& row : rows) inference->Observe(row);
  core::Dataset dataset;
  dataset.fields = inference->Fields();
  const auto converter = core::RowConverter::Begin(dataset, names);
  Require(converter.ok());
  std::vector<core::Record> records;
  for (const auto& row : rows) {
    // What was inferred from a row takes that row.
    Require(converter->Convert(row, records.emplace_back()).ok());
    const std::string& values = records.back().values;
    const auto parts = core::SplitValues(values);
    Require(parts && parts->size() == dataset.fields.size());
    std::string compact;
    Require(core::AppendCompactJson(compact, values) && compact == values);
  }
  std::string text = latchkey::TextOfRecords(core::RecordTextForm::kJson, dataset, records).value();
  std::string compact;
  Require(core::AppendCompactJson(compact, text) && compact == text);
  text = latchkey::TextOfRecords(core::RecordTextForm::kCsv, dataset, records).value();

  // Its CSV reads back as as many records, where one line can't be taken for an empty one, and no
  // name holds what could be taken for the delimiter.
  if (dataset.fields.size() < 2) return;
  for (const core::Field& field : dataset.fields) {
    if (field.name.find_first_of("|\t") != std::string::npos) return;
  }
  Recorder again;
  core::CsvReader reader(again);
  Require(reader.Feed(text).ok() && reader.Finish().ok());
  Require(again.rows.size() == records.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  Recorder whole;
  Read(file, size + 1, whole);
  for (const std::size_t piece : {1, 3, 7}) {
    Recorder pieces;
    Read(file, piece, pieces);
    Require(pieces.events == whole.events);
  }
  Convert(whole);
  return 0;
}
