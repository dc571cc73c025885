#include "core/record_query.h"

#include <algorithm>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/time_range.h"

namespace latchkey::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kMax = 10'000;
constexpr std::int64_t kJan1 = 946'684'800'000;  // 2000-01-01
constexpr const char* kSystem = "includeSystemRecordProperties";

using Parameters = std::vector<QueryParameter>;

Timestamp Now() { return *ParseRfc3339("2000-06-15T12:00:00.500Z"); }

Result<RecordsRequest> Parse(const Parameters& parameters) {
  return ParseRecordsRequest(std::nullopt, std::nullopt, parameters, kMax, Now());
}

std::string DayOrNow(std::int64_t millis, bool end) {
  if (millis == ToUnixMillis(Now())) return "now";
  const Timestamp at = FromUnixMillis(end ? millis + 1 - kMillisPerDay : millis);
  const Date day = std::chrono::floor<std::chrono::days>(at);
  return at == day ? FormatDate(day) : FormatRfc3339(at);
}

// All that a request means, as the tables below write it.
std::string Meaning(const Result<RecordsRequest>& request) {
  if (!request.ok()) return "refused: " + request.error().fields.at(0).field;
  const RecordQuery& query = request->query;
  std::string text;
  if (query.from_millis || query.to_millis) {
    if (query.from_millis) text += DayOrNow(*query.from_millis, false);
    text += "..";
    if (query.to_millis) text += DayOrNow(*query.to_millis, true);
    text += ' ';
  }
  text += query.newest_first ? "newest " : "oldest ";
  if (request->whole_range) {
    EXPECT_EQ(query.limit, kMax + 1);
    text += "all";
  } else {
    text += std::to_string(query.limit);
  }
  if (query.interval != 1) text += " every " + std::to_string(query.interval);
  if (query.offset != 0) text += " after " + std::to_string(query.offset);
  if (request->reverse_output) text += " reversed";
  if (!request->date_field.empty()) text += " by " + request->date_field;
  if (!request->filter.empty()) {
    text += " only ";
    for (const std::string& name : request->filter) {
      text += (text.ends_with(' ') ? "" : ",") + name;
    }
  }
  if (request->format) text += *request->format == RecordFormat::kCsv ? " csv" : " json";
  if (request->schema) text += " schema";
  if (request->include_system) text += " system";
  return text;
}

TEST(RecordQueryTest, AsksForTheNewestRecordWhenNothingSaysMore) {
  const auto request = ParseRecordsRequest("AAPL", "Q1", Parameters{}, kMax, Now());
  ASSERT_TRUE(request.ok());
  EXPECT_THAT(request->keys, ElementsAre("aapl"));
  EXPECT_EQ(request->query.subkey, "q1");
  EXPECT_EQ(Meaning(request), "newest 1");
  EXPECT_EQ(request->valid_until, Timestamp::max());
  EXPECT_EQ(*Parse({}), RecordsRequest{});
}

// One value of each parameter; the tables of single ones and of pairs are about these.
const Parameters kAll = {
    {"range", "2000"}, {"on", "2000-03-01"}, {"from", "2000-02-01"}, {"to", "2000-11-30"},
    {"last", "5"},     {"first", "6"},       {"next", "7"},          {"limit", "4"},
    {"offset", "3"},   {"interval", "2"},    {"sort", "ASC"},        {"dateField", "day"},
    {"filter", "a,b"}, {"format", "csv"},    {"schema", "true"},     {kSystem, "true"}};

QueryParameter Example(std::string_view name) {
  return *std::find_if(kAll.begin(), kAll.end(),
                       [name](const QueryParameter& p) { return p.name == name; });
}

struct Pair {
  const char* one;
  const char* other;  // the same: the parameter alone
  const char* meaning;
};

