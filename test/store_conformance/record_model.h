// Records in memory as a DatasetStore should have them: a plain map that is searched whole.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <ostream>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "core/record.h"
#include "core/record_query.h"
#include "store/dataset_store.h"

namespace latchkey::core {

inline bool operator==(const Record& a, const Record& b) {
  return a.key == b.key && a.subkey == b.subkey && a.date_millis == b.date_millis &&
         a.updated_millis == b.updated_millis && a.values == b.values;
}

inline void PrintTo(const Record& record, std::ostream* out) {
  *out << "{" << record.key << "/" << record.subkey << "/" << record.date_millis << " "
       << record.values << "}";
}

}  // namespace latchkey::core

namespace latchkey::store::record_model {

inline constexpr std::uint64_t kEverything = 1'000'000;

inline core::Record Make(std::string key, std::string subkey, std::int64_t date,
                         std::string values = "[]") {
  return {std::move(key), std::move(subkey), date, 7, std::move(values)};
}

// As many records as asked for, of a thousand keys, each with the tag in its values.
inline std::vector<core::Record> Many(std::size_t count, const std::string& tag) {
  std::vector<core::Record> records;
  records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    records.push_back(Make("K" + std::to_string(i % 1000), "", static_cast<std::int64_t>(i),
                           "[\"" + tag + "\"," + std::to_string(i) + "]"));
  }
  return records;
}

// The order that dataset_store.h promises for the newest first.
inline bool Newer(const core::Record& a, const core::Record& b) {
  if (a.date_millis != b.date_millis) return a.date_millis > b.date_millis;
  const std::string a_key = ToLower(a.key);
  const std::string b_key = ToLower(b.key);
  if (a_key != b_key) return a_key < b_key;
  return ToLower(a.subkey) < ToLower(b.subkey);
}

inline unsigned Seed() {
  const char* given = std::getenv("LATCHKEY_SEED");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                          : std::random_device{}();
}

class Model {
 public:
  using Index = std::tuple<std::string, std::string, std::int64_t>;
  static Index IndexOf(const core::Record& record) {
    return {ToLower(record.key), ToLower(record.subkey), record.date_millis};
  }

  // How many of them were stored, as WriteResult says.
  std::uint64_t Write(const std::vector<core::Record>& records, Duplicates duplicates) {
    std::map<Index, bool> stored;
    for (const core::Record& record : records) {
      if (duplicates == Duplicates::kReplace) {
        records_[IndexOf(record)] = record;
        stored[IndexOf(record)] = true;
      } else if (records_.emplace(IndexOf(record), record).second) {
        stored[IndexOf(record)] = true;
      }
    }
    return stored.size();
  }
  void Append(const core::Record& record, Duplicates duplicates) { Write({record}, duplicates); }

  std::uint64_t Delete(const DeleteRange& range) {
    return std::erase_if(records_, [&range](const auto& entry) {
      const auto& [key, subkey, date] = entry.first;
      return key == range.key && (!range.subkey || subkey == *range.subkey) &&
             (!range.from_millis || date >= *range.from_millis) &&
             (!range.to_millis || date <= *range.to_millis);
    });
  }

  std::size_t size() const { return records_.size(); }
  GenerationSize Size() const {
    GenerationSize size;
    for (const auto& [index, record] : records_) {
      ++size.records;
      size.bytes += record.key.size() + record.subkey.size() + record.values.size() + 48;
    }
    return size;
  }

  // By key, then newest first, then subkey.
  std::vector<core::Record> InTableOrder() const {
    std::vector<core::Record> all;
    for (const auto& [index, record] : records_) all.push_back(record);
    std::sort(all.begin(), all.end(), [](const core::Record& a, const core::Record& b) {
      return std::tuple(ToLower(a.key), -a.date_millis, ToLower(a.subkey)) <
             std::tuple(ToLower(b.key), -b.date_millis, ToLower(b.subkey));
    });
    return all;
  }

  std::vector<core::Record> Query(const core::RecordQuery& query) const {
    struct Found {
      std::int64_t millis;
      const core::Record* record;
    };
    std::vector<Found> found;
    for (const auto& [index, record] : records_) {
      const auto& [key, subkey, date] = index;
      if (query.key && key != *query.key) continue;
      if (query.key && query.subkey && subkey != *query.subkey) continue;
      std::int64_t millis = date;
      if (query.date_field >= 0) {
        const auto field = core::FieldMillis(record.values, query.date_field);
        if (!field) continue;
        millis = *field;
      }
      if (query.from_millis && millis < *query.from_millis) continue;
      if (query.to_millis && millis > *query.to_millis) continue;
      found.push_back({millis, &record});
    }
    const auto newer = [](const Found& a, const Found& b) {
      if (a.millis != b.millis) return a.millis > b.millis;
      const core::Record& x = *a.record;
      const core::Record& y = *b.record;
      return std::tuple(ToLower(x.key), ToLower(x.subkey), -x.date_millis) <
             std::tuple(ToLower(y.key), ToLower(y.subkey), -y.date_millis);
    };
    std::sort(found.begin(), found.end(), newer);
    if (!query.newest_first) std::reverse(found.begin(), found.end());
    std::vector<core::Record> answer;
    for (std::size_t i = 0, nth = 0; i < found.size() && answer.size() < query.limit;
         i += query.interval, ++nth) {
      if (nth >= query.offset) answer.push_back(*found[i].record);
    }
    return answer;
  }

 private:
  std::map<Index, core::Record> records_;
};

}  // namespace latchkey::store::record_model
