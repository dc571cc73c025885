// The text of one dataset's records, for tests. Pure.
#pragma once

#include <array>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"
#include "core/dataset.h"
#include "core/record.h"
#include "core/record_text.h"

namespace latchkey {

inline Result<std::string> TextOfRecords(core::RecordTextForm form, const core::Dataset& dataset,
                                         std::span<const core::Record> records) {
  core::RecordTextOptions options;
  options.form = form;
  const std::array<const core::Dataset*, 1> datasets = {&dataset};
  core::RecordWriter writer(std::move(options), datasets);
  if (Status status = writer.Append(0, records); !status.ok()) return status.error();
  return writer.Finish();
}

}  // namespace latchkey
