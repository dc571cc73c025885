#include "env/config.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/data_folder.h"

namespace latchkey {
namespace {

using testing::HasSubstr;

std::string Problem(std::string_view text) {
  const Result<Config> config = ParseConfig(text, "latchkey.toml");
  return config.ok() ? "none" : config.error().public_text;
}

TEST(ConfigTest, AnEmptyFileGivesTheDefaults) {
  const Result<Config> config = ParseConfig("", "x");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->data.https_port, 8443);
  EXPECT_FALSE(config->data.http_port);
  EXPECT_TRUE(config->certificates.empty());
}

TEST(ConfigTest, EveryDefaultThatIsShownIsTheDefault) {
  std::string text;
  for (const SettingInfo& setting : Settings()) {
    if (!setting.default_text.empty()) {
      text += fmt::format("{} = {}\n", setting.key, setting.default_text);
    }
  }
  const Result<Config> config = ParseConfig(text, "x");
  ASSERT_TRUE(config.ok()) << config.error().public_text;
  EXPECT_EQ(config->limits.head_bytes, Config().limits.head_bytes);
  EXPECT_EQ(config->limits.import_bytes, Config().limits.import_bytes);
  EXPECT_EQ(config->limits.idle_timeout, Config().limits.idle_timeout);
  EXPECT_EQ(config->log.access, Config().log.access);
}

TEST(ConfigTest, TakesWhatItIsTold) {
  const Result<Config> config = ParseConfig(R"(
trusted_proxies = ["10.0.0.0/8", "::1"]
[data]
listen = "127.0.0.1"
https_port = 0
http_port = 8080
secret_tokens_over_http = true
[manage]
host_names = ["Manage.example.com"]
[limits]
head_bytes = "32KiB"
url_bytes = 1000
idle_timeout = "1500ms"
[log]
level = "debug"
[[certificates]]
chain = "a.pem"
key = "a.key"
)",
                                            "x");
  ASSERT_TRUE(config.ok()) << config.error().public_text;
  EXPECT_EQ(config->trusted_proxies.size(), 2U);
  EXPECT_EQ(config->data.http_port, 8080);
  EXPECT_TRUE(config->data.secret_tokens_over_http);
  EXPECT_EQ(config->manage.host_names, std::vector<std::string>{"manage.example.com"});
  EXPECT_EQ(config->limits.head_bytes, 32U * 1024);
  EXPECT_EQ(config->limits.url_bytes, 1000U);
  EXPECT_EQ(config->limits.idle_timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(config->log.level, LogLevel::kDebug);
  EXPECT_EQ(config->certificates, (std::vector<CertificatePair>{{"a.pem", "a.key"}}));
}

TEST(ConfigTest, NamesFileLineKeyAndWhatWouldBeRight) {
  EXPECT_EQ(Problem("\n[data]\nhttps_port = 70000\n"),
            "latchkey.toml:3: key \"data.https_port\": 70000 is out of range; right would be: a "
            "port, 0 to 65535; 0 takes a free one");
  EXPECT_EQ(Problem("[data]\nhttps_prot = 1\n"),
            "latchkey.toml:2: key \"data.https_prot\": no such setting; did you mean "
            "\"data.https_port\"?");
  EXPECT_THAT(Problem("https_port = 1\n"), HasSubstr("did you mean \"data.https_port\"?"));
  EXPECT_THAT(Problem("zzzzzzzzzzzz = 1\n"), HasSubstr("config check --explain"));
  EXPECT_EQ(Problem("[data]\nhttps_port = \"8443\"\n"),
            "latchkey.toml:2: key \"data.https_port\": it is a text; right would be: a port, 0 to "
            "65535; 0 takes a free one");
  EXPECT_THAT(Problem("data = 3\n"), HasSubstr("latchkey.toml:1: key \"data\": it is a whole"));
  EXPECT_THAT(Problem("[data]\nlisten = \"example.com\"\n"), HasSubstr("is no address"));
  EXPECT_THAT(Problem("[limits]\nhead_bytes = \"16KB\"\n"), HasSubstr("not a size"));
  EXPECT_THAT(Problem("[limits]\nhead_timeout = \"10 s\"\n"), HasSubstr("not a span of time"));
  EXPECT_THAT(Problem("[log]\nlevel = \"loud\"\n"), HasSubstr("\"debug\", \"info\""));
  EXPECT_THAT(Problem("trusted_proxies = [\"10.0.0.1/8\"]\n"), HasSubstr("is no address or block"));
  EXPECT_THAT(Problem("[[certificates]]\nchain = \"a\"\n"),
              HasSubstr("latchkey.toml:1: key \"certificates.key\": absent"));
  EXPECT_THAT(Problem("a = \n"), HasSubstr("latchkey.toml:1: not TOML: "));
}

TEST(ConfigTest, ListsEveryProblemInTheOrderOfTheFile) {
  const std::string problems = Problem("unknown = 1\n[data]\nhttps_port = -1\n[log]\nlevel = 3\n");
  EXPECT_EQ(std::count(problems.begin(), problems.end(), '\n'), 2);
  EXPECT_LT(problems.find("toml:1:"), problems.find("toml:3:"));
  EXPECT_LT(problems.find("toml:3:"), problems.find("toml:5:"));
}

TEST(ConfigTest, LooksForTheFilesThatItNamesBesideTheFile) {
  char name[] = "/tmp/latchkey-config-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  const std::string file = folder + "/latchkey.toml";
  ASSERT_TRUE(
      WriteFileAtomically(file, "[[certificates]]\nchain = \"a.pem\"\nkey = \"a.key\"\n").ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/a.pem", "x").ok());
  Result<Config> config = LoadConfig(file);
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().public_text,
            file + ":3: key \"certificates.key\": " + folder +
                "/a.key: No such file or directory; right would be: a file that can be read");
  ASSERT_TRUE(WriteFileAtomically(folder + "/a.key", "x").ok());
  config = LoadConfig(file);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->certificates[0].chain, folder + "/a.pem");
  EXPECT_EQ(LoadConfig(folder + "/absent").error().code, ErrorCode::kInvalid);
  std::filesystem::remove_all(folder);
}

TEST(ConfigTest, AFlagAndAVariableSetTheSameThing) {
  Config config;
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "LATCHKEY_HTTPS_PORT") return "1";
    if (name == "LATCHKEY_DATA") return "/d";
    return std::nullopt;
  };
  ASSERT_TRUE(ApplyEnvironment(config, environment).ok());
  EXPECT_EQ(config.data.https_port, 1);
  EXPECT_EQ(config.data_folder, "/d");
  ASSERT_TRUE(ApplyFlag(config, "https-port", "2", "--https-port").ok());
  EXPECT_EQ(config.data.https_port, 2);
  EXPECT_EQ(ApplyFlag(config, "https-port", "x", "--https-port").error().public_text,
            "--https-port: \"x\" can't be it; right would be: a port, 0 to 65535; 0 takes a free "
            "one");
  EXPECT_FALSE(ApplyFlag(config, "nonsense", "1", "--nonsense").ok());
}

}  // namespace
}  // namespace latchkey
