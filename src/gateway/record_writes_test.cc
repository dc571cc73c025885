#include "gateway/record_writes.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace latchkey::gateway {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kDay = 1'264'982'400'000;  // 2010-02-01
constexpr std::int64_t kDayEnd = kDay + 86'399'999;

core::Dataset Indexed(bool subkey, bool date = true) {
  core::Dataset dataset;
  dataset.key_field = "symbol";
  if (subkey) dataset.subkey_field = "kind";
  if (date) dataset.date_field = "date";
  return dataset;
}

Destination Path(std::string_view key, std::string_view subkey = {}, std::string_view date = {}) {
  Destination to;
  to.key = key;
  to.subkey = subkey;
  to.date = date;
  return to;
}

TEST(DeleteRangeTest, TakesKeySubkeyAndDateAsTheDatasetHasThem) {
  const Result<store::DeleteRange> key = ReadDeleteRange(Path("AAPL"), "", Indexed(true));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->key, "aapl");
  EXPECT_FALSE(key->subkey || key->from_millis || key->to_millis);

  const Result<store::DeleteRange> subkey = ReadDeleteRange(Path("a", "B"), "", Indexed(true));
  ASSERT_TRUE(subkey.ok());
  EXPECT_EQ(subkey->subkey, "b");
  EXPECT_FALSE(subkey->from_millis || subkey->to_millis);

  for (const auto& [to, dataset] : {std::pair(Path("a", "B", "2010-02-01"), Indexed(true)),
                                    std::pair(Path("a", "B", "2010-02-01"), Indexed(false))}) {
    const Result<store::DeleteRange> all = ReadDeleteRange(to, "", dataset);
    ASSERT_TRUE(all.ok());
    EXPECT_EQ(all->subkey, "b");
    EXPECT_EQ(all->from_millis, kDay);
    EXPECT_EQ(all->to_millis, kDayEnd);
  }

  const Result<store::DeleteRange> date =
      ReadDeleteRange(Path("a", "2010-02-01"), "", Indexed(false));
  ASSERT_TRUE(date.ok());
  EXPECT_FALSE(date->subkey);
  EXPECT_EQ(date->from_millis, kDay);
  EXPECT_EQ(date->to_millis, kDayEnd);

  // A comma is part of a key: a deletion takes one.
  EXPECT_EQ(ReadDeleteRange(Path("a,b"), "", Indexed(true))->key, "a,b");
}

TEST(DeleteRangeTest, AnInstantIsThatInstant) {
  for (const std::string_view date : {"1264982400000", "2010-02-01T00:00:00Z"}) {
    const Result<store::DeleteRange> range = ReadDeleteRange(Path("a", date), "", Indexed(false));
    ASSERT_TRUE(range.ok()) << date;
    EXPECT_EQ(range->from_millis, kDay);
    EXPECT_EQ(range->to_millis, kDay);
  }
}

TEST(DeleteRangeTest, FromAndToAreDaysEitherOpen) {
  const Result<store::DeleteRange> both =
      ReadDeleteRange(Path("a"), "from=2010-02-01&to=2010-02-01", Indexed(true));
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(both->from_millis, kDay);
  EXPECT_EQ(both->to_millis, kDayEnd);
  EXPECT_FALSE(ReadDeleteRange(Path("a"), "from=2010-02-01", Indexed(true))->to_millis);
  EXPECT_FALSE(ReadDeleteRange(Path("a"), "to=2010-02-01", Indexed(true))->from_millis);
}

TEST(DeleteRangeTest, NamesWhatIsWrong) {
  const struct {
    Destination to;
    std::string_view parameters;
    core::Dataset dataset;
    std::string_view text;
  } kCases[] = {
      {Path("a", "b"), "", Indexed(false), "This dataset has no subkey"},
      {Path("a", "b", "yesterday"), "", Indexed(true), "The date in the path"},
      {Path("a", "b", "20100201"), "", Indexed(true), "The date in the path"},
      {Path("a", "b", "2010-02-30"), "", Indexed(true), "The date in the path"},
      {Path("a", "b", "Feb 1 2010"), "", Indexed(true), "The date in the path"},
      {Path("a"), "from=x", Indexed(true), "The parameter from must be a day"},
      {Path("a"), "to=1264982400000", Indexed(true), "The parameter to must be a day"},
      {Path("a"), "from=2010-02-02&to=2010-02-01", Indexed(true), "The parameter to must not be"},
      {Path("a"), "last=1", Indexed(true), "The parameter last is not known"},
      {Path("a"), "from=2010-02-01&from=2010-02-01", Indexed(true), "stands twice"},
      {Path("a", "2010-02-01"), "to=2010-02-01", Indexed(false), "The parameter to can't stand"},
      {Path("a"), "from=2010-02-01", Indexed(true, false), "This dataset has no date"},
      {Path("a", "2010-02-01"), "", Indexed(false, false), "This dataset has no date"},
  };
  for (const auto& c : kCases) {
    const Result<store::DeleteRange> range = ReadDeleteRange(c.to, c.parameters, c.dataset);
    ASSERT_FALSE(range.ok()) << c.text;
    EXPECT_EQ(range.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(range.error().public_text, HasSubstr(c.text));
  }
}

TEST(CreatesOnDemandTest, UnlessItIsSwitchedOff) {
  EXPECT_TRUE(CreatesOnDemand(""));
  EXPECT_TRUE(CreatesOnDemand("wait=true&createDatasetOnDemand=true"));
  EXPECT_TRUE(CreatesOnDemand("createDatasetOnDemand=maybe"));  // refused later, for its value
  EXPECT_FALSE(CreatesOnDemand("createDatasetOnDemand=false"));
}

}  // namespace
}  // namespace latchkey::gateway
