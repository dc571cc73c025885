#include "core/record_text.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "test/support/record_texts.h"

namespace latchkey::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

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

std::string Json(const Dataset& dataset, const std::vector<Record>& records) {
  return TextOfRecords(RecordTextForm::kJson, dataset, records).value();
}

std::string Csv(const Dataset& dataset, const std::vector<Record>& records) {
  return TextOfRecords(RecordTextForm::kCsv, dataset, records).value();
}

TEST(RecordTextTest, ValuesAreSplitAtTheirOwnCommas) {
  EXPECT_THAT(SplitValues("[]"), Optional(IsEmpty()));
  EXPECT_THAT(SplitValues(R"(["AAPL","2010-03-01",223.02])"),
              Optional(ElementsAre(R"("AAPL")", R"("2010-03-01")", "223.02")));
  EXPECT_THAT(SplitValues(R"(["a,\"],b",null,[1,[2]],{"x":"}"},true])"),
              Optional(ElementsAre(R"("a,\"],b")", "null", "[1,[2]]", R"({"x":"}"})", "true")));
  EXPECT_THAT(SplitValues(R"(["\\"])"), Optional(ElementsAre(R"("\\")")));
}

TEST(RecordTextTest, WhatIsNoArrayOfValuesIsNotSplit) {
  for (const char* bad : {"", "[", "]", "{}", "[1", "1]", "[1,]", "[,1]", "[\"a]", "[\"a\\\"]",
                          "[[1]", "[1]]", "[1][2]", "[\"a\"b]", "[{]"}) {
    EXPECT_FALSE(SplitValues(bad)) << bad;
  }
}

TEST(RecordTextTest, CoreRecordsCarryTheSystemFieldsAndNoNameTwice) {
  const Record record{"MSFT", "", 946'684'800'000, 1'700'000'000'000,
                      R"(["MSFT","2000-01-01",39.81])"};
  EXPECT_EQ(Json(Stocks(), {record}),
            R"([{"symbol":"MSFT","price":39.81,"id":"STOCKS","key":"MSFT","subkey":"",)"
            R"("date":946684800000,"updated":1700000000000}])");
  EXPECT_EQ(Csv(Stocks(), {record}),
            "symbol,price,id,key,subkey,date,updated\r\n"
            "MSFT,39.81,STOCKS,MSFT,\"\",946684800000,1700000000000\r\n");
}

TEST(RecordTextTest, OnlyAFieldOfExactlyTheSameNameGivesWay) {
  Dataset dataset = Stocks();
  dataset.fields = {{"Date", FieldType::kDate, false}, {"Id", FieldType::kString, false}};
  dataset.key_field = "Id";
  dataset.date_field = "";
  EXPECT_EQ(Json(dataset, {{"x", "y", 0, 5, R"(["2000-01-01","x"])"}}),
            R"([{"Date":"2000-01-01","Id":"x","id":"STOCKS","key":"x","subkey":"y",)"
            R"("date":null,"updated":5}])");
}

TEST(RecordTextTest, WorkspaceRecordsAreTheirFieldsAlone) {
  Dataset dataset = Stocks();
  dataset.dataset_class = DatasetClass::kWorkspace;
  EXPECT_EQ(Json(dataset, {{"MSFT", "", 1, 2, R"(["MSFT","2000-01-01",39.81])"},
                           {"IBM", "", 1, 2, R"(["IBM","2000-01-01"])"}}),
            R"([{"symbol":"MSFT","date":"2000-01-01","price":39.81},)"
            R"({"symbol":"IBM","date":"2000-01-01","price":null}])");
  EXPECT_EQ(Csv(dataset, {{"IBM", "", 1, 2, R"(["IBM","2000-01-01"])"}}),
            "symbol,date,price\r\nIBM,2000-01-01,\r\n");
}

TEST(RecordTextTest, NoRecordsAreAnEmptyArrayAndAHeaderLine) {
  EXPECT_EQ(Json(Stocks(), {}), "[]");
  EXPECT_EQ(Csv(Stocks(), {}), "symbol,price,id,key,subkey,date,updated\r\n");
}

TEST(RecordTextTest, CsvQuotesWhatMustBeQuotedAndAltersNothing) {
  Dataset dataset;
  dataset.fields = {{"a,b", FieldType::kString, false}, {"n", FieldType::kAny, false}};
  const std::vector<Record> records = {
      {"", "", 0, 0, R"(["say \"hi\"","x,y"])"}, {"", "", 0, 0, R"(["line\r\nbreak",[1,2]])"},
      {"", "", 0, 0, R"(["=1+2",null])"},        {"", "", 0, 0, R"(["",true])"},
      {"", "", 0, 0, R"(["\u00e4",-1.5e3])"},
  };
  EXPECT_EQ(Csv(dataset, records),
            "\"a,b\",n\r\n"
            "\"say \"\"hi\"\"\",\"x,y\"\r\n"
            "\"line\r\nbreak\",\"[1,2]\"\r\n"
            "=1+2,\r\n"
            "\"\",true\r\n"
            "\xC3\xA4,-1.5e3\r\n");
}

