#include "core/record_query.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

constexpr std::uint64_t kMax = 10'000;
constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kJan1 = 946'684'800'000;  // 2000-01-01

using Parameters = std::vector<QueryParameter>;

Result<ParsedRecordQuery> Parse(const Parameters& parameters) {
  return ParseRecordQuery(std::nullopt, std::nullopt, parameters, kMax);
}

TEST(RecordQueryTest, AsksForTheNewestRecordWhenNothingSaysMore) {
  const auto parsed = ParseRecordQuery("AAPL", "Q1", Parameters{}, kMax);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->query.key, "aapl");
  EXPECT_EQ(parsed->query.subkey, "q1");
  EXPECT_EQ(parsed->query.limit, 1U);
  EXPECT_TRUE(parsed->query.newest_first);
  EXPECT_FALSE(parsed->query.from_millis);
  EXPECT_FALSE(parsed->query.to_millis);
  EXPECT_FALSE(parsed->format);
  EXPECT_EQ(ParseRecordQuery(std::nullopt, std::nullopt, Parameters{}, kMax)->query, RecordQuery{});
}

TEST(RecordQueryTest, ParametersMeanWhatTheContractSays) {
  struct Case {
    Parameters parameters;
    std::optional<std::int64_t> from, to;
    bool newest_first;
    std::uint64_t limit;
  };
  const Case cases[] = {
      {{{"limit", "5"}}, {}, {}, true, 5},
      {{{"last", "5"}}, {}, {}, true, 5},
      {{{"first", "5"}}, {}, {}, false, 5},
      {{{"last", "10000"}}, {}, {}, true, 10000},
      {{{"last", "5"}, {"limit", "3"}}, {}, {}, true, 3},
      {{{"limit", "7"}, {"last", "5"}}, {}, {}, true, 5},
      {{{"first", "5"}, {"limit", "3"}}, {}, {}, false, 3},
      {{{"from", "2000-01-01"}}, kJan1, {}, true, kMax},
      {{{"to", "2000-01-01"}}, {}, kJan1 + kDay - 1, true, kMax},
      {{{"on", "2000-01-01"}}, kJan1, kJan1 + kDay - 1, true, kMax},
      {{{"from", "2000-01-01"}, {"to", "2000-01-01"}}, kJan1, kJan1 + kDay - 1, true, kMax},
      {{{"from", "2000-01-01"}, {"to", "2000-01-31"}}, kJan1, kJan1 + 31 * kDay - 1, true, kMax},
      {{{"from", "2000-01-01"}, {"limit", "3"}}, kJan1, {}, true, 3},
      {{{"from", "2000-01-01"}, {"first", "3"}}, kJan1, {}, false, 3},
      {{{"to", "2000-01-01"}, {"last", "3"}}, {}, kJan1 + kDay - 1, true, 3},
      {{{"on", "2000-01-01"}, {"last", "2"}}, kJan1, kJan1 + kDay - 1, true, 2},
      {{{"on", "2000-01-01"}, {"first", "2"}}, kJan1, kJan1 + kDay - 1, false, 2},
      {{{"on", "2000-01-01"}, {"limit", "2"}}, kJan1, kJan1 + kDay - 1, true, 2},
      {{{"on", "1970-01-01"}}, 0, kDay - 1, true, kMax},
      {{{"to", "0001-01-01"}}, {}, -62'135'596'800'000 + kDay - 1, true, kMax},
      {{{"token", "x"}, {"token", "x"}, {"nonce", "1"}, {"nonce", "2"}}, {}, {}, true, 1},
  };
  int index = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(index++);
    const auto parsed = Parse(c.parameters);
    ASSERT_TRUE(parsed.ok()) << parsed.error().public_text;
    EXPECT_EQ(parsed->query.from_millis, c.from);
    EXPECT_EQ(parsed->query.to_millis, c.to);
    EXPECT_EQ(parsed->query.newest_first, c.newest_first);
    EXPECT_EQ(parsed->query.limit, c.limit);
  }
}

