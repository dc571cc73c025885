// Masks what looks like a token's text, whole or in part, wherever it stands (wire.md §1). Pure.
#pragma once

#include <string>
#include <string_view>

namespace latchkey {

// Appends `text` with every run that matches (T?[sp]k_|op_)[0-9A-Za-z]{4,} masked as its prefix and
// "***". Nothing else changes.
void AppendRedacted(std::string& out, std::string_view text);
std::string RedactTokens(std::string_view text);
// True if AppendRedacted would change something.
bool HoldsToken(std::string_view text);

}  // namespace latchkey