TEST(RecordTextTest, NamesAreEscapedInJson) {
  Dataset dataset;
  dataset.fields = {{"say \"hi\"", FieldType::kString, false}};
  EXPECT_EQ(Json(dataset, {{"", "", 0, 0, "[1]"}}), R"([{"say \"hi\"":1}])");
}

TEST(RecordTextTest, CorruptValuesAreAnErrorAndNeverAnAnswer) {
  for (const char* values : {"", "[", "[1,", "[1,]", "[1,2,3", "[1,2,3]]", "[1,2,3,", "[1,2,3,\"]",
                             "{}", "[\"]", "[1,2,3,4,]", "nonsense"}) {
    const std::vector<Record> records = {{"", "", 0, 0, values}};
    const auto json = TextOfRecords(RecordTextForm::kJson, Stocks(), records);
    const auto csv = TextOfRecords(RecordTextForm::kCsv, Stocks(), records);
    ASSERT_FALSE(json.ok() || csv.ok()) << values;
    EXPECT_EQ(json.error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(csv.error().code, ErrorCode::kCorrupt);
  }
}

// ---- Several datasets, a filter, system properties

// Of a workspace, with nested values and a field that core's system would take.
Dataset Notes() {
  Dataset dataset;
  dataset.workspace = "acme";
  dataset.name = "Notes";
  dataset.fields = {{"symbol", FieldType::kString, false},
                    {"id", FieldType::kInteger, false},
                    {"tags", FieldType::kArray, false}};
  dataset.key_field = "symbol";
  return dataset;
}

const Record kMsft{"MSFT", "", 946'684'800'000, 5, R"(["MSFT","2000-01-01",39.81])"};
const Record kIbm{"IBM", "x\"y", -1, 6, R"(["IBM","1969-12-31",1.5e-3])"};
const Record kNote{"MSFT", "", 0, 7, R"(["MSFT",1,["a,b",{"c":"]"}]])"};

struct Piece {
  std::size_t dataset;
  std::vector<Record> records;
};

std::string Written(RecordTextOptions options, const std::vector<Dataset>& datasets,
                    const std::vector<Piece>& pieces) {
  std::vector<const Dataset*> pointers;
  for (const Dataset& dataset : datasets) pointers.push_back(&dataset);
  RecordWriter writer(std::move(options), pointers);
  std::uint64_t records = 0;
  for (const Piece& piece : pieces) {
    EXPECT_TRUE(writer.Append(piece.dataset, piece.records).ok());
    records += piece.records.size();
  }
  EXPECT_EQ(writer.records(), records);
  const auto text = writer.Finish();
  EXPECT_TRUE(text.ok());
  EXPECT_EQ(writer.bytes(), text->size());
  return *text;
}

RecordTextOptions Options(RecordTextForm form, std::vector<std::string> filter = {},
                          RecordTextOptions::System system = RecordTextOptions::System::kUsual) {
  RecordTextOptions options;
  options.form = form;
  options.filter = std::move(filter);
  options.system = system;
  return options;
}

using enum RecordTextForm;
using System = RecordTextOptions::System;

TEST(RecordTextTest, RecordsOfSeveralDatasetsStandInOneArray) {
  EXPECT_EQ(Written(Options(kJson), {Stocks(), Notes()},
                    {{1, {kNote}}, {0, {}}, {0, {kMsft, kIbm}}, {1, {kNote}}}),
            R"([{"symbol":"MSFT","id":1,"tags":["a,b",{"c":"]"}]},)"
            R"({"symbol":"MSFT","price":39.81,"id":"STOCKS","key":"MSFT","subkey":"",)"
            R"("date":946684800000,"updated":5},)"
            R"({"symbol":"IBM","price":1.5e-3,"id":"STOCKS","key":"IBM","subkey":"x\"y",)"
            R"("date":-1,"updated":6},)"
            R"({"symbol":"MSFT","id":1,"tags":["a,b",{"c":"]"}]}])");
  EXPECT_EQ(Written(Options(kJson), {Stocks(), Notes()}, {}), "[]");
}