// Every parameter alone and every pair of two: what it means, or which is named in the refusal.
constexpr Pair kPairs[] = {
    {"range", "range", "2000-01-01..2000-12-31 newest all"},
    {"on", "on", "2000-03-01..2000-03-01 newest all"},
    {"from", "from", "2000-02-01.. newest all"},
    {"to", "to", "..2000-11-30 newest all"},
    {"last", "last", "newest 5"},
    {"first", "first", "oldest 6"},
    {"next", "next", "now.. oldest 7"},
    {"limit", "limit", "newest 4"},
    {"offset", "offset", "newest 1 after 3"},
    {"interval", "interval", "newest 1 every 2"},
    {"sort", "sort", "newest 1"},
    {"dateField", "dateField", "newest 1 by day"},
    {"filter", "filter", "newest 1 only a,b"},
    {"format", "format", "newest 1 csv"},
    {"schema", "schema", "newest 1 schema"},
    {kSystem, kSystem, "newest 1 system"},
    {"range", "on", "refused: range"},
    {"range", "from", "refused: range"},
    {"range", "to", "refused: range"},
    {"range", "last", "2000-01-01..2000-12-31 newest 5"},
    {"range", "first", "2000-01-01..2000-12-31 oldest 6"},
    {"range", "next", "now..2000-12-31 oldest 7"},
    {"range", "limit", "2000-01-01..2000-12-31 newest 4"},
    {"range", "offset", "2000-01-01..2000-12-31 newest all after 3"},
    {"range", "interval", "2000-01-01..2000-12-31 newest all every 2"},
    {"range", "sort", "2000-01-01..2000-12-31 oldest all"},
    {"range", "dateField", "2000-01-01..2000-12-31 newest all by day"},
    {"range", "filter", "2000-01-01..2000-12-31 newest all only a,b"},
    {"range", "format", "2000-01-01..2000-12-31 newest all csv"},
    {"range", "schema", "2000-01-01..2000-12-31 newest all schema"},
    {"range", kSystem, "2000-01-01..2000-12-31 newest all system"},
    {"on", "from", "refused: on"},
    {"on", "to", "refused: on"},
    {"on", "last", "2000-03-01..2000-03-01 newest 5"},
    {"on", "first", "2000-03-01..2000-03-01 oldest 6"},
    {"on", "next", "now..2000-03-01 oldest 7"},
    {"on", "limit", "2000-03-01..2000-03-01 newest 4"},
    {"on", "offset", "2000-03-01..2000-03-01 newest all after 3"},
    {"on", "interval", "2000-03-01..2000-03-01 newest all every 2"},
    {"on", "sort", "2000-03-01..2000-03-01 oldest all"},
    {"on", "dateField", "2000-03-01..2000-03-01 newest all by day"},
    {"on", "filter", "2000-03-01..2000-03-01 newest all only a,b"},
    {"on", "format", "2000-03-01..2000-03-01 newest all csv"},
    {"on", "schema", "2000-03-01..2000-03-01 newest all schema"},
    {"on", kSystem, "2000-03-01..2000-03-01 newest all system"},
    {"from", "to", "2000-02-01..2000-11-30 newest all"},
    {"from", "last", "2000-02-01.. newest 5"},
    {"from", "first", "2000-02-01.. oldest 6"},
    {"from", "next", "now.. oldest 7"},
    {"from", "limit", "2000-02-01.. newest 4"},
    {"from", "offset", "2000-02-01.. newest all after 3"},
    {"from", "interval", "2000-02-01.. newest all every 2"},
    {"from", "sort", "2000-02-01.. oldest all"},
    {"from", "dateField", "2000-02-01.. newest all by day"},
    {"from", "filter", "2000-02-01.. newest all only a,b"},
    {"from", "format", "2000-02-01.. newest all csv"},
    {"from", "schema", "2000-02-01.. newest all schema"},
    {"from", kSystem, "2000-02-01.. newest all system"},
    {"to", "last", "..2000-11-30 newest 5"},
    {"to", "first", "..2000-11-30 oldest 6"},
    {"to", "next", "now..2000-11-30 oldest 7"},
    {"to", "limit", "..2000-11-30 newest 4"},
    {"to", "offset", "..2000-11-30 newest all after 3"},
    {"to", "interval", "..2000-11-30 newest all every 2"},
    {"to", "sort", "..2000-11-30 oldest all"},
    {"to", "dateField", "..2000-11-30 newest all by day"},
    {"to", "filter", "..2000-11-30 newest all only a,b"},
    {"to", "format", "..2000-11-30 newest all csv"},
    {"to", "schema", "..2000-11-30 newest all schema"},
    {"to", kSystem, "..2000-11-30 newest all system"},
    {"last", "first", "refused: last"},
    {"last", "next", "refused: last"},
    {"last", "limit", "newest 4"},
    {"last", "offset", "newest 5 after 3"},
    {"last", "interval", "newest 5 every 2"},
    {"last", "sort", "newest 5 reversed"},
    {"last", "dateField", "newest 5 by day"},
    {"last", "filter", "newest 5 only a,b"},
    {"last", "format", "newest 5 csv"},
    {"last", "schema", "newest 5 schema"},
    {"last", kSystem, "newest 5 system"},
    {"first", "next", "refused: first"},
    {"first", "limit", "oldest 4"},
    {"first", "offset", "oldest 6 after 3"},
    {"first", "interval", "oldest 6 every 2"},
    {"first", "sort", "oldest 6"},
    {"first", "dateField", "oldest 6 by day"},
    {"first", "filter", "oldest 6 only a,b"},
    {"first", "format", "oldest 6 csv"},
    {"first", "schema", "oldest 6 schema"},
    {"first", kSystem, "oldest 6 system"},
    {"next", "limit", "now.. oldest 4"},
    {"next", "offset", "now.. oldest 7 after 3"},
    {"next", "interval", "now.. oldest 7 every 2"},
    {"next", "sort", "now.. oldest 7"},
    {"next", "dateField", "now.. oldest 7 by day"},
    {"next", "filter", "now.. oldest 7 only a,b"},
    {"next", "format", "now.. oldest 7 csv"},
    {"next", "schema", "now.. oldest 7 schema"},
    {"next", kSystem, "now.. oldest 7 system"},
    {"limit", "offset", "newest 4 after 3"},
    {"limit", "interval", "newest 4 every 2"},
    {"limit", "sort", "oldest 4"},
    {"limit", "dateField", "newest 4 by day"},
    {"limit", "filter", "newest 4 only a,b"},
    {"limit", "format", "newest 4 csv"},
    {"limit", "schema", "newest 4 schema"},
    {"limit", kSystem, "newest 4 system"},
    {"offset", "interval", "newest 1 every 2 after 3"},
    {"offset", "sort", "newest 1 after 3"},
    {"offset", "dateField", "newest 1 after 3 by day"},
    {"offset", "filter", "newest 1 after 3 only a,b"},
    {"offset", "format", "newest 1 after 3 csv"},
    {"offset", "schema", "newest 1 after 3 schema"},
    {"offset", kSystem, "newest 1 after 3 system"},
    {"interval", "sort", "newest 1 every 2"},
    {"interval", "dateField", "newest 1 every 2 by day"},
    {"interval", "filter", "newest 1 every 2 only a,b"},
    {"interval", "format", "newest 1 every 2 csv"},
    {"interval", "schema", "newest 1 every 2 schema"},
    {"interval", kSystem, "newest 1 every 2 system"},
    {"sort", "dateField", "newest 1 by day"},
    {"sort", "filter", "newest 1 only a,b"},
    {"sort", "format", "newest 1 csv"},
    {"sort", "schema", "newest 1 schema"},
    {"sort", kSystem, "newest 1 system"},
    {"dateField", "filter", "newest 1 by day only a,b"},
    {"dateField", "format", "newest 1 by day csv"},
    {"dateField", "schema", "newest 1 by day schema"},
    {"dateField", kSystem, "newest 1 by day system"},
    {"filter", "format", "newest 1 only a,b csv"},
    {"filter", "schema", "newest 1 only a,b schema"},
    {"filter", kSystem, "newest 1 only a,b system"},
    {"format", "schema", "refused: schema"},
    {"format", kSystem, "newest 1 csv system"},
    {"schema", kSystem, "newest 1 schema system"},
};

