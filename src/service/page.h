// Pages of a list. Lists are oldest first: by creation, then id (wire.md §9).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace latchkey::service {

// Where a page ended: its last row.
struct PageMark {
  Timestamp created_at{};
  std::int64_t id = 0;
  friend bool operator==(const PageMark&, const PageMark&) = default;
};

struct PageRequest {
  std::size_t size = 50;          // 1 to 500
  std::optional<PageMark> after;  // absent: from the beginning
  std::string search;             // empty: all
};

template <typename T>
struct Paged {
  std::vector<T> items;
  std::optional<PageMark> next;  // absent: this was the last page
};

}  // namespace latchkey::service
