#include "core/schema_inference.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/json_text.h"

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

TEST(SchemaInferenceTest, MillisecondsAreADateInAFieldOfThatName) {
  const auto infer = [](std::string_view name, const Cells& column) {
    auto inference = SchemaInference::Begin(Cells{name});
    for (const std::string_view cell : column) inference->Observe(Cells{cell});
    return inference->Fields()[0].type;
  };
  EXPECT_EQ(infer("date", {"1700000000000", "-1700000000000"}), FieldType::kDate);
  EXPECT_EQ(infer("DATE", {"1700000000000", "2000-01-01", ""}), FieldType::kDate);
  EXPECT_EQ(infer("updated", {"1700000000000"}), FieldType::kInteger);
  EXPECT_EQ(infer("date", {"20000101"}), FieldType::kInteger);
  EXPECT_EQ(infer("date", {"100000000000", "-10000000000000"}), FieldType::kDate);
  EXPECT_EQ(infer("date", {"99999999999"}), FieldType::kInteger);
  EXPECT_EQ(infer("date", {"1700000000000", "5"}), FieldType::kInteger);
  EXPECT_EQ(infer("date", {"1700000000000", "1.5"}), FieldType::kNumber);
  EXPECT_EQ(infer("date", {"1700000000000", "x"}), FieldType::kString);
  EXPECT_EQ(infer("date", {"999999999999999"}), FieldType::kInteger);  // after the year 9999
}

// ---- Objects

// One object's members; the text must stand as long as they do.
struct Object {
  explicit Object(std::string text_of_object) : text(std::move(text_of_object)) {
    EXPECT_EQ(parser.Parse(text), JsonFault::kNone) << text;
  }
  std::span<const JsonMember> members() const { return parser.members(); }
  std::string text;
  JsonObjectParser parser;
};

std::string InferObjects(const std::vector<std::string>& objects) {
  SchemaInference inference;
  for (const std::string& object : objects) {
    const Status status = inference.Observe(Object(object).members());
    if (!status.ok()) return status.error().public_text;
  }
  std::string fields;
  for (const Field& field : inference.Fields()) {
    EXPECT_FALSE(field.required);
    fields.append(fields.empty() ? "" : " ")
        .append(field.name)
        .append(":")
        .append(ToString(field.type));
  }
  return fields;
}

TEST(SchemaInferenceTest, ObjectsGiveTheNarrowestTypeOfTheirValues) {
  struct Case {
    std::vector<std::string> values;
    FieldType type;
  };
  const Case cases[] = {
      {{"1", "-20", "null"}, FieldType::kInteger},
      {{"123456789012345678901234567890"}, FieldType::kInteger},
      {{"1", "2.5"}, FieldType::kNumber},
      {{"1e5"}, FieldType::kNumber},
      {{"1.0"}, FieldType::kNumber},
      {{"true", "false", "null"}, FieldType::kBoolean},
      {{"\"2000-01-01\"", "\"Jan 1 2000\"", "\"2000-01-01T00:00:00Z\""}, FieldType::kDate},
      {{"\"abc\""}, FieldType::kString},
      {{"\"\""}, FieldType::kString},
      {{"\"1\""}, FieldType::kString},
      {{"\"true\""}, FieldType::kString},
      {{"\"2000-01-01\"", "\"n/a\""}, FieldType::kString},
      {{"\"n/a\"", "\"2000-01-01\""}, FieldType::kString},
      {{"\"2000\\u002d01-01\""}, FieldType::kString},
      {{"{}", "{\"a\":1}"}, FieldType::kObject},
      {{"[]", "[1]"}, FieldType::kArray},
      {{"null"}, FieldType::kAny},
      {{"1700000000000"}, FieldType::kInteger},
      {{"[]", "{}"}, FieldType::kAny},
  };
  for (const Case& c : cases) {
    std::vector<std::string> objects;
    for (const std::string& value : c.values) objects.push_back("{\"a\":" + value + "}");
    EXPECT_EQ(InferObjects(objects), "a:" + std::string(ToString(c.type))) << c.values[0];
  }
  const char* forms[] = {"1.5", "true", "\"2000-01-01\"", "{}", "[]"};
  for (const std::string one : forms) {
    for (const std::string other : forms) {
      if (one == other) continue;
      EXPECT_EQ(InferObjects({"{\"a\":" + one + "}", "{\"a\":" + other + "}"}), "a:any");
    }
  }
}