TEST(RecordQueryTest, EachParameterAloneAndInPairsMeansWhatTheContractSays) {
  std::set<std::set<std::string>> seen;
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(std::string(pair.one) + " and " + pair.other);
    ASSERT_TRUE(seen.insert({pair.one, pair.other}).second);
    if (std::string_view(pair.one) == pair.other) {
      EXPECT_EQ(Meaning(Parse({Example(pair.one)})), pair.meaning);
      EXPECT_EQ(Meaning(Parse({Example(pair.one), Example(pair.one)})),
                "refused: " + std::string(pair.one));
      continue;
    }
    EXPECT_EQ(Meaning(Parse({Example(pair.one), Example(pair.other)})), pair.meaning);
    EXPECT_EQ(Meaning(Parse({Example(pair.other), Example(pair.one)})), pair.meaning);
    // And with what does not count in between.
    EXPECT_EQ(Meaning(Parse({{"token", "t"},
                             Example(pair.one),
                             {"nonce", "1"},
                             {"nonce", "2"},
                             Example(pair.other)})),
              pair.meaning);
  }
  EXPECT_EQ(seen.size(), kAll.size() * (kAll.size() + 1) / 2);
}

TEST(RecordQueryTest, MoreThanTwoKeepToTheSameRules) {
  struct Case {
    Parameters parameters;
    const char* meaning;
  };
  const Case cases[] = {
      {{{"first", "6"}, {"sort", "DESC"}}, "oldest 6 reversed"},
      {{{"next", "7"}, {"sort", "desc"}}, "now.. oldest 7 reversed"},
      {{{"last", "5"}, {"sort", "DESC"}}, "newest 5"},
      {{{"limit", "5"}, {"sort", "DESC"}}, "newest 5"},
      {{{"limit", "9"}, {"last", "5"}, {"sort", "asc"}}, "newest 5 reversed"},
      {{{"last", "5"}, {"offset", "10"}, {"interval", "3"}, {"limit", "2"}},
       "newest 2 every 3 after 10"},
      {{{"from", "2000-01-01"}, {"to", "2000-01-01"}, {"sort", "ASC"}, {"limit", "10000"}},
       "2000-01-01..2000-01-01 oldest 10000"},
      {{{"from", "2000-06-16"}, {"next", "1"}}, "2000-06-16.. oldest 1"},
      {{{"range", "today"}, {"next", "1"}}, "now..2000-06-15 oldest 1"},
      {{{"range", "today"}}, "2000-06-15..2000-06-15 newest all"},
      {{{"range", "1M"}, {"limit", "3"}}, "2000-05-15..2000-06-15 newest 3"},
      {{{"range", "H12001"}}, "2001-01-01..2001-06-30 newest all"},
      {{{"on", "1970-01-01"}}, "1970-01-01..1970-01-01 newest all"},
      {{{"to", "0001-01-01"}}, "..0001-01-01 newest all"},
      {{{"from", "9999-12-31"}}, "9999-12-31.. newest all"},
      {{{"offset", "0"}, {"interval", "1"}}, "newest 1"},
      {{{"offset", "1000000000000"}}, "newest 1 after 1000000000000"},
      {{{"last", "10000"}}, "newest 10000"},
      {{{"schema", "FALSE"}, {kSystem, "false"}, {"format", "csv"}}, "newest 1 csv"},
      {{{"schema", "True"}, {"format", "json"}}, "newest 1 json schema"},
      {{{"filter", "b,a,b,B"}}, "newest 1 only b,a,B"},
      {{{"token", "x"}, {"token", "x"}, {"nonce", "1"}, {"nonce", "2"}}, "newest 1"},
  };
  int index = 0;
  for (const Case& c : cases) {
    EXPECT_EQ(Meaning(Parse(c.parameters)), c.meaning) << index;
    ++index;
  }
}

