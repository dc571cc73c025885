// From the bytes of a head to credential, facts, wishes and the text of a refusal: nothing crashes,
// and no token reaches what is sent back or what is kept.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "env/redact.h"
#include "gateway/data_api.h"
#include "gateway/respond.h"
#include "gateway/routes.h"
#include "gateway/translate.h"
#include "http/client_address.h"
#include "http/query.h"
#include "http/request_parser.h"

namespace latchkey::gateway {
namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckRefusal(Responder& responder, const core::Decision& decision,
                  const http::Request& request) {
  const http::Response response =
      responder.Refusal(decision, "0123456789abcdef", AcceptsProblemJson(request));
  Check(!HoldsToken(response.body));
  Check(!HoldsToken(response.header_lines));
  Check(response.header_lines.ends_with("\r\n"));
  Check(response.header_lines.find("\r\n\r\n") == std::string_view::npos);
}

void CheckRest(std::string_view rest) {
  std::string name;
  http::QueryIterator pairs(rest);
  for (http::RawParameter pair; pairs.Next(pair);) {
    if (http::DecodeQueryText(pair.name, name)) Check(name != "token" && name != "nonce");
  }
}

void Run(std::string_view head) {
  http::RequestParser parser;
  http::Request request;
  if (parser.Parse(head, http::Limits{}, request) != http::RequestParser::Outcome::kDone) return;
  static const std::vector<IpNetwork> kTrusted = {*IpNetwork::Parse("::/0")};
  static const Routes kRoutes;
  static Responder responder(true);

  const IpAddress client = http::ClientAddress(request, kTrusted);
  http::ClientAddress(request, {});
  Credential credential;
  std::string rest;
  const core::Decision decision = ReadCredential(request, credential, rest);
  CheckRefusal(responder, decision.allowed() ? core::Refuse(core::Reason::kTokenInvalid) : decision,
               request);
  if (!decision.allowed()) return;
  CheckRest(rest);

  const Destination to = kRoutes.Find(request.method, request.path);
  const std::string workspace = ToLower(to.workspace);
  const core::Facts facts = DatasetFacts(request, client, workspace, nullptr);
  Check(!facts.dataset_exists);
  Check(facts.from_browser == CatalogueFacts(request, client).from_browser);
  const Result<RecordsWish> wish =
      ReadRecordsWish(to.key, to.subkey, rest, AcceptedFormat(request), 10'000);
  if (wish.ok()) {
    Check(wish->query.limit >= 1 && wish->query.limit <= 10'001);
  } else {
    CheckRefusal(responder, core::Refuse(core::Reason::kInvalidValues, wish.error().public_text),
                 request);
  }
  if (const Status none = RefuseParameters(rest); !none.ok()) {
    CheckRefusal(responder, core::Refuse(core::Reason::kInvalidValues, none.error().public_text),
                 request);
  }
}

}  // namespace
}  // namespace latchkey::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  latchkey::gateway::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
