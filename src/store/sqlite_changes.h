// One mutation in rows of state.db: the state, its audit event, its rows of the change feed.
#pragma once

#include <cstdint>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "store/sqlite_database.h"
#include "store/store.h"

namespace latchkey::store {

// How far the open transaction has come.
struct Progress {
  std::int64_t audit_sequence = 0;  // of the last audit event
  Digest audit_hash{};              // its hash; 32 zero bytes before the first
  std::int64_t feed_sequence = 0;   // of the last row of the feed
  // Digests of texts that this transaction ends: of tokens removed, or given another text.
  std::vector<Digest> removed;
};

Result<Progress> LoadProgress(SqliteDatabase& database);

// Errors as Store::Commit says. After an error some rows may be written and `progress` may have
// moved: the caller goes back to its savepoint and to the progress it had. Within a transaction.
Status ApplyMutation(SqliteDatabase& database, const Mutation& mutation, Progress& progress);

// Gives the event its sequence and hashes and writes it. Within a transaction.
Status AppendAuditEvent(SqliteDatabase& database, core::AuditEvent event, Progress& progress);

Status InsertRemovedDigest(SqliteDatabase& database, const Digest& digest);

// kCorrupt, naming the event, where a hash, a link or a sequence number is not as it was written,
// or where events are missing at the end.
Status CheckAuditChain(SqliteDatabase& database);

}  // namespace latchkey::store
