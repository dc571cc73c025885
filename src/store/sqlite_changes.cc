#include "store/sqlite_changes.h"

#include <chrono>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "store/sqlite_rows.h"

namespace latchkey::store {
namespace {

constexpr std::chrono::hours kAnswersAreKept{24};

Error NotThere(std::string_view what) {
  return MakeError(ErrorCode::kNotFound, fmt::format("There is no such {}.", what));
}

Error Stale(std::string_view what) {
  return MakeError(ErrorCode::kStale,
                   fmt::format("The {} was changed meanwhile. Read it again.", what));
}

// SQLite's constraint errors in the words of what was tried.
Error Explain(Error error, std::string_view conflict, std::string_view missing) {
  if (error.code == ErrorCode::kConflict) error.public_text = conflict;
  if (error.code == ErrorCode::kNotFound) error.public_text = missing;
  return error;
}

Status AppendFeed(SqliteDatabase& database, FeedRow::Kind kind, std::int64_t id, bool removed,
                  Progress& progress) {
  Result<SqliteStatement> insert =
      database.Prepare("INSERT INTO change_feed (kind, id, removed) VALUES (?1, ?2, ?3)");
  if (!insert.ok()) return insert.error();
  insert->Bind(1, static_cast<std::int64_t>(kind)).Bind(2, id).Bind(3, std::int64_t{removed});
  if (Status status = insert->Run(); !status.ok()) return status;
  progress.feed_sequence = database.last_insert_rowid();
  return {};
}

// After an UPDATE or DELETE by id and version that met no row: why not.
Status ExplainNoChange(SqliteDatabase& database, const char* select_by_id, std::int64_t id,
                       std::string_view what) {
  if (database.changes() > 0) return {};
  Result<SqliteStatement> select = database.Prepare(select_by_id);
  if (!select.ok()) return select.error();
  const Result<bool> row = select->Bind(1, id).Step();
  if (!row.ok()) return row.error();
  return *row ? Stale(what) : NotThere(what);
}

constexpr const char* kInsertPlan =
    "INSERT INTO plans (id, name, title, monthly_core_credits, pay_as_you_go, premium_data, "
    "max_tokens, max_datasets, max_storage_bytes, max_jobs, created_at, version) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
// In each UPDATE the last parameter is the expected version, and what is fixed at creation is left
// out.
constexpr const char* kUpdatePlan =
    "UPDATE plans SET name = ?2, title = ?3, monthly_core_credits = ?4, pay_as_you_go = ?5, "
    "premium_data = ?6, max_tokens = ?7, max_datasets = ?8, max_storage_bytes = ?9, max_jobs = "
    "?10, "
    "version = ?12 + 1 WHERE id = ?1 AND version = ?12";

Status Apply(SqliteDatabase& database, const PutPlan& change, Progress& progress) {
  Result<SqliteStatement> statement =
      database.Prepare(change.expected_version ? kUpdatePlan : kInsertPlan);
  if (!statement.ok()) return statement.error();
  BindPlan(*statement, change.plan);
  statement->Bind(12, change.expected_version.value_or(1));
  if (Status status = statement->Run(); !status.ok()) {
    return Explain(status.error(), "There is a plan of this name already.", "");
  }
  if (Status status = ExplainNoChange(database, "SELECT 1 FROM plans WHERE id = ?1",
                                      change.plan.id.value, "plan");
      !status.ok()) {
    return status;
  }
  return AppendFeed(database, FeedRow::Kind::kPlan, change.plan.id.value, false, progress);
}

constexpr const char* kInsertAccount =
    "INSERT INTO accounts (id, plan, state, browser_guard, workspace, title, created_at, version) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
constexpr const char* kUpdateAccount =
    "UPDATE accounts SET plan = ?2, state = ?3, browser_guard = ?4, title = ?6, version = ?8 + 1 "
    "WHERE id = ?1 AND version = ?8";

Status Apply(SqliteDatabase& database, const PutAccount& change, Progress& progress) {
  Result<SqliteStatement> statement =
      database.Prepare(change.expected_version ? kUpdateAccount : kInsertAccount);
  if (!statement.ok()) return statement.error();
  BindAccount(*statement, change.account);
  statement->Bind(8, change.expected_version.value_or(1));
  if (Status status = statement->Run(); !status.ok()) {
    return Explain(status.error(), "This workspace name is taken.", "There is no such plan.");
  }
  if (Status status = ExplainNoChange(database, "SELECT 1 FROM accounts WHERE id = ?1",
                                      change.account.id.value, "account");
      !status.ok()) {
    return status;
  }
  return AppendFeed(database, FeedRow::Kind::kAccount, change.account.id.value, false, progress);
}

// Counts no further than it must.
Status CheckMaxTokens(SqliteDatabase& database, core::AccountId account, std::uint32_t max_tokens) {
  Result<SqliteStatement> count =
      database.Prepare("SELECT count(*) FROM (SELECT 1 FROM tokens WHERE account = ?1 LIMIT ?2)");
  if (!count.ok()) return count.error();
  const Result<bool> row = count->Bind(1, account.value).Bind(2, std::int64_t{max_tokens}).Step();
  if (!row.ok()) return row.error();
  if (count->Integer(0) < max_tokens) return {};
  return MakeError(ErrorCode::kLimit,
                   fmt::format("The account's plan allows {} tokens, and it has them. Remove one, "
                               "or take a larger plan.",
                               max_tokens));
}

Status CheckNeverRemoved(SqliteDatabase& database, const Digest& digest) {
  Result<SqliteStatement> select =
      database.Prepare("SELECT 1 FROM removed_digests WHERE digest = ?1");
  if (!select.ok()) return select.error();
  const Result<bool> row = select->BindBlob(1, AsBytes(digest)).Step();
  if (!row.ok()) return row.error();
  if (!*row) return {};
  return MakeError(ErrorCode::kConflict, "This token was removed and can't come back.");
}

// The text that an update or a removal ends, if it does.
Status EndText(SqliteDatabase& database, const Digest& digest, Progress& progress) {
  if (Status status = InsertRemovedDigest(database, digest); !status.ok()) return status;
  progress.removed.push_back(digest);
  return {};
}

Result<Digest> StoredDigest(SqliteDatabase& database, core::TokenId token,
                            std::optional<std::int64_t> expected_version) {
  Result<SqliteStatement> select =
      database.Prepare("SELECT digest, version FROM tokens WHERE id = ?1");
  if (!select.ok()) return select.error();
  const Result<bool> row = select->Bind(1, token.value).Step();
  if (!row.ok()) return row.error();
  if (!*row) return NotThere("token");
  if (expected_version && select->Integer(1) != *expected_version) return Stale("token");
  return ReadDigest(select->Blob(0), "tokens");
}

// After the token's row is written: it counts itself.
Status CheckEnabledSecrets(SqliteDatabase& database, const core::Token& token,
                           std::uint32_t max_enabled_secrets) {
  if (token.kind != core::TokenKind::kSecret || !token.enabled) return {};
  Result<SqliteStatement> count = database.Prepare(
      "SELECT count(*) FROM (SELECT 1 FROM tokens WHERE account = ?1 AND kind = 1 AND enabled = 1 "
      "LIMIT ?2)");
  if (!count.ok()) return count.error();
  const std::int64_t enough = std::int64_t{max_enabled_secrets} + 1;
  const Result<bool> row = count->Bind(1, token.account.value).Bind(2, enough).Step();
  if (!row.ok()) return row.error();
  if (count->Integer(0) < enough) return {};
  return MakeError(ErrorCode::kConflict,
                   fmt::format("An account may have {} enabled secret tokens. Disable or remove "
                               "one first.",
                               max_enabled_secrets));
}

constexpr const char* kInsertToken =
    "INSERT INTO tokens (id, account, kind, environment, enabled, core_data_access, created_at, "
    "expires_at, digest, version, shown_text, nickname, end_user, created_by, labels, "
    "master_key_id, sealed_key_state) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
constexpr const char* kUpdateToken =
    "UPDATE tokens SET enabled = ?5, core_data_access = ?6, expires_at = ?8, digest = ?9, "
    "version = ?10 + 1, shown_text = ?11, nickname = ?12, end_user = ?13, labels = ?15, "
    "master_key_id = ?16, sealed_key_state = ?17 WHERE id = ?1 AND version = ?10";

Status PrepareUpdate(SqliteDatabase& database, const PutToken& change, Progress& progress) {
  const core::Token& token = change.record.token;
  const Result<Digest> stored = StoredDigest(database, token.id, change.expected_version);
  if (!stored.ok()) return stored.error();
  if (*stored == token.digest) return {};
  if (Status status = CheckNeverRemoved(database, token.digest); !status.ok()) return status;
  return EndText(database, *stored, progress);
}

Status PrepareCreation(SqliteDatabase& database, const PutToken& change) {
  const core::Token& token = change.record.token;
  if (change.max_tokens) {
    if (Status status = CheckMaxTokens(database, token.account, *change.max_tokens); !status.ok()) {
      return status;
    }
  }
  return CheckNeverRemoved(database, token.digest);
}

Status Apply(SqliteDatabase& database, const PutToken& change, Progress& progress) {
  if (Status status = change.expected_version ? PrepareUpdate(database, change, progress)
                                              : PrepareCreation(database, change);
      !status.ok()) {
    return status;
  }
  Result<SqliteStatement> statement =
      database.Prepare(change.expected_version ? kUpdateToken : kInsertToken);
  if (!statement.ok()) return statement.error();
  BindTokenRecord(*statement, change.record);
  statement->Bind(10, change.expected_version.value_or(1));
  if (Status status = statement->Run(); !status.ok()) {
    return Explain(status.error(), "This token exists already.", "There is no such account.");
  }
  if (change.max_enabled_secrets) {
    Status status = CheckEnabledSecrets(database, change.record.token, *change.max_enabled_secrets);
    if (!status.ok()) return status;
  }
  return AppendFeed(database, FeedRow::Kind::kToken, change.record.token.id.value, false, progress);
}

Status Apply(SqliteDatabase& database, const RemoveToken& change, Progress& progress) {
  const Result<Digest> stored = StoredDigest(database, change.token, change.expected_version);
  if (!stored.ok()) return stored.error();
  Result<SqliteStatement> statement = database.Prepare("DELETE FROM tokens WHERE id = ?1");
  if (!statement.ok()) return statement.error();
  if (Status status = statement->Bind(1, change.token.value).Run(); !status.ok()) return status;
  if (Status status = EndText(database, *stored, progress); !status.ok()) return status;
  return AppendFeed(database, FeedRow::Kind::kToken, change.token.value, true, progress);
}

constexpr const char* kInsertDataset =
    "INSERT INTO datasets (id, class, owner, workspace, name, title, fields, key_field, "
    "subkey_field, date_field, weight, test, generation, records, created_at, updated_at, version, "
    "source) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
constexpr const char* kUpdateDataset =
    "UPDATE datasets SET name = ?5, title = ?6, fields = ?7, key_field = ?8, subkey_field = ?9, "
    "date_field = ?10, weight = ?11, test = ?12, generation = ?13, records = ?14, "
    "updated_at = ?16, version = ?17 + 1, source = ?18 WHERE id = ?1 AND version = ?17";

// Counts no further than it must.
Status CheckMaxDatasets(SqliteDatabase& database, core::AccountId owner,
                        std::uint32_t max_datasets) {
  Result<SqliteStatement> count =
      database.Prepare("SELECT count(*) FROM (SELECT 1 FROM datasets WHERE owner = ?1 LIMIT ?2)");
  if (!count.ok()) return count.error();
  const Result<bool> row = count->Bind(1, owner.value).Bind(2, std::int64_t{max_datasets}).Step();
  if (!row.ok()) return row.error();
  if (count->Integer(0) < max_datasets) return {};
  return MakeError(ErrorCode::kLimit,
                   fmt::format("The account's plan allows {} datasets, and it has them. Remove "
                               "one, or take a larger plan.",
                               max_datasets));
}

Status Apply(SqliteDatabase& database, const PutDataset& change, Progress& progress) {
  if (!change.expected_version && change.max_datasets && change.dataset.owner) {
    Status status = CheckMaxDatasets(database, change.dataset.owner, *change.max_datasets);
    if (!status.ok()) return status;
  }
  Result<SqliteStatement> statement =
      database.Prepare(change.expected_version ? kUpdateDataset : kInsertDataset);
  if (!statement.ok()) return statement.error();
  BindDataset(*statement, change.dataset);
  statement->Bind(17, change.expected_version.value_or(1));
  if (Status status = statement->Run(); !status.ok()) {
    return Explain(status.error(), "This workspace has a dataset of this name already.",
                   "There is no such account.");
  }
  if (Status status = ExplainNoChange(database, "SELECT 1 FROM datasets WHERE id = ?1",
                                      change.dataset.id.value, "dataset");
      !status.ok()) {
    return status;
  }
  return AppendFeed(database, FeedRow::Kind::kDataset, change.dataset.id.value, false, progress);
}

Status Apply(SqliteDatabase& database, const RemoveDataset& change, Progress& progress) {
  Result<SqliteStatement> statement =
      database.Prepare("DELETE FROM datasets WHERE id = ?1 AND (?2 IS NULL OR version = ?2)");
  if (!statement.ok()) return statement.error();
  statement->Bind(1, change.dataset.value);
  if (change.expected_version) statement->Bind(2, *change.expected_version);
  if (Status status = statement->Run(); !status.ok()) return status;
  if (Status status = ExplainNoChange(database, "SELECT 1 FROM datasets WHERE id = ?1",
                                      change.dataset.value, "dataset");
      !status.ok()) {
    return status;
  }
  return AppendFeed(database, FeedRow::Kind::kDataset, change.dataset.value, true, progress);
}

constexpr const char* kInsertLegacyMap =
    "INSERT INTO legacy_maps (kind, dataset, updated_at, version, renames) "
    "VALUES (?1, ?2, ?3, ?4, ?5)";
constexpr const char* kUpdateLegacyMap =
    "UPDATE legacy_maps SET dataset = ?2, updated_at = ?3, renames = ?5, version = ?4 + 1 "
    "WHERE kind = ?1 AND version = ?4";
constexpr const char* kSelectLegacyMap = "SELECT 1 FROM legacy_maps WHERE kind = ?1";

Status Apply(SqliteDatabase& database, const PutLegacyMap& change, Progress& progress) {
  Result<SqliteStatement> statement =
      database.Prepare(change.expected_version ? kUpdateLegacyMap : kInsertLegacyMap);
  if (!statement.ok()) return statement.error();
  BindLegacyMap(*statement, change.map);
  statement->Bind(4, change.expected_version.value_or(1));
  if (Status status = statement->Run(); !status.ok()) {
    return Explain(status.error(), "This form is mapped already.", "");
  }
  const auto kind = static_cast<std::int64_t>(change.map.kind);
  if (Status status = ExplainNoChange(database, kSelectLegacyMap, kind, "map"); !status.ok()) {
    return status;
  }
  return AppendFeed(database, FeedRow::Kind::kLegacyMap, kind, false, progress);
}

Status Apply(SqliteDatabase& database, const RemoveLegacyMap& change, Progress& progress) {
  Result<SqliteStatement> statement =
      database.Prepare("DELETE FROM legacy_maps WHERE kind = ?1 AND (?2 IS NULL OR version = ?2)");
  if (!statement.ok()) return statement.error();
  const auto kind = static_cast<std::int64_t>(change.kind);
  statement->Bind(1, kind);
  if (change.expected_version) statement->Bind(2, *change.expected_version);
  if (Status status = statement->Run(); !status.ok()) return status;
  if (Status status = ExplainNoChange(database, kSelectLegacyMap, kind, "map"); !status.ok()) {
    return status;
  }
  return AppendFeed(database, FeedRow::Kind::kLegacyMap, kind, true, progress);
}

Status InsertAnswer(SqliteDatabase& database, const IdempotentAnswer& answer) {
  Result<SqliteStatement> remove = database.Prepare("DELETE FROM idempotent_answers WHERE at < ?1");
  if (!remove.ok()) return remove.error();
  if (Status status = remove->Bind(1, ToUnixMillis(answer.at - kAnswersAreKept)).Run();
      !status.ok()) {
    return status;
  }
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT INTO idempotent_answers (scope, key_digest, body_digest, sealed_answer, at) "
      "VALUES (?1, ?2, ?3, ?4, ?5)");
  if (!insert.ok()) return insert.error();
  insert->Bind(1, answer.scope)
      .BindBlob(2, AsBytes(answer.key_digest))
      .BindBlob(3, AsBytes(answer.body_digest))
      .BindBlob(4, answer.sealed_answer)
      .Bind(5, ToUnixMillis(answer.at));
  if (Status status = insert->Run(); !status.ok()) {
    return Explain(status.error(), "This Idempotency-Key was used before.", "");
  }
  return {};
}

Error BrokenChain(std::int64_t sequence, std::string_view why) {
  return MakeError(ErrorCode::kCorrupt,
                   fmt::format("The audit log is broken at event {}: {}.", sequence, why));
}

Status CheckLink(const core::AuditEvent& event, const Progress& before) {
  if (event.sequence != before.audit_sequence + 1) {
    return BrokenChain(before.audit_sequence + 1, "it is missing");
  }
  if (event.previous_hash != before.audit_hash) {
    return BrokenChain(event.sequence, "it does not follow the event before it");
  }
  if (core::AuditHash(event) != event.hash) {
    return BrokenChain(event.sequence, "it was changed after it was written");
  }
  return {};
}

}  // namespace

