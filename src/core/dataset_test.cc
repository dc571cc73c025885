#include "core/dataset.h"

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

Dataset Stocks() {
  Dataset dataset;
  dataset.dataset_class = DatasetClass::kCore;
  dataset.workspace = "core";
  dataset.name = "STOCKS";
  dataset.fields = {{"symbol", FieldType::kString, false},
                    {"date", FieldType::kDate, false},
                    {"price", FieldType::kNumber, false}};
  dataset.key_field = "symbol";
  dataset.date_field = "date";
  return dataset;
}

TEST(DatasetTest, NamesOfTypesReadBackAsTheSameType) {
  for (const char* name :
       {"date", "number", "integer", "string", "object", "array", "boolean", "any"}) {
    const auto type = ParseFieldType(name);
    ASSERT_TRUE(type) << name;
    EXPECT_EQ(ToString(*type), name);
  }
  EXPECT_FALSE(ParseFieldType("Date"));
  EXPECT_FALSE(ParseFieldType(""));
}

TEST(DatasetTest, NamesOfDatasetsAreBounded) {
  for (const char* good : {"STOCKS", "a", "9x", "A.b-c_d"}) {
    EXPECT_TRUE(CheckDatasetName(good).ok()) << good;
  }
  for (const char* bad : {"", "_x", "-x", ".x", "_SYSTEM", "a b", "a/b", "a,b", "\xC3\xA4"}) {
    EXPECT_FALSE(CheckDatasetName(bad).ok()) << bad;
  }
  EXPECT_TRUE(CheckDatasetName(std::string(128, 'a')).ok());
  EXPECT_FALSE(CheckDatasetName(std::string(129, 'a')).ok());
}

TEST(DatasetTest, ADefinitionThatHoldsPasses) { EXPECT_TRUE(CheckDataset(Stocks()).ok()); }

TEST(DatasetTest, ADefinitionThatCannotHoldIsRefusedNamingTheField) {
  struct Case {
    const char* field;
    void (*breaks)(Dataset&);
  };
  const Case cases[] = {
      {"fields", [](Dataset& d) { d.fields.clear(); }},
      {"fields", [](Dataset& d) { d.fields[0].name = ""; }},
      {"fields", [](Dataset& d) { d.fields[0].name = "a\nb"; }},
      {"fields", [](Dataset& d) { d.fields[0].name = std::string(129, 'x'); }},
      {"fields", [](Dataset& d) { d.fields.resize(513); }},
      {"SYMBOL", [](Dataset& d) { d.fields[2].name = "SYMBOL"; }},
      {"_systemId", [](Dataset& d) { d.fields[2].name = "_systemId"; }},
      {"key", [](Dataset& d) { d.key_field = "Symbol"; }},
      {"key", [](Dataset& d) { d.key_field = d.date_field = ""; }},
      {"subkey", [](Dataset& d) { d.subkey_field = "none"; }},
      {"subkey", [](Dataset& d) { d.subkey_field = "symbol"; }},
      {"subkey", [](Dataset& d) { d.key_field = "", d.subkey_field = "symbol"; }},
      {"date", [](Dataset& d) { d.date_field = "price"; }},
      {"date", [](Dataset& d) { d.date_field = "none"; }},
      {"date", [](Dataset& d) { d.key_field = "date"; }},
      {"symbol", [](Dataset& d) { d.fields[0].type = FieldType::kObject; }},
      {"weight", [](Dataset& d) { d.weight = 1'000'001; }},
      {"workspace", [](Dataset& d) { d.workspace = "premium"; }},
      {"workspace", [](Dataset& d) { d.owner = AccountId{7}; }},
      {"workspace", [](Dataset& d) { d.dataset_class = DatasetClass::kWorkspace; }},
      {"title", [](Dataset& d) { d.title = std::string(257, 'x'); }},
      {"source", [](Dataset& d) { d.source = std::string(257, 'x'); }},
      {"source", [](Dataset& d) { d.source = "\xFF"; }},
      {"name", [](Dataset& d) { d.name = "_system"; }},
  };
  for (const Case& c : cases) {
    Dataset dataset = Stocks();
    c.breaks(dataset);
    const Status status = CheckDataset(dataset);
    ASSERT_FALSE(status.ok()) << c.field;
    ASSERT_EQ(status.error().fields.size(), 1U);
    EXPECT_EQ(status.error().fields[0].field, c.field) << status.error().public_text;
  }
}

