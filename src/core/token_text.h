// The text of a token (wire.md §1, docs/token-format.md): prefix, 30 random characters of base62,
// 6 of checksum. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace latchkey::core {

enum class TokenKind : std::uint8_t { kPublishable, kSecret };
enum class Environment : std::uint8_t { kLive, kTest };

std::string_view ToString(TokenKind kind);           // "publishable", "secret"
std::string_view ToString(Environment environment);  // "live", "test"
std::optional<TokenKind> ParseTokenKind(std::string_view text);
std::optional<Environment> ParseEnvironment(std::string_view text);

inline constexpr std::size_t kTokenRandomCharacters = 30;
inline constexpr std::size_t kTokenChecksumCharacters = 6;
inline constexpr std::size_t kMaxTokenTextBytes = 4 + 30 + 6;

struct TokenShape {
  TokenKind kind = TokenKind::kPublishable;
  Environment environment = Environment::kLive;
  // The original's form, prefix + 32 lower-case hex, which only an import accepts.
  bool imported = false;
};

// The shape of a well-formed text with the right checksum; nullopt for rubbish, which is refused
// without any look-up.
std::optional<TokenShape> ParseTokenText(std::string_view text);

// The text of a new token from exactly 30 random base62 characters.
std::string MakeTokenText(TokenKind kind, Environment environment, std::string_view random);

// What may be shown of a secret: its prefix, an ellipsis, its last four characters.
std::string RedactTokenText(std::string_view text);

}  // namespace latchkey::core