Result<Progress> LoadProgress(SqliteDatabase& database) {
  Progress progress;
  {
    Result<SqliteStatement> last =
        database.Prepare("SELECT sequence, hash FROM audit_events ORDER BY sequence DESC LIMIT 1");
    if (!last.ok()) return last.error();
    const Result<bool> row = last->Step();
    if (!row.ok()) return row.error();
    if (*row) {
      const Result<Digest> hash = ReadDigest(last->Blob(1), "audit_events");
      if (!hash.ok()) return hash.error();
      progress.audit_sequence = last->Integer(0);
      progress.audit_hash = *hash;
    }
  }
  const Result<std::int64_t> feed =
      database.QueryInteger("SELECT seq FROM sqlite_sequence WHERE name = 'change_feed'");
  if (!feed.ok()) return feed.error();
  progress.feed_sequence = *feed;
  return progress;
}

Status ApplyMutation(SqliteDatabase& database, const Mutation& mutation, Progress& progress) {
  for (const StateChange& change : mutation.changes) {
    Status status =
        std::visit([&](const auto& one) { return Apply(database, one, progress); }, change);
    if (!status.ok()) return status;
  }
  if (mutation.answer) {
    if (Status status = InsertAnswer(database, *mutation.answer); !status.ok()) return status;
  }
  return AppendAuditEvent(database, mutation.event, progress);
}

