#include "gateway/answer_cache.h"

#include <bit>
#include <cstring>
#include <utility>

namespace latchkey::gateway {
namespace {

// What the list and the table add to an entry, roughly.
constexpr std::size_t kOverheadBytes = 128;

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
};

}  // namespace

std::size_t PreparedAnswer::bytes() const {
  std::size_t bytes = sizeof(*this) + key.capacity() + workspace.capacity() + head.bytes() +
                      head_without_cost.bytes() + (body ? body->capacity() : 0) + kOverheadBytes;
  for (const Part& part : parts) bytes += sizeof(part) + part.dataset_key.capacity();
  return bytes;
}

std::size_t AnswerCache::Hash::operator()(std::string_view text) const {
  SipState s{seed_0 ^ 0x736f6d6570736575, seed_1 ^ 0x646f72616e646f6d, seed_0 ^ 0x6c7967656e657261,
             seed_1 ^ 0x7465646279746573};
  std::uint64_t last = static_cast<std::uint64_t>(text.size()) << 56;
  while (text.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data(), 8);
    text.remove_prefix(8);
    s.v3 ^= word;
    s.Round();
    s.v0 ^= word;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    last |= static_cast<std::uint64_t>(static_cast<unsigned char>(text[i])) << (8 * i);
  }
  s.v3 ^= last;
  s.Round();
  s.v0 ^= last;
  s.v2 ^= 0xff;
  for (int i = 0; i < 3; ++i) s.Round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

AnswerCache::AnswerCache(std::size_t max_bytes, std::uint64_t seed_0, std::uint64_t seed_1)
    : max_bytes_(max_bytes), index_(16, Hash{seed_0, seed_1}) {}

PreparedAnswer* AnswerCache::Find(std::string_view key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  if (found->second != order_.begin()) order_.splice(order_.begin(), order_, found->second);
  return found->second->get();
}

void AnswerCache::Put(std::unique_ptr<PreparedAnswer> answer) {
  Erase(answer->key);
  const std::size_t bytes = answer->bytes();
  if (bytes > max_bytes_ / 8) return;
  while (bytes_ + bytes > max_bytes_) Drop(std::prev(order_.end()));
  bytes_ += bytes;
  order_.push_front(std::move(answer));
  index_.emplace(order_.front()->key, order_.begin());
}

void AnswerCache::Erase(std::string_view key) {
  if (const auto found = index_.find(key); found != index_.end()) Drop(found->second);
}

void AnswerCache::Drop(Order::iterator entry) {
  bytes_ -= (*entry)->bytes();
  index_.erase((*entry)->key);
  order_.erase(entry);
}

}  // namespace latchkey::gateway
