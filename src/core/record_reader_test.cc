#include "core/record_reader.h"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"

namespace latchkey::core {
namespace {

using namespace std::literals;
using testing::ElementsAre;

constexpr std::string_view kMark = "\xEF\xBB\xBF";

// Writes down what the reader finds, one text each.
class Recorder final : public RecordFileHandler {
 public:
  Status OnHeader(std::span<const std::string_view> names) override {
    events.push_back("header" + Join(names));
    return Answer();
  }
  Status OnRow(std::uint64_t line, std::span<const std::string_view> cells) override {
    events.push_back(std::to_string(line) + Join(cells));
    return Answer();
  }
  Status OnBadRow(std::uint64_t line, std::string_view reason) override {
    events.push_back(std::to_string(line) + "! " + std::string(reason));
    if (with_text) events.back() += ": " + reader->RowText(text_bytes);
    return Answer();
  }
  Status OnObject(std::uint64_t line, std::span<const JsonMember> members) override {
    events.push_back(std::to_string(line));
    for (const JsonMember& member : members) {
      events.back().append(" ").append(member.name).append("=").append(member.value);
    }
    if (with_text) events.back() += ": " + reader->RowText(text_bytes);
    return Answer();
  }

  std::vector<std::string> events;
  RecordFileReader* reader = nullptr;
  bool with_text = false;
  std::size_t text_bytes = 1000;
  std::size_t fail_after = SIZE_MAX;

