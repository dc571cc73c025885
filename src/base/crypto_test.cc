#include "base/crypto.h"

#include <sstream>

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace latchkey {
namespace {

// FIPS 180-2, appendix B.1.
TEST(CryptoTest, Sha256GivesThePublishedDigest) {
  EXPECT_EQ(HexEncode(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256Stream stream;
  stream.Update("a");
  stream.Update("bc");
  EXPECT_EQ(stream.Finish(), Sha256("abc"));
}

// RFC 4231 §4.3.
TEST(CryptoTest, HmacGivesThePublishedCodeFromKeyAndFromKeyState) {
  const std::string_view text = "what do ya want for nothing?";
  const char* expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  EXPECT_EQ(HexEncode(HmacSha256("Jefe", text)), expected);
  EXPECT_EQ(HexEncode(HmacSha256WithState(MakeHmacKeyState(Secret("Jefe")), text)), expected);
}

TEST(CryptoTest, HmacKeyStateDoesNotHoldTheKey) {
  const Secret key(
      "sk_000000000000000000000000000000"
      "4LUZwA");
  const Secret state = MakeHmacKeyState(key);
  EXPECT_EQ(state.Reveal().size(), kHmacKeyStateBytes);
  EXPECT_EQ(state.Reveal().find("sk_0000"), std::string_view::npos);
}

// The check value of CRC-32/ISO-HDLC.
TEST(CryptoTest, Crc32IsZlibs) { EXPECT_EQ(Crc32("123456789"), 0xCBF43926U); }

TEST(CryptoTest, OpensOnlyWithSameKeyAssociatedDataAndBytes) {
  CryptoInit();
  const Secret key(std::string(kSealKeyBytes, 'k'));
  const Secret other(std::string(kSealKeyBytes, 'o'));
  const std::string sealed = Seal(key, "account:token", Secret("state"));
  ASSERT_TRUE(Unseal(key, "account:token", sealed));
  EXPECT_EQ(Unseal(key, "account:token", sealed)->Reveal(), "state");
  EXPECT_FALSE(Unseal(other, "account:token", sealed));
  EXPECT_FALSE(Unseal(key, "account:other", sealed));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(Unseal(key, "account:token", changed)) << "byte " << i;
  }
  EXPECT_FALSE(Unseal(key, "account:token", sealed.substr(0, 39)));
}

TEST(SecretTest, PrintsStars) {
  std::ostringstream out;
  out << Secret("sk_live");
  EXPECT_EQ(out.str(), "***");
}

}  // namespace
}  // namespace latchkey
