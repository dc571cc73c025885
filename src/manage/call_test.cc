#include "manage/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace latchkey::manage {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(CheckIfMatchTest, ComparesStronglyWithEachTagOfTheList) {
  const struct {
    const char* field;
    Precondition expected;
  } table[] = {
      {"*", Precondition::kAny},
      {" * ", Precondition::kAny},
      {"\"3\"", Precondition::kMatches},
      {"\"2\", \"3\"", Precondition::kMatches},
      {"\"3\",\"4\"", Precondition::kMatches},
      {"\"2\"", Precondition::kStale},
      {"\"33\"", Precondition::kStale},
      {"\"\"", Precondition::kStale},
      {"W/\"3\"", Precondition::kStale},
      {"", Precondition::kMalformed},
      {"3", Precondition::kMalformed},
      {"\"3", Precondition::kMalformed},
      {"\"3\" \"4\"", Precondition::kMalformed},
      {"\"3\",", Precondition::kMalformed},
      {"*, \"3\"", Precondition::kMalformed},
  };
  for (const auto& [field, expected] : table) {
    Call call;
    call.has_if_match = true;
    call.if_match = field;
    EXPECT_EQ(CheckIfMatch(call, 3), expected) << field;
  }
  EXPECT_EQ(CheckIfMatch(Call(), 3), Precondition::kAbsent);
}

TEST(RefuseTest, IsAProblemWithReasonRequestIdAndFields) {
  Error error = MakeError(ErrorCode::kInvalid, "a: It is odd.", "internal");
  error.fields = {{"a", "It is odd."}};
  const Reply reply = Refuse(error, "r1");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.content_type, "application/problem+json");
  EXPECT_EQ(reply.body,
            R"({"type":"about:blank","title":"Bad Request","status":400,)"
            R"("detail":"You have supplied invalid values for this request. a: It is odd.",)"
            R"("reason":"invalid_values","request_id":"r1",)"
            R"("errors":[{"field":"a","detail":"It is odd."}]})");
  EXPECT_EQ(reply.internal_text, "internal");
}

TEST(RefuseTest, MapsEachErrorToOneReason) {
  const struct {
    ErrorCode code;
    int status;
  } table[] = {
      {ErrorCode::kInvalid, 400},  {ErrorCode::kNotFound, 404}, {ErrorCode::kConflict, 409},
      {ErrorCode::kStale, 412},    {ErrorCode::kLimit, 403},    {ErrorCode::kUnavailable, 503},
      {ErrorCode::kUnknown, 503},  {ErrorCode::kCorrupt, 500},  {ErrorCode::kNewer, 500},
      {ErrorCode::kInternal, 500},
  };
  for (const auto& [code, status] : table) {
    const Reply reply = Refuse(MakeError(code, "", "SELECT 1"), "r1");
    EXPECT_EQ(reply.status, status);
    EXPECT_THAT(reply.body, Not(HasSubstr("SELECT")));
  }
}

TEST(RefuseTest, MasksATokenThatStrayedIntoAName) {
  const FieldError error{"sk_0000000000000000000000000000004LUZwA", "There is no such field."};
  const Reply reply = Refuse(core::Reason::kInvalidValues, error.field, "r1", {&error, 1});
  EXPECT_THAT(reply.body, Not(HasSubstr("4LUZwA")));
}

}  // namespace
}  // namespace latchkey::manage
