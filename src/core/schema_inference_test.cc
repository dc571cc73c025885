#include "core/schema_inference.h"

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

using Cells = std::vector<std::string_view>;

FieldType Infer(const Cells& column) {
  auto inference = SchemaInference::Begin(Cells{"a"});
  EXPECT_TRUE(inference.ok());
  for (const std::string_view cell : column) inference->Observe(Cells{cell});
  return inference->Fields()[0].type;
}

TEST(SchemaInferenceTest, TakesTheNarrowestTypeThatAllCellsFit) {
  EXPECT_EQ(Infer({"1", "-20", "", " 3 "}), FieldType::kInteger);
  EXPECT_EQ(Infer({"123456789012345678901234567890"}), FieldType::kInteger);
  EXPECT_EQ(Infer({"1", "2.5"}), FieldType::kNumber);
  EXPECT_EQ(Infer({"2.5", "1"}), FieldType::kNumber);
  EXPECT_EQ(Infer({"1e5"}), FieldType::kNumber);
  EXPECT_EQ(Infer({"true", "FALSE", "True", ""}), FieldType::kBoolean);
  EXPECT_EQ(Infer({"2000-01-01", "Jan 1 2000", "2000-01-01T00:00:00Z"}), FieldType::kDate);
  EXPECT_EQ(Infer({"abc"}), FieldType::kString);
  EXPECT_EQ(Infer({}), FieldType::kString);
  EXPECT_EQ(Infer({"", "  "}), FieldType::kString);
}

TEST(SchemaInferenceTest, MixturesAreStringsWhereverTheOddCellStands) {
  const Cells forms = {"1", "true", "2000-01-01", "abc"};
  for (const std::string_view one : forms) {
    for (const std::string_view other : forms) {
      if (one == other) continue;
      EXPECT_EQ(Infer({one, one, other}), FieldType::kString) << one << " " << other;
      EXPECT_EQ(Infer({other, one, one}), FieldType::kString) << one << " " << other;
    }
  }
  EXPECT_EQ(Infer({"007"}), FieldType::kString);
  EXPECT_EQ(Infer({"1", "n/a"}), FieldType::kString);
  EXPECT_EQ(Infer({"1.5", "NaN"}), FieldType::kString);
  EXPECT_EQ(Infer({"1,000"}), FieldType::kString);
}

TEST(SchemaInferenceTest, HeadersThatCannotBeFieldsAreRefused) {
  for (const Cells& names : {Cells{"a", ""}, Cells{"a", " "}, Cells{"a", "A"}, Cells{"_systemId"},
                             Cells{"a\nb"}, Cells{}}) {
    const auto inference = SchemaInference::Begin(names);
    ASSERT_FALSE(inference.ok());
    EXPECT_EQ(inference.error().fields[0].field, "line 1");
  }
  EXPECT_TRUE(SchemaInference::Begin(Cells{" a ", "b c"}).ok());
  EXPECT_EQ(SchemaInference::Begin(Cells{" a "})->Fields()[0].name, "a");
}

Dataset Definition(std::vector<Field> fields) {
  Dataset dataset;
  dataset.fields = std::move(fields);
  return dataset;
}

std::string Values(const std::vector<Field>& fields, const Cells& cells) {
  Cells names;
  for (const Field& field : fields) names.push_back(field.name);
  const auto converter = RowConverter::Begin(Definition(fields), names);
  EXPECT_TRUE(converter.ok());
  Record record;
  const Status status = converter->Convert(cells, record);
  return status.ok() ? record.values : status.error().public_text;
}

