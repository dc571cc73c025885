// Which route of a plane a request means. Mechanics only: a route is a number of the caller's.
//
// A pattern is a path of segments, each one of
//   text            that text, compared with case
//   {name}          any segment without a colon
//   {name}:verb     any such segment followed by that verb ("tok_1:disable")
//   {+name}         any segment, colons too
//   {name...}       only as the last one: the rest of the path, one segment or more
// Text wins over a verb, a verb over {name}, {name} over {+name}, that over the rest; decided from
// left to right, with a step back where the better choice leads nowhere.
//
// Built once, then read from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace latchkey::http {

class Router {
 public:
  static constexpr std::size_t kMaxCaptures = 8;

  enum class Outcome : std::uint8_t { kFound, kNotFound, kMethodNotAllowed };
  struct Match {
    Outcome outcome = Outcome::kNotFound;
    int route = -1;  // as given to Add; when kFound
    // The captured segments in the pattern's order: views into the path given to Find.
    std::array<std::string_view, kMaxCaptures> captures = {};
    std::size_t capture_count = 0;
    // The value of Allow ("GET, HEAD, PATCH"): the methods this path knows. Holds as long as the
    // router. Empty when kNotFound.
    std::string_view allow;
  };

  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // A HEAD without a route of its own takes GET's. The same method and pattern twice, an ill-formed
  // pattern or more than kMaxCaptures captures is a mistake of the programmer: it aborts.
  void Add(Method method, std::string_view pattern, int route);

  // `path` is Request::path: decoded, normalised, no slash at its end.
  Match Find(Method method, std::string_view path) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace latchkey::http
