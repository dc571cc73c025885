#include "core/record_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/encoding.h"
#include "core/json_text.h"

namespace latchkey::core {
namespace {

constexpr std::array<std::string_view, 5> kSystemNames = {"id", "key", "subkey", "date", "updated"};
constexpr std::array<std::string_view, 5> kSystemColumns = {
    "_systemRecordProperties.id", "_systemRecordProperties.key", "_systemRecordProperties.subkey",
    "_systemRecordProperties.date", "_systemRecordProperties.updated"};

// Labels are copied in blocks of this size, the last one beyond its end.
constexpr std::size_t kLabelSlack = 16;
// What a number, "null" and the punctuation of a part take at most.
constexpr std::size_t kPartBytes = 32;
// A control character as \u001f is the longest that a byte of a text becomes.
constexpr std::size_t kEscapedByte = 6;

constexpr std::size_t kMostReserved = std::size_t{1} << 20;

constexpr std::size_t kNpos = std::string_view::npos;

bool HasFlatSystem(const Dataset& dataset) {
  return dataset.dataset_class != DatasetClass::kWorkspace;
}

std::size_t SystemIndex(std::string_view name) {
  return static_cast<std::size_t>(std::find(kSystemNames.begin(), kSystemNames.end(), name) -
                                  kSystemNames.begin());
}

// Where the first of the two characters stands from `at` on, or npos. Eight bytes at a time: values
// are looked through byte by byte for nothing else.
inline std::size_t FindEither(std::string_view text, std::size_t at, char one, char other) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kTops = 0x8080808080808080;
  if constexpr (std::endian::native == std::endian::little) {
    const std::uint64_t ones = kOnes * static_cast<unsigned char>(one);
    const std::uint64_t others = kOnes * static_cast<unsigned char>(other);
    for (; at + 8 <= text.size(); at += 8) {
      std::uint64_t word;
      std::memcpy(&word, text.data() + at, 8);
      const std::uint64_t a = word ^ ones;
      const std::uint64_t b = word ^ others;
      // The lowest bit that is set belongs to a byte that is zero; those above it may not.
      const std::uint64_t zeros = (((a - kOnes) & ~a) | ((b - kOnes) & ~b)) & kTops;
      if (zeros != 0) return at + static_cast<std::size_t>(std::countr_zero(zeros)) / 8;
    }
  }
  for (; at < text.size(); ++at) {
    if (text[at] == one || text[at] == other) return at;
  }
  return kNpos;
}

// The end of the string whose opening quote stands at `at`, or npos.
inline std::size_t StringEnd(std::string_view text, std::size_t at) {
  for (++at; (at = FindEither(text, at, '"', '\\')) != kNpos; at += 2) {
    if (text[at] == '"') return at + 1;
  }
  return kNpos;
}

std::size_t NestedEnd(std::string_view text, std::size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = StringEnd(text, at);
      if (at == kNpos) return at;
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    ++at;
    if ((c == ']' || c == '}') && --depth == 0) return at;
  }
  return kNpos;
}

// The end of the value that begins at `at`, or npos. Trusts that what is inside is JSON.
inline std::size_t ValueEnd(std::string_view text, std::size_t at) {
  if (text[at] == '"') return StringEnd(text, at);
  if (text[at] == '[' || text[at] == '{') return NestedEnd(text, at);
  const std::size_t end = FindEither(text, at, ',', ']');
  return end == at ? kNpos : end;
}

// Walks over the elements of an array of values.
class ValueWalk {
 public:
  explicit ValueWalk(std::string_view values) : values_(values) {
    bad_ = values.size() < 2 || values.front() != '[' || values.back() != ']';
    ended_ = bad_ || values.size() == 2;
  }
  // The next element; false at the end, and where the array is broken: bad() tells.
  bool Next(std::string_view& value) {
    if (ended_) return false;
    const std::size_t end = ValueEnd(values_, at_);
    if (end >= values_.size()) return Break();  // npos too
    value = values_.substr(at_, end - at_);
    at_ = end + 1;
    if (values_[end] == ',') return at_ < values_.size() || Break();
    if (values_[end] != ']' || at_ != values_.size()) return Break();
    ended_ = true;
    return true;
  }
  bool bad() const { return bad_; }

 private:
  bool Break() {
    bad_ = true;
    ended_ = true;
    return false;
  }

  std::string_view values_;
  std::size_t at_ = 1;
  bool ended_ = false;
  bool bad_ = false;
};

bool Split(std::string_view values, std::vector<std::string_view>& out) {
  out.clear();
  ValueWalk walk(values);
  std::string_view value;
  while (walk.Next(value)) out.push_back(value);
  return !walk.bad();
}

Error Corrupt(const Dataset& dataset) {
  return MakeError(ErrorCode::kCorrupt, "A stored record can't be read",
                   "a record of dataset " + dataset.id.ToString() +
                       " holds something else than an array of values");
}