TEST(SchemaInferenceTest, ObjectsGiveAllTheirFieldsInTheOrderOfTheirFirstAppearance) {
  EXPECT_EQ(InferObjects({}), "");
  EXPECT_EQ(InferObjects({"{}"}), "");
  EXPECT_EQ(InferObjects({R"({"b":1,"a":"x"})", R"({"c":true,"a":"y","b":1.5})"}),
            "b:number a:string c:boolean");
  EXPECT_EQ(InferObjects({R"({"Name":"x"})", R"({"nAME":"y","other":1})"}),
            "Name:string other:integer");
  EXPECT_EQ(InferObjects({R"({"\u0061\u00e4":1})"}), "a\xC3\xA4:integer");
  EXPECT_EQ(InferObjects({R"({"date":1700000000000})", R"({"date":"2000-01-01"})"}), "date:date");
  EXPECT_EQ(InferObjects({R"({"date":1700000000000})", R"({"date":5})"}), "date:integer");
}

TEST(SchemaInferenceTest, AnObjectThatCannotBeARecordChangesNothing) {
  std::string many = "{";
  for (int i = 0; i < 511; ++i) many += "\"f" + std::to_string(i) + "\":1,";
  const std::pair<std::string, const char*> cases[] = {
      {R"({"new":true,"":1})", "at fields: a field's name must not be empty"},
      {R"({"new":true,"_systemRecordProperties":{}})",
       "at _systemRecordProperties: names that start with _system are reserved"},
      {R"({"new":true,"a\u0000b":1})",
       "at fields: a field's name must not hold control characters"},
      {R"({"new":true,"A":1,"a":2})", "a: two members have this name (case does not count)"},
      {R"({"new":true,"x":1,"X":2})", "x: two members have this name (case does not count)"},
      {"{\"new\":true,\"" + std::string(129, 'x') + "\":1}",
       "at fields: a field's name has at most 128 bytes"},
      {many + "\"new\":1}", "a dataset has at most 512 fields"},
  };
  for (const auto& [object, error] : cases) {
    SchemaInference inference;
    ASSERT_TRUE(inference.Observe(Object(R"({"a":1})").members()).ok());
    const Status status = inference.Observe(Object(object).members());
    ASSERT_FALSE(status.ok()) << object;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(status.error().public_text, error);
    ASSERT_EQ(inference.Fields().size(), 1U);
    EXPECT_EQ(inference.Fields()[0].type, FieldType::kInteger);
    ASSERT_TRUE(inference.Observe(Object(R"({"new":"x","A":1})").members()).ok());
    EXPECT_EQ(inference.Fields()[1].type, FieldType::kString);
  }
}

