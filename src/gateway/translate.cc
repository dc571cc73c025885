#include "gateway/translate.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "http/query.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using core::Reason;
using http::KnownField;

// Takes one more token into the credential. False: it is another one.
bool Take(Credential& credential, std::string_view text) {
  if (text.empty()) return true;
  if (credential.text.empty()) {
    credential.text = text;
    return true;
  }
  return credential.text == text;
}

std::string_view TakeScheme(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view scheme = rest.substr(0, end);
  rest = TrimBlanks(rest.substr(end));
  return scheme;
}

// The token in an Authorization field; empty where there is none.
std::string_view AuthorizationToken(std::string_view field, std::string& decoded) {
  const std::string_view scheme = TakeScheme(field);
  if (EqualsIgnoreCase(scheme, "Bearer")) return field;
  if (!EqualsIgnoreCase(scheme, "Basic")) return {};
  std::optional<std::string> pair = Base64Decode(field);
  // RFC 7617 §2: user-id ":" password, and the user-id holds no colon.
  if (!pair || pair->empty() || pair->find(':') != pair->size() - 1) return {};
  decoded = std::move(*pair);
  decoded.pop_back();
  return decoded;
}

// ---- Accept

// Thousandths, 0 to 1000 (RFC 9110 §12.4.2). What is malformed counts as 1, as if it were absent.
int ParseQuality(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view pair = TrimBlanks(parameters.substr(0, end));
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
    if (pair.size() < 3 || ToLower(pair[0]) != 'q' || pair[1] != '=') continue;
    const std::string_view number = pair.substr(2);
    if (number.size() > 5 || (number[0] != '0' && number[0] != '1')) return 1000;
    int value = (number[0] - '0') * 1000;
    int unit = 100;
    if (number.size() > 1 && number[1] != '.') return 1000;
    for (std::size_t i = 2; i < number.size(); ++i, unit /= 10) {
      if (!IsDigit(number[i])) return 1000;
      value += (number[i] - '0') * unit;
    }
    return std::min(value, 1000);
  }
  return 1000;
}

// Calls `each(media_type, quality)` for every range of every Accept field.
template <typename Each>
void ForEachAccepted(const http::Request& request, Each&& each) {
  for (const http::HeaderField& field : request.fields) {
    if (!EqualsIgnoreCase(field.name, "Accept")) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      const std::size_t end = std::min(list.find(','), list.size());
      const std::string_view range = list.substr(0, end);
      list.remove_prefix(std::min(end + 1, list.size()));
      const std::size_t semicolon = std::min(range.find(';'), range.size());
      const std::string_view type = TrimBlanks(range.substr(0, semicolon));
      if (type.empty()) continue;
      const std::size_t parameters = std::min(semicolon + 1, range.size());
      each(type, ParseQuality(range.substr(parameters)));
    }
  }
}

// How much one media type is wished for: the most specific range counts (RFC 9110 §12.5.1).
struct Wish {
  int specificity = 0;  // 1: */*, 2: type/*, 3: the type itself
  int quality = 0;

  void Take(int range_specificity, int range_quality) {
    if (range_specificity < specificity) return;
    quality = range_specificity == specificity ? std::max(quality, range_quality) : range_quality;
    specificity = range_specificity;
  }
};

core::Facts CommonFacts(const http::Request& request, const IpAddress& client) {
  core::Facts facts;
  facts.action = core::Action::kRead;
  facts.client_address = client;
  facts.from_browser = IsFromBrowser(request);
  return facts;
}

core::DatasetClass ClassOf(std::string_view workspace) {
  return workspace == core::kCoreWorkspace      ? core::DatasetClass::kCore
         : workspace == core::kPremiumWorkspace ? core::DatasetClass::kPremium
                                                : core::DatasetClass::kWorkspace;
}

}  // namespace

Decision TwoTokens() {
  return core::Refuse(Reason::kInvalidValues, "Two different tokens were sent; send one.");
}