// ---- Writing into room that was made before: nothing here looks at its end.

char* Put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// Most values are short: a call of memcpy would take longer than the bytes.
inline char* PutShort(char* out, std::string_view text) {
  const std::size_t size = text.size();
  const char* from = text.data();
  if (size > 16) return Put(out, text);
  if (size >= 8) {
    std::uint64_t head;
    std::uint64_t tail;
    std::memcpy(&head, from, 8);
    std::memcpy(&tail, from + size - 8, 8);
    std::memcpy(out, &head, 8);
    std::memcpy(out + size - 8, &tail, 8);
  } else if (size >= 4) {
    std::uint32_t head;
    std::uint32_t tail;
    std::memcpy(&head, from, 4);
    std::memcpy(&tail, from + size - 4, 4);
    std::memcpy(out, &head, 4);
    std::memcpy(out + size - 4, &tail, 4);
  } else {
    for (std::size_t i = 0; i < size; ++i) out[i] = from[i];
  }
  return out + size;
}

// `from` can be read and `out` be written to kLabelSlack bytes beyond the size.
inline char* PutLabel(char* out, const char* from, std::size_t size) {
  for (std::size_t at = 0; at < size; at += kLabelSlack) {
    std::memcpy(out + at, from + at, kLabelSlack);
  }
  return out + size;
}

char* PutNumber(char* out, std::int64_t number) {
  return std::to_chars(out, out + kPartBytes, number).ptr;
}

bool IsPlain(std::string_view text) {
  // Of ASCII alone: what else there is must be looked at as UTF-8.
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c - 0x20) < 0x60 && c != '"' && c != '\\';
  });
}

char* PutJsonText(char* out, std::string_view text, std::string& scratch) {
  if (!IsPlain(text)) {
    scratch.clear();
    AppendJsonString(scratch, text);
    return Put(out, scratch);
  }
  *out++ = '"';
  out = PutShort(out, text);
  *out++ = '"';
  return out;
}

// ---- CSV

bool NeedsQuotes(std::string_view text) {
  return text.empty() || std::any_of(text.begin(), text.end(), [](char c) {
           return c == '"' || c == ',' || c == '\r' || c == '\n';
         });
}

void AppendCsvText(std::string& out, std::string_view text) {
  if (!NeedsQuotes(text)) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

bool AppendCsvValue(std::string& out, std::string_view json) {
  if (json == "null") return true;
  if (json.front() != '"') {
    AppendCsvText(out, json);
    return true;
  }
  // JsonStringText would look at the same bytes twice more and make a text of them.
  const std::string_view inside = json.substr(1, json.size() - 2);
  if (std::all_of(inside.begin(), inside.end(),
                  [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '\\'; })) {
    AppendCsvText(out, inside);
    return true;
  }
  const std::optional<std::string> text = JsonStringText(json);
  if (!text) return false;
  AppendCsvText(out, *text);
  return true;
}

}  // namespace

std::optional<std::vector<std::string_view>> SplitValues(std::string_view values) {
  std::vector<std::string_view> parts;
  if (!Split(values, parts)) return std::nullopt;
  return parts;
}

std::optional<std::string_view> ValueAt(std::string_view values, std::size_t index) {
  ValueWalk walk(values);
  std::string_view value;
  for (std::size_t at = 0; walk.Next(value); ++at) {
    if (at == index) return value;
  }
  return std::nullopt;
}

std::span<const std::string_view> SystemProperties(const Dataset& dataset) {
  if (!HasFlatSystem(dataset)) return {};
  return kSystemNames;
}

RecordTextOptions TextOptions(const RecordsRequest& request, RecordFormat format) {
  RecordTextOptions options;
  options.form = format == RecordFormat::kCsv ? RecordTextForm::kCsv : RecordTextForm::kJson;
  options.filter = request.filter;
  options.system = request.include_system ? RecordTextOptions::System::kAlways
                                          : RecordTextOptions::System::kUsual;
  options.reverse = request.reverse_output;
  return options;
}

// ---- What stands in a record's text

RecordWriter::RecordWriter(RecordTextOptions options, std::span<const Dataset* const> datasets)
    : options_(std::move(options)),
      datasets_(datasets.begin(), datasets.end()),
      plans_(datasets.size()) {
  filter_.reserve(options_.filter.size());
  for (const std::string& name : options_.filter) filter_.emplace(name, filter_.size());
  if (options_.form == RecordTextForm::kJson) text_ += '[';
  if (options_.form == RecordTextForm::kCsv) MakeHeader();
}

