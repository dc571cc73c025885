#include "gateway/answer_cache.h"

#include <string>

#include <gtest/gtest.h>

namespace latchkey::gateway {
namespace {

std::unique_ptr<PreparedAnswer> Answer(std::string key, std::size_t body_bytes = 10) {
  auto answer = std::make_unique<PreparedAnswer>();
  answer->key = std::move(key);
  answer->body = std::make_shared<const std::string>(body_bytes, 'x');
  return answer;
}

TEST(AnswerCacheTest, FindsWhatWasPutAndNothingElse) {
  AnswerCache cache(1 << 20, 1, 2);
  EXPECT_EQ(cache.Find("a"), nullptr);
  cache.Put(Answer("a", 11));
  cache.Put(Answer("b", 12));
  ASSERT_NE(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.Find("a")->body->size(), 11u);
  EXPECT_EQ(cache.Find("b")->body->size(), 12u);
  EXPECT_EQ(cache.Find(""), nullptr);
  cache.Put(Answer("a", 13));
  EXPECT_EQ(cache.Find("a")->body->size(), 13u);
  EXPECT_EQ(cache.size(), 2u);
  cache.Erase("a");
  cache.Erase("never");
  EXPECT_EQ(cache.Find("a"), nullptr);
  cache.Erase("b");
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(AnswerCacheTest, StaysWithinItsBytesAndDropsTheLeastRecentlyUsed) {
  const std::size_t each = Answer("000", 1000)->bytes();
  AnswerCache cache(each * 10, 1, 2);
  for (int i = 100; i < 110; ++i) cache.Put(Answer(std::to_string(i), 1000));
  EXPECT_EQ(cache.size(), 10u);
  ASSERT_NE(cache.Find("100"), nullptr);  // now the most recent
  cache.Put(Answer("200", 1000));
  EXPECT_LE(cache.bytes(), each * 10);
  EXPECT_NE(cache.Find("100"), nullptr);
  EXPECT_EQ(cache.Find("101"), nullptr);
  EXPECT_NE(cache.Find("200"), nullptr);
}

TEST(AnswerCacheTest, KeepsNoAnswerThatWouldPushOutTheOthers) {
  AnswerCache cache(64 * 1024, 1, 2);
  cache.Put(Answer("a"));
  cache.Put(Answer("large", 9 * 1024));
  EXPECT_EQ(cache.Find("large"), nullptr);
  EXPECT_NE(cache.Find("a"), nullptr);
  // It takes the place of the entry that it does not become: an old answer must not survive it.
  cache.Put(Answer("a", 9 * 1024));
  EXPECT_EQ(cache.Find("a"), nullptr);
}

TEST(AnswerCacheTest, OfNoBytesKeepsNothing) {
  AnswerCache cache(0, 1, 2);
  cache.Put(Answer("a"));
  EXPECT_EQ(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(AnswerCacheTest, FindsKeysOfEveryLength) {
  AnswerCache cache(16 << 20, 3, 4);
  std::string key;
  for (int i = 0; i < 300; ++i) {
    key.push_back(static_cast<char>('a' + i % 26));
    cache.Put(Answer(key, static_cast<std::size_t>(i)));
  }
  for (std::size_t i = 0; i < 300; ++i) {
    const PreparedAnswer* answer = cache.Find(std::string_view(key).substr(0, i + 1));
    ASSERT_NE(answer, nullptr);
    EXPECT_EQ(answer->body->size(), i);
  }
}

}  // namespace
}  // namespace latchkey::gateway