TEST(InferIndexTest, FindsKeySubkeyAndDate) {
  constexpr FieldType kS = FieldType::kString;
  constexpr FieldType kI = FieldType::kInteger;
  constexpr FieldType kD = FieldType::kDate;
  constexpr FieldType kN = FieldType::kNumber;
  constexpr FieldType kO = FieldType::kObject;
  struct Case {
    std::vector<Field> fields;
    const char* index;
  };
  const Case cases[] = {
      {{{"a", kS}, {"Key", kN}, {"symbol", kS}}, "Key//"},
      {{{"ticker", kS}, {"SYMBOL", kS}, {"id", kS}}, "SYMBOL//"},
      {{{"name", kS}, {"id", kI}, {"Ticker", kS}}, "Ticker//"},
      {{{"name", kS}, {"id", kI}}, "id//"},
      {{{"price", kN}, {"n", kI}, {"name", kS}}, "name//"},
      {{{"price", kN}, {"n", kI}, {"m", kI}}, "n//"},
      {{{"key", kO}, {"name", kS}}, "name//"},
      {{{"subkey", kS}, {"name", kS}}, "name/subkey/"},
      {{{"subkey", kS}, {"n", kI}}, "n/subkey/"},
      {{{"key", kS}, {"SubKey", kI}}, "key/SubKey/"},
      {{{"key", kS}, {"subkey", kO}}, "key//"},
      {{{"day", kD}, {"Date", kD}, {"name", kS}}, "name//Date"},
      {{{"date", kS}, {"day", kD}, {"other", kD}}, "date//day"},
      {{{"date", kI}, {"name", kS}}, "name//"},
      {{{"key", kD}, {"day", kD}}, "key//day"},
      {{{"key", kD}, {"price", kN}}, "key//"},
      {{{"date", kD}, {"price", kN}}, "//date"},
      {{{"day", kD}, {"subkey", kD}}, "//day"},
      {{{"subkey", kD}, {"key", kS}}, "key/subkey/"},
      {{{"subkey", kD}}, "!"},
      {{{"subkey", kS}, {"day", kD}}, "//day"},
      {{{"price", kN}, {"x", kO}}, "!"},
      {{}, "!"},
  };
  for (const Case& c : cases) {
    const Result<InferredIndex> index = InferIndex(c.fields);
    if (!index.ok()) {
      EXPECT_STREQ(c.index, "!");
      EXPECT_EQ(index.error().code, ErrorCode::kInvalid);
      continue;
    }
    EXPECT_EQ(index->key_field + "/" + index->subkey_field + "/" + index->date_field, c.index);
    Dataset dataset;  // what was found holds
    dataset.name = dataset.workspace = "x";
    dataset.owner = AccountId{1};
    dataset.fields = c.fields;
    dataset.key_field = index->key_field;
    dataset.subkey_field = index->subkey_field;
    dataset.date_field = index->date_field;
    EXPECT_TRUE(CheckDataset(dataset).ok()) << c.index;
  }
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
  ASSERT_TRUE(converter->Convert(Cells{"", "x", "1"}, record).ok());
  EXPECT_EQ(record.date_millis, 0);
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

TEST(RowConverterTest, KeysAreTheTextOfTheValueThatIsStored) {
  struct Case {
    FieldType type;
    const char* cell;
    const char* key;
  };
  const Case cases[] = {
      {FieldType::kString, " a\"\\\tb ", " a\"\\\tb "},
      {FieldType::kNumber, " 1.50 ", "1.5"},
      {FieldType::kInteger, "-0", "0"},
      {FieldType::kBoolean, "TRUE", "true"},
      {FieldType::kDate, "Jan 1 2000", "2000-01-01"},
      {FieldType::kAny, "1.50", "1.5"},
      {FieldType::kAny, "x", "x"},
  };
  for (const Case& c : cases) {
    Dataset dataset = Definition({{"k", c.type, false}});
    dataset.key_field = "k";
    Record record;
    ASSERT_TRUE(RowConverter::Begin(dataset, Cells{"k"})->Convert(Cells{c.cell}, record).ok());
    EXPECT_EQ(record.key, c.key);
  }
}

// ---- Objects

std::string ConvertObject(const Dataset& dataset, const std::string& object) {
  Record record;
  record.key = record.subkey = record.values = "before";
  record.date_millis = record.updated_millis = 7;
  const Status status = RowConverter::ForObjects(dataset).Convert(Object(object).members(), record);
  EXPECT_EQ(record.updated_millis, 7);
  if (!status.ok()) {
    EXPECT_EQ(status.error().code, ErrorCode::kInvalid);
    return status.error().public_text;
  }
  std::string compact;
  EXPECT_TRUE(AppendCompactJson(compact, record.values)) << record.values;
  EXPECT_EQ(compact, record.values);
  return record.key + "/" + record.subkey + "/" + std::to_string(record.date_millis) + " " +
         record.values;
}

TEST(RowConverterTest, MembersBecomeTheValuesOfTheirType) {
  constexpr const char* kDateText =
      "a: must be a date, as 2000-01-31, 2000-01-31T09:30:00Z, Jan 31 2000 or milliseconds";
  struct Case {
    FieldType type;
    const char* value;
    const char* expected;
  };
  const Case cases[] = {
      {FieldType::kNumber, "39.81", "39.81"},
      {FieldType::kNumber, "1469.250000", "1469.25"},
      {FieldType::kNumber, "1e400", "1e400"},
      {FieldType::kNumber, "null", "null"},
      {FieldType::kNumber, "\"1\"", "a: must be a number"},
      {FieldType::kNumber, "true", "a: must be a number"},
      {FieldType::kNumber, "[1]", "a: must be a number"},
      {FieldType::kInteger, "9007199254740993", "9007199254740993"},
      {FieldType::kInteger, "-0", "0"},
      {FieldType::kInteger, "5.0", "5"},
      {FieldType::kInteger, "-0.000", "0"},
      {FieldType::kInteger, "1.5", "a: must be a whole number"},
      {FieldType::kInteger, "1e2", "a: must be a whole number"},
      {FieldType::kInteger, "\"5\"", "a: must be a whole number"},
      {FieldType::kBoolean, "true", "true"},
      {FieldType::kBoolean, "false", "false"},
      {FieldType::kBoolean, "1", "a: must be true or false"},
      {FieldType::kBoolean, "\"true\"", "a: must be true or false"},
      {FieldType::kDate, "\"2000-01-01\"", "\"2000-01-01\""},
      {FieldType::kDate, "\"2000-01-01T09:30:00+01:00\"", "\"2000-01-01T09:30:00+01:00\""},
      {FieldType::kDate, "\"Jan 1 2000\"", "\"2000-01-01\""},
      {FieldType::kDate, "\"2000\\u002d01\\u002D01\"", "\"2000-01-01\""},
      {FieldType::kDate, "946684800000", "946684800000"},
      {FieldType::kDate, "946684800000.0", "946684800000"},
      {FieldType::kDate, "-1", "-1"},
      {FieldType::kDate, "\"946684800000\"", "946684800000"},
      {FieldType::kDate, "20000101", kDateText},
      {FieldType::kDate, "1.5", kDateText},
      {FieldType::kDate, "99999999999999999999", kDateText},
      {FieldType::kDate, "\"\"", kDateText},
      {FieldType::kDate, "\"2000-02-30\"", kDateText},
      {FieldType::kDate, "\" 2000-01-01\"", kDateText},
      {FieldType::kDate, "\"2000-01-01\\u0000\"", kDateText},
      {FieldType::kDate, "true", kDateText},
      {FieldType::kString, "\"a\\n\\u00e4\\ud800\"", "\"a\\n\\u00e4\\ud800\""},
      {FieldType::kString, "\"\"", "\"\""},
      {FieldType::kString, "5", "a: must be a text"},
      {FieldType::kObject, "{ \"b\" : [ 1.0 ] }", "{\"b\":[1.0]}"},
      {FieldType::kObject, "[]", "a: must be a JSON object"},
      {FieldType::kObject, "\"{}\"", "a: must be a JSON object"},
      {FieldType::kArray, "[ ]", "[]"},
      {FieldType::kArray, "{}", "a: must be a JSON array"},
      {FieldType::kAny, "1.50", "1.5"},
      {FieldType::kAny, "true", "true"},
      {FieldType::kAny, "\"x\"", "\"x\""},
      {FieldType::kAny, "{ }", "{}"},
      {FieldType::kAny, "[ 1 ]", "[1]"},
  };
  for (const Case& c : cases) {
    const std::string expected(c.expected);
    EXPECT_EQ(
        ConvertObject(Definition({{"a", c.type, false}}), "{\"a\": " + std::string(c.value) + " }"),
        expected.starts_with("a:") ? expected : "//0 [" + expected + "]")
        << c.value;
  }
}

TEST(RowConverterTest, MembersFindTheirFieldsAndOthersAreRefused) {
  Dataset dataset = Definition({{"Symbol", FieldType::kString, false},
                                {"date", FieldType::kDate, false},
                                {"kind", FieldType::kInteger, false},
                                {"more", FieldType::kNumber, true},
                                {"rest", FieldType::kAny, false}});
  dataset.key_field = "Symbol";
  dataset.subkey_field = "kind";
  dataset.date_field = "date";
  const std::pair<std::string, std::string> cases[] = {
      {R"({"Symbol":"Msft","date":"2000-01-02","kind":5,"more":1,"rest":null})",
       R"(Msft/5/946771200000 ["Msft","2000-01-02",5,1,null])"},
      {R"({"more":1.0,"SYMBOL":"Msft","DATE":946771200000})",
       R"(Msft//946771200000 ["Msft",946771200000,null,1,null])"},
      {R"({"Symbol":"\u00e4\"\\","date":-5,"kind":-0,"more":1})",
       "\xC3\xA4\"\\/0/-5 [\"\\u00e4\\\"\\\\\",-5,0,1,null]"},
      {R"({"Symbol":"x","date":1})", "more: must not be empty"},
      {R"({"Symbol":"x","date":1,"more":null})", "more: must not be empty"},
      {R"({"Symbol":"x","more":1})", R"(x//0 ["x",null,null,1,null])"},
      {R"({"Symbol":"x","date":null,"more":1})", R"(x//0 ["x",null,null,1,null])"},
      {R"({"Symbol":"","date":1,"more":1})", "Symbol: must not be empty"},
      {R"({"Symbol":null,"date":1,"more":1})", "Symbol: must not be empty"},
      {R"({"date":1,"more":1})", "Symbol: must not be empty"},
      {"{}", "Symbol: must not be empty"},
      {R"({"Symbol":"a\u0000","date":1,"more":1})", "Symbol: must not hold a NUL character"},
      {R"({"Symbol":"x","date":1,"more":1,"other":null})", "other: there is no field of this name"},
      {R"({"Symbol":"x","date":1,"more":1,"_systemRecordProperties":{}})",
       "_systemRecordProperties: there is no field of this name"},
      {R"({"Symbol":"x","date":1,"more":1,"a\nb":1})", "a member has a name that no field has"},
      {R"({"":1})", ": there is no field of this name"},
      {"{\"" + std::string(5000, 'x') + "\":1}", "a member has a name that no field has"},
      {R"({"Symbol":"x","symbol":"y","date":1,"more":1})",
       "Symbol: two members have this name (case does not count)"},
      {R"({"Symbol":"x","symbol":null,"date":1,"more":1})",
       "Symbol: two members have this name (case does not count)"},
  };
  for (const auto& [object, expected] : cases) EXPECT_EQ(ConvertObject(dataset, object), expected);
}

