// The index at its size: time to fill, bytes per token, and what a look-up costs when a hundred or
// a million tokens are used in turn.
//
// usage: index_bench [TOKENS [ACCOUNTS]]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "core/token_text.h"
#include "env/entropy.h"
#include "service/token_index.h"
#include "service/verifier.h"

namespace {

using latchkey::Digest;
namespace core = latchkey::core;
namespace service = latchkey::service;

// Of this process's CPU: what else runs on the machine does not count.
double Seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::size_t ResidentBytes() {
  std::size_t pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*u %zu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * 4096;
}

// Nanoseconds per call, the median of seven rounds.
template <typename Call>
double Nanoseconds(std::size_t calls, const Call& call) {
  std::vector<double> rounds;
  for (int round = 0; round < 7; ++round) {
    const double start = Seconds();
    for (std::size_t i = 0; i < calls; ++i) call(i);
    rounds.push_back((Seconds() - start) / static_cast<double>(calls) * 1e9);
  }
  std::ranges::sort(rounds);
  return rounds[3];
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const std::size_t account_count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100;
  if (count == 0 || account_count == 0) return 2;
  latchkey::CryptoInit();
  latchkey::SeededEntropy entropy(1);
  std::vector<std::string> texts;
  std::vector<core::Token> tokens;
  std::vector<core::Account> accounts(account_count);
  for (std::size_t i = 0; i < account_count; ++i) {
    accounts[i].id = core::AccountId{static_cast<std::int64_t>(entropy.Below(INT64_MAX)) + 1};
    accounts[i].workspace = "account-" + std::to_string(i);
  }
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back(core::MakeTokenText(core::TokenKind::kPublishable, core::Environment::kLive,
                                        entropy.Base62(core::kTokenRandomCharacters)));
    core::Token token;
    token.id = core::TokenId{static_cast<std::int64_t>(entropy.Below(INT64_MAX)) + 1};
    token.account = accounts[i % account_count].id;
    token.digest = latchkey::Sha256(texts.back());
    tokens.push_back(token);
  }

  const std::size_t resident = ResidentBytes();
  const double start = Seconds();
  service::TokenIndex index;
  for (const core::Account& account : accounts) index.Put(account);
  for (const core::Token& token : tokens) index.Put(token);
  const double filled = Seconds();
  const service::TokenIndex::Size size = index.GetSize();
  std::printf("fill: %zu tokens of %zu accounts in %.3f s\n", size.tokens, size.accounts,
              filled - start);
  std::printf("memory: %.1f bytes per token counted, %.1f resident\n",
              static_cast<double>(size.bytes) / static_cast<double>(count),
              static_cast<double>(ResidentBytes() - resident) / static_cast<double>(count));

  // In turn, but not in the order of their making, which the hardware would foresee.
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  std::vector<Digest> digests;
  std::vector<std::string> shuffled;
  for (const std::size_t i : order) {
    digests.push_back(tokens[i].digest);
    shuffled.push_back(texts[i]);
  }
  core::Facts facts;
  facts.dataset_class = core::DatasetClass::kCore;
  facts.workspace = "core";
  facts.dataset_exists = true;
  service::Verifier verifier(index);
  const auto reader = index.MakeReader();
  std::size_t bad = 0;
  for (const std::size_t used : {std::size_t{100}, count}) {
    const std::size_t n = std::min(used, count);
    const std::size_t calls = std::max<std::size_t>(n, 1'000'000);
    const double find = Nanoseconds(
        calls, [&](std::size_t i) { bad += reader->Find(digests[i % n]).token == nullptr; });
    const double verify = Nanoseconds(calls, [&](std::size_t i) {
      bad += !verifier.Verify(shuffled[i % n], facts, latchkey::Timestamp{}).decision.allowed();
    });
    std::printf("%8zu tokens in turn: look-up %.0f ns, verification %.0f ns\n", n, find, verify);
  }
  const double put = Nanoseconds(std::min<std::size_t>(count, 100'000), [&](std::size_t i) {
    index.Put(tokens[order[i]]);
    if (i % 100 == 0) bad += reader->Find(digests[i]).token == nullptr;
  });
  std::printf("change of one token: %.0f ns\n", put);
  return bad == 0 ? 0 : 1;
}
