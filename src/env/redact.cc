#include "env/redact.h"

#include <cstddef>

#include "base/encoding.h"

namespace latchkey {
namespace {

bool IsAlnum(char c) { return IsDigit(c) || IsAlpha(c); }

struct Run {
  std::size_t prefix_begin = 0;
  std::size_t body_begin = 0;
  std::size_t end = 0;
};

// A word like "risk_factors" is no token: inside a word only a run that is long enough to be one
// counts.
constexpr std::size_t kMinRun = 4;
constexpr std::size_t kMinRunInsideAWord = 12;

// Where the characters of a token that begin at `at` end. Another token's prefix at their end is
// part of them ("pk_1234sk_5678"): its own letters would otherwise hide it.
std::size_t EndOfRun(std::string_view text, std::size_t at) {
  for (std::size_t end = at;; ++end) {
    while (end < text.size() && IsAlnum(text[end])) ++end;
    if (end == text.size() || text[end] != '_' || end < at + 2) return end;
    const std::string_view last = text.substr(end - 2, 2);
    if (last != "sk" && last != "pk" && last != "op") return end;
  }
}

// The first run at or behind `from`, or prefix_begin == npos.
Run FindRun(std::string_view text, std::size_t from) {
  std::size_t at = from;
  for (;;) {
    const std::size_t underscore = text.find('_', at);
    if (underscore == std::string_view::npos) break;
    at = underscore + 1;
    if (underscore < from + 2) continue;
    const char last = text[underscore - 1];
    const char first = text[underscore - 2];
    const bool token = last == 'k' && (first == 's' || first == 'p');
    const bool operator_token = last == 'p' && first == 'o';
    if (!token && !operator_token) continue;
    const std::size_t end = EndOfRun(text, at);
    std::size_t begin = underscore - 2;
    if (token && begin > from && text[begin - 1] == 'T') --begin;
    const bool inside_a_word = begin > 0 && IsAlnum(text[begin - 1]);
    if (end - at >= (inside_a_word ? kMinRunInsideAWord : kMinRun)) return {begin, at, end};
  }
  return {std::string_view::npos, 0, 0};
}

}  // namespace

void AppendRedacted(std::string& out, std::string_view text) {
  std::size_t done = 0;
  for (Run run = FindRun(text, 0); run.prefix_begin != std::string_view::npos;
       run = FindRun(text, done)) {
    out.append(text.substr(done, run.body_begin - done));
    out.append("***");
    done = run.end;
  }
  out.append(text.substr(done));
}

std::string RedactTokens(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  AppendRedacted(out, text);
  return out;
}

bool HoldsToken(std::string_view text) {
  return FindRun(text, 0).prefix_begin != std::string_view::npos;
}

}  // namespace latchkey