TEST(DatasetTest, WhileRecordsStandADefinitionMayGrowAndWiden) {
  void (*const allowed[])(Dataset&) = {
      [](Dataset&) {},
      [](Dataset& d) { d.title = "Prices", d.source = "us", d.name = "OTHER", d.weight = 2; },
      [](Dataset& d) { d.test = true; },
      [](Dataset& d) { d.fields.push_back({"new", FieldType::kObject, false}); },
      [](Dataset& d) { d.fields[2].type = FieldType::kAny; },
      [](Dataset& d) { d.fields[3].type = FieldType::kNumber; },
      [](Dataset& d) { d.fields[3].type = FieldType::kAny; },
      [](Dataset& d) { d.fields[0].type = FieldType::kAny; },
      [](Dataset& d) { d.fields[3].required = false; },
  };
  Dataset before = Stocks();
  before.fields.push_back({"volume", FieldType::kInteger, true});
  for (const auto change : allowed) {
    Dataset after = before;
    change(after);
    ASSERT_TRUE(CheckDataset(after).ok());
    const Status status = CheckDatasetChange(before, after);
    EXPECT_TRUE(status.ok()) << status.error().public_text;
  }
}

TEST(DatasetTest, AChangeThatRecordsCouldNotFollowIsRefusedNamingTheField) {
  struct Case {
    const char* field;
    void (*change)(Dataset&);
  };
  const Case cases[] = {
      {"price", [](Dataset& d) { d.fields.erase(d.fields.begin() + 2); }},
      {"volume", [](Dataset& d) { d.fields.pop_back(); }},
      {"volume", [](Dataset& d) { d.fields[3].name = "Volume"; }},
      {"price", [](Dataset& d) { std::swap(d.fields[2], d.fields[3]); }},
      {"symbol",
       [](Dataset& d) { d.fields.insert(d.fields.begin(), {"new", FieldType::kAny, false}); }},
      {"price", [](Dataset& d) { d.fields[2].type = FieldType::kInteger; }},
      {"price", [](Dataset& d) { d.fields[2].type = FieldType::kString; }},
      {"volume", [](Dataset& d) { d.fields[3].type = FieldType::kString; }},
      {"symbol", [](Dataset& d) { d.fields[0].type = FieldType::kDate; }},
      {"price", [](Dataset& d) { d.fields[2].required = true; }},
      {"new", [](Dataset& d) { d.fields.push_back({"new", FieldType::kAny, true}); }},
      {"key", [](Dataset& d) { d.key_field = "volume"; }},
      {"key", [](Dataset& d) { d.key_field = ""; }},
      {"subkey", [](Dataset& d) { d.subkey_field = "volume"; }},
      {"date", [](Dataset& d) { d.date_field = ""; }},
  };
  Dataset before = Stocks();
  before.fields.push_back({"volume", FieldType::kInteger, false});
  for (const Case& c : cases) {
    Dataset after = before;
    c.change(after);
    ASSERT_TRUE(CheckDataset(after).ok()) << c.field;
    const Status status = CheckDatasetChange(before, after);
    ASSERT_FALSE(status.ok()) << c.field;
    ASSERT_EQ(status.error().fields.size(), 1U);
    EXPECT_EQ(status.error().fields[0].field, c.field) << status.error().public_text;
  }
  before.fields[2].type = FieldType::kAny;
  Dataset after = before;
  after.fields[2].type = FieldType::kNumber;
  EXPECT_FALSE(CheckDatasetChange(before, after).ok());
}

TEST(DatasetTest, AskedFieldsTakeTheOrderInWhichRecordsStand) {
  const auto order = [](std::vector<const char*> asked) {
    std::vector<Field> fields;
    for (const char* name : asked) fields.push_back({name, FieldType::kAny, false});
    std::string names;
    for (const Field& field : InStandingOrder(Stocks().fields, fields)) names += field.name + " ";
    return names;
  };
  EXPECT_EQ(order({"price", "new", "date", "symbol", "more"}), "symbol date price new more ");
  EXPECT_EQ(order({"Date", "price"}), "price Date ");
  EXPECT_EQ(order({}), "");
}

}  // namespace
}  // namespace latchkey::core
