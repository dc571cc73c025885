#include "gateway/definition_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace latchkey::gateway {
namespace {

using testing::HasSubstr;

TEST(MergeFieldsTest, KeepsWhatIsNotSent) {
  const std::vector<core::Field> standing = {{"Symbol", core::FieldType::kString, true},
                                             {"n", core::FieldType::kInteger, true}};
  const auto merged = [&](std::string_view body) {
    std::string text;
    for (const core::Field& field : MergeFields(standing, *ParseDefinition(body))) {
      text.append(field.name).append(":").append(ToString(field.type));
      text += field.required ? "! " : " ";
    }
    return text;
  };
  EXPECT_EQ(merged(R"({"title":"t"})"), "Symbol:string! n:integer! ");
  EXPECT_EQ(merged(R"({"schema":{"properties":{"new":{"type":"date"}}}})"),
            "Symbol:string! n:integer! new:date ");
  EXPECT_EQ(merged(R"({"schema":{"properties":{"N":{"type":"number"}}}})"),
            "Symbol:string! n:number! ");
  EXPECT_EQ(merged(R"({"schema":{"properties":{"n":{"type":"integer"}},"required":[]}})"),
            "Symbol:string! n:integer ");
}

TEST(ParseDefinitionTest, ReadsWhatWireSays) {
  const std::string_view inner = R"({"datasetId":"FUNDS","title":"Funds","source":"us",
      "schema":{"type":"object","properties":{"z":{"type":"string"},"day":{"type":"date"},
      "a":{"type":"number","description":"x"}},"required":["z"]},
      "columnMapping":{"key":"z","subkey":null,"date":"day"}})";
  for (const std::string& body :
       {std::string(inner), std::string(R"({"dataset":)").append(inner).append("}")}) {
    const Result<DefinitionBody> read = ParseDefinition(body);
    ASSERT_TRUE(read.ok()) << read.error().public_text;
    EXPECT_EQ(read->dataset_id, "FUNDS");
    EXPECT_EQ(read->title, "Funds");
    EXPECT_EQ(read->source, "us");
    EXPECT_EQ(read->key, "z");
    EXPECT_EQ(read->subkey, "");
    EXPECT_EQ(read->date, "day");
    ASSERT_TRUE(read->fields);
    ASSERT_EQ(read->fields->size(), 3u);  // in the order of the text
    EXPECT_EQ((*read->fields)[0].name, "z");
    EXPECT_TRUE((*read->fields)[0].required);
    EXPECT_EQ((*read->fields)[1].type, core::FieldType::kDate);
    EXPECT_EQ((*read->fields)[2].name, "a");
    EXPECT_FALSE((*read->fields)[2].required);
  }
}

TEST(ParseDefinitionTest, LeavesOutWhatIsLeftOut) {
  const Result<DefinitionBody> read =
      ParseDefinition(R"({"dataset":{"title":"New","source":null,"schema":null}})");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->title, "New");
  EXPECT_FALSE(read->dataset_id);
  EXPECT_FALSE(read->source);
  EXPECT_FALSE(read->fields);
  EXPECT_FALSE(read->key);
}

TEST(ParseDefinitionTest, NamesWhatIsWrong) {
  const struct {
    std::string_view body;
    std::string_view text;
  } kCases[] = {
      {"", "must be a JSON object"},
      {"[object Object]", "must be a JSON object"},
      {"[]", "must be a JSON object"},
      {R"({"dataset":[]})", "dataset must be an object"},
      {R"({"dataset":{},"more":1})", "more is not known here"},
      {R"({"dataset":{"weight":2}})", "weight is not known here"},
      {R"({"dataset":{"datasetId":5}})", "datasetId must be a text"},
      {R"({"dataset":{"schema":5}})", "schema must be an object"},
      {R"({"dataset":{"schema":{"type":"array"}}})", "schema.type must be \"object\""},
      {R"({"dataset":{"schema":{"type":"object"}}})", "schema.properties is missing"},
      {R"({"dataset":{"schema":{"properties":[]}}})", "schema.properties must be an object"},
      {R"({"dataset":{"schema":{"properties":{"a":{"type":"float"}}}}})",
       "schema.properties.a must be an object with a type: date, number"},
      {R"({"dataset":{"schema":{"properties":{"a":"string"}}}})", "schema.properties.a must be"},
      {R"({"dataset":{"schema":{"properties":{"a":{"type":"any"}},"required":["b"]}}})",
       "schema.required names b, which is no property"},
      {R"({"dataset":{"schema":{"properties":{"a":{"type":"any"}},"required":"a"}}})",
       "schema.required must be an array"},
      {R"({"dataset":{"schema":{"properties":{},"patternProperties":{}}}})",
       "schema.patternProperties is not known"},
      {R"({"dataset":{"columnMapping":{"keys":"a"}}})", "columnMapping.keys is not known"},
      {R"({"dataset":{"columnMapping":{"key":["a"]}}})", "columnMapping.key must be a text"},
  };
  for (const auto& c : kCases) {
    const Result<DefinitionBody> read = ParseDefinition(c.body);
    ASSERT_FALSE(read.ok()) << c.body;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(read.error().public_text, HasSubstr(c.text)) << c.body;
  }
  EXPECT_FALSE(ParseDefinition(std::string(100, '[')).ok());
}

}  // namespace
}  // namespace latchkey::gateway