Status AppendAuditEvent(SqliteDatabase& database, core::AuditEvent event, Progress& progress) {
  event.sequence = progress.audit_sequence + 1;
  event.previous_hash = progress.audit_hash;
  event.hash = core::AuditHash(event);
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT INTO audit_events (sequence, at, principal, address, request_id, action, subject, "
      "account, before, after, previous_hash, hash) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
  if (!insert.ok()) return insert.error();
  BindAuditEvent(*insert, event);
  if (Status status = insert->Run(); !status.ok()) return status;
  progress.audit_sequence = event.sequence;
  progress.audit_hash = event.hash;
  return {};
}

Status InsertRemovedDigest(SqliteDatabase& database, const Digest& digest) {
  Result<SqliteStatement> insert =
      database.Prepare("INSERT OR IGNORE INTO removed_digests (digest) VALUES (?1)");
  if (!insert.ok()) return insert.error();
  return insert->BindBlob(1, AsBytes(digest)).Run();
}

Status CheckAuditChain(SqliteDatabase& database) {
  Result<SqliteStatement> select =
      database.Prepare(fmt::format("SELECT {}, (SELECT seq FROM sqlite_sequence WHERE name = "
                                   "'audit_events') FROM audit_events ORDER BY sequence",
                                   kAuditColumns));
  if (!select.ok()) return select.error();
  Progress progress;
  std::int64_t last = 0;
  for (;;) {
    const Result<bool> row = select->Step();
    if (!row.ok()) return row.error();
    if (!*row) break;
    const Result<core::AuditEvent> event = ReadAuditEvent(*select);
    if (!event.ok()) return event.error();
    if (Status status = CheckLink(*event, progress); !status.ok()) return status;
    progress.audit_sequence = event->sequence;
    progress.audit_hash = event->hash;
    last = select->Integer(12);
  }
  if (progress.audit_sequence == 0) {
    // No row could say how many there were.
    const Result<std::int64_t> seq =
        database.QueryInteger("SELECT seq FROM sqlite_sequence WHERE name = 'audit_events'");
    if (!seq.ok()) return seq.error();
    last = *seq;
  }
  if (progress.audit_sequence < last)
    return BrokenChain(progress.audit_sequence + 1, "it is missing");
  return {};
}

}  // namespace latchkey::store
