// The parameters of a raw query string, `name=value&name=value` (WHATWG URL §5.1, decoded as a form
// is: %XX, and '+' as a blank). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace latchkey::http {

inline constexpr std::size_t kMaxQueryParameters = 100;

// One pair as received, views into the raw query.
struct RawParameter {
  std::string_view name;
  std::string_view value;      // empty too where there is no '='
  bool name_encoded = false;   // the name holds '%' or '+'; else it stands for itself
  bool value_encoded = false;  // the same of the value
};

// Walks over the pairs without allocating; empty pairs ("a=1&&b=2") are passed over.
//   for (RawParameter p; iterator.Next(p);) …
class QueryIterator {
 public:
  explicit QueryIterator(std::string_view raw_query) : rest_(raw_query) {}
  // False at the end.
  bool Next(RawParameter& out);

 private:
  std::string_view rest_;
};

// Decodes one name or value into `out`. False, with out unspecified, for an ill-formed escape,
// ill-formed UTF-8 or a NUL.
[[nodiscard]] bool DecodeQueryText(std::string_view raw, std::string& out);

// A parameter's name for a refusal's text: printable ASCII (the rest as '?'), at most 64 bytes.
std::string ShownName(std::string_view name);

struct QueryParameter {
  std::string name;
  std::string value;
};

// All pairs, decoded, in their order, repeated names too. kInvalid for ill-formed text (the public
// text names the parameter where its name could be read, never a value) or more than `max_count`.
Result<std::vector<QueryParameter>> ParseQuery(std::string_view raw_query,
                                               std::size_t max_count = kMaxQueryParameters);

}  // namespace latchkey::http
