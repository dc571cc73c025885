#include "gateway/routes.h"

#include <string>

namespace latchkey::gateway {

Routes::Routes() {
  for (const std::string_view prefix : {"/v1", "/stable", "/latest", "/beta"}) {
    auto add = [&](std::string_view pattern, Route route) {
      router_.Add(http::Method::kGet, std::string(prefix).append(pattern), static_cast<int>(route));
    };
    add("/status", Route::kStatus);
    add("/data", Route::kCatalogue);
    // {+name}: a key may hold a colon.
    add("/data/{+workspace}", Route::kCatalogue);
    add("/data/{+workspace}/{+dataset}", Route::kRecords);
    add("/data/{+workspace}/{+dataset}/{+key}", Route::kRecords);
    add("/data/{+workspace}/{+dataset}/{+key}/{+subkey}", Route::kRecords);
  }
}

Destination Routes::Find(http::Method method, std::string_view path) const {
  const http::Router::Match match = router_.Find(method, path);
  Destination out;
  out.outcome = match.outcome;
  out.allow = match.allow;
  if (match.outcome != http::Router::Outcome::kFound) return out;
  out.route = static_cast<Route>(match.route);
  std::string_view* const parts[] = {&out.workspace, &out.dataset, &out.key, &out.subkey};
  for (std::size_t i = 0; i < match.capture_count && i < std::size(parts); ++i) {
    *parts[i] = match.captures[i];
  }
  return out;
}

}  // namespace latchkey::gateway
