#include "core/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

std::vector<std::string> Fields(const TokenProfile& profile) {
  std::vector<std::string> fields;
  for (const FieldError& error : CheckProfile(profile)) fields.push_back(error.field);
  return fields;
}

TEST(TokenTest, TakesAProfileAtItsBounds) {
  TokenProfile profile;
  profile.nickname = std::string(kMaxNicknameBytes, 'n');
  profile.end_user = std::string(kMaxEndUserBytes, 'e');
  for (std::size_t i = 0; i < kMaxLabels; ++i) {
    profile.labels.push_back({std::string(kMaxLabelBytes - 1, 'l') + static_cast<char>('a' + i),
                              std::string(kMaxLabelBytes, 'v')});
  }
  EXPECT_THAT(Fields(profile), testing::IsEmpty());
  EXPECT_THAT(Fields({}), testing::IsEmpty());
}

TEST(TokenTest, NamesEachFieldThatIsOutOfBounds) {
  TokenProfile profile;
  profile.nickname = std::string(kMaxNicknameBytes + 1, 'n');
  profile.end_user = "a\nb";
  profile.labels = {{"", "v"}, {"app", std::string(kMaxLabelBytes + 1, 'v')}, {"app", "\xFF"}};
  EXPECT_THAT(Fields(profile),
              testing::ElementsAre("nickname", "end_user", "labels[0].name", "labels[1].value",
                                   "labels[2].value", "labels[2].name"));
}

TEST(TokenTest, RefusesMoreLabelsThanEight) {
  TokenProfile profile;
  for (std::size_t i = 0; i <= kMaxLabels; ++i) profile.labels.push_back({std::to_string(i), ""});
  EXPECT_THAT(Fields(profile), testing::ElementsAre("labels"));
}

}  // namespace
}  // namespace latchkey::core
