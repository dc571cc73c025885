// The token that an old client's POST carries in its JSON body (wire.md §1). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace latchkey::gateway {

// A longer body is not looked at.
inline constexpr std::size_t kMaxTokenBodyBytes = 64 * 1024;

struct BodyToken {
  std::string text;      // the first one's
  bool another = false;  // there is a second member `token` with another text
  std::string rest;      // the body without these members
};

// Finds members named `token` whose value is a text, of the outermost object. nullopt if the body
// is not an object or holds none; of what is not well-formed JSON no more is said: whoever reads
// the rest finds out. With `only_shaped`, texts that don't begin as tokens do (pk_, sk_, Tpk_,
// Tsk_) are data and stay.
std::optional<BodyToken> FindBodyToken(std::string_view body, bool only_shaped);

}  // namespace latchkey::gateway
