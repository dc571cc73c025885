// The state store's numbers: how fast a start reads every token, and what committing together
// gains.
//
//   state_store_bench [TOKENS]      (default 1,000,000; in a temporary folder under $TMPDIR)
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "store/files.h"
#include "store/sqlite_database.h"
#include "store/sqlite_store.h"

namespace latchkey::store {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

void Require(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n%s\n", status.error().public_text.c_str(),
               status.error().internal_text.c_str());
  std::exit(1);
}

std::unique_ptr<SqliteStore> Open(const std::string& folder) {
  Result<std::unique_ptr<SqliteStore>> store =
      SqliteStore::Open({.folder = folder, .create = true, .vfs = {}}, {});
  if (!store.ok()) Require(store.error());
  return *std::move(store);
}

core::TokenRecord MakeToken(std::int64_t id) {
  core::TokenRecord record;
  record.token.id.value = id;
  record.token.account.value = 1;
  record.token.digest = Sha256(fmt::format("token {}", id));
  record.profile.nickname = "a token";
  record.profile.shown_text = std::string(40, 'x');
  return record;
}

Status CommitOne(SqliteStore& store, StateChange change) {
  Mutation mutation;
  mutation.changes.push_back(std::move(change));
  mutation.event.action = "token.create";
  const Result<std::int64_t> done = store.Commit(std::move(mutation));
  if (!done.ok()) return done.error();
  return {};
}

// Behind the store's back: a million commits would take an hour.
void InsertTokens(const std::string& folder, std::int64_t tokens) {
  SqliteDatabase::Options options;
  options.path = fmt::format("{}/{}", folder, kStateFile);
  options.application_id = kStateApplicationId;
  options.migrations = StateMigrations();
  const auto database = SqliteDatabase::Open(options);
  if (!database.ok()) Require(database.error());
  Require((*database)->Execute("PRAGMA cache_size=-524288"));
  // Ids are drawn at random, as in life.
  const std::string sql = fmt::format(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) "
      "INSERT INTO tokens SELECT random() & 0x3fffffffffffffff, 1, i % 10 = 0, 0, 1, 1, "
      "1700000000000 + i, NULL, "
      "randomblob(32), 1, 'pk_' || hex(randomblob(18)), 'token ' || i, 'customer-' || i, "
      "'operator', '[[\"project\",\"site\"]]', 1, "
      "CASE WHEN i % 10 = 0 THEN randomblob(248) ELSE x'' END FROM n",
      tokens);
  Require((*database)->Execute(sql.c_str()));
}

void MeasureLoading(const std::string& folder) {
  for (int round = 0; round < 3; ++round) {
    const Clock::time_point opening = Clock::now();
    const std::unique_ptr<SqliteStore> store = Open(folder);
    const double opened = Seconds(opening);
    const Clock::time_point start = Clock::now();
    std::int64_t tokens = 0;
    Require(store->ForEachToken([&tokens](const core::Token&) -> Status {
      ++tokens;
      return {};
    }));
    std::printf("open %.3f s, ForEachToken %.2f s for %lld tokens\n", opened, Seconds(start),
                static_cast<long long>(tokens));
  }
}

double CommitsPerSecond(SqliteStore& store, int callers, std::int64_t& next_id) {
  constexpr int kCommits = 400;
  const Clock::time_point start = Clock::now();
  std::vector<std::thread> threads;
  for (int caller = 0; caller < callers; ++caller) {
    const std::int64_t first = next_id;
    next_id += kCommits;
    threads.emplace_back([&store, first] {
      for (int i = 0; i < kCommits; ++i) {
        Require(CommitOne(store, PutToken{MakeToken(first + i), {}, {}, {}}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return callers * kCommits / Seconds(start);
}

}  // namespace

int Main(int argc, char** argv) {
  const std::int64_t tokens = argc > 1 ? std::atoll(argv[1]) : 1'000'000;
  std::string folder = std::filesystem::temp_directory_path() / "latchkey-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  {
    const std::unique_ptr<SqliteStore> store = Open(folder);
    core::Plan plan;
    plan.id.value = 1;
    plan.name = "plan";
    Require(CommitOne(*store, PutPlan{plan, {}}));
    core::Account account;
    account.id.value = 1;
    account.plan.value = 1;
    account.workspace = "acme";
    Require(CommitOne(*store, PutAccount{account, {}}));
  }
  const Clock::time_point start = Clock::now();
  InsertTokens(folder, tokens);
  std::printf("inserted in %.1f s, file of %ju MB\n", Seconds(start),
              static_cast<std::uintmax_t>(
                  std::filesystem::file_size(fmt::format("{}/{}", folder, kStateFile)) >> 20));
  MeasureLoading(folder);
  {
    const std::unique_ptr<SqliteStore> store = Open(folder);
    std::int64_t next_id = std::int64_t{1} << 62;
    for (const int callers : {1, 8, 1, 8}) {
      std::printf("%d callers: %.0f commits/s\n", callers,
                  CommitsPerSecond(*store, callers, next_id));
    }
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace latchkey::store

int main(int argc, char** argv) { return latchkey::store::Main(argc, argv); }
