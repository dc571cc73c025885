#include "service/token_index.h"

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

#include "base/crypto.h"

namespace latchkey::service {
namespace {

Digest DigestOf(std::int64_t id, int version = 0) {
  return Sha256(std::to_string(id) + "/" + std::to_string(version));
}

core::Token MakeToken(std::int64_t id, std::int64_t account = 1, int version = 0) {
  core::Token token;
  token.id = core::TokenId{id};
  token.account = core::AccountId{account};
  token.digest = DigestOf(id, version);
  return token;
}

core::Account MakeAccount(std::int64_t id, std::string title = {}) {
  core::Account account;
  account.id = core::AccountId{id};
  account.workspace = "account-" + std::to_string(id);
  account.title = std::move(title);
  return account;
}

TEST(TokenIndexTest, FindsATokenByDigestAndIdWithItsAccount) {
  TokenIndex index;
  index.Put(MakeAccount(1, "one"));
  index.Put(MakeAccount(2, "two"));
  index.Put(MakeToken(10, 1));
  index.Put(MakeToken(20, 2));
  const auto reader = index.MakeReader();
  TokenIndex::Found found = reader->Find(DigestOf(20));
  ASSERT_NE(found.token, nullptr);
  EXPECT_EQ(found.token->id, core::TokenId{20});
  EXPECT_EQ(found.account->title, "two");
  found = reader->Find(core::TokenId{10});
  ASSERT_NE(found.token, nullptr);
  EXPECT_EQ(found.token->digest, DigestOf(10));
  EXPECT_EQ(found.account->title, "one");
  EXPECT_EQ(reader->Find(DigestOf(30)).token, nullptr);
  EXPECT_EQ(reader->Find(core::TokenId{30}).token, nullptr);
}

TEST(TokenIndexTest, ATokenWithoutItsAccountIsNotFoundUntilTheAccountIsThere) {
  TokenIndex index;
  index.Put(MakeToken(10, 1));
  const auto reader = index.MakeReader();
  EXPECT_EQ(reader->Find(DigestOf(10)).token, nullptr);
  index.Put(MakeAccount(1));
  EXPECT_NE(reader->Find(DigestOf(10)).token, nullptr);
}

TEST(TokenIndexTest, AChangeIsInForceWhenItReturns) {
  TokenIndex index;
  index.Put(MakeAccount(1));
  core::Token token = MakeToken(10);
  index.Put(token);
  const auto reader = index.MakeReader();
  EXPECT_TRUE(reader->Find(DigestOf(10)).token->enabled);
  token.enabled = false;
  index.Put(token);
  EXPECT_FALSE(reader->Find(DigestOf(10)).token->enabled);
  EXPECT_FALSE(reader->Find(core::TokenId{10}).token->enabled);
  core::Account account = MakeAccount(1);
  account.state = core::AccountState::kSuspended;
  index.Put(account);
  EXPECT_EQ(reader->Find(DigestOf(10)).account->state, core::AccountState::kSuspended);
  index.Remove(core::TokenId{10});
  EXPECT_EQ(reader->Find(DigestOf(10)).token, nullptr);
  EXPECT_EQ(reader->Find(core::TokenId{10}).token, nullptr);
  index.Remove(core::TokenId{10});
  EXPECT_EQ(index.GetSize().tokens, 0U);
}

TEST(TokenIndexTest, ANewDigestReplacesTheOldOne) {
  TokenIndex index;
  index.Put(MakeAccount(1));
  index.Put(MakeToken(10, 1, 0));
  index.Put(MakeToken(10, 1, 1));
  const auto reader = index.MakeReader();
  EXPECT_EQ(reader->Find(DigestOf(10, 0)).token, nullptr);
  EXPECT_NE(reader->Find(DigestOf(10, 1)).token, nullptr);
  EXPECT_EQ(reader->Find(core::TokenId{10}).token->digest, DigestOf(10, 1));
  EXPECT_EQ(index.GetSize().tokens, 1U);
}

TEST(TokenIndexTest, OfTwoTokensWithOneDigestTheLaterHasIt) {
  TokenIndex index;
  index.Put(MakeAccount(1));
  index.Put(MakeToken(10));
  core::Token other = MakeToken(20);
  other.digest = DigestOf(10);
  index.Put(other);
  const auto reader = index.MakeReader();
  EXPECT_EQ(reader->Find(DigestOf(10)).token->id, core::TokenId{20});
  EXPECT_EQ(reader->Find(core::TokenId{10}).token, nullptr);
  EXPECT_EQ(index.GetSize().tokens, 1U);
}

// Digests that share their first bytes, so their place in the table, are told apart.
TEST(TokenIndexTest, TellsApartDigestsOfTheSameTag) {
  TokenIndex index;
  index.Put(MakeAccount(1));
  std::vector<core::Token> tokens;
  for (int i = 0; i < 100; ++i) {
    core::Token token = MakeToken(i + 1);
    token.digest = Digest{0xFF, 0xFF, 0xFF, 0xFF};
    token.digest[31] = static_cast<std::uint8_t>(i);
    tokens.push_back(token);
    index.Put(token);
  }
  const auto reader = index.MakeReader();
  for (std::size_t i = 0; i < tokens.size(); i += 2) index.Remove(tokens[i].id);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const TokenIndex::Found found = reader->Find(tokens[i].digest);
    if (i % 2 == 0) {
      EXPECT_EQ(found.token, nullptr);
    } else {
      ASSERT_NE(found.token, nullptr);
      EXPECT_EQ(found.token->id, tokens[i].id);
    }
  }
}

TEST(TokenIndexTest, WhatWasFoundHoldsUntilTheNextLookUp) {
  TokenIndex index;
  index.Put(MakeAccount(1, "before"));
  index.Put(MakeToken(10));
  const auto reader = index.MakeReader();
  const TokenIndex::Found found = reader->Find(DigestOf(10));
  index.Remove(core::TokenId{10});
  index.Put(MakeAccount(1, "after"));
  for (int i = 0; i < 1000; ++i) index.Put(MakeToken(100 + i));  // would reuse its memory
  EXPECT_EQ(found.token->id, core::TokenId{10});
  EXPECT_EQ(found.token->digest, DigestOf(10));
  EXPECT_EQ(found.account->title, "before");
}

TEST(TokenIndexTest, ChangesOfOneTokenTakeNoMoreMemory) {
  TokenIndex index;
  index.Put(MakeAccount(1));
  const auto reader = index.MakeReader();
  const auto change = [&](int version) {
    index.Put(MakeToken(10, 1, version));
    index.Put(MakeAccount(1));
    EXPECT_NE(reader->Find(DigestOf(10, version)).token, nullptr);
  };
  for (int i = 0; i < 1000; ++i) change(i);
  const std::size_t bytes = index.GetSize().bytes;
  for (int i = 0; i < 50'000; ++i) change(i);
  EXPECT_EQ(index.GetSize().bytes, bytes);
}

TEST(TokenIndexTest, AQuietReaderHoldsNothingBack) {
  TokenIndex index;
  index.Put(MakeAccount(1));
  index.Put(MakeToken(10));
  const auto reader = index.MakeReader();
  const auto other = index.MakeReader();  // has never looked anything up
  (void)reader->Find(DigestOf(10));
  reader->Quiesce();
  const std::size_t bytes = index.GetSize().bytes;
  // More than a slab has room for.
  for (int i = 0; i < 40'000; ++i) index.Put(MakeToken(10));
  EXPECT_LE(index.GetSize().bytes, bytes + 4096);
}

TEST(TokenIndexTest, BehavesAsAMapUnderRandomChanges) {
  const std::uint32_t seed = 20261124;
  RecordProperty("seed", static_cast<int>(seed));
  std::mt19937 random(seed);
  TokenIndex index;
  std::unordered_map<std::int64_t, core::Token> model;
  for (std::int64_t account = 1; account <= 5; ++account) index.Put(MakeAccount(account));
  const auto reader = index.MakeReader();
  for (int step = 0; step < 100'000; ++step) {
    const std::int64_t id = 1 + static_cast<std::int64_t>(random() % 3000);
    if (random() % 3 == 0) {
      index.Remove(core::TokenId{id});
      model.erase(id);
    } else {
      core::Token token = MakeToken(id, 1 + static_cast<std::int64_t>(random() % 5),
                                    static_cast<int>(random() % 3));
      token.enabled = random() % 2 == 0;
      index.Put(token);
      model[id] = token;
    }
    const std::int64_t probe = 1 + static_cast<std::int64_t>(random() % 3000);
    const int version = static_cast<int>(random() % 3);
    const TokenIndex::Found found = reader->Find(DigestOf(probe, version));
    const auto expected = model.find(probe);
    const bool there =
        expected != model.end() && expected->second.digest == DigestOf(probe, version);
    ASSERT_EQ(found.token != nullptr, there) << "seed " << seed << " step " << step;
    if (there) {
      ASSERT_EQ(found.token->enabled, expected->second.enabled);
      ASSERT_EQ(found.account->id, expected->second.account);
    }
  }
  EXPECT_EQ(index.GetSize().tokens, model.size());
  for (const auto& [id, token] : model) {
    ASSERT_NE(reader->Find(token.id).token, nullptr) << "seed " << seed;
  }
}

// Readers look up while a writer puts, changes and removes tokens and the table grows. What was
// removed before a look-up began is never found; what stays is always found, and whole.
TEST(TokenIndexStressTest, ReadersSeeEachChangeOnceItReturned) {
  constexpr std::int64_t kStaying = 200;     // ids 1 …: never removed, changed all the time
  constexpr std::int64_t kPassing = 20'000;  // ids 1'000'001 …: put, then removed, in order
  constexpr std::int64_t kFirstPassing = 1'000'001;
  TokenIndex index;
  for (std::int64_t account = 1; account <= 3; ++account) index.Put(MakeAccount(account));
  std::vector<Digest> staying;
  for (std::int64_t id = 1; id <= kStaying; ++id) {
    index.Put(MakeToken(id, 1 + id % 3));
    staying.push_back(DigestOf(id));
  }
  std::vector<Digest> passing;
  for (std::int64_t i = 0; i < kPassing; ++i) passing.push_back(DigestOf(kFirstPassing + i));

  std::atomic<std::int64_t> put{0};      // how many of the passing ones are in
  std::atomic<std::int64_t> removed{0};  // and how many are out again
  std::atomic<bool> failed{false};
  std::atomic<bool> done{false};
  const auto read = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    const auto reader = index.MakeReader();
    while (!done && !failed) {
      for (int i = 0; i < 20; ++i) {
        const std::int64_t id = 1 + static_cast<std::int64_t>(random() % kStaying);
        const TokenIndex::Found found = reader->Find(staying[static_cast<std::size_t>(id - 1)]);
        // Written in full by one Put: the parts belong together.
        if (found.token == nullptr || found.token->id.value != id ||
            found.token->enabled != (found.token->created_at == Timestamp{}) ||
            found.account->id != found.token->account) {
          failed = true;
        }
      }
      const std::int64_t gone = removed.load();
      if (gone > 0) {
        const std::int64_t i = gone - 1 - static_cast<std::int64_t>(random()) % gone;
        if (reader->Find(passing[static_cast<std::size_t>(i)]).token != nullptr) failed = true;
      }
      const std::int64_t last = put.load() - 1;
      if (last >= 0) {
        const auto token = reader->Find(passing[static_cast<std::size_t>(last)]).token;
        if (token == nullptr && removed.load() <= last) failed = true;
      }
      if (random() % 64 == 0) reader->Quiesce();
    }
  };
  std::vector<std::thread> readers;
  for (std::uint32_t seed = 1; seed <= 3; ++seed) readers.emplace_back(read, seed);
  for (std::int64_t i = 0; i < kPassing && !failed; ++i) {
    index.Put(MakeToken(kFirstPassing + i));
    put = i + 1;
    core::Token changed = MakeToken(1 + i % kStaying, 1 + (1 + i % kStaying) % 3);
    changed.enabled = i % 2 == 0;
    if (!changed.enabled) changed.created_at = FromUnixMillis(1);
    index.Put(changed);
    if (i % 100 == 0) index.Put(MakeAccount(1 + i / 100 % 3, std::to_string(i)));
    if (i >= 5000) {
      index.Remove(core::TokenId{kFirstPassing + i - 5000});
      removed = i - 5000 + 1;
    }
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(failed);
  EXPECT_EQ(index.GetSize().tokens, static_cast<std::size_t>(kStaying + 5000));
}

}  // namespace
}  // namespace latchkey::service
