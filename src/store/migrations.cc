#include "store/migrations.h"

#include <array>

namespace latchkey::store {
namespace {

// Times are milliseconds since 1970 UTC; kinds, states and classes are the numbers of the enums in
// core/. docs/storage.md tells of each table. Wide columns come last in a row: the start reads the
// first ones of a million tokens.
constexpr const char* kBeginning = R"sql(
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  title TEXT NOT NULL,
  monthly_core_credits INTEGER NOT NULL,
  pay_as_you_go INTEGER NOT NULL,
  premium_data INTEGER NOT NULL,
  max_tokens INTEGER,
  created_at INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
  id INTEGER PRIMARY KEY,
  plan INTEGER NOT NULL REFERENCES plans (id),
  state INTEGER NOT NULL,
  browser_guard INTEGER NOT NULL,
  workspace TEXT NOT NULL UNIQUE COLLATE NOCASE,
  title TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT;
CREATE INDEX accounts_by_creation ON accounts (created_at, id);
CREATE INDEX accounts_by_plan ON accounts (plan);

CREATE TABLE tokens (
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL REFERENCES accounts (id),
  kind INTEGER NOT NULL,
  environment INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  core_data_access INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  version INTEGER NOT NULL,
  shown_text TEXT NOT NULL,
  nickname TEXT NOT NULL,
  end_user TEXT NOT NULL,
  created_by TEXT NOT NULL,
  labels TEXT NOT NULL,
  master_key_id INTEGER NOT NULL,
  sealed_key_state BLOB NOT NULL
) STRICT;
CREATE INDEX tokens_by_account ON tokens (account, created_at, id);
CREATE INDEX enabled_secrets ON tokens (account) WHERE kind = 1 AND enabled = 1;

CREATE TABLE datasets (
  id INTEGER PRIMARY KEY,
  class INTEGER NOT NULL,
  owner INTEGER REFERENCES accounts (id),
  workspace TEXT NOT NULL COLLATE NOCASE,
  name TEXT NOT NULL COLLATE NOCASE,
  title TEXT NOT NULL,
  fields TEXT NOT NULL,
  key_field TEXT NOT NULL,
  subkey_field TEXT NOT NULL,
  date_field TEXT NOT NULL,
  weight INTEGER NOT NULL,
  test INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  records INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  UNIQUE (workspace, name)
) STRICT;
CREATE INDEX datasets_by_owner ON datasets (owner);

CREATE TABLE audit_events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  principal TEXT NOT NULL,
  address TEXT NOT NULL,
  request_id TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  account INTEGER NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL,
  previous_hash BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;

CREATE TABLE change_feed (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  kind INTEGER NOT NULL,
  id INTEGER NOT NULL,
  removed INTEGER NOT NULL
) STRICT;

CREATE TABLE idempotent_answers (
  scope TEXT NOT NULL,
  key_digest BLOB NOT NULL,
  body_digest BLOB NOT NULL,
  sealed_answer BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (scope, key_digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_answers_by_time ON idempotent_answers (at);

CREATE TABLE removed_digests (
  digest BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kPlanLimits = R"sql(
ALTER TABLE plans ADD COLUMN max_datasets INTEGER;
ALTER TABLE plans ADD COLUMN max_storage_bytes INTEGER;
ALTER TABLE plans ADD COLUMN max_jobs INTEGER;
)sql";

constexpr const char* kDatasetSource = R"sql(
ALTER TABLE datasets ADD COLUMN source TEXT NOT NULL DEFAULT '';
)sql";

// `dataset` refers to nothing: a dataset may go and its map stays, without effect.
constexpr const char* kLegacyMaps = R"sql(
CREATE TABLE legacy_maps (
  kind INTEGER PRIMARY KEY,
  dataset INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  renames TEXT NOT NULL
) STRICT;
)sql";

constexpr std::array kStateMigrations = {Migration{1, "the beginning", kBeginning},
                                         Migration{2, "limits of plans", kPlanLimits},
                                         Migration{3, "a dataset's source", kDatasetSource},
                                         Migration{4, "old forms", kLegacyMaps}};

}  // namespace

std::span<const Migration> StateMigrations() { return kStateMigrations; }

}  // namespace latchkey::store
