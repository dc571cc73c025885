#include "core/text.h"

#include "base/encoding.h"

namespace latchkey::core {
namespace {

// `text` is well-formed UTF-8.
bool HasControlCharacter(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    // C1, U+0080 to U+009F.
    if (byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
    // U+2028 and U+2029 break lines in what reads logs and JSON as JavaScript.
    if (text.substr(i).starts_with("\u2028") || text.substr(i).starts_with("\u2029")) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> CheckLine(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) return "is longer than " + std::to_string(max_bytes) + " bytes";
  if (!IsValidUtf8(text)) return "is not valid UTF-8";
  if (HasControlCharacter(text)) return "holds a control character";
  return std::nullopt;
}

std::string ShownText(std::string_view text, std::size_t max_bytes) {
  std::string shown;
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    const bool good = IsValidUtf8(text.substr(0, length));
    const std::string_view next = good ? text.substr(0, length) : "\uFFFD";
    if (shown.size() + next.size() > max_bytes) break;
    shown += next;
    text.remove_prefix(good ? length : 1);
  }
  return shown;
}

}  // namespace latchkey::core