TEST(RecordQueryTest, WhatIsNotAllowedIsRefusedNamingTheParameter) {
  struct Case {
    const char* named;
    Parameters parameters;
  };
  const Case cases[] = {
      {"limit", {{"limit", "0"}}},
      {"limit", {{"limit", ""}}},
      {"limit", {{"limit", "-1"}}},
      {"limit", {{"limit", "+1"}}},
      {"limit", {{"limit", "1.0"}}},
      {"limit", {{"limit", " 1"}}},
      {"limit", {{"limit", "10001"}}},
      {"limit", {{"limit", "18446744073709551617"}}},
      {"last", {{"last", "0"}}},
      {"last", {{"last", "99999999999999999999"}}},
      {"first", {{"first", "ten"}}},
      {"first", {{"first", "10001"}}},
      {"limit", {{"limit", "1"}, {"limit", "1"}}},
      {"from", {{"from", "2000-01-01"}, {"from", "2000-01-01"}}},
      {"from", {{"from", "2000-1-1"}}},
      {"from", {{"from", "2000-02-30"}}},
      {"from", {{"from", "20000101"}}},
      {"from", {{"from", ""}}},
      {"to", {{"to", "yesterday"}}},
      {"to", {{"to", "2000-01-01T00:00:00Z"}}},
      {"on", {{"on", "2000-13-01"}}},
      {"on", {{"on", "2000-01-01"}, {"from", "2000-01-01"}}},
      {"on", {{"to", "2000-01-01"}, {"on", "2000-01-01"}}},
      {"to", {{"from", "2000-01-02"}, {"to", "2000-01-01"}}},
      {"last", {{"last", "1"}, {"first", "1"}}},
      {"format", {{"format", "xml"}}},
      {"format", {{"format", "JSON"}}},
      {"format", {{"format", ""}}},
      {"Limit", {{"Limit", "1"}}},
      {"range", {{"range", "1m"}}},
      {"offset", {{"offset", "1"}}},
      {"", {{"", ""}}},
      {"a?b", {{"a\nb", ""}}},
  };
  int index = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(index++);
    const auto parsed = Parse(c.parameters);
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid);
    ASSERT_EQ(parsed.error().fields.size(), 1U);
    EXPECT_EQ(parsed.error().fields[0].field, c.named);
    EXPECT_NE(parsed.error().public_text.find(c.named), std::string::npos);
  }
}

TEST(RecordQueryTest, ARefusedNumberIsToldItsRange) {
  const auto parsed =
      ParseRecordQuery(std::nullopt, std::nullopt, Parameters{{"last", "501"}}, 500);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().public_text, "The parameter last must be a whole number of 1 to 500");
}

// Every pair of parameters, in both orders, is either refused or means the same in both orders.
TEST(RecordQueryTest, TheOrderOfParametersDoesNotMatter) {
  const Parameters all = {{"limit", "4"},         {"last", "5"},        {"first", "6"},
                          {"from", "2000-01-01"}, {"to", "2000-02-01"}, {"on", "2000-01-15"},
                          {"format", "csv"},      {"token", "t"},       {"range", "1m"}};
  int refused = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      const auto one = Parse({all[i], all[j]});
      const auto other = Parse({all[j], all[i]});
      ASSERT_EQ(one.ok(), other.ok()) << all[i].name << all[j].name;
      if (!one.ok()) {
        ++refused;
        EXPECT_EQ(one.error().public_text, other.error().public_text);
        continue;
      }
      EXPECT_EQ(one->query, other->query);
      EXPECT_EQ(one->format, other->format);
    }
  }
  // range with each of the other eight; last+first; on+from; on+to.
  EXPECT_EQ(refused, 11);
}

TEST(RecordQueryTest, DaysNeedADatasetWithADate) {
  Dataset dataset;
  RecordQuery query;
  EXPECT_TRUE(CheckRecordQuery(query, dataset).ok());
  query.to_millis = 1;
  EXPECT_FALSE(CheckRecordQuery(query, dataset).ok());
  dataset.date_field = "date";
  EXPECT_TRUE(CheckRecordQuery(query, dataset).ok());
}

TEST(RecordQueryTest, CanonicalTextsAreEqualExactlyForEqualQueries) {
  std::vector<RecordQuery> queries;
  for (const auto& key : std::vector<std::optional<std::string>>{std::nullopt, "", "a", "a1",
                                                                 "as1:b", "as0:", "ak1:a"}) {
    for (const auto& subkey : std::vector<std::optional<std::string>>{std::nullopt, "", "b", "1"}) {
      for (const auto from : std::vector<std::optional<std::int64_t>>{std::nullopt, 0, 1, -1, 11}) {
        for (const auto to : std::vector<std::optional<std::int64_t>>{std::nullopt, 0, 1, 11}) {
          for (const bool newest : {true, false}) {
            for (const std::uint64_t limit : {1, 11, 111}) {
              queries.push_back({key, subkey, from, to, newest, 1, 0, limit, -1});
            }
          }
        }
      }
    }
  }
  std::set<std::string> texts;
  for (const RecordQuery& query : queries) texts.insert(CanonicalText(query));
  EXPECT_EQ(texts.size(), queries.size());
}

}  // namespace
}  // namespace latchkey::core
