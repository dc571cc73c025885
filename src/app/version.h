// The version of this build.
#pragma once

#include <string_view>

namespace latchkey::app {

inline constexpr std::string_view kVersion = LATCHKEY_VERSION;

}  // namespace latchkey::app
