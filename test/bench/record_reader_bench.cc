// What it costs to read an upload: CPU time per record of ten fields, from bytes to what the store
// takes, for each format. One thread, nothing else.
//
// usage: record_reader_bench [RECORDS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "core/record_reader.h"
#include "core/schema_inference.h"

namespace {

namespace core = latchkey::core;
using latchkey::Status;

constexpr std::size_t kPiece = 64 * 1024;
constexpr int kRounds = 7;  // the best of them counts

double CpuMicros() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

core::Dataset Definition() {
  using core::FieldType;
  core::Dataset dataset;
  dataset.fields = {{"symbol", FieldType::kString, true},   {"date", FieldType::kDate, true},
                    {"open", FieldType::kNumber, false},    {"high", FieldType::kNumber, false},
                    {"low", FieldType::kNumber, false},     {"close", FieldType::kNumber, false},
                    {"volume", FieldType::kInteger, false}, {"name", FieldType::kString, false},
                    {"active", FieldType::kBoolean, false}, {"note", FieldType::kAny, false}};
  dataset.key_field = "symbol";
  dataset.date_field = "date";
  return dataset;
}

class Handler final : public core::RecordFileHandler {
 public:
  Handler(const core::Dataset& dataset, bool convert, bool infer)
      : dataset_(dataset), convert_(convert), infer_(infer) {}

  Status OnHeader(std::span<const std::string_view> names) override {
    auto converter = core::RowConverter::Begin(dataset_, names);
    if (!converter.ok()) return converter.error();
    converter_ = *std::move(converter);
    return {};
  }
  Status OnRow(std::uint64_t /*line*/, std::span<const std::string_view> cells) override {
    ++records;
    return converter_->Convert(cells, record_);
  }
  Status OnObject(std::uint64_t /*line*/, std::span<const core::JsonMember> members) override {
    ++records;
    if (infer_) return inference_.Observe(members);
    if (!convert_) return {};
    if (!converter_) converter_ = core::RowConverter::ForObjects(dataset_);
    return converter_->Convert(members, record_);
  }
  Status OnBadRow(std::uint64_t /*line*/, std::string_view reason) override {
    return latchkey::MakeError(latchkey::ErrorCode::kInvalid, std::string(reason));
  }

  std::uint64_t records = 0;

 private:
  const core::Dataset& dataset_;
  const bool convert_;
  const bool infer_;
  std::optional<core::RowConverter> converter_;
  core::SchemaInference inference_;
  core::Record record_;
};

void Run(const char* what, const std::string& file, std::uint64_t records, bool convert,
         bool infer) {
  const core::Dataset dataset = Definition();
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    Handler handler(dataset, convert, infer);
    core::RecordFileReader reader(handler);
    const double start = CpuMicros();
    Status status;
    for (std::size_t at = 0; at < file.size() && status.ok(); at += kPiece) {
      status = reader.Feed(std::string_view(file).substr(at, kPiece));
    }
    if (status.ok()) status = reader.Finish();
    const double micros = (CpuMicros() - start) / static_cast<double>(records);
    if (!status.ok() || handler.records != records) {
      std::fprintf(stderr, "%s: %s\n", what,
                   status.ok() ? "records are missing" : status.error().public_text.c_str());
      std::exit(1);
    }
    best = round == 0 ? micros : std::min(best, micros);
  }
  std::printf("%-32s %7.3f us/record   %4zu bytes/record\n", what, best, file.size() / records);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50'000;
  if (records == 0) return 2;
  std::string array = "[";
  std::string lines;
  std::string csv = "symbol,date,open,high,low,close,volume,name,active,note\r\n";
  for (std::uint64_t i = 0; i < records; ++i) {
    const std::string object = fmt::format(
        R"({{"symbol":"SYM{}","date":"2010-03-{:02}","open":{}.25,"high":{}.50,"low":201.125,)"
        R"("close":223.02,"volume":{},"name":"A Company, Inc.","active":true,"note":null}})",
        i, 1 + i % 28, i % 500, i % 500, i * 17);
    array.append(i == 0 ? "" : ",").append(object);
    lines.append(object).append("\n");
    csv += fmt::format(
        "SYM{},2010-03-{:02},{}.25,{}.50,201.125,223.02,{},\"A Company, Inc.\",true,\r\n", i,
        1 + i % 28, i % 500, i % 500, i * 17);
  }
  array += "]";
  Run("JSON Lines, read", lines, records, false, false);
  Run("JSON Lines, read and inferred", lines, records, false, true);
  Run("JSON Lines, read and converted", lines, records, true, false);
  Run("JSON array, read and converted", array, records, true, false);
  Run("CSV, read and converted", csv, records, true, false);
  return 0;
}
