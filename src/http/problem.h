// Bodies of application/problem+json (RFC 9457) with Latchkey's members (wire.md §2, §9).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace latchkey::http {

inline constexpr std::string_view kProblemContentType = "application/problem+json";

struct Problem {
  std::string_view type = "about:blank";  // a URI reference
  std::string_view title;                 // empty: the status's reason phrase
  int status = 500;
  std::string_view detail;                  // empty: absent
  std::string_view reason;                  // empty: absent
  std::string_view request_id;              // empty: absent
  std::span<const FieldError> errors = {};  // "errors": [{"field","detail"}]; empty: absent
};

// One JSON object in one line, without a newline at its end. Ill-formed UTF-8 becomes U+FFFD.
std::string ProblemJson(const Problem& problem);

}  // namespace latchkey::http
