// Puts many publishable tokens into the store of a stopped server, thousands to a transaction, and
// writes their texts to a file, one a line: for benchmarks with a million of them.
//
//   mint_tokens DATA_FOLDER WORKSPACE COUNT OUT_FILE
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "base/crypto.h"
#include "base/encoding.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "store/sqlite_store.h"

namespace {

using namespace latchkey;

constexpr std::uint64_t kTokensPerCommit = 5'000;

int Fail(const Error& error) {
  std::fprintf(stderr, "mint_tokens: %s %s\n", error.public_text.c_str(),
               error.internal_text.c_str());
  return 1;
}

core::TokenRecord NewRecord(const core::Account& account, Entropy& entropy, Timestamp now) {
  core::TokenRecord record;
  record.token.id = {static_cast<std::int64_t>(entropy.Below(INT64_MAX - 1) + 1)};
  record.token.account = account.id;
  record.token.created_at = now;
  record.profile.shown_text = core::MakeTokenText(core::TokenKind::kPublishable,
                                                  core::Environment::kLive, entropy.Base62(30));
  record.token.digest = Sha256(record.profile.shown_text);
  record.profile.created_by = "operator";
  return record;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<std::uint64_t> count =
      argc == 5 ? ParseUint64(argv[3]) : std::optional<std::uint64_t>();
  if (!count) {
    std::fprintf(stderr, "usage: mint_tokens DATA_FOLDER WORKSPACE COUNT OUT_FILE\n");
    return 2;
  }
  CryptoInit();
  const SystemClock clock;
  // Repeatable: these tokens guard nothing.
  SeededEntropy entropy(1);
  auto store =
      store::SqliteStore::Open({.folder = argv[1], .create = false, .vfs = {}}, clock.Now());
  if (!store.ok()) return Fail(store.error());
  const Result<core::Account> account = (*store)->FindAccount(argv[2]);
  if (!account.ok()) return Fail(account.error());

  std::ofstream texts(argv[4]);
  for (std::uint64_t made = 0; made < *count;) {
    store::Mutation mutation;
    mutation.event.at = clock.Now();
    mutation.event.actor.principal = "operator";
    mutation.event.action = "token.create";
    mutation.event.account = account->id;
    for (std::uint64_t i = 0; i < kTokensPerCommit && made < *count; ++i, ++made) {
      store::PutToken put;
      put.record = NewRecord(*account, entropy, mutation.event.at);
      texts << put.record.profile.shown_text << '\n';
      mutation.changes.emplace_back(std::move(put));
    }
    const Result<std::int64_t> done = (*store)->Commit(std::move(mutation));
    if (!done.ok()) return Fail(done.error());
  }
  texts.flush();
  return texts.good() ? 0 : 1;
}
