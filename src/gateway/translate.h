// From HTTP to the domain: the credential, the facts and the wishes of a request. With respond.h,
// the only place where the data plane's HTTP meets core. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "core/dataset.h"
#include "core/decision.h"
#include "core/record_query.h"
#include "http/message.h"

namespace latchkey::gateway {

// The token of a request (wire.md §1). One object serves request after request, so that nothing is
// allocated where the token needs no decoding.
struct Credential {
  // Empty: none. A view into the request, or into one of the two texts below.
  std::string_view text;
  std::string decoded_query;
  std::string decoded_basic;

  void Clear() { text = {}; }
};

// Reads the token from `token=` in the query, `Authorization: Bearer`, or the user name of
// `Authorization: Basic` with an empty password. An empty text counts as none; the same token twice
// counts once; two different ones are kInvalidValues. Any other scheme, a Basic password or
// malformed Basic is not a token and is passed over: the `Credential=` of a signature is none.
//
// Appends to `rest` the other pairs of the query as received, joined by '&', without `nonce`
// (accepted and ignored) and without empty pairs. kInvalidValues for a name, or a value of `token`,
// that can't be decoded. No detail holds a value.
core::Decision ReadCredential(const http::Request& request, Credential& credential,
                              std::string& rest);

// Sent by browsers only (wire.md §2, secret_token_in_browser).
inline bool IsFromBrowser(const http::Request& request) {
  return request.Has(http::KnownField::kOrigin) || request.Has(http::KnownField::kSecFetchSite);
}

// Two different tokens in one request (wire.md §1).
core::Decision TwoTokens();

// Facts about the list of datasets, and about one, to be read. `workspace` in lower case; a null
// dataset is one that does not exist. The view must hold as long as the facts.
core::Facts CatalogueFacts(const http::Request& request, const IpAddress& client);
core::Facts DatasetFacts(const http::Request& request, const IpAddress& client,
                         std::string_view workspace, const core::Dataset* dataset);
// About what is of a workspace but of no one dataset.
core::Facts WorkspaceFacts(const http::Request& request, const IpAddress& client,
                           std::string_view workspace);

// application/problem+json is named in Accept with q > 0. Wildcards and application/json don't name
// it (wire.md §2).
bool AcceptsProblemJson(const http::Request& request);
// What Accept asks for where `format` says nothing: CSV if it is weighed higher than JSON, or the
// same while text/csv is named and application/json is not. Else JSON.
core::RecordFormat AcceptedFormat(const http::Request& request);

}  // namespace latchkey::gateway