TEST(RecordTextTest, OneCsvHasTheColumnsOfAllDatasetsInTheOrderOfTheirAppearance) {
  Dataset other = Stocks();
  other.name = "OTHER";
  other.fields = {{"volume", FieldType::kNumber, false}, {"symbol", FieldType::kString, false}};
  other.key_field = "symbol";
  other.date_field = "";
  EXPECT_EQ(Written(Options(kCsv), {Stocks(), other},
                    {{0, {kMsft}}, {1, {{"A", "s", 0, 9, R"([100,"A"])"}}}, {0, {kIbm}}}),
            "symbol,price,id,key,subkey,date,updated,volume\r\n"
            "MSFT,39.81,STOCKS,MSFT,\"\",946684800000,5,\r\n"
            "A,,OTHER,A,s,,9,100\r\n"
            "IBM,1.5e-3,STOCKS,IBM,\"x\"\"y\",-1,6,\r\n");
  EXPECT_EQ(Written(Options(kCsv), {Stocks(), other}, {}),
            "symbol,price,id,key,subkey,date,updated,volume\r\n");
  EXPECT_EQ(Written(Options(kCsv, {"volume", "price"}), {Stocks(), other},
                    {{0, {kMsft}}, {1, {{"A", "s", 0, 9, R"([100,"A"])"}}}}),
            "volume,price\r\n,39.81\r\n100,\r\n");
}

TEST(RecordTextTest, AFilterLeavesWhatItNamesInItsOrder) {
  const std::vector<Piece> msft = {{0, {kMsft}}};
  EXPECT_EQ(Written(Options(kJson, {"price"}), {Stocks()}, msft), R"([{"price":39.81}])");
  EXPECT_EQ(Written(Options(kJson, {"price", "symbol"}), {Stocks()}, msft),
            R"([{"price":39.81,"symbol":"MSFT"}])");
  EXPECT_EQ(Written(Options(kJson, {"symbol", "price"}), {Stocks()}, msft),
            R"([{"symbol":"MSFT","price":39.81}])");
  EXPECT_EQ(Written(Options(kJson, {"updated", "price", "date", "id", "symbol"}), {Stocks()}, msft),
            R"([{"updated":5,"price":39.81,"date":946684800000,"id":"STOCKS","symbol":"MSFT"}])");
  EXPECT_EQ(Written(Options(kCsv, {"date", "price", "key"}), {Stocks()}, msft),
            "date,price,key\r\n946684800000,39.81,MSFT\r\n");
  EXPECT_EQ(Written(Options(kJson, {"price"}), {Stocks()}, {{0, {{"A", "", 0, 0, "[1]"}}}}),
            R"([{"price":null}])");
  EXPECT_EQ(
      Written(Options(kJson, {"price", "symbol"}), {Stocks()}, {{0, {{"A", "", 0, 0, "[1]"}}}}),
      R"([{"price":null,"symbol":1}])");
  // Of two datasets each gives what it has.
  EXPECT_EQ(
      Written(Options(kJson, {"tags", "price"}), {Stocks(), Notes()}, {{0, {kMsft}}, {1, {kNote}}}),
      R"([{"price":39.81},{"tags":["a,b",{"c":"]"}]}])");
  EXPECT_EQ(Written(Options(kJson, {"price"}), {Stocks(), Notes()}, {{1, {kNote}}}), "[{}]");
}

