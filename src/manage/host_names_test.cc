#include "manage/host_names.h"

#include <gtest/gtest.h>

namespace latchkey::manage {
namespace {

TEST(HostNamesTest, KnowsItselfAndWhatIsConfigured) {
  const HostNames names({"Manage.Example.com", "2001:db8::7", "[2001:db8::8]", "10.0.0.5:9"});
  for (const char* host :
       {"localhost", "LOCALHOST:8444", "localhost.", "127.0.0.1", "127.0.0.1:8445", "[::1]",
        "[::1]:8445", "manage.example.com", "MANAGE.example.com.:443", "[2001:db8::7]:8444",
        "[2001:DB8::8]", "10.0.0.5", "localhost:"}) {
    EXPECT_TRUE(names.Contains(host)) << host;
  }
}

TEST(HostNamesTest, RefusesEveryOther) {
  const HostNames names({"manage.example.com"});
  for (const char* host :
       {"", "evil.example", "localhost.evil.example", "evil-localhost", "127.0.0.1.evil.example",
        "127.0.0.2", "manage.example.com.evil.example", "example.com", "::1", "[::1", "[::1]x",
        "[::1]:80:80", "localhost:80x", "localhost:80:80", "localhost..", ".", ":8445"}) {
    EXPECT_FALSE(names.Contains(host)) << host;
  }
}

}  // namespace
}  // namespace latchkey::manage
