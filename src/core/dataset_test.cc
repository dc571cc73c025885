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

}  // namespace
}  // namespace latchkey::core
