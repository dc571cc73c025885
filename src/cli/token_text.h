// How a token that was just made is shown.
#pragma once

#include <string>

#include "base/result.h"

namespace latchkey::cli {

// `token`: the object of the answer that made it, whose "token" is the whole text. A secret's is
// shown with a sentence that says that this is the only time.
Result<int> PrintNewToken(const std::string& token);

}  // namespace latchkey::cli
