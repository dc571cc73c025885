#include "core/token_text.h"

#include <algorithm>
#include <cassert>

#include "base/crypto.h"
#include "base/encoding.h"

namespace latchkey::core {
namespace {

struct Prefix {
  std::string_view text;
  TokenKind kind;
  Environment environment;
};
constexpr Prefix kPrefixes[] = {
    {"pk_", TokenKind::kPublishable, Environment::kLive},
    {"sk_", TokenKind::kSecret, Environment::kLive},
    {"Tpk_", TokenKind::kPublishable, Environment::kTest},
    {"Tsk_", TokenKind::kSecret, Environment::kTest},
};
constexpr std::size_t kImportedCharacters = 32;
constexpr std::size_t kShownAtTheEnd = 4;

const Prefix* FindPrefix(std::string_view text) {
  for (const Prefix& prefix : kPrefixes) {
    if (text.starts_with(prefix.text)) return &prefix;
  }
  return nullptr;
}

bool IsLowerHex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}

// Compared digit by digit rather than as a number, so that no second spelling of the same number
// (there is none in fixed width today) could ever pass.
bool ChecksumMatches(std::string_view checked, std::string_view checksum) {
  std::uint32_t value = Crc32(checked);
  for (std::size_t i = kTokenChecksumCharacters; i-- > 0;) {
    if (checksum[i] != kBase62Alphabet[value % 62]) return false;
    value /= 62;
  }
  return true;
}

}  // namespace

std::string_view ToString(TokenKind kind) {
  return kind == TokenKind::kSecret ? "secret" : "publishable";
}

std::string_view ToString(Environment environment) {
  return environment == Environment::kTest ? "test" : "live";
}

std::optional<TokenKind> ParseTokenKind(std::string_view text) {
  if (text == "publishable") return TokenKind::kPublishable;
  if (text == "secret") return TokenKind::kSecret;
  return std::nullopt;
}

std::optional<Environment> ParseEnvironment(std::string_view text) {
  if (text == "live") return Environment::kLive;
  if (text == "test") return Environment::kTest;
  return std::nullopt;
}

std::optional<TokenShape> ParseTokenText(std::string_view text) {
  if (text.size() > kMaxTokenTextBytes) return std::nullopt;
  const Prefix* prefix = FindPrefix(text);
  if (prefix == nullptr) return std::nullopt;
  const std::string_view body = text.substr(prefix->text.size());
  // The two forms differ in length, so that neither can be taken for the other.
  if (body.size() == kImportedCharacters) {
    if (!IsLowerHex(body)) return std::nullopt;
    return TokenShape{prefix->kind, prefix->environment, true};
  }
  if (body.size() != kTokenRandomCharacters + kTokenChecksumCharacters) return std::nullopt;
  const std::string_view random = body.substr(0, kTokenRandomCharacters);
  if (!std::ranges::all_of(random, [](char c) { return Base62Value(c) >= 0; })) return std::nullopt;
  const std::size_t checked = text.size() - kTokenChecksumCharacters;
  if (!ChecksumMatches(text.substr(0, checked), text.substr(checked))) return std::nullopt;
  return TokenShape{prefix->kind, prefix->environment, false};
}

std::string MakeTokenText(TokenKind kind, Environment environment, std::string_view random) {
  assert(random.size() == kTokenRandomCharacters);
  std::string text;
  text.reserve(kMaxTokenTextBytes);
  for (const Prefix& prefix : kPrefixes) {
    if (prefix.kind == kind && prefix.environment == environment) text = prefix.text;
  }
  text += random;
  text += Base62Encode(Crc32(text), kTokenChecksumCharacters);
  return text;
}

std::string RedactTokenText(std::string_view text) {
  const Prefix* prefix = FindPrefix(text);
  std::string shown(prefix != nullptr ? prefix->text : std::string_view());
  shown += "\u2026";
  // Of a text too short to hide anything nothing is shown.
  if (text.size() >= shown.size() + 4 * kShownAtTheEnd) {
    shown += text.substr(text.size() - kShownAtTheEnd);
  }
  return shown;
}

}  // namespace latchkey::core