TEST(RecordQueryTest, AllOfARangeIsAskedForWithOneMoreSoThatTooMuchIsSeen) {
  const auto request = Parse({{"range", "2000"}});
  ASSERT_TRUE(request.ok());
  EXPECT_TRUE(request->whole_range);
  EXPECT_EQ(request->query.limit, kMax + 1);
  EXPECT_EQ(request->query.from_millis, kJan1);
  EXPECT_EQ(request->query.to_millis, kJan1 + 366 * kMillisPerDay - 1);
  for (const char* bounded : {"limit", "last", "first", "next"}) {
    EXPECT_FALSE(Parse({{"range", "2000"}, {bounded, "10000"}})->whole_range) << bounded;
  }
}

TEST(RecordQueryTest, WhatDependsOnTheDayIsValidForTheDay) {
  const Timestamp midnight = *ParseRfc3339("2000-06-16T00:00:00Z");
  for (const char* range : {"today", "yesterday", "ytd", "last-week", "last-month", "last-quarter",
                            "5d", "2w", "1m", "1q", "1y"}) {
    EXPECT_EQ(Parse({{"range", range}})->valid_until, midnight) << range;
  }
  for (const char* range : {"2000", "Q12000", "H22000"}) {
    EXPECT_EQ(Parse({{"range", range}})->valid_until, Timestamp::max()) << range;
  }
  EXPECT_EQ(Parse({{"last", "3"}, {"from", "2000-01-01"}})->valid_until, Timestamp::max());
  EXPECT_EQ(Parse({{"next", "3"}})->valid_until, Now());
  EXPECT_EQ(Parse({{"next", "3"}, {"range", "today"}})->valid_until, Now());
  // At midnight itself it is the new day.
  const Parameters today = {{"range", "today"}};
  const auto at_midnight = ParseRecordsRequest(std::nullopt, std::nullopt, today, kMax, midnight);
  EXPECT_EQ(at_midnight->query.from_millis, ToUnixMillis(midnight));
  EXPECT_EQ(at_midnight->valid_until, midnight + std::chrono::days(1));
}

