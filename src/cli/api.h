// A command's way to a server: which one, with which credential, over which of its two doors.
//
//   the operator's      the internal plane's /operator/v1, found by DIR/run.json, opened by
//                       DIR/operator.token
//   an account's        the management plane's /manage/v1, found by LATCHKEY_URL, opened by the
//                       secret token in LATCHKEY_TOKEN
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "http/client.h"

namespace latchkey::cli {

// Which server: as the flags and the environment say.
struct Target {
  std::string data_folder;  // --data, or LATCHKEY_DATA, or ./latchkey-data
  bool data_given = false;  // --data stood on the command line: it beats LATCHKEY_URL
};

class Api {
 public:
  // kUnavailable if no server runs there; kInvalid for an environment that can't hold.
  static Result<Api> Open(const Target& target);

  bool is_operator() const { return is_operator_; }
  // "/operator/v1/accounts/NAME/tokens" or "/manage/v1/tokens". kInvalid if the operator's door
  // needs an account and none is given.
  Result<std::string> TokensPath(const std::string& account) const;

  // A 2xx answer. Others are errors, with the problem's detail as public_text and its fields.
  // `json`: a body, or empty.
  Result<http::ClientResponse> Call(std::string_view method, std::string path,
                                    std::string json = {}, std::string if_match = {}) const;
  // GET, then PATCH what was got: a change in between is refused instead of overwritten. kInvalid
  // if `json` is an object without members.
  Result<http::ClientResponse> PatchStanding(const std::string& path, std::string json) const;
  // The same with a request that says more; the credential is added.
  Result<http::ClientResponse> Send(http::ClientRequest request) const;
  // Every object of a list, over all its pages, each as JSON text.
  Result<std::vector<std::string>> List(const std::string& path, const std::string& search) const;

 private:
  Api(std::string base_url, std::string ca_file, Secret token, bool is_operator);

  http::Client client_;
  Secret token_;
  bool is_operator_;
};

// An environment variable that is set and not empty.
std::optional<std::string> Environment(const std::string& name);

}  // namespace latchkey::cli
