#include "manage/paging.h"

#include <gtest/gtest.h>

namespace latchkey::manage {
namespace {

Call With(std::vector<http::QueryParameter> query) {
  Call call;
  call.query = std::move(query);
  return call;
}

TEST(PageTokenTest, GoesThereAndBack) {
  for (const service::PageMark& mark :
       {service::PageMark{FromUnixMillis(0), 1}, service::PageMark{FromUnixMillis(INT64_MAX), 5},
        service::PageMark{FromUnixMillis(1'700'000'000'123), INT64_MAX}}) {
    EXPECT_EQ(ParsePageToken(PageToken(mark)), mark);
  }
}

TEST(PageTokenTest, RefusesEveryChangedCharacterAndLength) {
  const std::string token = PageToken({FromUnixMillis(1'700'000'000'123), 42});
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(ParsePageToken(changed)) << i;
    EXPECT_FALSE(ParsePageToken(token.substr(0, i))) << i;
  }
  EXPECT_FALSE(ParsePageToken(token + "0"));
  EXPECT_FALSE(ParsePageToken(std::string(28, '\xff')));
}

TEST(ParsePageRequestTest, HasDefaultsAndBounds) {
  const auto page = ParsePageRequest(With({}));
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->size, 50u);
  EXPECT_FALSE(page->after);
  EXPECT_EQ(page->search, "");
  EXPECT_TRUE(ParsePageRequest(With({{"page_size", "1"}})).ok());
  EXPECT_EQ(ParsePageRequest(With({{"page_size", "500"}, {"q", "x"}}))->size, 500u);
  for (const char* size : {"0", "501", "-1", "", "ten", "1e2", "99999999999999999999"}) {
    const auto refused = ParsePageRequest(With({{"page_size", size}}));
    ASSERT_FALSE(refused.ok()) << size;
    EXPECT_EQ(refused.error().fields.front().field, "page_size");
  }
  EXPECT_FALSE(ParsePageRequest(With({{"page_token", "abc"}})).ok());
  EXPECT_FALSE(ParsePageRequest(With({{"q", std::string(129, 'x')}})).ok());
}

}  // namespace
}  // namespace latchkey::manage
