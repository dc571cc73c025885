#include "core/csv_reader.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace latchkey::core {
namespace {

using testing::ElementsAre;

// Writes down what the reader finds, one text each.
class Recorder final : public CsvHandler {
 public:
  Status OnHeader(std::span<const std::string_view> names) override {
    events.push_back("header" + Join(names));
    return {};
  }
  Status OnRow(std::uint64_t line, std::span<const std::string_view> cells) override {
    events.push_back(std::to_string(line) + Join(cells));
    return {};
  }
  Status OnBadRow(std::uint64_t line, std::string_view reason) override {
    events.push_back(std::to_string(line) + "! " + std::string(reason));
    return {};
  }
  std::vector<std::string> events;

 private:
  static std::string Join(std::span<const std::string_view> cells) {
    std::string text;
    for (const std::string_view cell : cells) text.append(" <").append(cell).append(">");
    return text;
  }
};

std::vector<std::string> Read(std::string_view file, std::size_t piece = std::string::npos,
                              CsvLimits limits = {}) {
  Recorder recorder;
  CsvReader reader(recorder, limits);
  Status status;
  for (std::size_t at = 0; at < file.size() && status.ok(); at += std::min(piece, file.size())) {
    status = reader.Feed(file.substr(at, piece));
  }
  const Status finish = reader.Finish();
  if (!status.ok()) {
    EXPECT_EQ(finish.error().public_text, status.error().public_text);
  }
  if (!finish.ok()) recorder.events.push_back("error " + finish.error().public_text);
  return recorder.events;
}

TEST(CsvReaderTest, ReadsRowsWithTheirLines) {
  EXPECT_THAT(Read("a,b\n1,2\n3,4\n"), ElementsAre("header <a> <b>", "2 <1> <2>", "3 <3> <4>"));
  EXPECT_THAT(Read("a,b\r\n1,2\r\n\r\n3,4"),
              ElementsAre("header <a> <b>", "2 <1> <2>", "4 <3> <4>"));
  EXPECT_THAT(Read("\xEF\xBB\xBF\n\r\na,b\n,\n"), ElementsAre("header <a> <b>", "4 <> <>"));
  EXPECT_THAT(Read("a\n1\n\n\"\"\n x \n"), ElementsAre("header <a>", "2 <1>", "4 <>", "5 < x >"));
}

TEST(CsvReaderTest, QuotedCellsHoldAnything) {
  EXPECT_THAT(Read("a,\"b,\"\"c\"\"\nd\"\n\"1\r\n2\",3\n4,5\"6\"\n"),
              ElementsAre("header <a> <b,\"c\"\nd>", "3 <1\r\n2> <3>", "5 <4> <5\"6\">"));
}

TEST(CsvReaderTest, TheHeaderLineTellsTheDelimiter) {
  EXPECT_THAT(Read("a\tb,c\td\n1\t2\t3,\n"), ElementsAre("header <a> <b,c> <d>", "2 <1> <2> <3,>"));
  EXPECT_THAT(Read("a|b\n1|,\n"), ElementsAre("header <a> <b>", "2 <1> <,>"));
  EXPECT_THAT(Read("\"a|b|c\",d\n1|2,3\n"), ElementsAre("header <a|b|c> <d>", "2 <1|2> <3>"));
  EXPECT_THAT(Read("\"a\"\"|b|c\",d\n1,2\n"), ElementsAre("header <a\"|b|c> <d>", "2 <1> <2>"));
  EXPECT_THAT(Read("a,b|c\n1,2\n"), ElementsAre("header <a> <b|c>", "2 <1> <2>"));
  EXPECT_THAT(Read("a\"b|c\n1|2\n\"3\"|4"),
              ElementsAre("header <a\"b> <c>", "2 <1> <2>", "3 <3> <4>"));
}

TEST(CsvReaderTest, BadRowsAreToldAndPassedOver) {
  using namespace std::string_literals;
  const auto rows = Read("a,b\n1\n1,2,3\n\"x\"y,2\n1,\0\n1,\xC3\n\xE2,\x82\xAC\n1\r2,3\n7,8\n"s);
  EXPECT_THAT(rows,
              ElementsAre("header <a> <b>", "2! it has 1 cell, the header has 2",
                          "3! it has 3 cells, the header has 2", "4! text after a closing quote",
                          "5! it holds a NUL character", "6! it is not UTF-8", "7! it is not UTF-8",
                          "8! a carriage return without a line feed", "9 <7> <8>"));
  EXPECT_THAT(Read("a,b\n\"1\n2\"x,3\n4,5\n"),
              ElementsAre("header <a> <b>", "2! text after a closing quote", "4 <4> <5>"));
  EXPECT_THAT(Read("a,b\n1,2\n3,\"4\n5,6\n"),
              ElementsAre("header <a> <b>", "2 <1> <2>", "3! a quoted cell is not closed"));
  EXPECT_THAT(Read("a,b\n1,2\r"),
              ElementsAre("header <a> <b>", "2! a carriage return without a line feed"));
}

TEST(CsvReaderTest, MemoryIsBoundedByTheLimits) {
  const CsvLimits limits{.max_cell_bytes = 4, .max_row_bytes = 10, .max_cells = 3};
  EXPECT_THAT(Read("a,b,c\n1234,1234,\n12345,1,1\n1,\"12345\n6,7\n1,2,3\n", 1, limits),
              ElementsAre("header <a> <b> <c>", "2 <1234> <1234> <>", "3! a cell is too long",
                          "4! a cell is too long (is its quote not closed?)",
                          "5! it has 2 cells, the header has 3", "6 <1> <2> <3>"));
  EXPECT_THAT(
      Read("a,b,c\n,,,,,,,,,,,,,,,,,,,\n1234,1234,1234\n", 1, limits),
      ElementsAre("header <a> <b> <c>", "2! the row is too long", "3! the row is too long"));
  EXPECT_THAT(Read("a,b,c,d\n", 1, limits),
              ElementsAre("error line 1: the header has more than 3 columns"));
  EXPECT_THAT(Read("aaaaaaaaaaaaaaaaaaaaaaaaa", 1, limits),
              ElementsAre("error line 1: a cell is too long"));
}

TEST(CsvReaderTest, AFileWithoutAHeaderIsRefused) {
  using namespace std::string_literals;
  EXPECT_THAT(Read(""), ElementsAre("error line 1: there is no header line"));
  EXPECT_THAT(Read("\n\n"), ElementsAre("error line 3: there is no header line"));
  EXPECT_THAT(Read("\xEF\xBB\xBF"), ElementsAre("error line 1: there is no header line"));
  EXPECT_THAT(Read("a,\"b"), ElementsAre("error line 1: a quoted cell is not closed"));
  EXPECT_THAT(Read("a,\"b\"c\n1,2\n"), ElementsAre("error line 1: text after a closing quote"));
  EXPECT_THAT(Read("\na,\xFF\n"), ElementsAre("error line 2: it is not UTF-8"));
  EXPECT_THAT(Read("a\0b\n"s), ElementsAre("error line 1: it holds a NUL character"));
}

TEST(CsvReaderTest, AnErrorOfTheHandlerEndsTheReading) {
  class Stopper final : public CsvHandler {
   public:
    Status OnHeader(std::span<const std::string_view>) override { return {}; }
    Status OnRow(std::uint64_t, std::span<const std::string_view>) override {
      ++rows;
      return MakeError(ErrorCode::kLimit, "enough");
    }
    Status OnBadRow(std::uint64_t, std::string_view) override { return {}; }
    int rows = 0;
  };
  Stopper stopper;
  CsvReader reader(stopper);
  EXPECT_EQ(reader.Feed("a\n1\n2\n").error().public_text, "enough");
  EXPECT_EQ(reader.Feed("3\n").error().public_text, "enough");
  EXPECT_EQ(reader.Finish().error().public_text, "enough");
  EXPECT_EQ(stopper.rows, 1);
}

// However a file is cut into pieces, the same rows and errors come out.
TEST(CsvReaderTest, TheCutOfThePiecesChangesNothing) {
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string alphabet("a1,,|\t\"\"\n\n\r\0\xC3\xA4\xEF\xBB\xBF", 17);
  const CsvLimits limits{.max_cell_bytes = 8, .max_row_bytes = 20, .max_cells = 4};
  for (int round = 0; round < 3000; ++round) {
    std::string file = round % 2 == 0 ? "a,b\n" : "";
    const std::size_t length = random() % 60;
    for (std::size_t i = 0; i < length; ++i) file += alphabet[random() % alphabet.size()];
    const std::vector<std::string> whole = Read(file, std::string::npos, limits);
    ASSERT_EQ(Read(file, 1, limits), whole) << testing::PrintToString(file);
    ASSERT_EQ(Read(file, 1 + random() % 7, limits), whole) << testing::PrintToString(file);
  }
}

}  // namespace
}  // namespace latchkey::core