TEST(RecordQueryTest, KeysAreAListInTheOrderAskedEachOnce) {
  const auto keys = [](std::string_view list) {
    return ParseRecordsRequest(list, std::nullopt, Parameters{}, kMax, Now())->keys;
  };
  EXPECT_THAT(keys("AAPL"), ElementsAre("aapl"));
  EXPECT_THAT(keys("MSFT,aapl,IBM"), ElementsAre("msft", "aapl", "ibm"));
  EXPECT_THAT(keys("a,B,A,b,c,a"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(keys(",a,,b,"), ElementsAre("a", "b"));
  EXPECT_THAT(keys("a b"), ElementsAre("a b"));
  EXPECT_THAT(keys("\xC3\x84,\xC3\xA4"), ElementsAre("\xC3\x84", "\xC3\xA4"));
  EXPECT_THAT(Parse({})->keys, IsEmpty());
  for (const char* none : {"", ",", ",,,"}) {
    EXPECT_EQ(Meaning(ParseRecordsRequest(none, std::nullopt, Parameters{}, kMax, Now())),
              "refused: key");
  }
  // A subkey belongs to a key, and is one, commas and all.
  EXPECT_EQ(ParseRecordsRequest("a,b", "X,Y", Parameters{}, kMax, Now())->query.subkey, "x,y");
  EXPECT_FALSE(ParseRecordsRequest(std::nullopt, "x", Parameters{}, kMax, Now())->query.subkey);
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
      {"next", {{"next", "0"}}},
      {"next", {{"next", "true"}}},
      {"offset", {{"offset", ""}}},
      {"offset", {{"offset", "-1"}}},
      {"offset", {{"offset", "1000000000001"}}},
      {"interval", {{"interval", "0"}}},
      {"interval", {{"interval", "10001"}}},
      {"from", {{"from", "2000-1-1"}}},
      {"from", {{"from", "2000-02-30"}}},
      {"from", {{"from", "20000101"}}},
      {"from", {{"from", ""}}},
      {"from", {{"from", "0000-01-01"}}},
      {"to", {{"to", "yesterday"}}},
      {"to", {{"to", "2000-01-01T00:00:00Z"}}},
      {"on", {{"on", "2000-13-01"}}},
      {"on", {{"on", "1900-02-29"}}},
      {"to", {{"from", "2000-01-02"}, {"to", "2000-01-01"}}},
      {"range", {{"range", ""}}},
      {"range", {{"range", "tomorrow"}}},
      {"range", {{"range", "0d"}}},
      {"range", {{"range", "5000y"}}},
      {"sort", {{"sort", ""}}},
      {"sort", {{"sort", "date"}}},
      {"dateField", {{"dateField", ""}}},
      {"filter", {{"filter", ""}}},
      {"filter", {{"filter", ","}}},
      {"filter", {{"filter", "a,"}}},
      {"filter", {{"filter", "a,,b"}}},
      {"format", {{"format", "xml"}}},
      {"format", {{"format", "JSON"}}},
      {"format", {{"format", ""}}},
      {"schema", {{"schema", "1"}}},
      {"schema", {{"schema", ""}}},
      {kSystem, {{kSystem, "yes"}}},
      {"Limit", {{"Limit", "1"}}},
      {"datefield", {{"datefield", "a"}}},
      {"", {{"", ""}}},
      {"a?b", {{"a\nb", ""}}},
  };
  int index = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(index++);
    const auto request = Parse(c.parameters);
    ASSERT_FALSE(request.ok());
    EXPECT_EQ(request.error().code, ErrorCode::kInvalid);
    ASSERT_EQ(request.error().fields.size(), 1U);
    EXPECT_EQ(request.error().fields[0].field, c.named);
    EXPECT_THAT(request.error().public_text, HasSubstr(c.named));
  }
}

