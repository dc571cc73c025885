// Facts, and the decision over them: Evaluate is a function of its arguments and nothing else.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/ip_address.h"
#include "base/time.h"
#include "core/account.h"
#include "core/dataset.h"
#include "core/reason.h"
#include "core/token.h"

namespace latchkey::core {

enum class Action : std::uint8_t {
  kRead,
  kWrite,   // records, by a request or an upload
  kDelete,  // records
  kDefine,  // the dataset itself: create, change, remove
};

// What a request wants to reach.
enum class ResourceKind : std::uint8_t {
  kCatalogue,  // the list of datasets: any token; it shows what the token may read
  kDataset,    // a dataset, existing or not: its records or its definition
  kWorkspace,  // what is of a workspace but of no one dataset, as its jobs: secret tokens only
  kAccount,    // the account itself, as the management API changes it: secret tokens only
};

// What a decision may look at. Views hold as long as the request does.
struct Facts {
  ResourceKind resource = ResourceKind::kDataset;
  Action action = Action::kRead;
  // Of the dataset asked for: by its workspace, known without knowing whether the dataset exists.
  DatasetClass dataset_class = DatasetClass::kWorkspace;
  // The workspace asked for, in lower case: a workspace dataset is the account's own where this is
  // the account's name.
  std::string_view workspace;
  bool dataset_exists = false;
  bool dataset_test = false;  // marked `test`; only with dataset_exists
  // The request makes the dataset if it is not there, so that an absent one is no refusal.
  bool creates = false;
  IpAddress client_address;
  // Sent by browsers only: Origin, or Sec-Fetch-Site, with any value.
  bool from_browser = false;
};

struct Decision {
  Reason reason = Reason::kNone;
  std::string detail;  // one more sentence for the caller, or empty; never a token

  bool allowed() const { return reason == Reason::kNone; }
};

inline Decision Allow() { return {}; }
inline Decision Refuse(Reason reason, std::string detail = {}) {
  return {reason, std::move(detail)};
}

// The order of the checks is that of product.md and docs/decisions.md: token and account state,
// browser guard, data access, environment; existence last, and only where the token may see the
// catalogue, so that a foreign dataset and an absent one answer alike (wire.md §2).
Decision Evaluate(const Token& token, const Account& account, const Facts& facts, Timestamp now);

}  // namespace latchkey::core
