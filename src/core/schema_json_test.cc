#include "core/schema_json.h"

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

TEST(SchemaJsonTest, SaysAllThatADefinitionHolds) {
  Dataset dataset;
  dataset.name = "PRICES";
  dataset.title = "Prices \"daily\"";
  dataset.source = "the exchange";
  dataset.fields = {{"symbol", FieldType::kString, true},  {"kind", FieldType::kAny, false},
                    {"day", FieldType::kDate, true},       {"n", FieldType::kNumber, false},
                    {"i", FieldType::kInteger, false},     {"o", FieldType::kObject, false},
                    {"a \"b\"", FieldType::kArray, false}, {"t", FieldType::kBoolean, false}};
  dataset.key_field = "symbol";
  dataset.subkey_field = "kind";
  dataset.date_field = "day";
  EXPECT_EQ(SchemaJson(dataset),
            R"({"datasetId":"PRICES","title":"Prices \"daily\"","source":"the exchange",)"
            R"("schema":{"type":"object","properties":{"symbol":{"type":"string"},)"
            R"("kind":{"type":"any"},"day":{"type":"date"},"n":{"type":"number"},)"
            R"("i":{"type":"integer"},"o":{"type":"object"},"a \"b\"":{"type":"array"},)"
            R"("t":{"type":"boolean"}},"required":["symbol","day"]},)"
            R"("columnMapping":{"key":"symbol","subkey":"kind","date":"day"}})");
}

TEST(SchemaJsonTest, WhatADatasetHasNotIsLeftOutOfTheMapping) {
  Dataset dataset;
  dataset.name = "LOG";
  dataset.fields = {{"at", FieldType::kDate, false}};
  dataset.date_field = "at";
  const std::string one =
      R"({"datasetId":"LOG","title":"","source":"","schema":{"type":"object",)"
      R"("properties":{"at":{"type":"date"}},"required":[]},"columnMapping":{"date":"at"}})";
  EXPECT_EQ(SchemaJson(dataset), one);
  EXPECT_EQ(SchemaListJson({}), "[]");
  const Dataset* const two[] = {&dataset, &dataset};
  EXPECT_EQ(SchemaListJson(two), "[" + one + "," + one + "]");
}

}  // namespace
}  // namespace latchkey::core
