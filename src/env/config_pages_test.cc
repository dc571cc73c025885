// The example file and the page for operators say what the code does.
#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "env/config.h"
#include "env/data_folder.h"

namespace latchkey {
namespace {

std::string Read(const std::string& path) {
  const Result<std::string> text = ReadWholeFile(std::string(LATCHKEY_SOURCE_FOLDER) + "/" + path);
  EXPECT_TRUE(text.ok()) << path;
  return text.ok() ? *text : "";
}

TEST(ConfigPagesTest, TheExampleFileIsRightAndNamesEverySettingAtItsDefault) {
  const std::string text = Read("latchkey.example.toml");
  const Result<Config> config = ParseConfig(text, "latchkey.example.toml");
  ASSERT_TRUE(config.ok()) << config.error().public_text;
  std::string section;
  std::string stripped;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("[") && !line.starts_with("[[")) {
      section = line.substr(1, line.find(']') - 1) + ".";
    } else if (!line.empty() && line[0] != '#') {
      line = line.substr(0, line.find("  #"));
      stripped += section + line + "\n";
    }
  }
  for (const SettingInfo& setting : Settings()) {
    if (setting.default_text.empty()) continue;
    const std::string line = fmt::format("{} = {}\n", setting.key, setting.default_text);
    EXPECT_NE(stripped.find(line), std::string::npos) << line;
  }
}

TEST(ConfigPagesTest, TheOperatorsPageListsEverySettingWithItsDefaultAndWhetherItIsReloaded) {
  const std::string page = Read("docs/operations.md");
  for (const SettingInfo& setting : Settings()) {
    const std::string row =
        fmt::format("| `{}`{} | {} |", setting.key, setting.reloadable ? " \\*" : "",
                    setting.default_text.empty() ? "" : "`" + setting.default_text + "`");
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace latchkey
