#include "service/record_maker.h"

#include <utility>

namespace latchkey::service {

Status FieldFinder::OnHeader(std::span<const std::string_view> names) {
  Result<core::SchemaInference> inference = core::SchemaInference::Begin(names);
  if (!inference.ok()) return std::move(inference).error();
  inference_ = *std::move(inference);
  return {};
}

Status FieldFinder::OnRow(std::uint64_t /*line*/, std::span<const std::string_view> cells) {
  inference_->Observe(cells);
  return {};
}

Status FieldFinder::OnObject(std::uint64_t line, std::span<const core::JsonMember> members) {
  if (!inference_) inference_.emplace();
  const Status seen = inference_->Observe(members);
  return seen.ok() ? seen : OnBadRow(line, seen.error().public_text);
}

std::vector<core::Field> FieldFinder::Fields() const {
  return inference_ ? inference_->Fields() : std::vector<core::Field>{};
}

Status RecordMaker::OnHeader(std::span<const std::string_view> names) {
  Result<core::RowConverter> converter = core::RowConverter::Begin(dataset_, names);
  if (!converter.ok()) return std::move(converter).error();
  converter_ = *std::move(converter);
  return {};
}

Status RecordMaker::OnRow(std::uint64_t line, std::span<const std::string_view> cells) {
  core::Record& record = Place();
  if (const Status made = converter_->Convert(cells, record); !made.ok()) {
    return OnBadRow(line, made.error().public_text);
  }
  record.updated_millis = updated_millis_;
  return Take();
}

Status RecordMaker::OnObject(std::uint64_t line, std::span<const core::JsonMember> members) {
  if (!converter_) converter_ = core::RowConverter::ForObjects(dataset_);
  core::Record& record = Place();
  if (const Status made = converter_->Convert(members, record); !made.ok()) {
    return OnBadRow(line, made.error().public_text);
  }
  record.updated_millis = updated_millis_;
  return Take();
}

core::Record& RecordBatch::Place() {
  if (used_ == records_.size()) records_.emplace_back();
  return records_[used_];
}

void RecordBatch::Keep() {
  const core::Record& record = records_[used_++];
  bytes_ += sizeof record + record.values.size() + record.key.size() + record.subkey.size();
}

void RecordBatch::Clear() {
  used_ = 0;
  bytes_ = 0;
  // Texts keep their room for the next records. Long ones that stand elsewhere in each batch would
  // leave every place with room for the longest.
  std::size_t room = 0;
  for (const core::Record& record : records_) {
    room += record.values.capacity() + record.key.capacity() + record.subkey.capacity();
  }
  if (room > 2 * max_bytes_) records_.clear();
}

std::uint64_t StoredBytes(const core::Record& record) {
  constexpr std::uint64_t kFixed = 48;
  return record.key.size() + record.subkey.size() + record.values.size() + kFixed;
}

}  // namespace latchkey::service
