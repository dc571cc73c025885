#include "core/record_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  std::string out;
  EXPECT_TRUE(AppendRecordsJson(out, dataset, records).ok());
  return out;
}

std::string Csv(const Dataset& dataset, const std::vector<Record>& records) {
  std::string out;
  EXPECT_TRUE(AppendRecordsCsv(out, dataset, records).ok());
  return out;
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
  std::string out;
  const std::vector<Record> records = {{"", "", 0, 0, "[1,"}};
  EXPECT_EQ(AppendRecordsJson(out, Stocks(), records).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(AppendRecordsCsv(out, Stocks(), records).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace latchkey::core