TEST(RowConverterTest, CellsBecomeTheValuesOfTheirType) {
  struct Case {
    FieldType type;
    const char* cell;
    const char* values;
  };
  const Case cases[] = {
      {FieldType::kNumber, "39.81", "[39.81]"},
      {FieldType::kNumber, " 1469.250000", "[1469.25]"},
      {FieldType::kNumber, "1e400", "[1e400]"},
      {FieldType::kInteger, "9007199254740993", "[9007199254740993]"},
      {FieldType::kInteger, "-0", "[0]"},
      {FieldType::kBoolean, "TRUE", "[true]"},
      {FieldType::kDate, "Jan 1 2000", "[\"2000-01-01\"]"},
      {FieldType::kDate, "946684800000", "[946684800000]"},
      {FieldType::kString, " say \"hi\" ", "[\" say \\\"hi\\\" \"]"},
      {FieldType::kString, "", "[null]"},
      {FieldType::kString, " ", "[\" \"]"},
      {FieldType::kNumber, " ", "[null]"},
      {FieldType::kObject, "{ \"a\": 1 }", "[{\"a\":1}]"},
      {FieldType::kArray, "[1, 2]", "[[1,2]]"},
      {FieldType::kAny, "1.50", "[1.5]"},
      {FieldType::kAny, "true", "[true]"},
      {FieldType::kAny, "2000-01-01", "[\"2000-01-01\"]"},
      {FieldType::kInteger, "1.5", "a: must be a whole number"},
      {FieldType::kNumber, "n/a", "a: must be a number"},
      {FieldType::kBoolean, "yes", "a: must be true or false"},
      {FieldType::kObject, "[1]", "a: must be a JSON object"},
      {FieldType::kArray, "[1", "a: must be a JSON array"},
      {FieldType::kDate, "yesterday",
       "a: must be a date, as 2000-01-31, 2000-01-31T09:30:00Z, Jan 31 2000 or milliseconds"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Values({{"a", c.type, false}}, {c.cell}), c.values) << c.cell;
  }
  EXPECT_EQ(Values({{"a", FieldType::kString, true}}, {""}), "a: must not be empty");
  EXPECT_EQ(Values({{"a", FieldType::kString, false}}, {std::string(kMaxRecordBytes, 'x')}),
            "the record is longer than 65536 bytes");
}

TEST(RowConverterTest, KeysAndDatesAreTakenFromTheirFields) {
  Dataset dataset = Definition({{"symbol", FieldType::kString, false},
                                {"Date", FieldType::kDate, false},
                                {"kind", FieldType::kInteger, false},
                                {"more", FieldType::kNumber, false}});
  dataset.key_field = "symbol";
  dataset.subkey_field = "kind";
  dataset.date_field = "Date";
  // Columns in another order and case, one field without a column.
  const auto converter = RowConverter::Begin(dataset, Cells{"date", "SYMBOL", "kind"});
  ASSERT_TRUE(converter.ok());
  Record record;
  record.updated_millis = 7;
  ASSERT_TRUE(converter->Convert(Cells{"Jan 2 2000", "Msft", " 5 "}, record).ok());
  EXPECT_EQ(record.key, "Msft");
  EXPECT_EQ(record.subkey, "5");
  EXPECT_EQ(record.date_millis, 946'771'200'000);
  EXPECT_EQ(record.updated_millis, 7);
  EXPECT_EQ(record.values, R"(["Msft","2000-01-02",5,null])");
  ASSERT_TRUE(converter->Convert(Cells{"Jan 2 2000", "x", ""}, record).ok());
  EXPECT_EQ(record.subkey, "");
  EXPECT_EQ(converter->Convert(Cells{"Jan 2 2000", "", "1"}, record).error().public_text,
            "symbol: must not be empty");
  EXPECT_EQ(converter->Convert(Cells{"", "x", "1"}, record).error().public_text,
            "Date: must not be empty");
  const std::string longest(kMaxIndexedValueBytes, 'k');
  EXPECT_TRUE(converter->Convert(Cells{"Jan 2 2000", longest, "1"}, record).ok());
  EXPECT_FALSE(converter->Convert(Cells{"Jan 2 2000", longest + "k", "1"}, record).ok());
}

TEST(RowConverterTest, ColumnsAndFieldsMustFit) {
  Dataset dataset = Definition({{"a", FieldType::kString, false}, {"b", FieldType::kAny, false}});
  dataset.key_field = "a";
  EXPECT_TRUE(RowConverter::Begin(dataset, Cells{"a"}).ok());
  EXPECT_FALSE(RowConverter::Begin(dataset, Cells{"b"}).ok());
  EXPECT_FALSE(RowConverter::Begin(dataset, Cells{"a", "c"}).ok());
  EXPECT_FALSE(RowConverter::Begin(dataset, Cells{"a", "A"}).ok());
  dataset.fields[1].required = true;
  EXPECT_FALSE(RowConverter::Begin(dataset, Cells{"a"}).ok());
}

}  // namespace
}  // namespace latchkey::core
