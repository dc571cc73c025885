// How the domain's values stand in the rows of state.db. Columns are read in the order of the k…
// lists below. kCorrupt where a row holds what no Latchkey has written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "core/account.h"
#include "core/audit.h"
#include "core/dataset.h"
#include "core/legacy_map.h"
#include "core/token.h"
#include "store/sqlite_database.h"

namespace latchkey::store {

inline constexpr std::string_view kPlanColumns =
    "id, name, title, monthly_core_credits, pay_as_you_go, premium_data, max_tokens, max_datasets, "
    "max_storage_bytes, max_jobs, created_at, version";
inline constexpr std::string_view kAccountColumns =
    "id, plan, state, browser_guard, workspace, title, created_at, version";
// What a decision needs; the start reads these alone.
inline constexpr std::string_view kTokenColumns =
    "id, account, kind, environment, enabled, core_data_access, created_at, expires_at, digest";
inline constexpr std::string_view kTokenRecordColumns =
    "id, account, kind, environment, enabled, core_data_access, created_at, expires_at, digest, "
    "version, shown_text, nickname, end_user, created_by, labels, master_key_id, sealed_key_state";
inline constexpr std::string_view kDatasetColumns =
    "id, class, owner, workspace, name, title, fields, key_field, subkey_field, date_field, "
    "weight, test, generation, records, created_at, updated_at, version, source";
inline constexpr std::string_view kLegacyMapColumns = "kind, dataset, updated_at, version, renames";
inline constexpr std::string_view kAuditColumns =
    "sequence, at, principal, address, request_id, action, subject, account, before, after, "
    "previous_hash, hash";

Result<core::Plan> ReadPlan(const SqliteStatement& row);
Result<core::Account> ReadAccount(const SqliteStatement& row);
Result<core::Token> ReadToken(const SqliteStatement& row);
Result<core::TokenRecord> ReadTokenRecord(const SqliteStatement& row);
Result<core::Dataset> ReadDataset(const SqliteStatement& row);
Result<core::LegacyMap> ReadLegacyMap(const SqliteStatement& row);
Result<core::AuditEvent> ReadAuditEvent(const SqliteStatement& row);

// Parameters ?1, ?2 … are the columns of the lists above, in their order.
void BindPlan(SqliteStatement& statement, const core::Plan& plan);
void BindAccount(SqliteStatement& statement, const core::Account& account);
void BindTokenRecord(SqliteStatement& statement, const core::TokenRecord& record);
void BindDataset(SqliteStatement& statement, const core::Dataset& dataset);
void BindLegacyMap(SqliteStatement& statement, const core::LegacyMap& map);
void BindAuditEvent(SqliteStatement& statement, const core::AuditEvent& event);

std::string_view AsBytes(const Digest& digest);
// kCorrupt unless it is 32 bytes.
Result<Digest> ReadDigest(std::string_view bytes, std::string_view what);

}  // namespace latchkey::store
