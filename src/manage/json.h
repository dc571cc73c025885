// Where HTTP meets the domain on the management plane (wire.md §9): objects of the domain to JSON
// and back. Names are snake_case, times RFC 3339 in UTC, identities opaque. Pure.
//
// Reading is strict: a body is one JSON object of at most 64 KiB, eight levels deep, no name twice;
// a name that is unknown or read-only is refused. Every error is kInvalid, says what would be right
// and names the fields.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/account.h"
#include "core/dataset.h"
#include "core/legacy_map.h"
#include "core/token.h"
#include "core/upload_job.h"
#include "service/accounts.h"
#include "service/catalogue.h"
#include "service/dataset_definitions.h"
#include "service/datasets.h"
#include "service/tokens.h"

namespace latchkey::manage {

inline constexpr std::size_t kMaxJsonBytes = 64 * 1024;
inline constexpr std::size_t kMaxJsonDepth = 8;

// ---- To JSON

// As stored, so a secret is shown as its prefix and last four. `whole_text`, if not empty, stands
// in the token's place: only in the answer that makes it.
std::string TokenJson(const core::TokenRecord& record, std::string_view whole_text = {});
std::string PlanJson(const core::Plan& plan);
std::string AccountJson(const core::Account& account, std::string_view plan_name);
// What creating an account answers: the account, and "tokens", each made by TokenJson.
std::string NewAccountJson(const core::Account& account, std::string_view plan_name,
                           std::span<const std::string> tokens);
std::string DatasetJson(const service::CatalogueEntry& entry);
std::string ImportReportJson(const service::ImportReport& report);
std::string UploadJobJson(const core::UploadJob& job);
// `dataset`: its full name; empty: it is gone.
std::string LegacyMapJson(const core::LegacyMap& map, std::string_view dataset);
// {"items":[…],"next_page_token":…}; an empty token is null.
std::string ListJson(std::span<const std::string> items, std::string_view next_page_token);

// ---- From JSON. Absent members are nullopt. Of what may be cleared, null gives the empty value:
// no nickname, no labels, no end user, no expiry. What the values must be beyond their type, length
// and characters, the use cases say.

// `kind` is required; core_data_access with a secret is refused.
Result<service::NewToken> ParseTokenCreation(std::string_view body);
// RFC 7396 against the token as it stands, which says what kind it is and which labels it has.
Result<service::TokenSettings> ParseTokenPatch(std::string_view body,
                                               const core::TokenRecord& current);

// `name` is required.
Result<service::NewPlan> ParsePlanCreation(std::string_view body);
Result<service::PlanSettings> ParsePlanPatch(std::string_view body);

struct AccountInput {
  std::string workspace;  // creation only
  std::optional<std::string> title;
  std::optional<std::string> plan;  // the plan's name or id
};
// `workspace` and `plan` are required.
Result<AccountInput> ParseAccountCreation(std::string_view body);
Result<AccountInput> ParseAccountPatch(std::string_view body);

// Who defines a dataset: the operator in any workspace, weight and test included, or an account in
// its own, which `workspace` of the answer then names.
enum class Definer : std::uint8_t { kOperator, kAccount };
// `name` and `fields` are required, of the operator `workspace` too. At most
// core::kMaxDefinitionBytes.
Result<service::NewDataset> ParseDatasetCreation(std::string_view body, Definer definer);
// A title that is cleared is the name again.
Result<service::DatasetPatch> ParseDatasetPatch(std::string_view body, Definer definer);

struct LegacyMapInput {
  std::string dataset;  // "core/STOCKS"
  std::vector<core::LegacyRename> renames;
};
// `dataset` is required.
Result<LegacyMapInput> ParseLegacyMap(std::string_view body);

// Of verbs that take nothing: an empty body or {}.
Status ParseNothing(std::string_view body);

}  // namespace latchkey::manage