TEST(RowConverterTest, IndexedValuesOfObjectsAreBounded) {
  Dataset dataset = Definition({{"k", FieldType::kAny, false}, {"s", FieldType::kAny, false}});
  dataset.key_field = "k";
  dataset.subkey_field = "s";
  EXPECT_EQ(ConvertObject(dataset, R"({"k":true,"s":1.50})"), "true/1.5/0 [true,1.5]");
  EXPECT_EQ(ConvertObject(dataset, R"({"k":{}})"), "k: must be a text, a number or a boolean");
  EXPECT_EQ(ConvertObject(dataset, R"({"k":1,"s":[]})"),
            "s: must be a text, a number or a boolean");
  EXPECT_EQ(ConvertObject(dataset, R"({"k":1,"s":""})"), "1//0 [1,\"\"]");
  const std::string longest(kMaxIndexedValueBytes, '1');
  EXPECT_EQ(ConvertObject(dataset, "{\"k\":" + longest + "}"),
            longest + "//0 [" + longest + ",null]");
  EXPECT_EQ(ConvertObject(dataset, "{\"k\":1" + longest + "}"),
            "k: is longer than an indexed value may be (1500 bytes)");
  EXPECT_EQ(ConvertObject(dataset, "{\"k\":1,\"s\":\"1" + longest + "\"}"),
            "s: is longer than an indexed value may be (1500 bytes)");
  // What counts is the text, not how it is escaped.
  std::string escaped;
  for (std::size_t i = 0; i < kMaxIndexedValueBytes; ++i) escaped += "\\u0041";
  EXPECT_TRUE(ConvertObject(dataset, "{\"k\":\"" + escaped + "\"}").starts_with("AAAA"));
}

