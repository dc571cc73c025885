// What must survive: plans, accounts, tokens, definitions of datasets, the audit log and the change
// feed. Two back ends pass one conformance suite (test/store_conformance); SQLite is the first.
//
// Every change is one transaction: state + audit event + change-feed row. A Commit that returned ok
// is on disk (SQLite: WAL, synchronous=FULL).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/account.h"
#include "core/audit.h"
#include "core/dataset.h"
#include "core/legacy_map.h"
#include "core/token.h"
#include "store/snapshot.h"

namespace latchkey::store {

// ---- Changes. `expected_version` of an update: the version that the row must have, else kStale;
// the stored row gets expected_version + 1. Absent in a creation: the row must not exist yet.

struct PutPlan {
  core::Plan plan;
  std::optional<std::int64_t> expected_version;
};
struct PutAccount {
  core::Account account;  // premium_data is not stored
  std::optional<std::int64_t> expected_version;
};
struct PutToken {
  core::TokenRecord record;
  std::optional<std::int64_t> expected_version;
  // Creation only: kLimit if the account would have more tokens than this.
  std::optional<std::uint32_t> max_tokens;
  // kConflict if the account would have more enabled secret tokens than this (wire.md §3).
  std::optional<std::uint32_t> max_enabled_secrets;
};
// The token leaves the list; its digest stays in the file of removed digests beside the database
// (product.md, "restoring an old backup") and its id in audit and usage.
struct RemoveToken {
  core::TokenId token;
  std::optional<std::int64_t> expected_version;
};
struct PutDataset {
  core::Dataset dataset;
  std::optional<std::int64_t> expected_version;
  // Creation only: kLimit if the owner would have more datasets than this.
  std::optional<std::uint32_t> max_datasets = std::nullopt;
};
struct RemoveDataset {
  core::DatasetId dataset;
  std::optional<std::int64_t> expected_version;
};
// One of each kind.
struct PutLegacyMap {
  core::LegacyMap map;
  std::optional<std::int64_t> expected_version;
};
struct RemoveLegacyMap {
  core::LegacyKind kind = core::LegacyKind::kQuote;
  std::optional<std::int64_t> expected_version;
};
using StateChange = std::variant<PutPlan, PutAccount, PutToken, RemoveToken, PutDataset,
                                 RemoveDataset, PutLegacyMap, RemoveLegacyMap>;

// The answer to a POST that carried an Idempotency-Key, kept 24 h (wire.md §9). Only digests of the
// key are stored; the answer is sealed under a key derived from the caller's credential.
struct IdempotentAnswer {
  std::string scope;  // principal and route
  Digest key_digest{};
  Digest body_digest{};
  std::string sealed_answer;
  Timestamp at{};
};

// One change with its audit event; sequence and hashes of the event are filled in by the store.
struct Mutation {
  std::vector<StateChange> changes;
  core::AuditEvent event;
  std::optional<IdempotentAnswer> answer;  // kConflict if scope and key stand already
};

// One row of the change feed: what to load again. Sequence numbers rise without gaps being filled.
struct FeedRow {
  std::int64_t sequence = 0;
  enum class Kind : std::uint8_t {
    kPlan,
    kAccount,
    kToken,
    kDataset,
    kLegacyMap
  } kind = Kind::kToken;
  std::int64_t id = 0;  // of a legacy map: the number of its kind
  bool removed = false;
};

struct Page {
  std::size_t size = 50;                      // 1 to 500
  std::optional<Timestamp> after_created_at;  // the last row of the page before
  std::int64_t after_id = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // The sequence number of the last feed row written. Errors: kConflict (a unique name, digest or
  // id, or the idempotent answer, stands already), kStale, kLimit, kNotFound (an update of what is
  // not there, or a plan or account named in a creation is not), kUnavailable (disk full, I/O
  // error: nothing was changed), kUnknown (the outcome of COMMIT is not known). A mutation is done
  // whole or not at all. Thread-safe; blocks until durable.
  virtual Result<std::int64_t> Commit(Mutation mutation) = 0;

  // Reads see every Commit that returned. Thread-safe. kNotFound where one thing is asked for.
  virtual Result<core::Plan> GetPlan(core::PlanId id) = 0;
  virtual Result<core::Account> GetAccount(core::AccountId id) = 0;
  virtual Result<core::TokenRecord> GetToken(core::TokenId id) = 0;
  virtual Result<core::Dataset> GetDataset(core::DatasetId id) = 0;

  // By its unique name. kNotFound.
  virtual Result<core::Plan> FindPlan(std::string_view name) = 0;
  virtual Result<core::Account> FindAccount(std::string_view workspace) = 0;

  // Oldest first: by creation, then id.
  virtual Result<std::vector<core::Plan>> ListPlans(const Page& page) = 0;
  // `search` is a case-insensitive substring of workspace or title; empty: all.
  virtual Result<std::vector<core::Account>> ListAccounts(const Page& page,
                                                          std::string_view search) = 0;
  // `search`: of nickname, end user, a label's value, or the shown text.
  virtual Result<std::vector<core::TokenRecord>> ListTokens(core::AccountId account,
                                                            const Page& page,
                                                            std::string_view search) = 0;
  virtual Result<std::uint64_t> CountTokens(core::AccountId account) = 0;
  virtual Result<std::vector<core::AuditEvent>> ListAuditEvents(std::int64_t after_sequence,
                                                                std::size_t limit) = 0;
  virtual Result<std::optional<IdempotentAnswer>> FindAnswer(std::string_view scope,
                                                             const Digest& key_digest,
                                                             Timestamp not_before) = 0;

  // Everything there is, for the start; stops at the first error of a callback. ForEachToken gives
  // no profiles. A callback must not call the store.
  virtual Status ForEachPlan(const std::function<Status(const core::Plan&)>& use) = 0;
  virtual Status ForEachAccount(const std::function<Status(const core::Account&)>& use) = 0;
  virtual Status ForEachToken(const std::function<Status(const core::Token&)>& use) = 0;
  virtual Status ForEachDataset(const std::function<Status(const core::Dataset&)>& use) = 0;
  virtual Status ForEachLegacyMap(const std::function<Status(const core::LegacyMap&)>& use) = 0;

  // Every sealed key state, in one transaction: `reseal` gives the new bytes (master-key rotate).
  // One audit event, one commit together with the new check value; all or nothing. `reseal` must
  // not call the store: no change is committed while it runs.
  virtual Status ResealKeyStates(
      const std::function<Result<std::string>(const core::Token& token,
                                              const core::TokenProfile& profile)>& reseal,
      std::uint32_t new_master_key_id, std::string_view new_check, core::AuditEvent event) = 0;
  // The id and check value of the master key that this store was sealed with; empty in a new store.
  virtual Result<std::string> MasterKeyCheck() = 0;
  virtual Status SetMasterKeyCheck(std::string_view check) = 0;

  virtual Result<std::int64_t> LastFeedSequence() = 0;
  virtual Result<std::vector<FeedRow>> Feed(std::int64_t after_sequence, std::size_t limit) = 0;

  // Walks the audit chain and the engine's own integrity check; kCorrupt says where it breaks.
  virtual Status CheckIntegrity() = 0;
  // A fixed view for a backup. `at_cut` runs while no Commit is under way and after the view is
  // fixed: what it sees elsewhere and this view belong together (backup.h). It must not call this
  // store; its error ends the call.
  virtual Result<std::unique_ptr<Snapshot>> TakeSnapshot(const std::function<Status()>& at_cut) = 0;
};

}  // namespace latchkey::store
