#include "http/router.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

namespace latchkey::http {
namespace {

constexpr std::size_t kMethodCount = static_cast<std::size_t>(Method::kOther);

[[noreturn]] void Mistake(std::string_view pattern, const char* what) {
  std::fprintf(stderr, "route \"%.*s\": %s\n", static_cast<int>(pattern.size()), pattern.data(),
               what);
  std::abort();
}

// Takes the first segment off a path that starts with '/'.
std::string_view TakeSegment(std::string_view& rest) {
  rest.remove_prefix(1);
  const std::size_t end = rest.find('/');
  const std::string_view segment = rest.substr(0, end);
  rest = end == rest.npos ? std::string_view{} : rest.substr(end);
  return segment;
}

}  // namespace

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> texts;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> verbs;  // {name}:verb
  std::unique_ptr<Node> plain;                                      // {name}
  std::unique_ptr<Node> any;                                        // {+name}
  std::unique_ptr<Node> tail;                                       // {name...}
  std::array<int, kMethodCount> routes;
  std::string allow;  // empty: no route ends here

  Node() { routes.fill(-1); }

  const Node* Walk(std::string_view rest, Match& match) const {
    if (rest.empty()) return allow.empty() ? nullptr : this;
    const std::string_view whole = rest;
    const std::string_view segment = TakeSegment(rest);
    const std::size_t count = match.capture_count;
    if (auto found = texts.find(segment); found != texts.end()) {
      if (const Node* node = found->second->Walk(rest, match)) return node;
      match.capture_count = count;
    }
    const std::size_t colon = segment.rfind(':');
    if (colon != segment.npos && colon > 0 && segment.find(':') == colon) {
      if (auto found = verbs.find(segment.substr(colon + 1)); found != verbs.end()) {
        match.captures[match.capture_count++] = segment.substr(0, colon);
        if (const Node* node = found->second->Walk(rest, match)) return node;
        match.capture_count = count;
      }
    }
    for (const Node* next : {colon == segment.npos ? plain.get() : nullptr, any.get()}) {
      if (next == nullptr || segment.empty()) continue;
      match.captures[match.capture_count++] = segment;
      if (const Node* node = next->Walk(rest, match)) return node;
      match.capture_count = count;
    }
    if (tail != nullptr && whole.size() > 1) {
      match.captures[match.capture_count++] = whole.substr(1);
      return tail.get();
    }
    return nullptr;
  }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::Add(Method method, std::string_view pattern, int route) {
  if (method == Method::kOther) Mistake(pattern, "a route needs a method");
  if (pattern.empty() || pattern.front() != '/') Mistake(pattern, "does not start with '/'");
  Node* node = root_.get();
  std::size_t captures = 0;
  auto step = [](std::unique_ptr<Node>& next) {
    if (next == nullptr) next = std::make_unique<Node>();
    return next.get();
  };
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::string_view segment = TakeSegment(rest);
    if (!segment.starts_with('{')) {
      if (segment.find_first_of("{}") != segment.npos) Mistake(pattern, "a brace inside a text");
      node = step(node->texts[std::string(segment)]);
      continue;
    }
    const std::size_t close = segment.find('}');
    if (close == segment.npos || close < 2) Mistake(pattern, "a capture without name or end");
    if (++captures > kMaxCaptures) Mistake(pattern, "too many captures");
    const std::string_view name = segment.substr(1, close - 1);
    const std::string_view after = segment.substr(close + 1);
    if (name.ends_with("...")) {
      if (!rest.empty() || !after.empty()) Mistake(pattern, "{name...} must be the last segment");
      node = step(node->tail);
    } else if (name.front() == '+') {
      if (!after.empty()) Mistake(pattern, "{+name} must be a whole segment");
      node = step(node->any);
    } else if (after.empty()) {
      node = step(node->plain);
    } else {
      if (after.front() != ':' || after.size() < 2 || after.find(':', 1) != after.npos) {
        Mistake(pattern, "only a verb may follow a capture");
      }
      node = step(node->verbs[std::string(after.substr(1))]);
    }
  }
  int& slot = node->routes[static_cast<std::size_t>(method)];
  if (slot != -1) Mistake(pattern, "the same route twice");
  slot = route;

  node->allow.clear();
  const bool implied_head = node->routes[static_cast<std::size_t>(Method::kGet)] != -1;
  for (std::size_t i = 0; i < kMethodCount; ++i) {
    const Method each = static_cast<Method>(i);
    if (node->routes[i] == -1 && !(each == Method::kHead && implied_head)) continue;
    if (!node->allow.empty()) node->allow.append(", ");
    node->allow.append(MethodName(each));
  }
}

Router::Match Router::Find(Method method, std::string_view path) const {
  Match match;
  if (path.empty() || path.front() != '/') return match;
  const Node* node = root_->Walk(path, match);
  if (node == nullptr) {
    match.capture_count = 0;
    return match;
  }
  match.allow = node->allow;
  if (method != Method::kOther) {
    match.route = node->routes[static_cast<std::size_t>(method)];
    if (match.route == -1 && method == Method::kHead) {
      match.route = node->routes[static_cast<std::size_t>(Method::kGet)];
    }
  }
  match.outcome = match.route == -1 ? Outcome::kMethodNotAllowed : Outcome::kFound;
  return match;
}

}  // namespace latchkey::http
