#include "core/token_text.h"

#include <set>

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "base/encoding.h"

namespace latchkey::core {
namespace {

const std::string kZeros(30, '0');

// wire.md §1, docs/token-format.md.
TEST(TokenTextTest, MakesTheVectorsOfTheFormat) {
  EXPECT_EQ(MakeTokenText(TokenKind::kPublishable, Environment::kLive, kZeros),
            "pk_" + kZeros + "3KzPDL");
  EXPECT_EQ(MakeTokenText(TokenKind::kSecret, Environment::kLive, kZeros),
            "sk_" + kZeros + "4LUZwA");
  EXPECT_EQ(MakeTokenText(TokenKind::kPublishable, Environment::kTest, kZeros),
            "Tpk_" + kZeros + "39St2V");
  EXPECT_EQ(MakeTokenText(TokenKind::kSecret, Environment::kTest, kZeros),
            "Tsk_" + kZeros + "4Wew6s");
  EXPECT_EQ(
      MakeTokenText(TokenKind::kPublishable, Environment::kLive, "0123456789ABCDEFGHIJKLMNOPQRST"),
      "pk_0123456789ABCDEFGHIJKLMNOPQRST0u6vQw");
  EXPECT_EQ(MakeTokenText(TokenKind::kSecret, Environment::kLive, "zyxwvutsrqponmlkjihgfedcbaZYXW"),
            "sk_zyxwvutsrqponmlkjihgfedcbaZYXW08i1Ro");
}

TEST(TokenTextTest, ParsesWhatItMakes) {
  for (TokenKind kind : {TokenKind::kPublishable, TokenKind::kSecret}) {
    for (Environment environment : {Environment::kLive, Environment::kTest}) {
      const auto shape =
          ParseTokenText(MakeTokenText(kind, environment, "0aZ9zAbCdEfGhIjKlMnOpQrStUvWxY"));
      ASSERT_TRUE(shape);
      EXPECT_EQ(shape->kind, kind);
      EXPECT_EQ(shape->environment, environment);
      EXPECT_FALSE(shape->imported);
    }
  }
}

// A CRC finds every burst of up to 32 bits, so every change of one character.
TEST(TokenTextTest, RejectsEveryChangeOfOneCharacter) {
  for (TokenKind kind : {TokenKind::kPublishable, TokenKind::kSecret}) {
    for (Environment environment : {Environment::kLive, Environment::kTest}) {
      const std::string text = MakeTokenText(kind, environment, "0aZ9zAbCdEfGhIjKlMnOpQrStUvWxY");
      for (std::size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        for (int byte = 0; byte < 256; ++byte) {
          changed[i] = static_cast<char>(byte);
          EXPECT_EQ(ParseTokenText(changed).has_value(), changed == text) << i << ' ' << byte;
        }
      }
    }
  }
}

TEST(TokenTextTest, RejectsTranspositionsInsertionsAndDeletions) {
  const std::string text =
      MakeTokenText(TokenKind::kSecret, Environment::kLive, "0aZ9zAbCdEfGhIjKlMnOpQrStUvWxY");
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    std::string changed = text;
    std::swap(changed[i], changed[i + 1]);
    if (changed != text) {
      EXPECT_FALSE(ParseTokenText(changed)) << i;
    }
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(ParseTokenText(std::string(text).erase(i, 1))) << i;
    EXPECT_FALSE(ParseTokenText(text.substr(0, i))) << i;
    for (char c : {'0', 'z', ' ', '\0'}) {
      EXPECT_FALSE(ParseTokenText(std::string(text).insert(i, 1, c))) << i;
    }
  }
  EXPECT_FALSE(ParseTokenText(text + "0"));
  EXPECT_FALSE(ParseTokenText(" " + text));
  EXPECT_FALSE(ParseTokenText(text + "\n"));
}

TEST(TokenTextTest, RejectsRubbish) {
  for (const std::string& text :
       {std::string(), std::string("pk_"), std::string("_"), std::string("T"), std::string("Tpk"),
        "PK_" + kZeros + "3KzPDL", "tpk_" + kZeros + "39St2V", "TTpk_" + kZeros + "39St2V",
        "xk_" + kZeros + "3KzPDL", "pk-" + kZeros + "3KzPDL", std::string(4096, 'p'),
        // 2^32 and more do not wrap.
        "pk_" + kZeros + "zzzzzz"}) {
    EXPECT_FALSE(ParseTokenText(text)) << text.substr(0, 60);
  }
}

TEST(TokenTextTest, KnowsTheImportedForm) {
  const std::string hex = "0123456789abcdef0123456789abcdef";
  const auto publishable = ParseTokenText("pk_" + hex);
  ASSERT_TRUE(publishable);
  EXPECT_TRUE(publishable->imported);
  EXPECT_EQ(publishable->kind, TokenKind::kPublishable);
  const auto secret = ParseTokenText("Tsk_" + hex);
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->kind, TokenKind::kSecret);
  EXPECT_EQ(secret->environment, Environment::kTest);
  EXPECT_FALSE(ParseTokenText("pk_0123456789ABCDEF0123456789ABCDEF"));
  EXPECT_FALSE(ParseTokenText("pk_0123456789abcdef0123456789abcdeg"));
  EXPECT_FALSE(ParseTokenText("pk_0123456789abcdef0123456789abcde"));
  EXPECT_FALSE(ParseTokenText("pk_0123456789abcdef0123456789abcdef0"));
}

TEST(TokenTextTest, ShowsPrefixAndLastFourOfASecret) {
  EXPECT_EQ(RedactTokenText("sk_" + kZeros + "4LUZwA"), "sk_…UZwA");
  EXPECT_EQ(RedactTokenText("Tsk_" + kZeros + "4Wew6s"), "Tsk_…ew6s");
  EXPECT_EQ(RedactTokenText("sk_0123456789abcdef0123456789abcdef"), "sk_…cdef");
  EXPECT_EQ(RedactTokenText("sk_short"), "sk_…");
  EXPECT_EQ(RedactTokenText(""), "…");
}

TEST(TokenTextTest, NamesParseBack) {
  for (TokenKind kind : {TokenKind::kPublishable, TokenKind::kSecret}) {
    EXPECT_EQ(ParseTokenKind(ToString(kind)), kind);
  }
  for (Environment environment : {Environment::kLive, Environment::kTest}) {
    EXPECT_EQ(ParseEnvironment(ToString(environment)), environment);
  }
  EXPECT_FALSE(ParseTokenKind("Secret"));
  EXPECT_FALSE(ParseEnvironment(""));
}

}  // namespace
}  // namespace latchkey::core
