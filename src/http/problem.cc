#include "http/problem.h"

#include "base/encoding.h"
#include "http/message.h"

namespace latchkey::http {
namespace {

void AppendMember(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out.push_back(',');
  AppendJsonString(out, name);
  out.push_back(':');
  AppendJsonString(out, value);
}

}  // namespace

std::string ProblemJson(const Problem& problem) {
  std::string out = "{";
  AppendMember(out, "type", problem.type);
  AppendMember(out, "title", problem.title.empty() ? ReasonPhrase(problem.status) : problem.title);
  out.append(",\"status\":").append(std::to_string(problem.status));
  if (!problem.detail.empty()) AppendMember(out, "detail", problem.detail);
  if (!problem.reason.empty()) AppendMember(out, "reason", problem.reason);
  if (!problem.request_id.empty()) AppendMember(out, "request_id", problem.request_id);
  if (!problem.errors.empty()) {
    out.append(",\"errors\":[");
    for (std::size_t i = 0; i < problem.errors.size(); ++i) {
      out.append(i == 0 ? "{" : ",{");
      AppendMember(out, "field", problem.errors[i].field);
      AppendMember(out, "detail", problem.errors[i].detail);
      out.push_back('}');
    }
    out.push_back(']');
  }
  out.push_back('}');
  return out;
}

}  // namespace latchkey::http