TEST(RecordQueryTest, ARefusalSaysWhatWouldBeRight) {
  const Parameters last = {{"last", "501"}};
  EXPECT_EQ(ParseRecordsRequest(std::nullopt, std::nullopt, last, 500, Now()).error().public_text,
            "The parameter last must be a whole number of 1 to 500");
  EXPECT_THAT(Parse({{"nexts", "1"}}).error().public_text,
              HasSubstr("nexts is not known here; known are range, on, from, to, last"));
}

// ---- Against datasets

Dataset Prices() {
  Dataset dataset;
  dataset.dataset_class = DatasetClass::kCore;
  dataset.fields = {{"symbol", FieldType::kString, false},
                    {"date", FieldType::kDate, false},
                    {"paid", FieldType::kDate, false},
                    {"price", FieldType::kNumber, false}};
  dataset.key_field = "symbol";
  dataset.date_field = "date";
  return dataset;
}

// Without a date of its own.
Dataset Companies() {
  Dataset dataset;
  dataset.fields = {{"founded", FieldType::kDate, false},
                    {"ticker", FieldType::kString, false},
                    {"paid", FieldType::kDate, false}};
  dataset.key_field = "ticker";
  return dataset;
}

std::string Checked(const Parameters& parameters, std::vector<Dataset> datasets) {
  std::vector<const Dataset*> pointers;
  for (const Dataset& dataset : datasets) pointers.push_back(&dataset);
  const auto queries = CheckRecordsRequest(*Parse(parameters), pointers);
  if (!queries.ok()) {
    EXPECT_EQ(queries.error().code, ErrorCode::kInvalid);
    return "refused: " + queries.error().fields.at(0).field;
  }
  EXPECT_EQ(queries->size(), datasets.size());
  std::string fields;
  for (std::size_t i = 0; i < queries->size(); ++i) {
    EXPECT_TRUE(CheckRecordQuery((*queries)[i], datasets[i]).ok());
    fields += (fields.empty() ? "" : " ") + std::to_string((*queries)[i].date_field);
  }
  return fields;
}

TEST(RecordQueryTest, DateFieldIsADateFieldOfEachDataset) {
  EXPECT_EQ(Checked({}, {Prices(), Companies()}), "-1 -1");
  EXPECT_EQ(Checked({{"dateField", "paid"}}, {Prices()}), "2");
  EXPECT_EQ(Checked({{"dateField", "paid"}}, {Prices(), Companies()}), "2 2");
  EXPECT_EQ(Checked({{"dateField", "date"}}, {Prices()}), "-1");
  EXPECT_EQ(Checked({{"dateField", "founded"}}, {Companies()}), "0");
  EXPECT_EQ(Checked({{"dateField", "founded"}}, {Companies(), Prices()}), "refused: dateField");
  EXPECT_EQ(Checked({{"dateField", "Paid"}}, {Prices()}), "refused: dateField");
  EXPECT_EQ(Checked({{"dateField", "price"}}, {Prices()}), "refused: dateField");
  EXPECT_EQ(Checked({{"dateField", "nothing"}}, {Prices()}), "refused: dateField");
}

TEST(RecordQueryTest, DaysNeedADateAndTheParameterThatAskedForThemIsNamed) {
  const QueryParameter days[] = {{"range", "today"},
                                 {"on", "2000-01-01"},
                                 {"from", "2000-01-01"},
                                 {"to", "2000-01-01"},
                                 {"next", "1"}};
  for (const QueryParameter& day : days) {
    EXPECT_EQ(Checked({day}, {Companies()}), "refused: " + std::string(day.name));
    EXPECT_EQ(Checked({day}, {Prices(), Companies()}), "refused: " + std::string(day.name));
    EXPECT_EQ(Checked({day}, {Prices()}), "-1");
    EXPECT_EQ(Checked({day, {"dateField", "founded"}}, {Companies()}), "0");
  }
  EXPECT_EQ(Checked({{"last", "3"}, {"sort", "ASC"}, {"offset", "2"}}, {Companies()}), "-1");
}