TEST(RowConverterTest, RecordsOfObjectsAreBounded) {
  const Dataset dataset = Definition({{"a", FieldType::kString, false}});
  const std::string longest(kMaxRecordBytes - 4, 'x');
  EXPECT_EQ(ConvertObject(dataset, "{\"a\":\"" + longest + "\"}"), "//0 [\"" + longest + "\"]");
  EXPECT_EQ(ConvertObject(dataset, "{\"a\":\"x" + longest + "\"}"),
            "the record is longer than 65536 bytes");
}

TEST(RowConverterTest, AsManyFieldsAsADatasetMayHaveAreFoundInAnyOrder) {
  Dataset dataset;
  std::string object = "{";
  std::string values;
  for (std::size_t i = 0; i < kMaxFields; ++i) {
    dataset.fields.push_back({"field" + std::to_string(i), FieldType::kInteger, false});
    const std::size_t other = (i * 37) % kMaxFields;
    object +=
        (i == 0 ? "\"FIELD" : ",\"FIELD") + std::to_string(other) + "\":" + std::to_string(other);
    values += (i == 0 ? "" : ",") + std::to_string(i);
  }
  EXPECT_EQ(ConvertObject(dataset, object + "}"), "//0 [" + values + "]");
}

// What was inferred of objects takes every one of them.
TEST(RowConverterTest, WhatWasInferredOfObjectsTakesThem) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr const char* kValues[] = {
      "1",  "-2.50",          "1e3", "true",          "null",           "\"\"", "\"x\"",
      "{}", "\"2000-01-01\"", "[1]", "1700000000000", "\"Jan 1 2000\"", "false"};
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> objects;
    for (std::size_t i = 1 + random() % 5; i > 0; --i) {
      std::string object = "{\"date\":" + std::string(kValues[random() % std::size(kValues)]);
      for (const char* name : {"a", "b", "c"}) {
        if (random() % 4 == 0) continue;
        object.append(",\"").append(name).append("\":").append(
            kValues[random() % std::size(kValues)]);
      }
      objects.push_back(object + "}");
    }
    SchemaInference inference;
    for (const std::string& object : objects) {
      ASSERT_TRUE(inference.Observe(Object(object).members()).ok());
    }
    const RowConverter converter = RowConverter::ForObjects(Definition(inference.Fields()));
    for (const std::string& object : objects) {
      Record record;
      const Status status = converter.Convert(Object(object).members(), record);
      EXPECT_TRUE(status.ok()) << object << status.error().public_text;
    }
  }
}

}  // namespace
}  // namespace latchkey::core
