#include "http/query.h"

#include <utility>

#include "base/encoding.h"

namespace latchkey::http {
namespace {

// A loop of its own: find_first_of calls memchr once per character, for each token of each request.
bool IsEncoded(std::string_view text) {
  bool encoded = false;
  for (const char c : text) encoded |= c == '%' || c == '+';
  return encoded;
}

}  // namespace

bool QueryIterator::Next(RawParameter& out) {
  while (!rest_.empty()) {
    const std::size_t end = rest_.find('&');
    const std::string_view pair = rest_.substr(0, end);
    rest_ = end == rest_.npos ? std::string_view{} : rest_.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    out.name = pair.substr(0, equals);
    out.value = equals == pair.npos ? pair.substr(pair.size()) : pair.substr(equals + 1);
    out.name_encoded = IsEncoded(out.name);
    out.value_encoded = IsEncoded(out.value);
    return true;
  }
  return false;
}

bool DecodeQueryText(std::string_view raw, std::string& out) {
  if (IsEncoded(raw)) {
    std::optional<std::string> decoded = FormDecode(raw);
    if (!decoded) return false;
    out = *std::move(decoded);
  } else {
    out.assign(raw);
  }
  return out.find('\0') == out.npos && IsValidUtf8(out);
}

std::string ShownName(std::string_view name) {
  std::string shown(name.substr(0, 64));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return shown;
}

Result<std::vector<QueryParameter>> ParseQuery(std::string_view raw_query, std::size_t max_count) {
  std::vector<QueryParameter> parameters;
  QueryIterator iterator(raw_query);
  for (RawParameter raw; iterator.Next(raw);) {
    if (parameters.size() == max_count) {
      return MakeError(ErrorCode::kInvalid,
                       "the query has more than " + std::to_string(max_count) + " parameters");
    }
    QueryParameter parameter;
    if (!DecodeQueryText(raw.name, parameter.name)) {
      return MakeError(ErrorCode::kInvalid,
                       "a parameter's name in the query is not well-formed percent-encoded UTF-8");
    }
    if (!DecodeQueryText(raw.value, parameter.value)) {
      return MakeError(ErrorCode::kInvalid, "the value of the parameter '" +
                                                ShownName(parameter.name) +
                                                "' is not well-formed percent-encoded UTF-8");
    }
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

}  // namespace latchkey::http