Decision ReadCredential(const http::Request& request, Credential& credential, std::string& rest) {
  const std::size_t rest_start = rest.size();
  std::string name;  // only an encoded name allocates
  http::QueryIterator pairs(request.raw_query);
  for (http::RawParameter pair; pairs.Next(pair);) {
    std::string_view plain_name = pair.name;
    if (pair.name_encoded) {
      if (!http::DecodeQueryText(pair.name, name)) {
        return core::Refuse(Reason::kInvalidValues, "The name of a parameter is ill-formed.");
      }
      plain_name = name;
    }
    if (plain_name == "nonce") continue;
    if (plain_name != "token") {
      if (rest.size() > rest_start) rest.push_back('&');
      // Up to the end of the value, which follows the name unless there is no '='.
      const char* end = pair.value.data() != nullptr ? pair.value.data() + pair.value.size()
                                                     : pair.name.data() + pair.name.size();
      // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): name and value are one text.
      rest.append(pair.name.data(), end);
      continue;
    }
    std::string_view value = pair.value;
    if (pair.value_encoded) {
      std::string decoded;
      if (!http::DecodeQueryText(pair.value, decoded)) {
        return core::Refuse(Reason::kInvalidValues, "The value of token is ill-formed.");
      }
      if (credential.text.empty()) {
        credential.decoded_query = std::move(decoded);
        credential.text = credential.decoded_query;
        continue;
      }
      if (!decoded.empty() && credential.text != decoded) return TwoTokens();
      continue;
    }
    if (!Take(credential, value)) return TwoTokens();
  }
  if (request.Has(KnownField::kAuthorization)) {
    const std::string_view text =
        AuthorizationToken(request.Field(KnownField::kAuthorization), credential.decoded_basic);
    if (!Take(credential, text)) return TwoTokens();
  }
  return core::Allow();
}

core::Facts CatalogueFacts(const http::Request& request, const IpAddress& client) {
  core::Facts facts = CommonFacts(request, client);
  facts.resource = core::ResourceKind::kCatalogue;
  return facts;
}

core::Facts DatasetFacts(const http::Request& request, const IpAddress& client,
                         std::string_view workspace, const core::Dataset* dataset) {
  core::Facts facts = CommonFacts(request, client);
  facts.resource = core::ResourceKind::kDataset;
  facts.workspace = workspace;
  // By the name alone: a dataset that does not exist has a class too, so that it is refused as
  // one that does (wire.md §2, existence).
  facts.dataset_class = ClassOf(workspace);
  facts.dataset_exists = dataset != nullptr;
  facts.dataset_test = dataset != nullptr && dataset->test;
  return facts;
}

core::Facts WorkspaceFacts(const http::Request& request, const IpAddress& client,
                           std::string_view workspace) {
  core::Facts facts = CommonFacts(request, client);
  facts.resource = core::ResourceKind::kWorkspace;
  facts.workspace = workspace;
  facts.dataset_class = ClassOf(workspace);
  return facts;
}

bool AcceptsProblemJson(const http::Request& request) {
  if (!request.Has(KnownField::kAccept)) return false;
  bool named = false;
  ForEachAccepted(request, [&](std::string_view type, int quality) {
    named = named || (quality > 0 && EqualsIgnoreCase(type, "application/problem+json"));
  });
  return named;
}

core::RecordFormat AcceptedFormat(const http::Request& request) {
  if (!request.Has(KnownField::kAccept)) return core::RecordFormat::kJson;
  Wish json;
  Wish csv;
  ForEachAccepted(request, [&](std::string_view type, int quality) {
    if (type == "*/*") {
      json.Take(1, quality);
      csv.Take(1, quality);
    } else if (EqualsIgnoreCase(type, "application/*")) {
      json.Take(2, quality);
    } else if (EqualsIgnoreCase(type, "text/*")) {
      csv.Take(2, quality);
    } else if (EqualsIgnoreCase(type, "application/json")) {
      json.Take(3, quality);
    } else if (EqualsIgnoreCase(type, "text/csv")) {
      csv.Take(3, quality);
    }
  });
  const bool csv_wins =
      csv.quality > json.quality || (csv.quality == json.quality && csv.quality > 0 &&
                                     csv.specificity == 3 && json.specificity < 3);
  return csv_wins ? core::RecordFormat::kCsv : core::RecordFormat::kJson;
}

}  // namespace latchkey::gateway
