#include "gateway/legacy_api.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace latchkey::gateway {
namespace {

using core::LegacyKind;
using testing::ElementsAre;
using testing::HasSubstr;
using Shape = LegacyQuestion::Shape;

// 2010-03-15T12:00:00Z
const Timestamp kNow = FromUnixMillis(1'268'654'400'000);
constexpr std::int64_t kMidnight = 1'268'611'200'000;
constexpr std::int64_t kDay = 86'400'000;

Destination Path(Route route, std::string_view symbol = {}, std::string_view range = {},
                 std::string_view field = {}) {
  Destination to;
  to.route = route;
  to.symbol = symbol;
  to.range = range;
  to.field = field;
  return to;
}

Result<LegacyQuestion> Read(const Destination& to, std::string_view parameters = {}) {
  return ParseLegacyQuestion(to, parameters, 100, kNow);
}

TEST(LegacyQuestionTest, OfOneSymbol) {
  const Result<LegacyQuestion> quote = Read(Path(Route::kLegacyQuote, "AAPL"), "filter=a,b");
  ASSERT_TRUE(quote.ok());
  EXPECT_EQ(quote->shape, Shape::kQuote);
  EXPECT_THAT(quote->symbols, ElementsAre("aapl"));
  EXPECT_THAT(quote->types, ElementsAre(LegacyKind::kQuote));
  EXPECT_THAT(quote->filter, ElementsAre("a", "b"));
  EXPECT_EQ(quote->valid_until, Timestamp::max());

  const Result<LegacyQuestion> field = Read(Path(Route::kLegacyField, "AAPL", {}, "latestPrice"));
  ASSERT_TRUE(field.ok());
  EXPECT_EQ(field->shape, Shape::kField);
  EXPECT_EQ(field->field, "latestPrice");

  const Result<LegacyQuestion> chart = Read(Path(Route::kLegacyChart, "AAPL", "1mm"));
  ASSERT_TRUE(chart.ok());
  EXPECT_EQ(chart->shape, Shape::kChart);
  EXPECT_THAT(chart->types, ElementsAre(LegacyKind::kChart));
  EXPECT_EQ(chart->chart.from_millis, kMidnight - 28 * kDay);
  EXPECT_EQ(chart->chart.to_millis, kMidnight + kDay - 1);
  EXPECT_FALSE(chart->chart.newest_first);
  EXPECT_FALSE(chart->reverse_chart);
  EXPECT_EQ(chart->chart.limit, 101u);
  EXPECT_EQ(chart->valid_until, FromUnixMillis(kMidnight + kDay));
  EXPECT_EQ(Read(Path(Route::kLegacyChart, "AAPL"))->chart, chart->chart);
}

TEST(LegacyQuestionTest, ChartsTakeTheOriginalsRangesAndParameters) {
  EXPECT_FALSE(Read(Path(Route::kLegacyChart, "a", "max"))->chart.from_millis);
  for (const std::string_view range :
       {"max", "5y", "2y", "1y", "ytd", "6m", "3m", "1m", "1mm", "5d", "5dm", "1d", "dynamic"}) {
    EXPECT_TRUE(Read(Path(Route::kLegacyChart, "a", range)).ok()) << range;
  }
  const Result<LegacyQuestion> day =
      Read(Path(Route::kLegacyChartDate, "a", "20100315"), "chartByDay=true");
  ASSERT_TRUE(day.ok());
  EXPECT_EQ(day->chart.from_millis, kMidnight);
  EXPECT_EQ(day->chart.to_millis, kMidnight + kDay - 1);
  EXPECT_EQ(day->valid_until, Timestamp::max());

  // The newest two, the oldest of them first.
  const Result<LegacyQuestion> last = Read(
      Path(Route::kLegacyChart, "a", "1m"),
      "chartLast=2&chartCloseOnly=true&chartInterval=3&displayPercent=true&includeToday=false");
  ASSERT_TRUE(last.ok());
  EXPECT_TRUE(last->chart.newest_first);
  EXPECT_EQ(last->chart.limit, 2u);
  EXPECT_EQ(last->chart.interval, 3u);
  EXPECT_TRUE(last->reverse_chart);
  EXPECT_FALSE(Read(Path(Route::kLegacyChart, "a"), "chartLast=2&sort=desc")->reverse_chart);
  EXPECT_TRUE(Read(Path(Route::kLegacyChart, "a"), "sort=DESC")->reverse_chart);
}

TEST(LegacyQuestionTest, Batches) {
  const Result<LegacyQuestion> market =
      Read(Path(Route::kLegacyMarketBatch),
           "symbols=AAPL%2Cmsft,aapl&types=quote,chart&range=1m&last=10");
  ASSERT_TRUE(market.ok()) << market.error().public_text;
  EXPECT_EQ(market->shape, Shape::kMarketBatch);
  EXPECT_THAT(market->symbols, ElementsAre("aapl", "msft"));
  EXPECT_THAT(market->types, ElementsAre(LegacyKind::kQuote, LegacyKind::kChart));
  EXPECT_EQ(market->valid_until, FromUnixMillis(kMidnight + kDay));
  const Result<LegacyQuestion> one =
      Read(Path(Route::kLegacyBatch, "AAPL"), "types=quote&range=1m&last=10");
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->shape, Shape::kBatch);
  EXPECT_THAT(one->symbols, ElementsAre("aapl"));
  EXPECT_EQ(one->valid_until, Timestamp::max());
  // Told apart by whoever answers: type_required.
  EXPECT_TRUE(Read(Path(Route::kLegacyBatch, "AAPL"))->types.empty());
}

