// Whatever arrives as a token's text: nothing but the two forms of docs/token-format.md may pass.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "core/token_text.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace latchkey::core;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string shown = RedactTokenText(text);
  Require(shown.size() <= 4 + 3 + 4);
  const auto shape = ParseTokenText(text);
  if (shape && !shape->imported) {
    const std::size_t tail = kTokenRandomCharacters + kTokenChecksumCharacters;
    Require(MakeTokenText(shape->kind, shape->environment,
                          text.substr(size - tail, kTokenRandomCharacters)) == text);
  }
  // A checksum made right must pass: with this the fuzzer gets past it.
  if (size >= kTokenRandomCharacters) {
    std::string random(text.substr(0, kTokenRandomCharacters));
    bool base62 = true;
    for (char c : random) base62 = base62 && latchkey::Base62Value(c) >= 0;
    if (base62) {
      const TokenKind kind = size % 2 == 0 ? TokenKind::kSecret : TokenKind::kPublishable;
      const auto made = ParseTokenText(MakeTokenText(kind, Environment::kTest, random));
      Require(made && made->kind == kind && made->environment == Environment::kTest);
    }
  }
  return 0;
}
