#include "env/redact.h"

#include <gtest/gtest.h>

namespace latchkey {
namespace {

TEST(RedactTest, MasksWhateverLooksLikeATokenAndNothingElse) {
  struct Case {
    std::string_view text;
    std::string_view expected;
  };
  const Case cases[] = {
      {"", ""},
      {"plain text, no token", "plain text, no token"},
      {"sk_0123456789abcdef", "sk_***"},
      {"pk_abcd", "pk_***"},
      {"pk_abc", "pk_abc"},
      {"Tsk_abcd/Tpk_efgh", "Tsk_***/Tpk_***"},
      {"/v1/data/core/STOCKS/sk_abcdefgh/x", "/v1/data/core/STOCKS/sk_***/x"},
      {"token=sk_aaaa&token=pk_bbbb", "token=sk_***&token=pk_***"},
      {"sk_aaaa_sk_bbbb", "sk_***_sk_***"},
      {"Authorization: Bearer op_abcdefgh", "Authorization: Bearer op_***"},
      {"sk_\xE2\x80\xA6wxyz", "sk_\xE2\x80\xA6wxyz"},  // what may be shown of a secret
      {"/v1/data/core/risk_factors", "/v1/data/core/risk_factors"},
      {"xsk_0123456789abcdef0123456789", "xsk_***"},
      {"apk_0123456789abcdefbsk_0123456789abcdef/x", "apk_***/x"},
      {"pk_1234op_", "pk_***"},
      {"k_abcdef", "k_abcdef"},
      {"_", "_"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(RedactTokens(c.text), c.expected);
    EXPECT_EQ(HoldsToken(c.text), c.text != c.expected) << c.text;
  }
}

}  // namespace
}  // namespace latchkey
