// What a file or a body is read into: records, each in its place, and the rows that are none.
// Internal to the use cases of datasets. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/dataset.h"
#include "core/record.h"
#include "core/record_reader.h"
#include "core/schema_inference.h"

namespace latchkey::service {

struct RejectedLine {
  std::uint64_t line = 0;  // 1 is the file's first line
  std::string reason;
};

// Tells what the fields of a file are. Rows that are none are passed on.
class FieldFinder : public core::RecordFileHandler {
 public:
  Status OnHeader(std::span<const std::string_view> names) override;
  Status OnRow(std::uint64_t line, std::span<const std::string_view> cells) override;
  Status OnObject(std::uint64_t line, std::span<const core::JsonMember> members) override;

  // As far as it was read.
  std::vector<core::Field> Fields() const;

 private:
  std::optional<core::SchemaInference> inference_;
};

// Makes records of rows and objects. The dataset is borrowed.
class RecordMaker : public core::RecordFileHandler {
 public:
  RecordMaker(const core::Dataset& dataset, std::int64_t updated_millis)
      : dataset_(dataset), updated_millis_(updated_millis) {}

  Status OnHeader(std::span<const std::string_view> names) override;
  Status OnRow(std::uint64_t line, std::span<const std::string_view> cells) override;
  Status OnObject(std::uint64_t line, std::span<const core::JsonMember> members) override;

 protected:
  // Where the next record is made; it may hold an old one, whose texts keep their room.
  virtual core::Record& Place() = 0;
  // The record is made.
  virtual Status Take() = 0;

 private:
  const core::Dataset& dataset_;
  const std::int64_t updated_millis_;
  std::optional<core::RowConverter> converter_;
};

// Records in memory, as many as a store takes well at once; their places are used again.
class RecordBatch {
 public:
  RecordBatch(std::size_t max_records, std::size_t max_bytes)
      : max_records_(max_records), max_bytes_(max_bytes) {}

  core::Record& Place();
  // The record at Place stays.
  void Keep();
  bool full() const { return used_ >= max_records_ || bytes_ >= max_bytes_; }
  std::span<const core::Record> records() const { return std::span(records_).first(used_); }
  void Clear();

 private:
  const std::size_t max_records_;
  const std::size_t max_bytes_;
  std::vector<core::Record> records_;
  std::size_t used_ = 0;
  std::size_t bytes_ = 0;
};

// As the store counts a record (store::GenerationSize).
std::uint64_t StoredBytes(const core::Record& record);

}  // namespace latchkey::service
