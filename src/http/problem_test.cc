#include "http/problem.h"

#include <gtest/gtest.h>

namespace latchkey::http {
namespace {

TEST(ProblemTest, WritesEveryMemberThatIsSet) {
  const FieldError errors[] = {{"nickname", "too \"long\""}, {"kind", "unknown"}};
  Problem problem;
  problem.status = 400;
  problem.title = "Invalid values";
  problem.detail = "two fields are wrong";
  problem.reason = "invalid_values";
  problem.request_id = "req_1";
  problem.errors = errors;
  EXPECT_EQ(ProblemJson(problem),
            R"({"type":"about:blank","title":"Invalid values","status":400,)"
            R"("detail":"two fields are wrong","reason":"invalid_values","request_id":"req_1",)"
            R"("errors":[{"field":"nickname","detail":"too \"long\""},)"
            R"({"field":"kind","detail":"unknown"}]})");
}

TEST(ProblemTest, LeavesOutWhatIsEmptyAndNamesTheStatus) {
  Problem problem;
  problem.status = 404;
  EXPECT_EQ(ProblemJson(problem), R"({"type":"about:blank","title":"Not Found","status":404})");
}

}  // namespace
}  // namespace latchkey::http
