// Records whose stored values may be anything, through every form of text: nothing is read or
// written beyond its end, what is refused is refused by all forms that look at all of it, and what
// is sound comes out as sound JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_text.h"
#include "core/record_text.h"

namespace {

namespace core = latchkey::core;

void Require(bool holds) {
  if (!holds) std::abort();
}

core::Dataset MakeDataset(core::DatasetClass dataset_class, std::size_t fields, char letter) {
  core::Dataset dataset;
  dataset.dataset_class = dataset_class;
  dataset.name = "D";
  for (std::size_t i = 0; i < fields; ++i) {
    dataset.fields.push_back(
        {std::string(1 + 7 * i, static_cast<char>(letter + i)), core::FieldType::kAny, false});
  }
  if (fields > 1) dataset.fields.back().name = "date";
  return dataset;
}

bool Write(const core::RecordTextOptions& options,
           const std::vector<const core::Dataset*>& datasets,
           const std::vector<core::Record>& records, std::string& text) {
  core::RecordWriter writer(options, datasets);
  for (std::size_t i = 0; i < datasets.size(); ++i) {
    if (!writer.Append(i, records).ok()) return false;
  }
  auto whole = writer.Finish();
  if (!whole.ok()) return false;
  Require(whole->size() == writer.bytes());
  text = *std::move(whole);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 3, size - 3);
  const std::size_t cut = data[0] % (input.size() + 1);
  core::Record record;
  record.key = input.substr(0, cut);
  record.subkey = std::string(input.substr(0, cut / 2));
  record.date_millis = -1;
  // Of its own exact size, so that a byte beyond it is seen.
  record.values = std::string(input.substr(cut));
  record.values.shrink_to_fit();
  const std::vector<core::Record> records(2, record);

  const core::Dataset one = MakeDataset(core::DatasetClass::kCore, data[1] % 8, 'a');
  const core::Dataset other = MakeDataset(core::DatasetClass::kWorkspace, data[1] / 32, 'd');
  const std::vector<const core::Dataset*> datasets = {&one, &other};
  std::string compact;
  const bool sound = core::SplitValues(record.values).has_value();
  const bool is_json = core::AppendCompactJson(compact, record.values) && compact == record.values;
  Require(!is_json || sound || record.values.front() != '[');
  for (std::size_t i = 0; i < 10; ++i) {
    const auto value = core::ValueAt(record.values, i);
    Require(!sound || (i < core::SplitValues(record.values)->size()) == value.has_value());
  }

  for (const auto form : {core::RecordTextForm::kJson, core::RecordTextForm::kJsonLines,
                          core::RecordTextForm::kCsv}) {
    for (int filtered = 0; filtered < 2; ++filtered) {
      core::RecordTextOptions options;
      options.form = form;
      options.system = static_cast<core::RecordTextOptions::System>(data[2] % 3);
      options.reverse = data[2] % 2 == 1;
      if (filtered == 1) options.filter = {"dddddddd", "date", "a", "key", "dddddddd", "d"};
      std::string text;
      const bool written = Write(options, datasets, records, text);
      if (filtered == 0) Require(written == sound || (form == core::RecordTextForm::kCsv && sound));
      if (!written || !is_json || form != core::RecordTextForm::kJson) continue;
      compact.clear();
      Require(core::AppendCompactJson(compact, text) && compact == text);
      // A bound that it just keeps, and one that it does not.
      options.max_bytes = text.size();
      Require(Write(options, datasets, records, text));
      --options.max_bytes;
      Require(!Write(options, datasets, records, text));
    }
  }
  return 0;
}