void RecordWriter::AddField(const Dataset& dataset, int field, Plan& plan) {
  Part part;
  part.field = field;
  part.name = dataset.fields[static_cast<std::size_t>(field)].name;
  for (auto last = plan.parts.rbegin(); last != plan.parts.rend(); ++last) {
    if (last->kind != PartKind::kField) continue;
    plan.ascending = plan.ascending && last->field < field;
    break;
  }
  plan.parts.push_back(part);
}

void RecordWriter::AddSystem(std::size_t property, std::string_view name, Plan& plan) {
  constexpr std::array<PartKind, 5> kKinds = {
      PartKind::kConstant, PartKind::kKey, PartKind::kSubkey, PartKind::kDate, PartKind::kUpdated};
  Part part;
  part.kind = kKinds[property];
  part.name = name;
  plan.parts.push_back(part);
}

void RecordWriter::AddFiltered(const Dataset& dataset, std::vector<bool>& taken, Plan& plan) const {
  // From the fields to the names: many datasets of many fields and many names must not multiply.
  std::vector<int> fields(filter_.size(), -1);
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const auto wanted = filter_.find(dataset.fields[i].name);
    if (wanted != filter_.end()) fields[wanted->second] = static_cast<int>(i);
  }
  const bool flat = HasFlatSystem(dataset) && options_.system != RecordTextOptions::System::kNever;
  std::size_t place = 0;
  for (const std::string& name : options_.filter) {
    const auto found = filter_.find(name);
    if (found->second != place) continue;  // a second time
    const std::size_t property = flat ? SystemIndex(name) : kSystemNames.size();
    if (property < kSystemNames.size()) {
      AddSystem(property, name, plan);
      taken[property] = true;
    } else if (fields[place] >= 0) {
      AddField(dataset, fields[place], plan);
    }
    ++place;
  }
}

void RecordWriter::MakePlan(const Dataset& dataset, Plan& plan) const {
  using System = RecordTextOptions::System;
  plan.made = true;
  const bool flat = HasFlatSystem(dataset) && options_.system != System::kNever;
  std::vector<bool> taken(kSystemNames.size(), false);
  if (!filter_.empty()) {
    AddFiltered(dataset, taken, plan);
  } else {
    plan.parts.reserve(dataset.fields.size() + kSystemNames.size());
    for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
      const bool gives_way = flat && SystemIndex(dataset.fields[i].name) < kSystemNames.size();
      if (!gives_way) AddField(dataset, static_cast<int>(i), plan);
    }
  }
  const bool always = options_.system == System::kAlways;
  plan.system_object = !HasFlatSystem(dataset) && always;
  if (plan.system_object || (flat && (filter_.empty() || always))) {
    const auto& names =
        plan.system_object && options_.form == RecordTextForm::kCsv ? kSystemColumns : kSystemNames;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!taken[i]) AddSystem(i, names[i], plan);
    }
  }
  AddLabels(dataset, plan);
}

void RecordWriter::AddLabels(const Dataset& dataset, Plan& plan) const {
  const bool json = options_.form != RecordTextForm::kCsv;
  const std::size_t object_at =
      plan.system_object ? plan.parts.size() - kSystemNames.size() : plan.parts.size();
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    Part& part = plan.parts[i];
    part.label = plan.labels.size();
    const bool no_date = part.kind == PartKind::kDate && dataset.date_field.empty();
    if (json) {
      if (i > 0) plan.labels += ',';
      if (i == object_at) plan.labels.append("\"").append(kSystemObjectName).append("\":{");
      AppendJsonString(plan.labels, part.name);
      plan.labels += ':';
      if (part.kind == PartKind::kConstant) AppendJsonString(plan.labels, dataset.name);
      if (no_date) plan.labels += "null";
    } else if (part.kind == PartKind::kConstant) {
      AppendCsvText(plan.labels, dataset.name);
    }
    if (no_date) part.kind = PartKind::kConstant;
    part.label_size = plan.labels.size() - part.label;
  }
  plan.labels.append(kLabelSlack, '\0');
}

void RecordWriter::MakeHeader() {
  std::unordered_map<std::string_view, std::size_t> column_of;
  const auto add = [this, &column_of](std::string_view name) {
    if (column_of.emplace(name, columns_.size()).second) {
      columns_.push_back(name);
    }
  };
  std::unordered_map<std::string_view, bool> found;
  for (std::size_t i = 0; i < datasets_.size(); ++i) {
    MakePlan(*datasets_[i], plans_[i]);
    for (const Part& part : plans_[i].parts) found.emplace(part.name, true);
  }
  for (const std::string& name : options_.filter) {
    if (found.contains(name)) add(name);
  }
  for (const Plan& plan : plans_) {
    for (const Part& part : plan.parts) add(part.name);
  }
  for (Plan& plan : plans_) {
    for (Part& part : plan.parts) part.column = column_of[part.name];
    std::sort(plan.parts.begin(), plan.parts.end(),
              [](const Part& a, const Part& b) { return a.column < b.column; });
  }
  for (std::size_t i = 0; i < columns_.size() && bytes() <= options_.max_bytes; ++i) {
    if (i > 0) text_ += ',';
    AppendCsvText(text_, columns_[i]);
  }
  text_ += "\r\n";
}

