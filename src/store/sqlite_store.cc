#include "store/sqlite_store.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/encoding.h"
#include "store/files.h"
#include "store/sqlite_changes.h"
#include "store/sqlite_rows.h"

namespace latchkey::store {
namespace {

constexpr std::size_t kReaders = 4;
constexpr std::string_view kMasterKeyCheck = "master_key_check";

Error NoSuch(std::string_view what) {
  return MakeError(ErrorCode::kNotFound, fmt::format("There is no such {}.", what));
}

// The one row that `sql` with `bind` finds, as `read` reads it.
template <typename T, typename Bind>
Result<T> ReadOne(SqliteReaders& readers, std::string_view sql, const Bind& bind,
                  Result<T> (*read)(const SqliteStatement&), std::string_view what) {
  Result<SqliteReaders::Lease> reader = readers.Borrow();
  if (!reader.ok()) return reader.error();
  Result<SqliteStatement> select = (*reader)->Prepare(sql);
  if (!select.ok()) return select.error();
  bind(*select);
  const Result<bool> row = select->Step();
  if (!row.ok()) return row.error();
  if (!*row) return NoSuch(what);
  return read(*select);
}

// `use` for each row; stops at the first error.
template <typename T, typename Bind, typename Use>
Status ForEachRow(SqliteReaders& readers, std::string_view sql, const Bind& bind,
                  Result<T> (*read)(const SqliteStatement&), const Use& use) {
  Result<SqliteReaders::Lease> reader = readers.Borrow();
  if (!reader.ok()) return reader.error();
  Result<SqliteStatement> select = (*reader)->Prepare(sql);
  if (!select.ok()) return select.error();
  bind(*select);
  for (;;) {
    const Result<bool> row = select->Step();
    if (!row.ok()) return row.error();
    if (!*row) return {};
    Result<T> value = read(*select);
    if (!value.ok()) return value.error();
    if (Status status = use(*std::move(value)); !status.ok()) return status;
  }
}

template <typename T, typename Bind>
Result<std::vector<T>> ReadAll(SqliteReaders& readers, std::string_view sql, const Bind& bind,
                               Result<T> (*read)(const SqliteStatement&)) {
  std::vector<T> values;
  const auto keep = [&values](T value) -> Status {
    values.push_back(std::move(value));
    return {};
  };
  if (Status status = ForEachRow(readers, sql, bind, read, keep); !status.ok()) {
    return status.error();
  }
  return values;
}

void BindNothing(SqliteStatement&) {}

// ?1 to ?3 of a list's statement.
void BindPage(SqliteStatement& select, const Page& page) {
  select.Bind(1, page.after_created_at ? ToUnixMillis(*page.after_created_at) : INT64_MIN)
      .Bind(2, page.after_created_at ? page.after_id : 0)
      .Bind(3, static_cast<std::int64_t>(page.size));
}

Result<FeedRow> ReadFeedRow(const SqliteStatement& row) {
  FeedRow feed;
  feed.sequence = row.Integer(0);
  feed.kind = static_cast<FeedRow::Kind>(row.Integer(1));
  feed.id = row.Integer(2);
  feed.removed = row.Integer(3) != 0;
  return feed;
}

Result<IdempotentAnswer> ReadAnswer(const SqliteStatement& row) {
  IdempotentAnswer answer;
  answer.scope = row.Text(0);
  const Result<Digest> key = ReadDigest(row.Blob(1), "idempotent_answers");
  const Result<Digest> body = ReadDigest(row.Blob(2), "idempotent_answers");
  if (!key.ok()) return key.error();
  if (!body.ok()) return body.error();
  answer.key_digest = *key;
  answer.body_digest = *body;
  answer.sealed_answer = row.Blob(3);
  answer.at = FromUnixMillis(row.Integer(4));
  return answer;
}

Result<std::string> ReadText(const SqliteStatement& row) { return std::string(row.Text(0)); }
Result<std::int64_t> ReadInteger(const SqliteStatement& row) { return row.Integer(0); }

Status SetMeta(SqliteDatabase& database, std::string_view name, std::string_view value) {
  Result<SqliteStatement> put = database.Prepare(
      "INSERT INTO meta (name, value) VALUES (?1, ?2) "
      "ON CONFLICT (name) DO UPDATE SET value = excluded.value");
  if (!put.ok()) return put.error();
  return put->Bind(1, name).Bind(2, value).Run();
}

// ---- Opening: the table and the file of removed digests become equal (removed_digests.h).

Result<std::vector<Digest>> DigestsInTable(SqliteDatabase& database) {
  Result<SqliteStatement> select =
      database.Prepare("SELECT digest FROM removed_digests ORDER BY digest");
  if (!select.ok()) return select.error();
  std::vector<Digest> digests;
  for (;;) {
    const Result<bool> row = select->Step();
    if (!row.ok()) return row.error();
    if (!*row) return digests;
    const Result<Digest> digest = ReadDigest(select->Blob(0), "removed_digests");
    if (!digest.ok()) return digest.error();
    digests.push_back(*digest);
  }
}

Result<std::optional<core::Token>> FindToken(SqliteDatabase& database, const Digest& digest) {
  Result<SqliteStatement> select =
      database.Prepare(fmt::format("SELECT {} FROM tokens WHERE digest = ?1", kTokenColumns));
  if (!select.ok()) return select.error();
  const Result<bool> row = select->BindBlob(1, AsBytes(digest)).Step();
  if (!row.ok()) return row.error();
  if (!*row) return std::optional<core::Token>();
  const Result<core::Token> token = ReadToken(*select);
  if (!token.ok()) return token.error();
  return std::optional<core::Token>(*token);
}

Mutation RemovalAtOpen(const core::Token& token, Timestamp now) {
  Mutation mutation;
  mutation.changes.push_back(RemoveToken{token.id, std::nullopt});
  mutation.event.at = now;
  mutation.event.actor.principal = "system";
  mutation.event.action = "token.remove";
  mutation.event.subject = token.id.ToString();
  mutation.event.account = token.account;
  mutation.event.before = R"({"removed_before_this_copy_was_restored":true})";
  return mutation;
}

// The number of tokens removed.
Result<std::size_t> TakeIntoDatabase(SqliteDatabase& database, const std::vector<Digest>& digests,
                                     Timestamp now) {
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
  if (!transaction.ok()) return transaction.error();
  Result<Progress> progress = LoadProgress(database);
  if (!progress.ok()) return progress.error();
  std::size_t tokens = 0;
  for (const Digest& digest : digests) {
    const Result<std::optional<core::Token>> token = FindToken(database, digest);
    if (!token.ok()) return token.error();
    Status status;
    if (*token) {
      ++tokens;
      status = ApplyMutation(database, RemovalAtOpen(**token, now), *progress);
    } else {
      status = InsertRemovedDigest(database, digest);
    }
    if (!status.ok()) return status.error();
  }
  if (Status status = transaction->Commit(); !status.ok()) return status.error();
  return tokens;
}

Result<std::size_t> MakeEqual(SqliteDatabase& database, RemovedDigests& file, Timestamp now) {
  Result<std::vector<Digest>> in_file = file.ReadAll();
  if (!in_file.ok()) return in_file.error();
  std::sort(in_file->begin(), in_file->end());
  in_file->erase(std::unique(in_file->begin(), in_file->end()), in_file->end());
  const Result<std::vector<Digest>> in_table = DigestsInTable(database);
  if (!in_table.ok()) return in_table.error();

  std::vector<Digest> only_in_table;
  std::set_difference(in_table->begin(), in_table->end(), in_file->begin(), in_file->end(),
                      std::back_inserter(only_in_table));
  if (!only_in_table.empty()) {
    if (Status status = file.Append(only_in_table); !status.ok()) return status.error();
  }
  std::vector<Digest> only_in_file;
  std::set_difference(in_file->begin(), in_file->end(), in_table->begin(), in_table->end(),
                      std::back_inserter(only_in_file));
  if (only_in_file.empty()) return std::size_t{0};
  return TakeIntoDatabase(database, only_in_file, now);
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::Open(const Options& options, Timestamp now) {
  SqliteDatabase::Options file;
  file.path = fmt::format("{}/{}", options.folder, kStateFile);
  file.application_id = kStateApplicationId;
  file.migrations = StateMigrations();
  file.create = options.create;
  file.vfs = options.vfs;
  Result<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::Open(file);
  if (!database.ok()) return database.error();
  // What is removed leaves the file's free pages too: a sealed key state, say.
  if (Status status = (*database)->Execute("PRAGMA secure_delete=ON; PRAGMA cache_size=-32768");
      !status.ok()) {
    return status.error();
  }
  Result<RemovedDigests> removed_digests =
      RemovedDigests::Open(fmt::format("{}/{}", options.folder, kRemovedDigestsFile));
  if (!removed_digests.ok()) return removed_digests.error();
  const Result<std::size_t> removed = MakeEqual(**database, *removed_digests, now);
  if (!removed.ok()) return removed.error();
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(file), *std::move(database),
                                                      *std::move(removed_digests), *removed));
}

SqliteStore::SqliteStore(SqliteDatabase::Options file, std::unique_ptr<SqliteDatabase> database,
                         RemovedDigests removed_digests, std::size_t tokens_removed)
    : writer_(std::move(database), std::move(removed_digests)),
      readers_(std::move(file), kReaders),
      tokens_removed_at_open_(tokens_removed) {}

Result<std::int64_t> SqliteStore::Commit(Mutation mutation) { return writer_.Commit(mutation); }

// ---- One thing

Result<core::Plan> SqliteStore::GetPlan(core::PlanId id) {
  return ReadOne(
      readers_, fmt::format("SELECT {} FROM plans WHERE id = ?1", kPlanColumns),
      [id](SqliteStatement& select) { select.Bind(1, id.value); }, ReadPlan, "plan");
}

Result<core::Account> SqliteStore::GetAccount(core::AccountId id) {
  return ReadOne(
      readers_, fmt::format("SELECT {} FROM accounts WHERE id = ?1", kAccountColumns),
      [id](SqliteStatement& select) { select.Bind(1, id.value); }, ReadAccount, "account");
}

Result<core::TokenRecord> SqliteStore::GetToken(core::TokenId id) {
  return ReadOne(
      readers_, fmt::format("SELECT {} FROM tokens WHERE id = ?1", kTokenRecordColumns),
      [id](SqliteStatement& select) { select.Bind(1, id.value); }, ReadTokenRecord, "token");
}

Result<core::Dataset> SqliteStore::GetDataset(core::DatasetId id) {
  return ReadOne(
      readers_, fmt::format("SELECT {} FROM datasets WHERE id = ?1", kDatasetColumns),
      [id](SqliteStatement& select) { select.Bind(1, id.value); }, ReadDataset, "dataset");
}

Result<core::Plan> SqliteStore::FindPlan(std::string_view name) {
  return ReadOne(
      readers_, fmt::format("SELECT {} FROM plans WHERE name = ?1", kPlanColumns),
      [name](SqliteStatement& select) { select.Bind(1, name); }, ReadPlan, "plan");
}

Result<core::Account> SqliteStore::FindAccount(std::string_view workspace) {
  return ReadOne(
      readers_, fmt::format("SELECT {} FROM accounts WHERE workspace = ?1", kAccountColumns),
      [workspace](SqliteStatement& select) { select.Bind(1, workspace); }, ReadAccount, "account");
}

// ---- Lists

Result<std::vector<core::Plan>> SqliteStore::ListPlans(const Page& page) {
  return ReadAll(
      readers_,
      fmt::format("SELECT {} FROM plans WHERE (created_at, id) > (?1, ?2) "
                  "ORDER BY created_at, id LIMIT ?3",
                  kPlanColumns),
      [&page](SqliteStatement& select) { BindPage(select, page); }, ReadPlan);
}

// lower() folds ASCII alone, as ToLower does.
Result<std::vector<core::Account>> SqliteStore::ListAccounts(const Page& page,
                                                             std::string_view search) {
  return ReadAll(
      readers_,
      fmt::format("SELECT {} FROM accounts WHERE (created_at, id) > (?1, ?2) AND "
                  "(?4 = '' OR instr(lower(workspace), ?4) OR instr(lower(title), ?4)) "
                  "ORDER BY created_at, id LIMIT ?3",
                  kAccountColumns),
      [&](SqliteStatement& select) {
        BindPage(select, page);
        select.Bind(4, ToLower(search));
      },
      ReadAccount);
}

Result<std::vector<core::TokenRecord>> SqliteStore::ListTokens(core::AccountId account,
                                                               const Page& page,
                                                               std::string_view search) {
  return ReadAll(
      readers_,
      fmt::format("SELECT {} FROM tokens WHERE account = ?5 AND (created_at, id) > (?1, ?2) AND "
                  "(?4 = '' OR instr(lower(nickname), ?4) OR instr(lower(end_user), ?4) OR "
                  "instr(lower(shown_text), ?4) OR EXISTS (SELECT 1 FROM json_each(labels) AS pair "
                  "WHERE instr(lower(json_extract(pair.value, '$[1]')), ?4))) "
                  "ORDER BY created_at, id LIMIT ?3",
                  kTokenRecordColumns),
      [&](SqliteStatement& select) {
        BindPage(select, page);
        select.Bind(4, ToLower(search)).Bind(5, account.value);
      },
      ReadTokenRecord);
}

Result<std::uint64_t> SqliteStore::CountTokens(core::AccountId account) {
  const Result<std::int64_t> count = ReadOne(
      readers_, "SELECT count(*) FROM tokens WHERE account = ?1",
      [account](SqliteStatement& select) { select.Bind(1, account.value); }, ReadInteger,
      "account");
  if (!count.ok()) return count.error();
  return static_cast<std::uint64_t>(*count);
}

Result<std::vector<core::AuditEvent>> SqliteStore::ListAuditEvents(std::int64_t after_sequence,
                                                                   std::size_t limit) {
  return ReadAll(
      readers_,
      fmt::format("SELECT {} FROM audit_events WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
                  kAuditColumns),
      [&](SqliteStatement& select) {
        select.Bind(1, after_sequence).Bind(2, static_cast<std::int64_t>(limit));
      },
      ReadAuditEvent);
}

Result<std::optional<IdempotentAnswer>> SqliteStore::FindAnswer(std::string_view scope,
                                                                const Digest& key_digest,
                                                                Timestamp not_before) {
  Result<IdempotentAnswer> answer = ReadOne(
      readers_,
      "SELECT scope, key_digest, body_digest, sealed_answer, at FROM idempotent_answers "
      "WHERE scope = ?1 AND key_digest = ?2 AND at >= ?3",
      [&](SqliteStatement& select) {
        select.Bind(1, scope).BindBlob(2, AsBytes(key_digest)).Bind(3, ToUnixMillis(not_before));
      },
      ReadAnswer, "answer");
  if (answer.ok()) return std::optional<IdempotentAnswer>(*std::move(answer));
  if (answer.error().code == ErrorCode::kNotFound) return std::optional<IdempotentAnswer>();
  return answer.error();
}

// ---- Everything

Status SqliteStore::ForEachPlan(const std::function<Status(const core::Plan&)>& use) {
  return ForEachRow(readers_, fmt::format("SELECT {} FROM plans", kPlanColumns), BindNothing,
                    ReadPlan, use);
}

Status SqliteStore::ForEachAccount(const std::function<Status(const core::Account&)>& use) {
  return ForEachRow(readers_, fmt::format("SELECT {} FROM accounts", kAccountColumns), BindNothing,
                    ReadAccount, use);
}

Status SqliteStore::ForEachToken(const std::function<Status(const core::Token&)>& use) {
  return ForEachRow(readers_, fmt::format("SELECT {} FROM tokens", kTokenColumns), BindNothing,
                    ReadToken, use);
}

Status SqliteStore::ForEachDataset(const std::function<Status(const core::Dataset&)>& use) {
  return ForEachRow(readers_, fmt::format("SELECT {} FROM datasets", kDatasetColumns), BindNothing,
                    ReadDataset, use);
}

Status SqliteStore::ForEachLegacyMap(const std::function<Status(const core::LegacyMap&)>& use) {
  return ForEachRow(readers_, fmt::format("SELECT {} FROM legacy_maps", kLegacyMapColumns),
                    BindNothing, ReadLegacyMap, use);
}

// ---- The master key

namespace {

Result<std::vector<std::int64_t>> TokensWithKeyState(SqliteDatabase& database) {
  Result<SqliteStatement> select =
      database.Prepare("SELECT id FROM tokens WHERE length(sealed_key_state) > 0 ORDER BY id");
  if (!select.ok()) return select.error();
  std::vector<std::int64_t> ids;
  for (;;) {
    const Result<bool> row = select->Step();
    if (!row.ok()) return row.error();
    if (!*row) return ids;
    ids.push_back(select->Integer(0));
  }
}

Status ResealOne(
    SqliteDatabase& database, std::int64_t id,
    const std::function<Result<std::string>(const core::Token&, const core::TokenProfile&)>& reseal,
    std::uint32_t new_master_key_id) {
  Result<SqliteStatement> select =
      database.Prepare(fmt::format("SELECT {} FROM tokens WHERE id = ?1", kTokenRecordColumns));
  if (!select.ok()) return select.error();
  const Result<bool> row = select->Bind(1, id).Step();
  if (!row.ok()) return row.error();
  const Result<core::TokenRecord> record = ReadTokenRecord(*select);
  if (!record.ok()) return record.error();
  const Result<std::string> sealed = reseal(record->token, record->profile);
  if (!sealed.ok()) return sealed.error();
  Result<SqliteStatement> update =
      database.Prepare("UPDATE tokens SET sealed_key_state = ?2, master_key_id = ?3 WHERE id = ?1");
  if (!update.ok()) return update.error();
  return update->Bind(1, id).BindBlob(2, *sealed).Bind(3, std::int64_t{new_master_key_id}).Run();
}

}  // namespace

// No version and no feed row: what is sealed is the same as before for whoever reads.
Status SqliteStore::ResealKeyStates(
    const std::function<Result<std::string>(const core::Token& token,
                                            const core::TokenProfile& profile)>& reseal,
    std::uint32_t new_master_key_id, std::string_view new_check, core::AuditEvent event) {
  return writer_.RunAlone([&](SqliteDatabase& database) -> Status {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
    if (!transaction.ok()) return transaction.error();
    const Result<std::vector<std::int64_t>> ids = TokensWithKeyState(database);
    if (!ids.ok()) return ids.error();
    for (const std::int64_t id : *ids) {
      Status status = ResealOne(database, id, reseal, new_master_key_id);
      if (!status.ok()) return status;
    }
    if (Status status = SetMeta(database, kMasterKeyCheck, new_check); !status.ok()) return status;
    Result<Progress> progress = LoadProgress(database);
    if (!progress.ok()) return progress.error();
    if (Status status = AppendAuditEvent(database, std::move(event), *progress); !status.ok()) {
      return status;
    }
    return transaction->Commit();
  });
}

Result<std::string> SqliteStore::MasterKeyCheck() {
  Result<std::string> check = ReadOne(
      readers_, "SELECT value FROM meta WHERE name = ?1",
      [](SqliteStatement& select) { select.Bind(1, kMasterKeyCheck); }, ReadText, "value");
  if (!check.ok() && check.error().code == ErrorCode::kNotFound) return std::string();
  return check;
}

Status SqliteStore::SetMasterKeyCheck(std::string_view check) {
  return writer_.RunAlone([check](SqliteDatabase& database) -> Status {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
    if (!transaction.ok()) return transaction.error();
    if (Status status = SetMeta(database, kMasterKeyCheck, check); !status.ok()) return status;
    return transaction->Commit();
  });
}

// ---- The feed, checks, backup

Result<std::int64_t> SqliteStore::LastFeedSequence() {
  Result<SqliteReaders::Lease> reader = readers_.Borrow();
  if (!reader.ok()) return reader.error();
  return (*reader)->QueryInteger("SELECT seq FROM sqlite_sequence WHERE name = 'change_feed'");
}

Result<std::vector<FeedRow>> SqliteStore::Feed(std::int64_t after_sequence, std::size_t limit) {
  return ReadAll(
      readers_,
      "SELECT sequence, kind, id, removed FROM change_feed WHERE sequence > ?1 "
      "ORDER BY sequence LIMIT ?2",
      [&](SqliteStatement& select) {
        select.Bind(1, after_sequence).Bind(2, static_cast<std::int64_t>(limit));
      },
      ReadFeedRow);
}

Status SqliteStore::CheckIntegrity() {
  Result<SqliteReaders::Lease> reader = readers_.Borrow();
  if (!reader.ok()) return reader.error();
  if (Status status = (*reader)->CheckIntegrity(); !status.ok()) return status;
  return CheckAuditChain(**reader);
}

Result<std::unique_ptr<Snapshot>> SqliteStore::TakeSnapshot(const std::function<Status()>& at_cut) {
  std::unique_ptr<Snapshot> taken;
  Status status = writer_.RunAlone([&](SqliteDatabase& database) -> Status {
    Result<std::unique_ptr<Snapshot>> snapshot = database.TakeSnapshot();
    if (!snapshot.ok()) return snapshot.error();
    taken = *std::move(snapshot);
    return at_cut();
  });
  if (!status.ok()) return status.error();
  return taken;
}

}  // namespace latchkey::store
