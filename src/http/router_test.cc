#include "http/router.h"

#include <gtest/gtest.h>

namespace latchkey::http {
namespace {

using Outcome = Router::Outcome;

Router MakeRouter() {
  Router router;
  router.Add(Method::kGet, "/manage/v1/tokens", 1);
  router.Add(Method::kPost, "/manage/v1/tokens", 2);
  router.Add(Method::kPost, "/manage/v1/tokens:batchCreate", 3);
  router.Add(Method::kGet, "/manage/v1/tokens/{id}", 4);
  router.Add(Method::kPatch, "/manage/v1/tokens/{id}", 5);
  router.Add(Method::kPost, "/manage/v1/tokens/{id}:disable", 6);
  router.Add(Method::kGet, "/manage/v1/tokens/special/part", 7);
  router.Add(Method::kGet, "/manage/v1/tokens/{id}/{part}", 8);
  router.Add(Method::kGet, "/data/{workspace}/{+key}", 9);
  router.Add(Method::kGet, "/accounts/{id}/{rest...}", 10);
  router.Add(Method::kGet, "/", 11);
  return router;
}

TEST(RouterTest, FindsTheRouteOfAPathAndCapturesItsSegments) {
  const Router router = MakeRouter();
  struct Case {
    Method method;
    std::string_view path;
    Outcome outcome;
    int route;
    std::vector<std::string_view> captures;
  };
  const Case cases[] = {
      {Method::kGet, "/", Outcome::kFound, 11, {}},
      {Method::kGet, "/manage/v1/tokens", Outcome::kFound, 1, {}},
      {Method::kPost, "/manage/v1/tokens", Outcome::kFound, 2, {}},
      {Method::kHead, "/manage/v1/tokens", Outcome::kFound, 1, {}},
      {Method::kPost, "/manage/v1/tokens:batchCreate", Outcome::kFound, 3, {}},
      {Method::kGet, "/manage/v1/tokens/tok_1", Outcome::kFound, 4, {"tok_1"}},
      {Method::kPost, "/manage/v1/tokens/tok_1:disable", Outcome::kFound, 6, {"tok_1"}},
      {Method::kGet, "/manage/v1/tokens/tok_1:disable", Outcome::kMethodNotAllowed, -1, {"tok_1"}},
      {Method::kPost, "/manage/v1/tokens/tok_1:unknown", Outcome::kNotFound, -1, {}},
      {Method::kPost, "/manage/v1/tokens/:disable", Outcome::kNotFound, -1, {}},
      {Method::kPost, "/manage/v1/tokens/a:b:disable", Outcome::kNotFound, -1, {}},
      {Method::kPut, "/manage/v1/tokens/tok_1", Outcome::kMethodNotAllowed, -1, {"tok_1"}},
      {Method::kOther, "/manage/v1/tokens", Outcome::kMethodNotAllowed, -1, {}},
      {Method::kGet, "/manage/v1/tokens/special/part", Outcome::kFound, 7, {}},
      {Method::kGet, "/manage/v1/tokens/special/other", Outcome::kFound, 8, {"special", "other"}},
      {Method::kGet, "/data/ws/a:b", Outcome::kFound, 9, {"ws", "a:b"}},
      {Method::kGet, "/accounts/acc_1/tokens/x:y", Outcome::kFound, 10, {"acc_1", "tokens/x:y"}},
      {Method::kGet, "/accounts/acc_1", Outcome::kNotFound, -1, {}},
      {Method::kGet, "/manage/v1", Outcome::kNotFound, -1, {}},
      {Method::kGet, "/manage/v1/Tokens", Outcome::kNotFound, -1, {}},
      {Method::kOptions, "*", Outcome::kNotFound, -1, {}},
  };
  for (const Case& c : cases) {
    const Router::Match match = router.Find(c.method, c.path);
    EXPECT_EQ(match.outcome, c.outcome) << c.path;
    EXPECT_EQ(match.route, c.route) << c.path;
    EXPECT_EQ(std::vector<std::string_view>(match.captures.begin(),
                                            match.captures.begin() + match.capture_count),
              c.captures)
        << c.path;
  }
}

TEST(RouterTest, NamesTheMethodsOfAPath) {
  const Router router = MakeRouter();
  EXPECT_EQ(router.Find(Method::kDelete, "/manage/v1/tokens").allow, "GET, HEAD, POST");
  EXPECT_EQ(router.Find(Method::kGet, "/manage/v1/tokens/a:disable").allow, "POST");
  EXPECT_EQ(router.Find(Method::kGet, "/nowhere").allow, "");
}

TEST(RouterDeathTest, RefusesPatternsThatCannotBeMeant) {
  Router router = MakeRouter();
  EXPECT_DEATH(router.Add(Method::kGet, "/manage/v1/tokens", 1), "twice");
  EXPECT_DEATH(router.Add(Method::kGet, "/{a...}/b", 1), "last");
  EXPECT_DEATH(router.Add(Method::kGet, "/{}", 1), "name");
  EXPECT_DEATH(router.Add(Method::kGet, "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", 1), "too many");
}

}  // namespace
}  // namespace latchkey::http
