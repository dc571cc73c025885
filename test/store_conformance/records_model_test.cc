// Random requests of random datasets, the way of the product (parameters, store, text) against a
// plain search of everything (test/support/reference_records.h).
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/time.h"
#include "core/record_query.h"
#include "core/record_text.h"
#include "store/sqlite_dataset_store.h"
#include "test/support/reference_records.h"

namespace latchkey {
namespace {

constexpr std::uint64_t kMaxRecords = 15;
constexpr std::int64_t kDay = 86'400'000;

unsigned Seed() {
  const char* given = std::getenv("LATCHKEY_SEED");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                          : std::random_device{}();
}

class RecordsModelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/latchkey-model-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    auto store = store::SqliteDatasetStore::Open(folder_ + "/records.db");
    ASSERT_TRUE(store.ok()) << store.error().internal_text;
    store_ = *std::move(store);
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::uint64_t Random(std::uint64_t below) { return random_() % below; }
  bool OneIn(std::uint64_t count) { return Random(count) == 0; }
  std::string OneOf(const std::vector<std::string>& texts) { return texts[Random(texts.size())]; }
  // Often near today, where most ranges begin or end.
  std::string SomeDay() {
    const std::uint64_t span = OneIn(2) ? 800 : 40;
    return FormatDate(std::chrono::floor<std::chrono::days>(FromUnixMillis(
        now_ +
        (static_cast<std::int64_t>(Random(span)) - static_cast<std::int64_t>(span / 2)) * kDay)));
  }

  // The same definition and records, for the store and for the reference.
  struct Twin {
    core::Dataset dataset;
    reference::Dataset reference;
    std::int64_t generation = 0;
  };

  Twin MakeTwin(const std::string& name, core::DatasetClass dataset_class, bool dated) {
    Twin twin;
    twin.dataset.name = name;
    twin.dataset.dataset_class = dataset_class;
    using core::FieldType;
    twin.dataset.fields = {{"symbol", FieldType::kString, false},
                           {dated ? "date" : "when", FieldType::kDate, false},
                           {"paid", FieldType::kDate, false},
                           {name == "B" ? "text" : "price", FieldType::kAny, false},
                           {"updated", FieldType::kAny, false}};
    twin.dataset.key_field = "symbol";
    if (dated) twin.dataset.date_field = "date";
    twin.reference.name = name;
    twin.reference.of_operator = dataset_class != core::DatasetClass::kWorkspace;
    twin.reference.date_field = twin.dataset.date_field;
    for (const core::Field& field : twin.dataset.fields) {
      twin.reference.fields.push_back({field.name, field.type == FieldType::kDate});
    }
    Fill(twin, dated);
    return twin;
  }

  std::string SomeDateJson() {
    const std::string day = SomeDay();
    switch (Random(5)) {
      case 0:
        return "null";
      case 1:
        return "\"" + day + "T13:45:30Z\"";
      case 2:
        return std::to_string(now_ + (static_cast<std::int64_t>(Random(800)) - 400) * kDay + 5);
      default:
        return "\"" + day + "\"";
    }
  }