TEST(RecordTextTest, SystemPropertiesComeAsAsked) {
  EXPECT_EQ(Written(Options(kJson, {}, System::kAlways), {Notes()}, {{0, {kNote}}}),
            R"([{"symbol":"MSFT","id":1,"tags":["a,b",{"c":"]"}],"_systemRecordProperties":)"
            R"({"id":"Notes","key":"MSFT","subkey":"","date":null,"updated":7}}])");
  EXPECT_EQ(Written(Options(kJson, {"id"}, System::kAlways), {Notes()}, {{0, {kNote}}}),
            R"([{"id":1,"_systemRecordProperties":)"
            R"({"id":"Notes","key":"MSFT","subkey":"","date":null,"updated":7}}])");
  EXPECT_EQ(Written(Options(kCsv, {"id"}, System::kAlways), {Notes()}, {{0, {kNote}}}),
            "id,_systemRecordProperties.id,_systemRecordProperties.key,"
            "_systemRecordProperties.subkey,_systemRecordProperties.date,"
            "_systemRecordProperties.updated\r\n1,Notes,MSFT,\"\",,7\r\n");
  Dataset empty_but_for_it = Notes();
  EXPECT_EQ(Written(Options(kJson, {"price"}, System::kAlways), {Stocks(), empty_but_for_it},
                    {{1, {kNote}}}),
            R"([{"_systemRecordProperties":)"
            R"({"id":"Notes","key":"MSFT","subkey":"","date":null,"updated":7}}])");
  EXPECT_EQ(Written(Options(kJson, {"date", "price"}, System::kAlways), {Stocks()}, {{0, {kMsft}}}),
            R"([{"date":946684800000,"price":39.81,"id":"STOCKS","key":"MSFT","subkey":"",)"
            R"("updated":5}])");
  EXPECT_EQ(Written(Options(kJson, {}, System::kNever), {Stocks()}, {{0, {kMsft}}}),
            R"([{"symbol":"MSFT","date":"2000-01-01","price":39.81}])");
  EXPECT_EQ(Written(Options(kJson, {"date"}, System::kNever), {Stocks()}, {{0, {kMsft}}}),
            R"([{"date":"2000-01-01"}])");
}

TEST(RecordTextTest, RequestsBecomeOptions) {
  RecordsRequest request;
  EXPECT_EQ(TextOptions(request, RecordFormat::kJson).form, kJson);
  EXPECT_EQ(TextOptions(request, RecordFormat::kJson).system, System::kUsual);
  EXPECT_FALSE(TextOptions(request, RecordFormat::kJson).reverse);
  request.include_system = true;
  request.reverse_output = true;
  request.filter = {"b", "a"};
  const RecordTextOptions options = TextOptions(request, RecordFormat::kCsv);
  EXPECT_EQ(options.form, kCsv);
  EXPECT_EQ(options.system, System::kAlways);
  EXPECT_TRUE(options.reverse);
  EXPECT_THAT(options.filter, ElementsAre("b", "a"));
}

TEST(RecordTextTest, ReverseTurnsEachPieceAndNotTheirOrder) {
  RecordTextOptions options = Options(kJson, {"key"});
  options.reverse = true;
  EXPECT_EQ(Written(options, {Stocks()}, {{0, {kMsft, kIbm}}, {0, {kIbm, kMsft}}}),
            R"([{"key":"IBM"},{"key":"MSFT"},{"key":"MSFT"},{"key":"IBM"}])");
}

TEST(RecordTextTest, JsonLinesAreOneObjectALine) {
  EXPECT_EQ(Written(Options(kJsonLines, {}, System::kNever), {Notes()}, {{0, {kNote, kNote}}}),
            "{\"symbol\":\"MSFT\",\"id\":1,\"tags\":[\"a,b\",{\"c\":\"]\"}]}\n"
            "{\"symbol\":\"MSFT\",\"id\":1,\"tags\":[\"a,b\",{\"c\":\"]\"}]}\n");
  EXPECT_EQ(Written(Options(kJsonLines), {Notes()}, {}), "");
}

