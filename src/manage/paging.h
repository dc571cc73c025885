// Pages of a list on the wire: page_size, page_token, q (wire.md §9). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "manage/call.h"
#include "service/page.h"

namespace latchkey::manage {

inline constexpr std::size_t kDefaultPageSize = 50;
inline constexpr std::size_t kMaxPageSize = 500;
inline constexpr std::size_t kMaxSearchBytes = 128;

// Opaque to callers. It holds the last row's place in the list and a checksum, so that what was cut
// or typed is refused; it grants nothing, since a list shows only what its caller may see.
std::string PageToken(const service::PageMark& mark);
std::optional<service::PageMark> ParsePageToken(std::string_view text);

// kInvalid names the parameter.
Result<service::PageRequest> ParsePageRequest(const Call& call);

}  // namespace latchkey::manage
