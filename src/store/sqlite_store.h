// The state in one SQLite file, state.db, with removed.digests beside it (files.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/sqlite_readers.h"
#include "store/sqlite_writer.h"
#include "store/store.h"

namespace latchkey::store {

class SqliteStore final : public Store {
 public:
  struct Options {
    std::string folder;  // must exist
    bool create = true;  // the file, if it is not there; else kNotFound
    std::string vfs;     // the name of a registered sqlite3_vfs; empty: the system's
  };

  // Makes or migrates the file (SqliteDatabase::Open). A token whose digest stands in
  // removed.digests although it stands in the database too (which is then an older copy) is removed
  // here and now, with an audit event of `now`.
  static Result<std::unique_ptr<SqliteStore>> Open(const Options& options, Timestamp now);

  // How many tokens Open removed.
  std::size_t tokens_removed_at_open() const { return tokens_removed_at_open_; }

  Result<std::int64_t> Commit(Mutation mutation) override;

  Result<core::Plan> GetPlan(core::PlanId id) override;
  Result<core::Account> GetAccount(core::AccountId id) override;
  Result<core::TokenRecord> GetToken(core::TokenId id) override;
  Result<core::Dataset> GetDataset(core::DatasetId id) override;
  Result<core::Plan> FindPlan(std::string_view name) override;
  Result<core::Account> FindAccount(std::string_view workspace) override;

  Result<std::vector<core::Plan>> ListPlans(const Page& page) override;
  Result<std::vector<core::Account>> ListAccounts(const Page& page,
                                                  std::string_view search) override;
  Result<std::vector<core::TokenRecord>> ListTokens(core::AccountId account, const Page& page,
                                                    std::string_view search) override;
  Result<std::uint64_t> CountTokens(core::AccountId account) override;
  Result<std::vector<core::AuditEvent>> ListAuditEvents(std::int64_t after_sequence,
                                                        std::size_t limit) override;
  Result<std::optional<IdempotentAnswer>> FindAnswer(std::string_view scope,
                                                     const Digest& key_digest,
                                                     Timestamp not_before) override;

  Status ForEachPlan(const std::function<Status(const core::Plan&)>& use) override;
  Status ForEachAccount(const std::function<Status(const core::Account&)>& use) override;
  Status ForEachToken(const std::function<Status(const core::Token&)>& use) override;
  Status ForEachDataset(const std::function<Status(const core::Dataset&)>& use) override;
  Status ForEachLegacyMap(const std::function<Status(const core::LegacyMap&)>& use) override;

  Status ResealKeyStates(const std::function<Result<std::string>(
                             const core::Token& token, const core::TokenProfile& profile)>& reseal,
                         std::uint32_t new_master_key_id, std::string_view new_check,
                         core::AuditEvent event) override;
  Result<std::string> MasterKeyCheck() override;
  Status SetMasterKeyCheck(std::string_view check) override;

  Result<std::int64_t> LastFeedSequence() override;
  Result<std::vector<FeedRow>> Feed(std::int64_t after_sequence, std::size_t limit) override;

  Status CheckIntegrity() override;
  Result<std::unique_ptr<Snapshot>> TakeSnapshot(const std::function<Status()>& at_cut) override;

 private:
  SqliteStore(SqliteDatabase::Options file, std::unique_ptr<SqliteDatabase> database,
              RemovedDigests removed_digests, std::size_t tokens_removed);

  // The writer closes last: it folds the log into the file.
  SqliteWriter writer_;
  SqliteReaders readers_;
  const std::size_t tokens_removed_at_open_;
};

}  // namespace latchkey::store
