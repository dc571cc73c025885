// Text encodings: hex, base62, base64, percent-decoding, and the ASCII-only character rules that
// protocols use (never the locale's).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace latchkey {

inline constexpr std::string_view kBase62Alphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string ToLower(std::string_view text);
// Without blanks and tabs at either end.
std::string_view TrimBlanks(std::string_view text);

// Lower-case hex.
std::string HexEncode(std::span<const std::uint8_t> bytes);
// Either case; nullopt for an odd length or another character.
std::optional<std::string> HexDecode(std::string_view text);

// The value of a base62 digit (0-9A-Za-z in that order), or -1.
int Base62Value(char c);
// Exactly `width` digits, most significant first, zero-padded. The value must fit.
std::string Base62Encode(std::uint64_t value, int width);
// nullopt for an empty text, another character, or an overflow of 64 bits.
std::optional<std::uint64_t> Base62Decode(std::string_view text);

// RFC 4648 §4, padding required.
std::optional<std::string> Base64Decode(std::string_view text);
std::string Base64Encode(std::string_view bytes);

// Replaces %XX. nullopt for a % without two hex digits. '+' stays '+'.
std::optional<std::string> PercentDecode(std::string_view text);
// As PercentDecode, with '+' as a blank (the query string of an HTML form).
std::optional<std::string> FormDecode(std::string_view text);
// Leaves RFC 3986 unreserved characters as they are.
std::string PercentEncode(std::string_view text);

// True for well-formed UTF-8 without surrogates or overlong forms (RFC 3629).
bool IsValidUtf8(std::string_view text);

// Appends `text` as a JSON string with its quotes (RFC 8259 §7). Ill-formed UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

// A decimal of digits alone; nullopt for anything else or an overflow.
std::optional<std::uint64_t> ParseUint64(std::string_view text);
std::optional<std::int64_t> ParseInt64(std::string_view text);

}  // namespace latchkey