  void Fill(Twin& twin, bool dated) {
    const std::vector<std::string> texts = {"null",    "1.5e-3", "\"a,b\"",      R"("say \"hi\"")",
                                            "\"\"",    "[1,2]",  R"({"a":"]"})", "true",
                                            "\"=1+1\""};
    std::set<std::tuple<std::string, std::string, std::int64_t>> indices;
    std::vector<core::Record> records;
    const std::size_t count = Random(200);
    for (std::size_t i = 0; i < count; ++i) {
      reference::Record record;
      record.key = OneOf(kKeys_);
      record.subkey = OneOf({"", "", "x", "X1", "y"});
      const Timestamp day{ParseDate(SomeDay()).value()};
      record.date_millis = dated ? ToUnixMillis(day) + (OneIn(4) ? now_ % kDay : 0) : 0;
      record.updated_millis = static_cast<std::int64_t>(i);
      record.values = {"\"" + record.key + "\"", SomeDateJson(), SomeDateJson(), OneOf(texts)};
      if (OneIn(2)) record.values.push_back(OneOf(texts));
      if (!indices
               .insert({reference::Folded(record.key), reference::Folded(record.subkey),
                        record.date_millis})
               .second) {
        continue;
      }
      std::string values = "[";
      for (const std::string& value : record.values) values += (values == "[" ? "" : ",") + value;
      records.push_back(
          {record.key, record.subkey, record.date_millis, record.updated_millis, values + "]"});
      twin.reference.records.push_back(std::move(record));
    }
    auto writer = store_->BeginGeneration(0);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Append(records, store::Duplicates::kReplace).ok());
    ASSERT_TRUE((*writer)->Finish().ok());
    twin.generation = (*writer)->generation();
  }

  std::string SomeValue(const std::string& name) {
    if (OneIn(25)) return OneOf({"", "0", "-1", "x", "2000-02-30", "99999999999999999999", ","});
    if (name == "range") {
      return OneOf({"today", "yesterday", "ytd",    "last-week", "last-month", "Last-Quarter",
                    "30d",   "5w",        "1m",     "13M",       "2q",         "1y",
                    "200y",  "Q12024",    "q42023", "H12024",    "h22024",     "2024",
                    "2023",  "1999",      "5000y",  "Q52024"});
    }
    if (name == "on" || name == "from" || name == "to") return SomeDay();
    if (name == "offset") return std::to_string(Random(6));
    if (name == "interval") return std::to_string(1 + Random(4));
    if (name == "sort") return OneOf({"ASC", "DESC", "asc", "desc"});
    if (name == "dateField") return OneOf({"paid", "paid", "date", "when", "price", "Paid"});
    if (name == "filter") {
      std::string list;
      for (std::size_t i = 0; i <= Random(4); ++i) {
        list += (list.empty() ? "" : ",") +
                OneOf({"symbol", "date", "paid", "price", "updated", "key", "id", "text", "when"});
      }
      return list;
    }
    if (name == "format") return OneOf({"json", "csv"});
    if (name == "includeSystemRecordProperties") return OneOf({"true", "true", "false"});
    return std::to_string(1 + Random(kMaxRecords + 1));
  }

  reference::Request SomeRequest() {
    reference::Request request;
    if (!OneIn(4)) {
      request.keys = OneOf(kKeys_);
      while (OneIn(2)) *request.keys += "," + OneOf(kKeys_);
      if (OneIn(3)) request.subkey = OneOf({"x", "X", "x1", "y", "nobody", ""});
    }
    const std::vector<std::string> names = {
        "range", "on",        "from",   "to",     "last",
        "first", "next",      "limit",  "offset", "interval",
        "sort",  "dateField", "filter", "format", "includeSystemRecordProperties",
        "token"};
    std::set<std::string> taken;
    for (std::size_t i = Random(5); i > 0; --i) {
      const std::string name = OneOf(names);
      if (!taken.insert(name).second && !OneIn(20)) continue;
      request.parameters.emplace_back(name, SomeValue(name));
    }
    return request;
  }

  // As the gateway does it.
  reference::Answer Ask(const std::vector<const Twin*>& twins, const reference::Request& request) {
    reference::Answer refusal;
    refusal.refused = true;
    std::vector<core::QueryParameter> parameters;
    for (const auto& [name, value] : request.parameters) parameters.push_back({name, value});
    const auto parsed = core::ParseRecordsRequest(request.keys, request.subkey, parameters,
                                                  kMaxRecords, FromUnixMillis(now_));
    if (!parsed.ok()) return refusal;
    std::vector<const core::Dataset*> datasets;
    for (const Twin* twin : twins) datasets.push_back(&twin->dataset);
    const auto queries = CheckRecordsRequest(*parsed, datasets);
    if (!queries.ok()) return refusal;

    core::RecordWriter writer(
        TextOptions(*parsed, parsed->format.value_or(core::RecordFormat::kJson)), datasets);
    for (std::size_t i = 0; i < twins.size(); ++i) {
      for (std::size_t k = 0; k == 0 || k < parsed->keys.size(); ++k) {
        core::RecordQuery query = (*queries)[i];
        if (!parsed->keys.empty()) query.key = parsed->keys[k];
        const auto records =
            store_->Query(twins[i]->generation, query, UINT64_MAX, [] { return false; });
        EXPECT_TRUE(records.ok());
        EXPECT_TRUE(writer.Append(i, *records).ok());
      }
    }
    if (writer.records() > kMaxRecords) return refusal;
    reference::Answer answer;
    answer.records = writer.records();
    answer.body = *writer.Finish();
    return answer;
  }

  static std::string Shown(const reference::Request& request) {
    std::string text = request.keys.value_or("(all)") + "/" + request.subkey.value_or("(all)");
    for (const auto& [name, value] : request.parameters) {
      text.append(" ").append(name).append("=").append(value);
    }
    return text;
  }

  std::string folder_;
  std::unique_ptr<store::SqliteDatasetStore> store_;
  std::mt19937_64 random_;
  std::int64_t now_ = 0;
  const std::vector<std::string> kKeys_ = {"AAPL", "aapl",   "Msft",    "b",
                                           "a b",  "nobody", "\xC3\xA4"};
};

