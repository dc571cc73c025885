#include "gateway/parameters.h"

#include <gtest/gtest.h>

namespace latchkey::gateway {
namespace {

TEST(ParametersTest, GiveWhatWasSentAndElseTheDefault) {
  Parameters parameters("overwrite=TRUE&max=7&how=Ignore&text=a%2Cb");
  EXPECT_TRUE(parameters.Flag("overwrite", false));
  EXPECT_TRUE(parameters.Flag("absent", true));
  EXPECT_EQ(parameters.Number("max", 0, 0, 10), 7u);
  EXPECT_EQ(parameters.Number("other", 3, 0, 10), 3u);
  EXPECT_EQ(parameters.Choice("how", {"replace", "ignore"}, 0), 1u);
  EXPECT_EQ(parameters.Choice("or", {"replace", "ignore"}, 0), 0u);
  EXPECT_EQ(parameters.Text("text"), "a,b");
  EXPECT_FALSE(parameters.Text("none").has_value());
  EXPECT_TRUE(parameters.Check().ok());
}

TEST(ParametersTest, RefuseByNameAndSayWhatWouldBeRight) {
  const struct {
    std::string_view raw;
    std::string_view text;
  } kCases[] = {
      {"flag=yes", "The parameter flag must be true or false"},
      {"flag=undefined", "The parameter flag must be true or false"},
      {"number=-1", "The parameter number must be a whole number from 1 to 10"},
      {"number=11", "The parameter number must be a whole number from 1 to 10"},
      {"how=maybe", "The parameter how must be replace or ignore"},
      {"flag=true&flag=true", "The parameter flag stands twice; send it once"},
      {"flag=true&colour=red", "The parameter colour is not known here"},
  };
  for (const auto& c : kCases) {
    Parameters parameters(c.raw);
    parameters.Flag("flag", false);
    parameters.Number("number", 1, 1, 10);
    parameters.Choice("how", {"replace", "ignore"}, 0);
    const Status status = parameters.Check();
    ASSERT_FALSE(status.ok()) << c.raw;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(status.error().public_text, c.text);
  }
  EXPECT_FALSE(Parameters("a=%FF").Check().ok());
}

}  // namespace
}  // namespace latchkey::gateway