TEST(RecordQueryTest, FilterNamesFieldsWithCaseOfAtLeastOneDataset) {
  EXPECT_EQ(Checked({{"filter", "price,symbol"}}, {Prices()}), "-1");
  EXPECT_EQ(Checked({{"filter", "price,ticker"}}, {Prices(), Companies()}), "-1 -1");
  EXPECT_EQ(Checked({{"filter", "price"}}, {Companies()}), "refused: filter");
  EXPECT_EQ(Checked({{"filter", "Price"}}, {Prices()}), "refused: filter");
  EXPECT_EQ(Checked({{"filter", "price "}}, {Prices()}), "refused: filter");
  EXPECT_EQ(Checked({{"filter", "id,key,subkey,date,updated"}}, {Prices()}), "-1");
  EXPECT_EQ(Checked({{"filter", "updated"}}, {Companies()}), "refused: filter");
  EXPECT_EQ(Checked({{"filter", "updated"}}, {Companies(), Prices()}), "-1 -1");
  const Dataset prices = Prices();
  const Dataset* const one[] = {&prices};
  EXPECT_EQ(CheckRecordsRequest(*Parse({{"filter", "price,a\nb"}}), one).error().public_text,
            "The parameter filter names no field: a?b");
}

TEST(RecordQueryTest, AQueryThatADatasetCantAnswerIsRefused) {
  Dataset dataset = Companies();
  RecordQuery query;
  EXPECT_TRUE(CheckRecordQuery(query, dataset).ok());
  query.to_millis = 1;
  EXPECT_FALSE(CheckRecordQuery(query, dataset).ok());
  query.date_field = 2;
  EXPECT_TRUE(CheckRecordQuery(query, dataset).ok());
  query.date_field = 1;
  EXPECT_FALSE(CheckRecordQuery(query, dataset).ok());
  query.date_field = 3;
  EXPECT_FALSE(CheckRecordQuery(query, dataset).ok());
}

TEST(RecordQueryTest, AFieldsTimeIsReadInAllFormsOfADate) {
  const std::string values =
      R"(["2000-01-01","2000-01-01T00:00:01Z",946684800002,null,"soon",[1],"2000\u002d01-01",-5,""])";
  const auto millis = [&values](int field) { return FieldMillis(values, field); };
  EXPECT_EQ(millis(0), kJan1);
  EXPECT_EQ(millis(1), kJan1 + 1000);
  EXPECT_EQ(millis(2), kJan1 + 2);
  EXPECT_EQ(millis(3), std::nullopt);
  EXPECT_EQ(millis(4), std::nullopt);
  EXPECT_EQ(millis(5), std::nullopt);
  EXPECT_EQ(millis(6), kJan1);
  EXPECT_EQ(millis(7), -5);
  EXPECT_EQ(millis(8), std::nullopt);
  EXPECT_EQ(millis(9), std::nullopt);
  EXPECT_EQ(millis(-1), std::nullopt);
  EXPECT_EQ(FieldMillis("[\"", 0), std::nullopt);
  EXPECT_EQ(FieldMillis("", 0), std::nullopt);
}

TEST(RecordQueryTest, CanonicalTextsAreEqualExactlyForEqualQueries) {
  std::vector<RecordQuery> queries;
  for (const auto& key : std::vector<std::optional<std::string>>{std::nullopt, "", "a", "a1",
                                                                 "as1:b", "as0:", "ak1:a"}) {
    for (const auto& subkey : std::vector<std::optional<std::string>>{std::nullopt, "", "b", "1"}) {
      for (const auto from : std::vector<std::optional<std::int64_t>>{std::nullopt, 0, 1, -1, 11}) {
        for (const auto to : std::vector<std::optional<std::int64_t>>{std::nullopt, 0, 1, 11}) {
          for (const bool newest : {true, false}) {
            for (const std::uint64_t limit : {1, 11}) {
              queries.push_back({key, subkey, from, to, newest, 1, 0, limit, -1});
              queries.push_back({key, subkey, from, to, newest, 1, 1, limit, -1});
              queries.push_back({key, subkey, from, to, newest, 11, 0, limit, -1});
              queries.push_back({key, subkey, from, to, newest, 1, 0, limit, 0});
              queries.push_back({key, subkey, from, to, newest, 1, 1, limit, 1});
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
