// What people write: titles, nicknames, labels. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace latchkey::core {

// What is wrong with a text of one line, as the end of a sentence ("is longer than 64 bytes"):
// more than `max_bytes`, not UTF-8, or a control character (C0, DEL, C1, and the line and paragraph
// separators). nullopt: nothing. The empty text is good.
std::optional<std::string> CheckLine(std::string_view text, std::size_t max_bytes);

// The beginning of a text of any bytes, for people to see: at most `max_bytes` of well-formed
// UTF-8, cut between characters; each ill-formed byte is U+FFFD.
std::string ShownText(std::string_view text, std::size_t max_bytes);

}  // namespace latchkey::core
