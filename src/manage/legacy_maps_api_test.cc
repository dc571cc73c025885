#include "manage/legacy_maps_api.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "test/support/planes.h"

namespace latchkey::manage {
namespace {

namespace json = boost::json;
using test::Object;
using Headers = test::Planes::Headers;

class LegacyMapsApiTest : public testing::Test {
 protected:
  LegacyMapsApiTest() {
    const auto imported =
        planes_.Operator("POST", "/operator/v1/datasets/core/STOCKS:import?key=symbol&date=day",
                         "symbol,day,price\nAAPL,2024-01-31,1.5\n", {{"Content-Type", "text/csv"}});
    EXPECT_EQ(imported.status, 201) << imported.body;
  }
  http::ClientResponse Send(std::string method, std::string target, std::string body = {},
                            Headers headers = {}) const {
    return planes_.Operator(std::move(method), "/operator/v1/legacy-maps" + std::move(target),
                            std::move(body), std::move(headers));
  }

  test::Planes planes_;
};

TEST_F(LegacyMapsApiTest, MapsShowsListsAndUnmaps) {
  EXPECT_EQ(Send("GET", "").body, R"({"items":[],"next_page_token":null})");
  EXPECT_EQ(Send("GET", "/quote").status, 404);
  const auto put =
      Send("PUT", "/quote", R"({"dataset":"CORE/stocks","renames":{"latestPrice":"price"}})");
  ASSERT_EQ(put.status, 201) << put.body;
  EXPECT_EQ(put.Header("ETag"), "\"1\"");
  EXPECT_EQ(Object(put).at("dataset"), "core/STOCKS");
  EXPECT_EQ(json::serialize(Object(put).at("renames")), R"({"latestPrice":"price"})");
  EXPECT_EQ(Send("GET", "/quote").body, put.body);
  ASSERT_EQ(Send("PUT", "/chart", R"({"dataset":"core/STOCKS"})").status, 201);

  const json::object first = Object(Send("GET", "?page_size=1"));
  ASSERT_EQ(first.at("items").as_array().size(), 1u);
  EXPECT_EQ(first.at("items").at(0).at("kind"), "quote");
  const std::string token(first.at("next_page_token").as_string());
  const json::object second = Object(Send("GET", "?page_size=1&page_token=" + token));
  ASSERT_EQ(second.at("items").as_array().size(), 1u);
  EXPECT_EQ(second.at("items").at(0).at("kind"), "chart");
  EXPECT_TRUE(second.at("next_page_token").is_null());

  EXPECT_EQ(Send("DELETE", "/quote", {}, {{"If-Match", "\"9\""}}).status, 412);
  EXPECT_EQ(Send("DELETE", "/quote", {}, {{"If-Match", "\"1\""}}).status, 204);
  EXPECT_EQ(Send("DELETE", "/quote").status, 404);
  EXPECT_EQ(Object(Send("GET", "")).at("items").as_array().size(), 1u);
}

TEST_F(LegacyMapsApiTest, PutsByVersionWhereOneIsNamed) {
  EXPECT_EQ(Send("PUT", "/quote", R"({"dataset":"core/STOCKS"})", {{"If-Match", "*"}}).status, 412);
  ASSERT_EQ(Send("PUT", "/quote", R"({"dataset":"core/STOCKS"})").status, 201);
  EXPECT_EQ(Send("PUT", "/quote", R"({"dataset":"core/STOCKS"})", {{"If-Match", "\"2\""}}).status,
            412);
  const auto again =
      Send("PUT", "/quote", R"({"dataset":"core/STOCKS","renames":null})", {{"If-Match", "\"1\""}});
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.Header("ETag"), "\"2\"");
}

TEST_F(LegacyMapsApiTest, NamesTheFieldThatIsWrong) {
  const struct {
    const char* body;
    const char* field;
  } cases[] = {
      {"{}", "dataset"},
      {R"({"dataset":"core/NONE"})", "dataset"},
      {R"({"dataset":7})", "dataset"},
      {R"({"dataset":"core/STOCKS","renames":{"a":"Price"}})", "renames.a"},
      {R"({"dataset":"core/STOCKS","renames":{"a":1}})", "renames.a"},
      {R"({"dataset":"core/STOCKS","renames":["a"]})", "renames"},
      {R"({"dataset":"core/STOCKS","kind":"quote"})", "kind"},
      {R"({"dataset":"core/STOCKS","other":1})", "other"},
  };
  for (const auto& c : cases) {
    const auto answer = Send("PUT", "/quote", c.body);
    ASSERT_EQ(answer.status, 400) << c.body << answer.body;
    EXPECT_EQ(Object(answer).at("errors").at(0).at("field"), c.field) << answer.body;
  }
  EXPECT_EQ(Send("PUT", "/company", R"({"dataset":"core/STOCKS"})").status, 404);
  EXPECT_EQ(Send("POST", "/quote", "{}").status, 405);
}

TEST_F(LegacyMapsApiTest, AMapOutlivesItsDatasetAndSaysSo) {
  ASSERT_EQ(Send("PUT", "/quote", R"({"dataset":"core/STOCKS"})").status, 201);
  ASSERT_EQ(planes_.Operator("DELETE", "/operator/v1/datasets/core/STOCKS").status, 204);
  EXPECT_TRUE(Object(Send("GET", "/quote")).at("dataset").is_null());
}

}  // namespace
}  // namespace latchkey::manage
