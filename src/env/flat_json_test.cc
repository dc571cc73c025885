#include "env/flat_json.h"

#include <gtest/gtest.h>

namespace latchkey {
namespace {

TEST(FlatJsonTest, ReadsBackWhatItWrites) {
  FlatJsonWriter writer;
  writer.Add("text", "a \"b\"\n\\\x01 \xC3\xA4");
  writer.Add("number", std::int64_t{-12});
  const std::optional<FlatJson> read = ParseFlatJson(writer.Finish());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->at("text"), "a \"b\"\n\\\x01 \xC3\xA4");
  EXPECT_EQ(read->at("number"), "-12");
}

TEST(FlatJsonTest, RefusesWhatIsNoFlatObject) {
  EXPECT_TRUE(ParseFlatJson(" { } "));
  for (const char* text :
       {"", "{", "[]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":{}}", "{\"a\":1} x",
        "{\"a\":1,\"a\":2}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u00\"}", "{\"a\":\"\n\"}", "{\"a\":-}",
        "{\"a\":\"b}", "{\"a\":\"\xFF\"}"}) {
    EXPECT_FALSE(ParseFlatJson(text)) << text;
  }
}

}  // namespace
}  // namespace latchkey