TEST(LegacyQuestionTest, NamesWhatIsWrong) {
  std::string many = "types=quote&symbols=";
  for (int i = 0; i < 101; ++i) many.append("s").append(std::to_string(i)).append(",");
  const struct {
    Destination to;
    std::string parameters;
    std::string_view text;
  } kCases[] = {
      {Path(Route::kLegacyQuote, "a"), "colour=red", "The parameter colour"},
      {Path(Route::kLegacyQuote, "a"), "format=csv", "The parameter format"},
      {Path(Route::kLegacyChart, "a", "1x"), "", "The range must be"},
      {Path(Route::kLegacyChart, "a", "1m"), "chartLast=0", "The parameter chartLast"},
      {Path(Route::kLegacyChart, "a", "1m"), "chartLast=101", "The parameter chartLast"},
      {Path(Route::kLegacyChart, "a", "1m"), "sort=up", "The parameter sort"},
      {Path(Route::kLegacyChartDate, "a", "2010-03-15"), "", "The date in the path"},
      {Path(Route::kLegacyChartDate, "a", "20100230"), "", "The date in the path"},
      {Path(Route::kLegacyBatch, "a"), "types=news", "The parameter types"},
      {Path(Route::kLegacyBatch, "a"), "types=quote&range=1x", "The range must be"},
      {Path(Route::kLegacyBatch, "a"), "types=quote&symbols=b", "The parameter symbols"},
      {Path(Route::kLegacyMarketBatch), "types=quote", "The parameter symbols"},
      {Path(Route::kLegacyMarketBatch), many, "The parameter symbols takes at most 100"},
  };
  for (const auto& c : kCases) {
    const Result<LegacyQuestion> question = Read(c.to, c.parameters);
    ASSERT_FALSE(question.ok()) << c.parameters;
    EXPECT_EQ(question.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(question.error().public_text, HasSubstr(c.text));
  }
}

TEST(LegacyObjectTest, HasTheFieldsUnderTheMapsNamesAndNothingElse) {
  core::Dataset dataset;
  dataset.dataset_class = core::DatasetClass::kCore;
  dataset.fields = {{"symbol", core::FieldType::kString, false},
                    {"price", core::FieldType::kNumber, false},
                    {"added", core::FieldType::kAny, false}};
  core::LegacyMap map;
  map.renames = {{"latestPrice", "price"}};
  core::Record record;
  record.values = R"(["AAPL",223.02])";
  std::string out;
  ASSERT_TRUE(AppendLegacyObject(out, dataset, map, {}, record).ok());
  EXPECT_EQ(out, R"({"symbol":"AAPL","latestPrice":223.02,"added":null})");
  out.clear();
  ASSERT_TRUE(AppendLegacyObject(out, dataset, map, {"latestPrice"}, record).ok());
  EXPECT_EQ(out, R"({"latestPrice":223.02})");
  // A field of the name that another one was given: no name stands twice.
  dataset.fields.push_back({"latestPrice", core::FieldType::kNumber, false});
  out.clear();
  ASSERT_TRUE(AppendLegacyObject(out, dataset, map, {}, record).ok());
  EXPECT_EQ(out, R"({"symbol":"AAPL","latestPrice":223.02,"added":null})");
  record.values = "broken";
  EXPECT_EQ(AppendLegacyObject(out, dataset, map, {}, record).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace latchkey::gateway