// ---- The records

Status RecordWriter::Append(std::size_t dataset, std::span<const Record> records) {
  if (records.empty()) return {};
  Plan& plan = plans_[dataset];
  if (!plan.made) MakePlan(*datasets_[dataset], plan);
  const std::size_t guess = plan.labels.size() + records.front().values.size() + kPartBytes;
  text_.reserve(text_.size() + std::min(guess * records.size(), kMostReserved));
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (bytes() > options_.max_bytes) return TooLarge();
    const Record& record = records[options_.reverse ? records.size() - 1 - i : i];
    const bool good =
        options_.form == RecordTextForm::kCsv ? AppendCsv(plan, record) : AppendJson(plan, record);
    if (!good) return Corrupt(*datasets_[dataset]);
    ++records_;
  }
  if (bytes() > options_.max_bytes) return TooLarge();
  return {};
}

bool RecordWriter::AppendJson(const Plan& plan, const Record& record) {
  const std::size_t before = text_.size();
  text_.resize(before + plan.labels.size() + record.values.size() +
               kPartBytes * (plan.parts.size() + 1) +
               kEscapedByte * (record.key.size() + record.subkey.size()));
  char* out = text_.data() + before;
  const bool lines = options_.form == RecordTextForm::kJsonLines;
  if (!lines && records_ > 0) *out++ = ',';
  *out++ = '{';
  ValueWalk walk(record.values);
  int next_field = 0;
  std::string_view value;
  if (!plan.ascending && !Split(record.values, values_)) return false;
  for (const Part& part : plan.parts) {
    out = PutLabel(out, plan.labels.data() + part.label, part.label_size);
    switch (part.kind) {
      case PartKind::kField:
        if (plan.ascending) {
          bool there = true;
          for (; next_field <= part.field && there; ++next_field) there = walk.Next(value);
          if (!there) value = "null";
        } else {
          const auto field = static_cast<std::size_t>(part.field);
          value = field < values_.size() ? values_[field] : std::string_view("null");
        }
        out = PutShort(out, value);
        break;
      case PartKind::kConstant:
        break;
      case PartKind::kKey:
        out = PutJsonText(out, record.key, scratch_);
        break;
      case PartKind::kSubkey:
        out = PutJsonText(out, record.subkey, scratch_);
        break;
      case PartKind::kDate:
        out = PutNumber(out, record.date_millis);
        break;
      case PartKind::kUpdated:
        out = PutNumber(out, record.updated_millis);
        break;
    }
  }
  // What no part asked for must be sound as well, unless a filter left it out.
  while (filter_.empty() && walk.Next(value)) {
  }
  if (walk.bad()) return false;
  if (plan.system_object) *out++ = '}';
  *out++ = '}';
  if (lines) *out++ = '\n';
  text_.resize(static_cast<std::size_t>(out - text_.data()));
  return true;
}

bool RecordWriter::AppendCsv(const Plan& plan, const Record& record) {
  if (!Split(record.values, values_)) return false;
  std::size_t column = 0;
  for (const Part& part : plan.parts) {
    text_.append(part.column - column, ',');
    column = part.column;
    switch (part.kind) {
      case PartKind::kField: {
        const auto field = static_cast<std::size_t>(part.field);
        if (field < values_.size() && !AppendCsvValue(text_, values_[field])) return false;
        break;
      }
      case PartKind::kConstant:
        text_.append(plan.labels, part.label, part.label_size);
        break;
      case PartKind::kKey:
        AppendCsvText(text_, record.key);
        break;
      case PartKind::kSubkey:
        AppendCsvText(text_, record.subkey);
        break;
      case PartKind::kDate:
        text_ += std::to_string(record.date_millis);
        break;
      case PartKind::kUpdated:
        text_ += std::to_string(record.updated_millis);
        break;
    }
  }
  if (!columns_.empty()) text_.append(columns_.size() - 1 - column, ',');
  text_ += "\r\n";
  return true;
}

Error RecordWriter::TooLarge() const {
  return MakeError(ErrorCode::kLimit, "The answer would be larger than " +
                                          std::to_string(options_.max_bytes) + " bytes");
}

std::string RecordWriter::TakeText() {
  taken_ += text_.size();
  return std::exchange(text_, {});
}

Result<std::string> RecordWriter::Finish() {
  if (options_.form == RecordTextForm::kJson) text_ += ']';
  if (bytes() > options_.max_bytes) return TooLarge();
  return TakeText();
}

}  // namespace latchkey::core