 private:
  Status Answer() const {
    if (events.size() >= fail_after) return MakeError(ErrorCode::kLimit, "enough");
    return {};
  }
  static std::string Join(std::span<const std::string_view> cells) {
    std::string text;
    for (const std::string_view cell : cells) text.append(" <").append(cell).append(">");
    return text;
  }
};

// Where the pieces end; the rest is the last piece.
std::vector<std::string> ReadCut(std::string_view file, std::vector<std::size_t> cuts,
                                 RecordFileLimits limits = {}, bool with_text = false) {
  Recorder recorder;
  RecordFileReader reader(recorder, limits);
  recorder.reader = &reader;
  recorder.with_text = with_text;
  Status status;
  std::size_t at = 0;
  cuts.push_back(file.size());
  for (const std::size_t cut : cuts) {
    if (status.ok()) status = reader.Feed(file.substr(at, cut - at));
    at = cut;
  }
  const Status finish = reader.Finish();
  if (!status.ok()) {
    EXPECT_EQ(finish.error().public_text, status.error().public_text);
  }
  if (!finish.ok()) {
    recorder.events.push_back("error " + finish.error().public_text);
    EXPECT_EQ(finish.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(finish.error().fields.size(), 1U);
    EXPECT_EQ(reader.Finish().error().public_text, finish.error().public_text);
    EXPECT_FALSE(reader.Feed("{}").ok());
  }
  return recorder.events;
}

std::vector<std::string> Read(std::string_view file, RecordFileLimits limits = {}) {
  return ReadCut(file, {}, limits);
}

std::optional<RecordFileFormat> FormatOf(std::string_view file) {
  Recorder recorder;
  RecordFileReader reader(recorder);
  (void)reader.Feed(file);
  return reader.format();
}

TEST(RecordFileReaderTest, TellsByTheFirstByteThatIsNoBlank) {
  EXPECT_EQ(FormatOf(""), std::nullopt);
  EXPECT_EQ(FormatOf(" \r\n\t"), std::nullopt);
  EXPECT_EQ(FormatOf(kMark), std::nullopt);
  EXPECT_EQ(FormatOf("["), RecordFileFormat::kJsonArray);
  EXPECT_EQ(FormatOf("{"), RecordFileFormat::kJsonLines);
  EXPECT_EQ(FormatOf("a"), RecordFileFormat::kCsv);
  EXPECT_EQ(FormatOf("\"["), RecordFileFormat::kCsv);
  EXPECT_EQ(FormatOf(std::string(kMark) + " \n["), RecordFileFormat::kJsonArray);
  EXPECT_EQ(FormatOf(std::string(kMark) + "{"), RecordFileFormat::kJsonLines);
  EXPECT_EQ(FormatOf("\xEF\xBB["), RecordFileFormat::kCsv);
  EXPECT_EQ(FormatOf(std::string(kMark) + std::string(kMark) + "["), RecordFileFormat::kCsv);
  EXPECT_EQ(FormatOf(" " + std::string(kMark) + "["), RecordFileFormat::kCsv);
  EXPECT_EQ(FormatOf(std::string(60'000, ' ') + "["), RecordFileFormat::kJsonArray);
  EXPECT_EQ(FormatOf(std::string(70'000, ' ') + "["), RecordFileFormat::kCsv);
}

TEST(RecordFileReaderTest, ReadsCsvAsTheCsvReaderDoes) {
  EXPECT_THAT(Read("a,b\n1,2\n3\n"),
              ElementsAre("header <a> <b>", "2 <1> <2>", "3! it has 1 cell, the header has 2"));
  EXPECT_THAT(Read(std::string(kMark) + "\r\n a|b\n1|{}"),
              ElementsAre("header < a> <b>", "3 <1> <{}>"));
  EXPECT_THAT(Read("\tb\n[\tc\n"), ElementsAre("header <> <b>", "2 <[> <c>"));
}

TEST(RecordFileReaderTest, ReadsArraysOfObjects) {
  EXPECT_THAT(Read("[]"), ElementsAre());
  EXPECT_THAT(Read(" \n[ \n ] \n"), ElementsAre());
  EXPECT_THAT(Read(R"([{"a":1},{"a":2}])"), ElementsAre("1 a=1", "1 a=2"));
  EXPECT_THAT(Read("\n[\n  {\n \"a\" : 1 ,\"b\":[1,{\"c\":\"]}\\\"\"}]\n},\n\n{}\n]\n"),
              ElementsAre(R"(3 a=1 b=[1,{"c":"]}\""}])", "7"));
}

TEST(RecordFileReaderTest, PassesOverWhatIsJsonButNoRecordInAnArray) {
  constexpr const char* kNoObject = "! it is not a JSON object";
  EXPECT_THAT(Read("[1,\n\"}\",\nnull ,[{}],-1.5e3\n,{\"a\":1}]"),
              ElementsAre("1"s + kNoObject, "2"s + kNoObject, "3"s + kNoObject, "3"s + kNoObject,
                          "3"s + kNoObject, "4 a=1"));
  EXPECT_THAT(
      Read("[{\"a\":1,\"a\":2},{\"a\":\"\xFF\"},{\"b\":1}]"),
      ElementsAre("1! two of its members have the same name", "1! it is not UTF-8", "1 b=1"));
  EXPECT_THAT(Read("[" + std::string(100, '[') + std::string(100, ']') + ",{\"a\":1}]"),
              ElementsAre("1! it has more than 64 objects and arrays within one another", "1 a=1"));
}

TEST(RecordFileReaderTest, EndsWithAnErrorWhereAnArrayIsNoJson) {
  const std::pair<std::string_view, const char*> cases[] = {
      {"[", "line 1: the array is not closed"},
      {"[\n", "line 2: the array is not closed"},
      {"[{}", "line 1: the array is not closed"},
      {"[{},", "line 1: the array is not closed"},
      {"[{\"a\":\"", "line 1: the array is not closed"},
      {"[{\"a\":\"\\", "line 1: the array is not closed"},
      {"[12", "line 1: the array is not closed"},
      {"[{},]", "line 1: it is not JSON"},
      {"[,{}]", "line 1: it is not JSON"},
      {"[{},,{}]", "line 1: it is not JSON"},
      {"[{}\n{}]", "line 2: it is not JSON"},
      {"[{} 1]", "line 1: it is not JSON"},
      {"[}", "line 1: it is not JSON"},
      {"[:", "line 1: it is not JSON"},
      {"[\n{\n\"a\":}]", "line 2: it is not JSON"},
      {"[{\"a\":1]]", "line 1: it is not JSON"},
      {"[{\"a\":[}]", "line 1: it is not JSON"},
      {"[{\"a\":\"\n\"}]", "line 1: it is not JSON"},
      {"[\n{\"a\":\"\\\n", "line 2: it is not JSON"},
      {"[x]", "line 1: it is not JSON"},
      {"[tru]", "line 1: it is not JSON"},
      {"[01]", "line 1: it is not JSON"},
      {"[{}\xFF]", "line 1: it is not JSON"},
      {"[{}\0]"sv, "line 1: it is not JSON"},
      {"[]x", "line 1: there is text after the array"},
      {"[]\n[]", "line 2: there is text after the array"},
      {"[]]", "line 1: there is text after the array"},
      {"[],", "line 1: there is text after the array"},
      {"", "line 1: the file is empty"},
      {" \n ", "line 1: the file is empty"},
      {kMark, "line 1: the file is empty"},
      {"\xEF\xBB", "line 1: it is not UTF-8"},
  };
  for (const auto& [file, error] : cases) {
    const std::vector<std::string> events = Read(file);
    ASSERT_FALSE(events.empty()) << file;
    EXPECT_EQ(events.back(), "error "s + error) << file;
    for (std::size_t i = 0; i + 1 < events.size(); ++i) EXPECT_EQ(events[i], "1") << file;
  }
}

TEST(RecordFileReaderTest, ReadsJsonLines) {
  EXPECT_THAT(Read("{\"a\":1}\n{\"a\":2}\n"), ElementsAre("1 a=1", "2 a=2"));
  EXPECT_THAT(Read("{\"a\":1}"), ElementsAre("1 a=1"));
  EXPECT_THAT(Read("\n\n {\"a\":1} \r\n\r\n \n{\"a\":2}\r\n{\"a\":3}"),
              ElementsAre("3 a=1", "6 a=2", "7 a=3"));
  EXPECT_THAT(Read("{}\n{}"), ElementsAre("1", "2"));
}

TEST(RecordFileReaderTest, PassesOverABadLineOfJsonLines) {
  EXPECT_THAT(
      Read("{\"a\":1\n{\"a\":2}\n{\"a\":\n[1]\n7\nx\n{\"a\":3}{\n{\"a\":\"\n\"}\n{\"a\":4}"),
      ElementsAre("1! it is not JSON", "2 a=2", "3! it is not JSON", "4! it is not a JSON object",
                  "5! it is not a JSON object", "6! it is not JSON", "7! it is not JSON",
                  "8! it is not JSON", "9! it is not JSON", "10 a=4"));
  EXPECT_THAT(Read("{\"a\":1\n"), ElementsAre("1! it is not JSON"));
  EXPECT_THAT(Read("{\"a\":1,\n{\"a\":2}"), ElementsAre("1! it is not JSON", "2 a=2"));
  EXPECT_THAT(Read("{\"a\":\"1\n{\"a\":2}"), ElementsAre("1! it is not JSON", "2 a=2"));
  EXPECT_THAT(Read("{\"a\":1}\0\n{\"a\":2}"sv), ElementsAre("1! it is not JSON", "2 a=2"));
  EXPECT_THAT(Read("{\"a\":1}\n{\"a\":\"\xFF\"}\n{\"a\":2}"),
              ElementsAre("1 a=1", "2! it is not UTF-8", "3 a=2"));
  // CR alone is a blank, no line end.
  EXPECT_THAT(Read("{\"a\":1}\r{\"a\":2}\r"), ElementsAre("1! it is not JSON"));
  EXPECT_THAT(Read("{\"a\":1},\n{\"a\":2},\n"),
              ElementsAre("1! it is not JSON", "2! it is not JSON"));
}

TEST(RecordFileReaderTest, ReadsObjectsOverSeveralLines) {
  EXPECT_THAT(Read("{\n  \"a\": 1,\n  \"b\": [\n {\"c\": 2}\n]\n}\n"),
              ElementsAre("1 a=1 b=[\n {\"c\": 2}\n]"));
  EXPECT_THAT(Read("\n{\"a\":\n\n{\"b\":1}}"), ElementsAre("2 a={\"b\":1}"));
  EXPECT_THAT(Read("{\"a\":[\n{\"b\":1},\n{\"b\":2}]}"),
              ElementsAre("1 a=[\n{\"b\":1},\n{\"b\":2}]"));
  EXPECT_THAT(Read("{\n\"a\":1\n}\n{\n\"a\":2}{}\n"), ElementsAre("1 a=1", "4 a=2", "5"));
  EXPECT_THAT(Read("{\n\"a\":1,\"a\":2\n}\n{\n\"a\":2}"),
              ElementsAre("1! two of its members have the same name", "4 a=2"));
  EXPECT_THAT(Read("{\n\"a\":1,\n}\n{}"), ElementsAre("error line 1: it is not JSON"));
  EXPECT_THAT(Read("{\n\"a\":1\n}\n7"), ElementsAre("1 a=1", "error line 4: it is not JSON"));
  EXPECT_THAT(Read("{\n\"a\":1\n"), ElementsAre("error line 1: the object is not closed"));
  EXPECT_THAT(Read("{\n"), ElementsAre("1! it is not JSON"));
}

constexpr RecordFileLimits kSmall{.csv = {.max_cell_bytes = 8, .max_row_bytes = 16, .max_cells = 3},
                                  .max_object_bytes = 12,
                                  .max_members = 2};

TEST(RecordFileReaderTest, BoundsWhatItKeeps) {
  EXPECT_THAT(Read("{\"a\":123456}\n{\"a\":1234567}\n{\"a\":2}\n", kSmall),
              ElementsAre("1 a=123456", "2! it is longer than 12 bytes", "3 a=2"));
  EXPECT_THAT(Read("{\"a\":1234567}\n{\"a\":2}", kSmall),
              ElementsAre("1! it is longer than 12 bytes", "2 a=2"));
  EXPECT_THAT(Read("[{\"a\":123456},{\"\":[\"}\"\n]},\n{\"a\":2}]", kSmall),
              ElementsAre("1 a=123456", "1 =[\"}\"\n]", "3 a=2"));
  EXPECT_THAT(Read("[{\"\":[\"}\",\n12]},\n{\"a\":2},1234567890123,7]", kSmall),
              ElementsAre("1! it is longer than 12 bytes", "3 a=2", "3! it is longer than 12 bytes",
                          "3! it is not a JSON object"));
  EXPECT_THAT(Read("{\"a\":[12345678\n7]}\n{\"a\":2}", kSmall),
              ElementsAre("1! it is longer than 12 bytes", "2! it is not JSON", "3 a=2"));
  EXPECT_THAT(Read("{\n\"a\":123456}{\"a\":2}", kSmall),
              ElementsAre("1! it is longer than 12 bytes", "2 a=2"));
  EXPECT_THAT(
      Read("[{\"a\":1,\"b\":2,\"c\":3}]", {.csv = {}, .max_object_bytes = 100, .max_members = 2}),
      ElementsAre("1! it has more members than a dataset may have fields"));
  // A string that is never closed.
  const std::string endless = "[{\"a\":\"" + std::string(3'000'000, 'x');
  EXPECT_THAT(Read(endless), ElementsAre("error line 1: the array is not closed"));
}

TEST(RecordFileReaderTest, ShowsTheRowItIsAbout) {
  EXPECT_THAT(ReadCut("[{\"a\":1,\"a\":\"\xC3\xA4\"},\n 7]", {}, {}, true),
              ElementsAre("1! two of its members have the same name: {\"a\":1,\"a\":\"\xC3\xA4\"}",
                          "2! it is not a JSON object: 7"));
  EXPECT_THAT(ReadCut("{\"a\":1}\n{\"\xFF\n{\"a\":1234567}", {}, kSmall, true),
              ElementsAre("1 a=1: {\"a\":1}", "2! it is not UTF-8: {\"\xEF\xBF\xBD",
                          "3! it is longer than 12 bytes: {\"a\":1234567"));
  EXPECT_THAT(ReadCut("a|b\n1|\"x|\"\"\"|2\n123456789|1\n\"1\" |2\n\xFF|1", {}, kSmall, true),
              ElementsAre("header <a> <b>", "2! it has 3 cells, the header has 2: 1|\"x|\"\"\"|2",
                          "3! a cell is too long: 12345678", "4! text after a closing quote: 1",
                          "5! it is not UTF-8: \xEF\xBF\xBD|1"));
  Recorder recorder;
  RecordFileReader reader(recorder);
  recorder.reader = &reader;
  recorder.with_text = true;
  recorder.text_bytes = 4;
  ASSERT_TRUE(reader.Feed("[\"\xC3\xA4\xC3\xA4\",7]").ok());
  EXPECT_THAT(recorder.events, ElementsAre("1! it is not a JSON object: \"\xC3\xA4",
                                           "1! it is not a JSON object: 7"));
  EXPECT_EQ(reader.RowText(100), "");
}

TEST(RecordFileReaderTest, EndsWithTheHandlersError) {
  for (const std::string_view file :
       {"[{},7,{}]"sv, "{}\n7\n{}\n"sv, "a\n1\n2\n"sv, "{\n}{}{}"sv}) {
    for (std::size_t after = 1; after <= 2; ++after) {
      Recorder recorder;
      recorder.fail_after = after;
      RecordFileReader reader(recorder);
      EXPECT_EQ(reader.Feed(file).error().public_text, "enough") << file;
      EXPECT_EQ(reader.Feed("x").error().public_text, "enough");
      EXPECT_EQ(reader.Finish().error().public_text, "enough");
      EXPECT_EQ(recorder.events.size(), after);
    }
  }
}

const std::string_view kFiles[] = {
    "[{\"a\":1,\"b\":\"x\\\"]\\\\\"},\r\n {\"\\u0061\":[1,{\"}\":null}]} , 7,\"a\\\"b\", true]\n ",
    "[{\"a\":1},{\"a\":]}",
    "[{\"a\":12345678901234567890},[[]],1234567890123,{}]",
    "[] x",
    "\xEF\xBB\xBF \n{\"a\":1}\r\n\n{\"a\":1,\"a\":2}\n{\"a\":1234567890}\n{\"\xC3\xA4\":1}\nx\n{}",
    "{\"a\":\n1}\n {\"a\":2}{\"b\":[\"\\\\\"]}\n",
    "{\"a\":1\n{\"a\":2}\n",
    "{\"a\":1,\n  {\"a\":2}\n",
    "{\"a\":\"\n{\"a\":2}\n",
    "{\"a\":123456789012\n {\"a\":2}\n",
    "\xEF\xBB\xBF\r\n a,\"b\"\n1,\"2,\"\"\n\"\n\n\"1\"x,2\n123456789,1\n\xFF,1\n",
    "\xEF\xBB{",
    " \n\t",
};

TEST(RecordFileReaderTest, PiecesMakeNoDifference) {
  for (const std::string_view file : kFiles) {
    for (const RecordFileLimits& limits : {RecordFileLimits(), kSmall}) {
      const std::vector<std::string> whole = ReadCut(file, {}, limits, true);
      std::vector<std::size_t> every_byte;
      for (std::size_t i = 1; i < file.size(); ++i) every_byte.push_back(i);
      EXPECT_EQ(ReadCut(file, every_byte, limits, true), whole) << file;
      for (std::size_t first = 0; first <= file.size(); ++first) {
        for (std::size_t second = first; second <= file.size(); ++second) {
          ASSERT_EQ(ReadCut(file, {first, second}, limits, true), whole)
              << file << " cut at " << first << " and " << second;
        }
      }
    }
  }
}

// What is cut off anywhere ends in a record less, a bad row or an error, never in another record.
TEST(RecordFileReaderTest, AnArrayThatEndsEarlyIsAnErrorAfterWhatIsWhole) {
  const std::string_view file = R"([{"a":1},{"a":"]\"","b":[1,{}]},{"a":3}])";
  const std::vector<std::string> whole = Read(file);
  ASSERT_EQ(whole.size(), 3U);
  for (std::size_t size = 1; size < file.size(); ++size) {
    std::vector<std::string> events = Read(file.substr(0, size));
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back(), "error line 1: the array is not closed") << size;
    events.pop_back();
    ASSERT_LE(events.size(), whole.size());
    EXPECT_TRUE(std::equal(events.begin(), events.end(), whole.begin())) << size;
  }
}

TEST(RecordFileReaderTest, AnyBytesInAnyPiecesGiveTheSame) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::string_view kBytes = "[]{}\",:\\ \r\n\tau01-.\xC3\xA4\xEF\xBB\xBF";
  for (int round = 0; round < 20'000; ++round) {
    std::string file(random() % 2 == 0 ? "[" : "{");
    if (random() % 8 == 0) file.clear();
    const std::size_t parts = random() % 16;
    for (std::size_t i = 0; i < parts; ++i) {
      if (random() % 2 == 0) {
        file += kBytes[random() % kBytes.size()];
      } else {
        constexpr std::string_view kParts[] = {"{\"a\":1}", "{\"a\":", "\"x\"", ",",
                                               "\n",        "]",       "}"};
        file += kParts[random() % std::size(kParts)];
      }
    }
    std::vector<std::size_t> cuts;
    for (std::size_t at = random() % 4; at < file.size(); at += random() % 5) cuts.push_back(at);
    const RecordFileLimits limits = random() % 2 == 0 ? RecordFileLimits() : kSmall;
    ASSERT_EQ(ReadCut(file, cuts, limits, true), ReadCut(file, {}, limits, true)) << file;
  }
}

}  // namespace
}  // namespace latchkey::core
