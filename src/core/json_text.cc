#include "core/json_text.h"

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

// The length of the string at the beginning of the text with its quotes, 0 for none.
std::size_t StringLength(std::string_view text) {
  if (!text.starts_with('"')) return 0;
  for (std::size_t at = 1; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') return IsValidUtf8(text.substr(0, at + 1)) ? at + 1 : 0;
    if (static_cast<unsigned char>(c) < 0x20) return 0;
    if (c != '\\') continue;
    ++at;
    if (at >= text.size()) return 0;
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

// Recursive descent over the text; every step appends what it took.
class Compactor {
 public:
  Compactor(std::string& out, std::string_view text) : out_(out), rest_(text) {}

  bool Run() {
    if (!Value(0)) return false;
    SkipBlanks();
    return rest_.empty();
  }

 private:
  void SkipBlanks() {
    while (!rest_.empty() &&
           (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n' || rest_[0] == '\r')) {
      rest_.remove_prefix(1);
    }
  }

  bool Take(std::size_t length) {
    if (length == 0) return false;
    out_.append(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return true;
  }

  bool TakeChar(char c) {
    SkipBlanks();
    return rest_.starts_with(c) && Take(1);
  }

  bool Value(int depth) {
    SkipBlanks();
    if (rest_.empty()) return false;
    switch (rest_[0]) {
      case '{':
        return Members('}', depth);
      case '[':
        return Members(']', depth);
      case '"':
        return Take(StringLength(rest_));
      default:
        break;
    }
    for (const std::string_view literal : {"true", "false", "null"}) {
      if (rest_.starts_with(literal)) return Take(literal.size());
    }
    return Take(NumberLength(rest_));
  }

  bool Members(char close, int depth) {
    if (depth == kMaxJsonDepth) return false;
    Take(1);
    if (TakeChar(close)) return true;
    do {
      if (close == '}') {
        SkipBlanks();
        if (!Take(StringLength(rest_)) || !TakeChar(':')) return false;
      }
      if (!Value(depth + 1)) return false;
    } while (TakeChar(','));
    return TakeChar(close);
  }

  std::string& out_;
  std::string_view rest_;
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

bool IsJsonNumber(std::string_view text) {
  return !text.empty() && NumberLength(text) == text.size();
}

bool IsJsonInteger(std::string_view text) {
  const std::size_t start = text.starts_with('-') ? 1 : 0;
  return text.size() > start && (text[start] != '0' || text.size() == start + 1) &&
         SkipDigits(text, start) == text.size();
}

void AppendShortNumber(std::string& out, std::string_view number) {
  const std::size_t exponent_at = number.find_first_of("eE");
  const std::string_view exponent =
      exponent_at == std::string_view::npos ? std::string_view() : number.substr(exponent_at);
  std::string_view mantissa = number.substr(0, exponent_at);
  if (mantissa.find('.') != std::string_view::npos) {
    while (mantissa.ends_with('0')) mantissa.remove_suffix(1);
    if (mantissa.ends_with('.')) mantissa.remove_suffix(1);
  }
  if (mantissa == "0" || mantissa == "-0") {
    out += '0';
    return;
  }
  out.append(mantissa).append(exponent);
}

bool AppendCompactJson(std::string& out, std::string_view text) {
  const std::size_t before = out.size();
  if (Compactor(out, text).Run()) return true;
  out.resize(before);
  return false;
}

std::optional<std::string> JsonStringText(std::string_view quoted) {
  if (quoted.size() < 2 || StringLength(quoted) != quoted.size()) return std::nullopt;
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] != '\\') {
      out += text[at++];
      continue;
    }
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
  return out;
}

}  // namespace latchkey::core
