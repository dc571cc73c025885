#include "core/reason.h"

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"

namespace latchkey::core {
namespace {

std::vector<std::string> ReadLines(const std::string& name) {
  std::ifstream file(std::string(LATCHKEY_DOCS) + "/" + name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::map<std::string, int> ReasonsOfTheCode() {
  std::map<std::string, int> reasons;
  for (const ReasonInfo& info : AllReasons()) reasons[std::string(info.name)] = info.status;
  return reasons;
}

// Rows of docs/decisions.md: | 401 | `data_restricted` | when | what to do |
std::map<std::string, int> ReasonsOfDecisionsPage() {
  std::map<std::string, int> reasons;
  for (const std::string& line : ReadLines("decisions.md")) {
    std::istringstream row(line);
    std::string bar1, status, bar2, name;
    row >> bar1 >> status >> bar2 >> name;
    if (bar1 != "|" || bar2 != "|" || !ParseUint64(status) || name.size() < 2) continue;
    EXPECT_TRUE(reasons.emplace(name.substr(1, name.size() - 2), std::stoi(status)).second)
        << name << " has two rows";
  }
  return reasons;
}

// The enum of components/schemas/Reason in docs/openapi.yaml: a block of "- name" lines or a list
// in brackets after "enum:".
std::set<std::string> ReasonsOfOpenApi(const std::vector<std::string>& lines) {
  std::set<std::string> reasons;
  std::size_t i = 0;
  const auto indent = [&](std::size_t line) { return lines[line].find_first_not_of(' '); };
  while (i < lines.size() && TrimBlanks(lines[i]) != "Reason:") ++i;
  if (i == lines.size()) return reasons;
  const std::size_t outer = indent(i);
  bool in_enum = false;
  for (++i; i < lines.size(); ++i) {
    std::string line(TrimBlanks(lines[i]));
    if (line.empty() || line.starts_with('#')) continue;
    if (indent(i) <= outer) break;
    if (line.starts_with("enum:")) {
      in_enum = true;
      line.erase(0, 5);
    } else if (in_enum && indent(i) >= outer && line.find(':') != std::string::npos) {
      in_enum = false;
    }
    if (!in_enum) continue;
    std::string word;
    for (char c : line + " ") {
      if (IsAlpha(c) || c == '_') {
        word.push_back(c);
      } else if (!word.empty()) {
        reasons.insert(std::exchange(word, {}));
      }
    }
  }
  return reasons;
}

TEST(ReasonTest, CodeAndDecisionsPageListTheSameReasonsWithTheSameStatus) {
  EXPECT_EQ(ReasonsOfTheCode(), ReasonsOfDecisionsPage());
}

TEST(ReasonTest, CodeAndOpenApiListTheSameReasons) {
  const std::vector<std::string> lines = ReadLines("openapi.yaml");
  if (lines.empty()) GTEST_SKIP() << "docs/openapi.yaml is not there";
  std::set<std::string> of_the_code;
  for (const ReasonInfo& info : AllReasons()) of_the_code.insert(std::string(info.name));
  EXPECT_EQ(of_the_code, ReasonsOfOpenApi(lines));
}

TEST(ReasonTest, ReadsBothFormsOfAnOpenApiEnum) {
  EXPECT_THAT(ReasonsOfOpenApi({"components:", "  schemas:", "    Reason:", "      type: string",
                                "      enum:", "        - token_invalid", "        - not_found",
                                "      description: a word",
                                "    Other:", "      enum:", "        - nothing"}),
              testing::ElementsAre("not_found", "token_invalid"));
  EXPECT_THAT(ReasonsOfOpenApi({"    Reason:", "      enum: [token_invalid,", "        not_found]",
                                "    Other:", "      enum: [nothing]"}),
              testing::ElementsAre("not_found", "token_invalid"));
}

// wire.md §2: old clients compare these.
TEST(ReasonTest, KeepsTheSentencesThatOldClientsCompare) {
  EXPECT_EQ(Describe(Reason::kInvalidValues).sentence,
            "You have supplied invalid values for this request");
  EXPECT_EQ(Describe(Reason::kTokenInvalid).sentence, "The API key provided is not valid.");
  EXPECT_EQ(Describe(Reason::kNotFound).sentence, "Not Found");
}

TEST(ReasonTest, EachHasAnErrorStatusANameAndASentenceOfItsOwn) {
  std::set<std::string_view> names;
  std::set<std::string_view> sentences;
  for (const ReasonInfo& info : AllReasons()) {
    EXPECT_GE(info.status, 400) << info.name;
    EXPECT_LT(info.status, 600) << info.name;
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(sentences.insert(info.sentence).second) << info.sentence;
    EXPECT_FALSE(info.sentence.empty()) << info.name;
    // Headers and metrics carry the name.
    EXPECT_EQ(info.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos);
    EXPECT_EQ(&Describe(info.reason), &info);
    EXPECT_EQ(ParseReason(info.name), info.reason);
  }
  EXPECT_FALSE(ParseReason(""));
  EXPECT_FALSE(ParseReason("Token_Invalid"));
}

}  // namespace
}  // namespace latchkey::core
