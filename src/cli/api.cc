#include "cli/api.h"

#include <cstdlib>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/encoding.h"
#include "env/data_folder.h"

namespace latchkey::cli {
namespace {

namespace json = boost::json;

std::string Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  return value != nullptr && value->is_string()
             ? std::string(value->get_string().data(), value->get_string().size())
             : std::string();
}

// From a refusal: its detail, else its title, else its status.
Error ProblemError(const http::ClientResponse& response) {
  ErrorCode code = ErrorCode::kInternal;
  if (response.status == 404) code = ErrorCode::kNotFound;
  if (response.status == 409) code = ErrorCode::kConflict;
  if (response.status == 412) code = ErrorCode::kStale;
  Error error = MakeError(code, fmt::format("the server answered {}", response.status));
  boost::system::error_code parsing;
  const json::value body = json::parse(response.body, parsing);
  if (parsing || !body.is_object()) {
    if (!response.body.empty() && response.body.size() < 500) {
      error.public_text += ": " + response.body;
    }
    return error;
  }
  const json::object& problem = body.get_object();
  const std::string detail = Text(problem, "detail");
  error.public_text = detail.empty() ? Text(problem, "title") : detail;
  const std::string reason = Text(problem, "reason");
  if (!reason.empty()) error.public_text += fmt::format(" ({}, {})", response.status, reason);
  if (const json::value* fields = problem.if_contains("errors"); fields && fields->is_array()) {
    for (const json::value& field : fields->get_array()) {
      if (!field.is_object()) continue;
      error.fields.push_back(
          {Text(field.get_object(), "field"), Text(field.get_object(), "detail")});
    }
  }
  return error;
}

}  // namespace

std::optional<std::string> Environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Api::Api(std::string base_url, std::string ca_file, Secret token, bool is_operator)
    : client_(http::ClientOptions{std::move(base_url), std::move(ca_file)}),
      token_(std::move(token)),
      is_operator_(is_operator) {}

Result<Api> Api::Open(const Target& target) {
  const std::optional<std::string> url = Environment("LATCHKEY_URL");
  if (url && !target.data_given) {
    const std::optional<std::string> token = Environment("LATCHKEY_TOKEN");
    if (!token) {
      return MakeError(
          ErrorCode::kInvalid,
          "LATCHKEY_URL is set and LATCHKEY_TOKEN is not; set it to a secret token, or "
          "name the server by --data");
    }
    return Api(*url, Environment("LATCHKEY_CA_FILE").value_or(""), Secret(*token),
               token->starts_with("op_"));
  }
  const std::string& path = target.data_folder;
  const Result<std::string> run = ReadWholeFile(path + "/run.json");
  if (!run.ok()) {
    return MakeError(ErrorCode::kUnavailable,
                     fmt::format("no server runs on the data folder {} ({}/run.json is not there); "
                                 "start one with `latchkey serve --data {}`, or name another "
                                 "folder by --data",
                                 path, path, path));
  }
  Result<DataFolder> folder = DataFolder::Open(path);
  if (!folder.ok()) return MakeError(ErrorCode::kUnavailable, folder.error().public_text);
  const Result<RunInfo> info = folder->ReadRunInfo();
  if (!info.ok()) return info.error();
  Result<Secret> token = folder->ReadOperatorToken();
  if (!token.ok()) return std::move(token).error();
  if (!folder->LockedByAnother()) {
    return MakeError(ErrorCode::kUnavailable,
                     fmt::format("no server runs on the data folder {} (the last one, process {}, "
                                 "ended without saying so)",
                                 path, info->pid));
  }
  return Api(info->internal_url, "", std::move(*token), true);
}

Result<std::string> Api::TokensPath(const std::string& account) const {
  if (!is_operator_) return std::string("/manage/v1/tokens");
  if (account.empty()) {
    return MakeError(ErrorCode::kInvalid, "whose token? Say it by --account NAME");
  }
  return "/operator/v1/accounts/" + PercentEncode(account) + "/tokens";
}

Result<http::ClientResponse> Api::Send(http::ClientRequest request) const {
  if (!is_operator_ && request.target.starts_with("/operator/")) {
    return MakeError(
        ErrorCode::kInvalid,
        "LATCHKEY_TOKEN opens one account only; this command is the operator's: run it "
        "on the server's machine with --data DIR");
  }
  request.headers.emplace_back("Authorization", "Bearer " + std::string(token_.Reveal()));
  request.headers.emplace_back("Accept", "application/json, application/problem+json");
  Result<http::ClientResponse> response = client_.Send(request);
  if (!response.ok()) return response;
  if (response->status < 200 || response->status > 299) return ProblemError(*response);
  return response;
}

Result<http::ClientResponse> Api::Call(std::string_view method, std::string path, std::string json,
                                       std::string if_match) const {
  http::ClientRequest request;
  request.method = method;
  request.target = std::move(path);
  if (!json.empty()) request.headers.emplace_back("Content-Type", "application/json");
  if (!if_match.empty()) request.headers.emplace_back("If-Match", std::move(if_match));
  request.body = std::move(json);
  return Send(std::move(request));
}

Result<http::ClientResponse> Api::PatchStanding(const std::string& path, std::string json) const {
  if (json == "{}") {
    return MakeError(ErrorCode::kInvalid, "nothing to change: say by a flag what is to be another");
  }
  const Result<http::ClientResponse> standing = Call("GET", path);
  if (!standing.ok()) return standing.error();
  return Call("PATCH", path, std::move(json), std::string(standing->Header("ETag")));
}

Result<std::vector<std::string>> Api::List(const std::string& path,
                                           const std::string& search) const {
  std::vector<std::string> items;
  std::string page_token;
  do {
    std::string target = path + "?page_size=500";
    if (!search.empty()) target += "&q=" + PercentEncode(search);
    if (!page_token.empty()) target += "&page_token=" + PercentEncode(page_token);
    const Result<http::ClientResponse> response = Call("GET", target);
    if (!response.ok()) return response.error();
    boost::system::error_code error;
    const json::value page = json::parse(response->body, error);
    const json::value* list =
        !error && page.is_object() ? page.get_object().if_contains("items") : nullptr;
    if (list == nullptr || !list->is_array()) {
      return MakeError(ErrorCode::kInternal, "the server's answer is no list");
    }
    for (const json::value& item : list->get_array()) items.push_back(json::serialize(item));
    page_token = Text(page.get_object(), "next_page_token");
  } while (!page_token.empty());
  return items;
}

}  // namespace latchkey::cli