TEST(RecordTextTest, WhatIsTakenOnTheWayAndTheRestAreTheWhole) {
  const Dataset stocks = Stocks();
  const Dataset* const datasets[] = {&stocks};
  for (const RecordTextForm form : {kJson, kJsonLines, kCsv}) {
    const std::string whole =
        Written(Options(form), {stocks}, {{0, {kMsft}}, {0, {kIbm}}, {0, {kMsft}}});
    RecordWriter writer(Options(form), datasets);
    std::string text = writer.TakeText();
    for (const Record* record : {&kMsft, &kIbm, &kMsft}) {
      ASSERT_TRUE(writer.Append(0, std::span(record, 1)).ok());
      text += writer.TakeText();
      EXPECT_EQ(writer.TakeText(), "");
    }
    text += *writer.Finish();
    EXPECT_EQ(text, whole);
    EXPECT_EQ(writer.bytes(), whole.size());
  }
}

TEST(RecordTextTest, ATextThatOutgrowsItsBoundIsALimitAndNoAnswer) {
  const Dataset stocks = Stocks();
  const Dataset* const datasets[] = {&stocks};
  for (const RecordTextForm form : {kJson, kJsonLines, kCsv}) {
    const std::vector<Record> records(20, kMsft);
    const std::size_t size = Written(Options(form), {stocks}, {{0, records}}).size();
    const std::size_t size_of_one = Written(Options(form), {stocks}, {{0, {kMsft}}}).size();
    for (std::size_t bound = 0; bound <= size + 1; ++bound) {
      RecordTextOptions options = Options(form);
      options.max_bytes = bound;
      RecordWriter writer(options, datasets);
      Status status = writer.Append(0, records);
      if (status.ok()) {
        const auto text = writer.Finish();
        if (!text.ok()) status = text.error();
      }
      EXPECT_EQ(status.ok(), bound >= size) << bound;
      if (!status.ok()) {
        EXPECT_EQ(status.error().code, ErrorCode::kLimit);
      }
      // However many records there are, what is made beyond the bound is one of them.
      EXPECT_LE(writer.bytes(), bound + size_of_one);
    }
  }
}

TEST(RecordTextTest, KeysAreEscapedAndOfAnyLength) {
  Dataset dataset = Stocks();
  dataset.fields = {{"n", FieldType::kNumber, false}};
  dataset.key_field = "";
  std::string long_key;
  for (int i = 0; i < 1500; ++i) long_key += static_cast<char>(i % 0x80);
  for (const std::string& key :
       {long_key, std::string(1500, '\x01'), std::string(1500, '\xFF'), std::string("\xC3\xA4"),
        std::string("\x7F"), std::string("a/b")}) {
    std::string quoted;
    AppendJsonString(quoted, key);
    EXPECT_EQ(Json(dataset, {{key, key, -9'223'372'036'854'775'807LL - 1, 0, "[1]"}}),
              R"([{"n":1,"id":"STOCKS","key":)" + quoted + R"(,"subkey":)" + quoted +
                  R"(,"date":-9223372036854775808,"updated":0}])");
  }
}

// Values and names of every length up to beyond what is copied in one go.
TEST(RecordTextTest, EveryLengthOfNamesAndValuesComesWhole) {
  for (std::size_t length = 1; length <= 70; ++length) {
    Dataset dataset;
    dataset.fields = {{std::string(length, 'n'), FieldType::kString, false},
                      {"m" + std::string(length, 'n'), FieldType::kString, false}};
    std::string text;
    for (std::size_t i = 0; i < length; ++i) text += static_cast<char>('a' + i % 26);
    const std::string number(length, '7');
    EXPECT_EQ(Json(dataset, {{"", "", 0, 0, "[\"" + text + "\"," + number + "]"}}),
              "[{\"" + dataset.fields[0].name + "\":\"" + text + "\",\"" + dataset.fields[1].name +
                  "\":" + number + "}]");
  }
}

TEST(RecordTextTest, OneValueIsFoundByItsPlace) {
  const std::string_view values = R"(["a,b",[1,2],null])";
  EXPECT_THAT(ValueAt(values, 0), Optional(std::string_view(R"("a,b")")));
  EXPECT_THAT(ValueAt(values, 1), Optional(std::string_view("[1,2]")));
  EXPECT_THAT(ValueAt(values, 2), Optional(std::string_view("null")));
  EXPECT_FALSE(ValueAt(values, 3));
  EXPECT_FALSE(ValueAt("[]", 0));
  EXPECT_FALSE(ValueAt("", 0));
  EXPECT_FALSE(ValueAt("[1,", 1));
}

}  // namespace
}  // namespace latchkey::core
