// Reading one page of a list from a store. Internal to the use cases.
#pragma once

#include <utility>
#include <vector>

#include "base/result.h"
#include "service/page.h"
#include "store/store.h"

namespace latchkey::service {

// `list(store::Page)` reads rows; `mark(row)` says where one stands in the order.
template <typename T, typename List, typename Mark>
Result<Paged<T>> ReadPage(const PageRequest& request, const List& list, const Mark& mark) {
  store::Page page;
  page.size = request.size;
  if (request.after) {
    page.after_created_at = request.after->created_at;
    page.after_id = request.after->id;
  }
  Result<std::vector<T>> rows = list(page);
  if (!rows.ok()) return std::move(rows).error();
  Paged<T> result;
  result.items = std::move(rows).value();
  if (result.items.size() < page.size) return result;
  // A full page: is there one more row? Else the caller would fetch an empty page at the end.
  const PageMark last = mark(result.items.back());
  page.size = 1;
  page.after_created_at = last.created_at;
  page.after_id = last.id;
  Result<std::vector<T>> more = list(page);
  if (!more.ok()) return std::move(more).error();
  if (!more->empty()) result.next = last;
  return result;
}

}  // namespace latchkey::service
