#include "gateway/body_token.h"

namespace latchkey::gateway {
namespace {

// Steps over JSON without understanding more of it than where a value ends.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  std::size_t at() const { return at_; }
  bool Done() const { return at_ >= text_.size(); }
  void Blanks() {
    while (!Done() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n')) {
      ++at_;
    }
  }
  bool Take(char c) {
    if (Done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool Next(char c) const { return !Done() && text_[at_] == c; }
  // The text between the quotes as it stands, escapes too.
  std::optional<std::string_view> Text() {
    if (!Take('"')) return std::nullopt;
    const std::size_t start = at_;
    while (!Done() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (Done()) return std::nullopt;
    ++at_;
    return text_.substr(start, at_ - 1 - start);
  }
  // Any value. False: it has no end.
  bool Value() {
    int depth = 0;
    do {
      Blanks();
      if (Done()) return false;
      const char c = text_[at_];
      if (c == '"') {
        if (!Text()) return false;
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return false;
        --depth;
        ++at_;
      } else if (depth > 0 && (c == ',' || c == ':')) {
        ++at_;
      } else if (!Scalar()) {
        return false;
      }
    } while (depth > 0);
    return true;
  }

 private:
  bool Scalar() {
    const std::size_t start = at_;
    while (!Done() &&
           std::string_view(",:{}[]\" \t\r\n").find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
    return at_ > start;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool IsShaped(std::string_view text) {
  for (const std::string_view prefix : {"pk_", "sk_", "Tpk_", "Tsk_"}) {
    if (text.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

std::optional<BodyToken> FindBodyToken(std::string_view body, bool only_shaped) {
  if (body.size() > kMaxTokenBodyBytes) return std::nullopt;
  Walker walker(body);
  walker.Blanks();
  if (!walker.Take('{')) return std::nullopt;
  std::optional<BodyToken> found;
  std::string rest = "{";
  while (true) {
    walker.Blanks();
    const std::size_t start = walker.at();
    const std::optional<std::string_view> name = walker.Text();
    if (!name) break;
    walker.Blanks();
    if (!walker.Take(':')) break;
    walker.Blanks();
    Walker value = walker;
    if (!walker.Value()) break;
    const std::optional<std::string_view> text = value.Text();
    if (*name == "token" && text && (!only_shaped || IsShaped(*text))) {
      if (!found) found.emplace().text = *text;
      if (found->text != *text) found->another = true;
    } else {
      if (rest.size() > 1) rest.push_back(',');
      rest.append(body.substr(start, walker.at() - start));
    }
    walker.Blanks();
    if (!walker.Take(',')) break;
  }
  if (!found) return std::nullopt;
  walker.Blanks();
  // What is broken stays as it is, so that nothing is made well-formed by what is taken out.
  found->rest = walker.Next('}') ? std::move(rest).append(body.substr(walker.at())) : body;
  return found;
}

}  // namespace latchkey::gateway
