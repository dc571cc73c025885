// What a request for records is answered, by the plainest means: every record is looked at, every
// day is counted. Written from docs/wire.md §7 alone and not from the code that it is held against;
// nothing of core/record_query, core/record_text or core/time_range is used.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace latchkey::reference {

struct Record {
  std::string key;
  std::string subkey;
  std::int64_t date_millis = 0;
  std::int64_t updated_millis = 0;
  std::vector<std::string> values;  // JSON, one for each field
};

struct Field {
  std::string name;
  bool is_date = false;
};

struct Dataset {
  std::string name;
  bool of_operator = false;  // core or premium
  std::string date_field;    // empty: none
  std::vector<Field> fields;
  std::vector<Record> records;
};

struct Request {
  std::optional<std::string> keys;  // with commas
  std::optional<std::string> subkey;
  std::vector<std::pair<std::string, std::string>> parameters;
};

struct Answer {
  bool refused = false;  // 400
  std::uint64_t records = 0;
  std::string body;
};

// ---- Days, counted from 1970-01-01

struct Civil {
  int year = 1970;
  int month = 1;
  int day = 1;
};

inline bool IsLeap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

inline int DaysOfMonth(int year, int month) {
  if (month == 2) return IsLeap(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

inline std::int64_t DayNumber(const Civil& civil) {
  std::int64_t days = 0;
  for (int year = 1970; year < civil.year; ++year) days += IsLeap(year) ? 366 : 365;
  for (int year = civil.year; year < 1970; ++year) days -= IsLeap(year) ? 366 : 365;
  for (int month = 1; month < civil.month; ++month) days += DaysOfMonth(civil.year, month);
  return days + civil.day - 1;
}

inline Civil CivilOf(std::int64_t number) {
  Civil civil;
  while (number < 0) number += IsLeap(--civil.year) ? 366 : 365;
  while (number >= (IsLeap(civil.year) ? 366 : 365)) {
    number -= IsLeap(civil.year++) ? 366 : 365;
  }
  while (number >= DaysOfMonth(civil.year, civil.month)) {
    number -= DaysOfMonth(civil.year, civil.month++);
  }
  civil.day = static_cast<int>(number) + 1;
  return civil;
}

inline std::string Folded(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

inline bool AllDigits(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

inline std::optional<std::uint64_t> NumberIn(const std::string& text, std::uint64_t least,
                                             std::uint64_t most) {
  if (!AllDigits(text) || text.size() > 18) return std::nullopt;
  const std::uint64_t number = std::stoull(text);
  if (number < least || number > most) return std::nullopt;
  return number;
}

inline std::optional<std::int64_t> DayOfText(const std::string& text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const std::string digits = text.substr(0, 4) + text.substr(5, 2) + text.substr(8, 2);
  if (!AllDigits(digits)) return std::nullopt;
  const Civil civil{std::stoi(digits.substr(0, 4)), std::stoi(digits.substr(4, 2)),
                    std::stoi(digits.substr(6, 2))};
  if (civil.year < 1 || civil.month < 1 || civil.month > 12 || civil.day < 1 ||
      civil.day > DaysOfMonth(civil.year, civil.month)) {
    return std::nullopt;
  }
  return DayNumber(civil);
}

// The first and last day of the range. Only today's of years that are far from the first.
inline std::optional<std::pair<std::int64_t, std::int64_t>> DaysOfRange(const std::string& name,
                                                                        std::int64_t today) {
  const std::string range = Folded(name);
  const Civil now = CivilOf(today);
  const auto months = [](int year, int first, int last) {
    return std::pair(DayNumber({year, first, 1}), DayNumber({year, last, DaysOfMonth(year, last)}));
  };
  if (range == "today") return std::pair(today, today);
  if (range == "yesterday") return std::pair(today - 1, today - 1);
  if (range == "ytd") return std::pair(DayNumber({now.year, 1, 1}), today);
  if (range == "last-week") {
    // 1970-01-05 was a Monday.
    std::int64_t monday = today;
    while (((monday - 4) % 7 + 7) % 7 != 0) --monday;
    return std::pair(monday - 7, monday - 1);
  }
  if (range == "last-month") {
    return now.month == 1 ? months(now.year - 1, 12, 12)
                          : months(now.year, now.month - 1, now.month - 1);
  }
  if (range == "last-quarter") {
    if (now.month <= 3) return months(now.year - 1, 10, 12);
    const int first_of_this = (now.month - 1) / 3 * 3 + 1;
    return months(now.year, first_of_this - 3, first_of_this - 1);
  }
  if (range.size() == 4 && AllDigits(range) && range != "0000") {
    return months(std::stoi(range), 1, 12);
  }
  if (range.size() == 6 && AllDigits(range.substr(1)) && range.substr(2) != "0000") {
    const int year = std::stoi(range.substr(2));
    const int part = range[1] - '0';
    if (range[0] == 'q' && part >= 1 && part <= 4) return months(year, 3 * part - 2, 3 * part);
    if (range[0] == 'h' && part >= 1 && part <= 2) return months(year, 6 * part - 5, 6 * part);
  }
  if (range.size() < 2) return std::nullopt;
  const auto count = NumberIn(range.substr(0, range.size() - 1), 1, 99'999);
  if (!count) return std::nullopt;
  const auto n = static_cast<int>(*count);
  if (range.back() == 'd') return std::pair(today - n, today);
  if (range.back() == 'w') return std::pair(today - 7 * std::int64_t{n}, today);
  int months_back = 0;
  if (range.back() == 'm') months_back = n;
  if (range.back() == 'q') months_back = 3 * n;
  if (range.back() == 'y') months_back = 12 * n;
  if (months_back == 0) return std::nullopt;
  Civil from = now;
  for (; months_back > 0; --months_back) {
    if (--from.month == 0) {
      from.month = 12;
      --from.year;
    }
  }
  while (from.day > DaysOfMonth(from.year, from.month)) --from.day;
  if (from.year < 1) return std::nullopt;
  return std::pair(DayNumber(from), today);
}

// Of a stored JSON value: a date, a date with a time in UTC, or milliseconds.
inline std::optional<std::int64_t> MillisOfJson(const std::string& json) {
  constexpr std::int64_t kDay = 86'400'000;
  if (json.size() == 12 && json[0] == '"') {
    const auto day = DayOfText(json.substr(1, 10));
    if (day) return *day * kDay;
  }
  if (json.size() == 22 && json[0] == '"' && json[11] == 'T' && json[20] == 'Z') {
    const auto day = DayOfText(json.substr(1, 10));
    if (!day) return std::nullopt;
    return *day * kDay + std::stoi(json.substr(12, 2)) * 3'600'000 +
           std::stoi(json.substr(15, 2)) * 60'000 + std::stoi(json.substr(18, 2)) * 1000;
  }
  const std::string digits = json[0] == '-' ? json.substr(1) : json;
  if (AllDigits(digits) && digits.size() != 8) return std::stoll(json);
  return std::nullopt;
}

inline std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// ---- One request

class Reference {
 public:
  Reference(std::int64_t now_millis, std::uint64_t max_records)
      : now_(now_millis), max_records_(max_records) {}

  Answer Ask(const std::vector<const Dataset*>& datasets, const Request& request) {
    Answer refusal;
    refusal.refused = true;
    if (!Read(request)) return refusal;
    std::set<std::string> unknown(filter_.begin(), filter_.end());
    for (const Dataset* dataset : datasets) {
      if (!Fits(*dataset)) return refusal;
      for (const Field& field : dataset->fields) unknown.erase(field.name);
      if (!dataset->of_operator) continue;
      for (const std::string& name : kSystem) unknown.erase(name);
    }
    if (!unknown.empty()) return refusal;

    std::vector<std::pair<const Dataset*, const Record*>> found;
    for (const Dataset* dataset : datasets) {
      if (!keys_) {
        for (const Record* record : Select(*dataset, nullptr, request.subkey)) {
          found.emplace_back(dataset, record);
        }
        continue;
      }
      for (const std::string& key : *keys_) {
        for (const Record* record : Select(*dataset, &key, request.subkey)) {
          found.emplace_back(dataset, record);
        }
      }
    }
    if (found.size() > max_records_) return refusal;
    Answer answer;
    answer.records = found.size();
    answer.body = csv_ ? Csv(datasets, found) : Json(found);
    return answer;
  }

 private:
  static inline const std::vector<std::string> kSystem = {"id", "key", "subkey", "date", "updated"};
  static constexpr std::int64_t kDay = 86'400'000;

  // False: refused.
  bool Read(const Request& request) {
    std::set<std::string> names;
    std::optional<std::string> range, on, from, to;
    for (const auto& [name, value] : request.parameters) {
      if (name == "token" || name == "nonce") continue;
      if (!names.insert(name).second) return false;
      if (name == "range") {
        range = value;
      } else if (name == "on") {
        on = value;
      } else if (name == "from") {
        from = value;
      } else if (name == "to") {
        to = value;
      } else if (name == "last" || name == "first" || name == "next") {
        if (!selector_.empty()) return false;
        selector_ = name;
        if (!(count_ = NumberIn(value, 1, max_records_))) return false;
      } else if (name == "limit") {
        if (!(limit_ = NumberIn(value, 1, max_records_))) return false;
      } else if (name == "offset") {
        const auto offset = NumberIn(value, 0, 1'000'000'000'000);
        if (!offset) return false;
        offset_ = *offset;
      } else if (name == "interval") {
        const auto interval = NumberIn(value, 1, max_records_);
        if (!interval) return false;
        interval_ = *interval;
      } else if (name == "sort") {
        sort_ = Folded(value);
        if (sort_ != "asc" && sort_ != "desc") return false;
      } else if (name == "dateField") {
        date_field_ = value;
        if (value.empty()) return false;
      } else if (name == "filter") {
        for (const std::string& part : SplitAtCommas(value)) {
          if (part.empty()) return false;
          if (std::count(filter_.begin(), filter_.end(), part) == 0) filter_.push_back(part);
        }
      } else if (name == "format") {
        if (value != "json" && value != "csv") return false;
        csv_ = value == "csv";
      } else if (name == "includeSystemRecordProperties") {
        if (Folded(value) != "true" && Folded(value) != "false") return false;
        all_system_ = Folded(value) == "true";
      } else {
        return false;
      }
    }
    if (request.keys) {
      keys_.emplace();
      for (const std::string& key : SplitAtCommas(Folded(*request.keys))) {
        if (key.empty()) continue;
        if (std::count(keys_->begin(), keys_->end(), key) == 0) keys_->push_back(key);
      }
      if (keys_->empty()) return false;
    }
    return ReadDays(range, on, from, to);
  }

  bool ReadDays(const std::optional<std::string>& range, const std::optional<std::string>& on,
                const std::optional<std::string>& from, const std::optional<std::string>& to) {
    if (range && (on || from || to)) return false;
    if (on && (from || to)) return false;
    std::optional<std::int64_t> first, last;
    if (range) {
      std::int64_t today = now_ / kDay;
      if (now_ % kDay < 0) --today;
      const auto days = DaysOfRange(*range, today);
      if (!days) return false;
      first = days->first;
      last = days->second;
    }
    if (on && !(first = last = DayOfText(*on))) return false;
    if (from && !(first = DayOfText(*from))) return false;
    if (to && !(last = DayOfText(*to))) return false;
    if (first && last && *last < *first) return false;
    if (first) from_ = *first * kDay;
    if (last) to_ = *last * kDay + kDay - 1;
    if (selector_ == "next") from_ = std::max(from_.value_or(now_), now_);
    return true;
  }

  bool Fits(const Dataset& dataset) const {
    if (!date_field_.empty()) {
      return std::any_of(dataset.fields.begin(), dataset.fields.end(), [this](const Field& field) {
        return field.name == date_field_ && field.is_date;
      });
    }
    return !dataset.date_field.empty() || (!from_ && !to_);
  }

  // The date of a record for this request.
  std::optional<std::int64_t> DateOf(const Dataset& dataset, const Record& record) const {
    if (date_field_.empty() || date_field_ == dataset.date_field) return record.date_millis;
    for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
      if (dataset.fields[i].name != date_field_) continue;
      return i < record.values.size() ? MillisOfJson(record.values[i]) : std::nullopt;
    }
    return std::nullopt;
  }

  std::vector<const Record*> Select(const Dataset& dataset, const std::string* key,
                                    const std::optional<std::string>& subkey) const {
    std::vector<const Record*> found;
    for (const Record& record : dataset.records) {
      if (key != nullptr && Folded(record.key) != *key) continue;
      if (key != nullptr && subkey && Folded(record.subkey) != Folded(*subkey)) continue;
      const auto date = DateOf(dataset, record);
      if (!date || (from_ && *date < *from_) || (to_ && *date > *to_)) continue;
      found.push_back(&record);
    }
    // Newest first; of equal dates by key, subkey, and by their own date.
    std::sort(found.begin(), found.end(), [this, &dataset](const Record* a, const Record* b) {
      const std::int64_t a_date = *DateOf(dataset, *a);
      const std::int64_t b_date = *DateOf(dataset, *b);
      if (a_date != b_date) return a_date > b_date;
      if (Folded(a->key) != Folded(b->key)) return Folded(a->key) < Folded(b->key);
      if (Folded(a->subkey) != Folded(b->subkey)) return Folded(a->subkey) < Folded(b->subkey);
      return a->date_millis > b->date_millis;
    });

    const bool more = from_ || to_ || limit_ || !selector_.empty();
    bool oldest_first = selector_ == "first" || selector_ == "next";
    if (selector_.empty() && more) oldest_first = sort_ == "asc";
    if (oldest_first) std::reverse(found.begin(), found.end());
    std::uint64_t most = more ? std::numeric_limits<std::uint64_t>::max() : 1;
    if (count_) most = std::min(most, *count_);
    if (limit_) most = std::min(most, *limit_);

    std::vector<const Record*> every_nth;
    for (std::size_t i = 0; i < found.size(); i += interval_) every_nth.push_back(found[i]);
    std::vector<const Record*> chosen;
    for (std::size_t i = offset_; i < every_nth.size() && chosen.size() < most; ++i) {
      chosen.push_back(every_nth[i]);
    }
    // What last, first and next chose stands as `sort` says.
    if (!selector_.empty() && !sort_.empty() && (sort_ == "asc") != oldest_first) {
      std::reverse(chosen.begin(), chosen.end());
    }
    return chosen;
  }

  // ---- Texts

  using Cells = std::vector<std::pair<std::string, std::string>>;  // name and JSON

  static std::string Quoted(const std::string& text) {
    std::string json = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') json += '\\';
      json += c;
    }
    return json + "\"";
  }

  static Cells SystemOf(const Dataset& dataset, const Record& record) {
    return {{"id", Quoted(dataset.name)},
            {"key", Quoted(record.key)},
            {"subkey", Quoted(record.subkey)},
            {"date", dataset.date_field.empty() ? "null" : std::to_string(record.date_millis)},
            {"updated", std::to_string(record.updated_millis)}};
  }

  // What stands in a record, but for a workspace's system properties.
  Cells CellsOf(const Dataset& dataset, const Record& record) const {
    Cells all;
    for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
      const std::string& name = dataset.fields[i].name;
      const bool gives_way =
          dataset.of_operator && std::count(kSystem.begin(), kSystem.end(), name) > 0;
      if (!gives_way) {
        all.emplace_back(name, i < record.values.size() ? record.values[i] : "null");
      }
    }
    if (dataset.of_operator) {
      for (const auto& cell : SystemOf(dataset, record)) all.push_back(cell);
    }
    if (filter_.empty()) return all;
    Cells chosen;
    for (const std::string& name : filter_) {
      for (const auto& cell : all) {
        if (cell.first == name) chosen.push_back(cell);
      }
    }
    if (!all_system_ || !dataset.of_operator) return chosen;
    for (const auto& cell : SystemOf(dataset, record)) {
      if (std::count(filter_.begin(), filter_.end(), cell.first) == 0) chosen.push_back(cell);
    }
    return chosen;
  }

  static std::string Object(const Cells& cells) {
    std::string text = "{";
    for (const auto& [name, json] : cells) {
      if (text.size() > 1) text += ',';
      text += Quoted(name) + ":" + json;
    }
    return text + "}";
  }

  std::string Json(const std::vector<std::pair<const Dataset*, const Record*>>& found) const {
    std::string text = "[";
    for (const auto& [dataset, record] : found) {
      if (text.size() > 1) text += ',';
      Cells cells = CellsOf(*dataset, *record);
      if (all_system_ && !dataset->of_operator) {
        cells.emplace_back("_systemRecordProperties", Object(SystemOf(*dataset, *record)));
      }
      text += Object(cells);
    }
    return text + "]";
  }

  static std::string CsvCell(const std::string& json) {
    if (json == "null") return "";
    std::string text = json;
    if (json[0] == '"') {
      text.clear();
      for (std::size_t i = 1; i + 1 < json.size(); ++i) {
        if (json[i] == '\\') ++i;
        text += json[i];
      }
    }
    if (!text.empty() && text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
  }

  Cells CsvCellsOf(const Dataset& dataset, const Record& record) const {
    Cells cells = CellsOf(dataset, record);
    if (!all_system_ || dataset.of_operator) return cells;
    for (const auto& [name, json] : SystemOf(dataset, record)) {
      cells.emplace_back("_systemRecordProperties." + name, json);
    }
    return cells;
  }

  std::string Csv(const std::vector<const Dataset*>& datasets,
                  const std::vector<std::pair<const Dataset*, const Record*>>& found) const {
    std::vector<std::string> possible = filter_;
    std::set<std::string> there;
    for (const Dataset* dataset : datasets) {
      for (const auto& cell : CsvCellsOf(*dataset, Record{})) {
        possible.push_back(cell.first);
        there.insert(cell.first);
      }
    }
    std::vector<std::string> columns;
    for (const std::string& name : possible) {
      if (there.erase(name) > 0) columns.push_back(name);
    }
    std::string text;
    for (std::size_t i = 0; i < columns.size(); ++i) text += (i > 0 ? "," : "") + columns[i];
    text += "\r\n";
    for (const auto& [dataset, record] : found) {
      const Cells cells = CsvCellsOf(*dataset, *record);
      for (std::size_t i = 0; i < columns.size(); ++i) {
        if (i > 0) text += ',';
        for (const auto& [name, json] : cells) {
          if (name == columns[i]) text += CsvCell(json);
        }
      }
      text += "\r\n";
    }
    return text;
  }

  const std::int64_t now_;
  const std::uint64_t max_records_;
  std::optional<std::vector<std::string>> keys_;
  std::optional<std::int64_t> from_, to_;
  std::string selector_;  // last, first or next
  std::optional<std::uint64_t> count_, limit_;
  std::uint64_t offset_ = 0;
  std::uint64_t interval_ = 1;
  std::string sort_;
  std::string date_field_;
  std::vector<std::string> filter_;
  bool csv_ = false;
  bool all_system_ = false;
};

}  // namespace latchkey::reference