TEST_F(RecordsModelTest, AnyRequestIsAnsweredAsAPlainSearchOfEverythingAnswersIt) {
  const unsigned seed = Seed();
  SCOPED_TRACE("LATCHKEY_SEED=" + std::to_string(seed));
  random_.seed(seed);
  std::uint64_t refused = 0;
  std::uint64_t empty = 0;
  std::uint64_t answered = 0;
  for (int round = 0; round < 12; ++round) {
    // Days of 2023 to 2025, month's ends and the leap day often; at midnight now and then.
    const std::vector<std::string> days = {"2024-02-29", "2024-03-31", "2024-01-01",
                                           "2024-12-31", "2023-03-01", SomeDay()};
    now_ = ToUnixMillis(Timestamp(ParseDate(round % 2 == 0 ? OneOf(days) : "2024-05-15").value())) +
           (OneIn(3) ? 0 : static_cast<std::int64_t>(Random(kDay)));
    const Twin a = MakeTwin("A", core::DatasetClass::kCore, true);
    const Twin b = MakeTwin("B", core::DatasetClass::kWorkspace, round % 2 == 0);
    if (HasFatalFailure()) return;
    for (int i = 0; i < 400; ++i) {
      std::vector<const Twin*> twins;
      if (!OneIn(3)) twins.push_back(&a);
      if (twins.empty() || OneIn(3)) twins.push_back(&b);
      std::vector<const reference::Dataset*> references;
      for (const Twin* twin : twins) references.push_back(&twin->reference);
      const reference::Request request = SomeRequest();
      const reference::Answer expected =
          reference::Reference(now_, kMaxRecords).Ask(references, request);
      const reference::Answer answer = Ask(twins, request);
      ASSERT_EQ(answer.refused, expected.refused)
          << Shown(request) << " at " << FormatRfc3339(FromUnixMillis(now_));
      ASSERT_EQ(answer.body, expected.body)
          << Shown(request) << " at " << FormatRfc3339(FromUnixMillis(now_));
      ASSERT_EQ(answer.records, expected.records);
      ++(answer.refused ? refused : answer.records == 0 ? empty : answered);
    }
  }
  // The requests are of all kinds.
  EXPECT_GT(refused, 400U);
  EXPECT_GT(empty, 200U);
  EXPECT_GT(answered, 1000U);
}

}  // namespace
}  // namespace latchkey
