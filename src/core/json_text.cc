#include "core/json_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/encoding.h"

namespace latchkey::core {
namespace {

std::size_t SkipDigits(std::string_view text, std::size_t at) {
  while (at < text.size() && IsDigit(text[at])) ++at;
  return at;
}

// The length of the number at the beginning of the text, 0 for none.
std::size_t NumberLength(std::string_view text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const std::size_t whole = at;
  at = SkipDigits(text, at);
  if (at == whole || (text[whole] == '0' && at != whole + 1)) return 0;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = at + 1;
    at = SkipDigits(text, fraction);
    if (at == fraction) return 0;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    std::size_t exponent = at + 1;
    if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
    at = SkipDigits(text, exponent);
    if (at == exponent) return 0;
  }
  return at;
}

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  c = ToLower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

constexpr std::array<bool, 256> MakePlain() {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < plain.size(); ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}
// Bytes that mean themselves within a string.
constexpr std::array<bool, 256> kPlain = MakePlain();

std::size_t SkipBlanks(std::string_view text, std::size_t at) {
  while (at < text.size() && IsJsonBlank(text[at])) ++at;
  return at;
}

// Checks one value, and where `out` is given appends it without blanks. Recursive; kMaxJsonDepth
// bounds the stack.
class Scanner {
 public:
  Scanner(std::string_view text, std::string* out) : text_(text), out_(out) {}

  std::size_t at() const { return at_; }
  bool too_deep() const { return too_deep_; }

  void SkipBlanks() { at_ = core::SkipBlanks(text_, at_); }

  bool Value(int depth) {
    if (at_ == text_.size()) return false;
    switch (text_[at_]) {
      case '{':
        return Members('}', depth);
      case '[':
        return Members(']', depth);
      case '"':
        return Take(JsonStringLength(text_.substr(at_)));
      case 't':
        return TakeText("true");
      case 'f':
        return TakeText("false");
      case 'n':
        return TakeText("null");
      default:
        return Take(NumberLength(text_.substr(at_)));
    }
  }

 private:
  bool Take(std::size_t length) {
    if (length == 0) return false;
    if (out_ != nullptr) out_->append(text_, at_, length);
    at_ += length;
    return true;
  }

  bool TakeText(std::string_view text) {
    return text_.substr(at_).starts_with(text) && Take(text.size());
  }

  // After blanks.
  bool TakeChar(char c) {
    SkipBlanks();
    return at_ < text_.size() && text_[at_] == c && Take(1);
  }

  bool Members(char close, int depth) {
    if (depth >= kMaxJsonDepth) {
      too_deep_ = true;
      return false;
    }
    Take(1);
    if (TakeChar(close)) return true;
    do {
      SkipBlanks();
      if (close == '}') {
        if (!Take(JsonStringLength(text_.substr(at_))) || !TakeChar(':')) return false;
        SkipBlanks();
      }
      if (!Value(depth + 1)) return false;
    } while (TakeChar(','));
    return TakeChar(close);
  }

  const std::string_view text_;
  std::string* const out_;
  std::size_t at_ = 0;
  bool too_deep_ = false;
};

void AppendUtf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// `text` begins with four hex digits.
std::uint32_t CodeUnit(std::string_view text) {
  std::uint32_t unit = 0;
  for (int i = 0; i < 4; ++i) unit = unit * 16 + static_cast<std::uint32_t>(HexDigit(text[i]));
  return unit;
}

// Reads the \uXXXX at `at` (the backslash), and its second half if it is a pair.
void AppendEscapedUnit(std::string& out, std::string_view text, std::size_t& at) {
  std::uint32_t code = CodeUnit(text.substr(at + 2));
  at += 6;
  if (code >= 0xD800 && code < 0xDC00 && text.substr(at).starts_with("\\u")) {
    const std::uint32_t low = CodeUnit(text.substr(at + 2));
    if (low >= 0xDC00 && low < 0xE000) {
      AppendUtf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
      at += 6;
      return;
    }
  }
  AppendUtf8(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
}

}  // namespace

std::size_t JsonStringLength(std::string_view text) {
  if (!text.starts_with('"')) return 0;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (kPlain[static_cast<unsigned char>(text[at])]) continue;
    if (text[at] == '"') return at + 1;
    if (text[at] != '\\') return 0;
    ++at;
    if (at == text.size()) return 0;
    if (text[at] == 'u') {
      for (int i = 0; i < 4; ++i) {
        ++at;
        if (at >= text.size() || HexDigit(text[at]) < 0) return 0;
      }
    } else if (std::string_view("\"\\/bfnrt").find(text[at]) == std::string_view::npos) {
      return 0;
    }
  }
  return 0;
}

JsonScan ScanJsonValue(std::string_view text, int depth) {
  Scanner scanner(text, nullptr);
  if (scanner.Value(depth)) return {scanner.at(), false};
  return {0, scanner.too_deep()};
}

bool IsJsonNumber(std::string_view text) {
  return !text.empty() && NumberLength(text) == text.size();
}

bool IsJsonInteger(std::string_view text) {
  const std::size_t start = text.starts_with('-') ? 1 : 0;
  return text.size() > start && (text[start] != '0' || text.size() == start + 1) &&
         SkipDigits(text, start) == text.size();
}

void AppendShortNumber(std::string& out, std::string_view number) {
  const std::size_t exponent_at = std::min(number.find_first_of("eE"), number.size());
  std::string_view mantissa = number.substr(0, exponent_at);
  if (mantissa.ends_with('0') && mantissa.find('.') != std::string_view::npos) {
    while (mantissa.ends_with('0')) mantissa.remove_suffix(1);
    if (mantissa.ends_with('.')) mantissa.remove_suffix(1);
  }
  if (mantissa == "0" || mantissa == "-0") {
    out += '0';
    return;
  }
  out.append(mantissa).append(number.substr(exponent_at));
}

bool AppendCompactJson(std::string& out, std::string_view text) {
  const std::size_t before = out.size();
  if (IsValidUtf8(text)) {
    Scanner scanner(text, &out);
    scanner.SkipBlanks();
    if (scanner.Value(0)) {
      scanner.SkipBlanks();
      if (scanner.at() == text.size()) return true;
    }
  }
  out.resize(before);
  return false;
}

std::optional<std::string> JsonStringText(std::string_view quoted) {
  if (quoted.size() < 2 || JsonStringLength(quoted) != quoted.size() || !IsValidUtf8(quoted)) {
    return std::nullopt;
  }
  std::string out;
  out.reserve(quoted.size() - 2);
  AppendJsonStringText(out, quoted);
  return out;
}

void AppendJsonStringText(std::string& out, std::string_view quoted) {
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t escape_at = std::min(text.find('\\', at), text.size());
    out.append(text, at, escape_at - at);
    at = escape_at;
    if (at == text.size()) return;
    const char escape = text[at + 1];
    if (escape == 'u') {
      AppendEscapedUnit(out, text, at);
      continue;
    }
    constexpr std::string_view kFrom = "bfnrt";
    constexpr std::string_view kTo = "\b\f\n\r\t";
    const std::size_t known = kFrom.find(escape);
    out += known == std::string_view::npos ? escape : kTo[known];
    at += 2;
  }
}

}  // namespace latchkey::core
