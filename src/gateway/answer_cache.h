// Prepared answers of one handler: what was asked, as received, and the whole answer to it. Not
// thread-safe; bounded by bytes; the least recently used go first.
//
// An entry holds for the definitions and the versions of the records that it was made from
// (service/catalogue.h), and until its time is over; prepared_reads.h drops what no longer fits.
// The token is no part of the key: verification comes first, always.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "gateway/respond.h"
#include "service/catalogue.h"

namespace latchkey::gateway {

struct PreparedAnswer {
  // What was asked, as received, without token and nonce.
  std::string key;
  // The datasets in it, one or more, all of one workspace.
  struct Part {
    std::string dataset_key;  // "workspace/name" in lower case: the place in the catalogue
    std::shared_ptr<const service::CatalogueEntry> entry;
    std::uint64_t version = 0;  // of its records, from before they were read
    std::uint64_t records = 0;  // of it in the answer
  };
  std::string workspace;
  std::vector<Part> parts;
  // The generation of the catalogue at which the parts were last seen to be what counts.
  std::uint64_t checked_at = 0;
  // The same question means the same until then, exclusive.
  Timestamp valid_until = Timestamp::max();
  // Of an old form: the generation of the operator's maps (prepared_reads.h); 0: it is none.
  std::uint64_t maps_generation = 0;

  HeaderBlock head;
  HeaderBlock head_without_cost;            // for HEAD, which costs nothing
  std::shared_ptr<const std::string> body;  // connections may hold it longer than the cache does
  std::uint64_t records = 0;
  Cost cost;

  std::size_t bytes() const;
};

class AnswerCache {
 public:
  // `hash_seed`: two random words, so that nobody outside can choose keys that collide.
  AnswerCache(std::size_t max_bytes, std::uint64_t seed_0, std::uint64_t seed_1);

  // Null if absent. Holds until the next Put or Erase.
  PreparedAnswer* Find(std::string_view key);
  // Takes the place of an entry with the same key. One that is larger than an eighth of the whole
  // is not kept.
  void Put(std::unique_ptr<PreparedAnswer> answer);
  void Erase(std::string_view key);

  std::size_t bytes() const { return bytes_; }
  std::size_t size() const { return index_.size(); }

 private:
  using Order = std::list<std::unique_ptr<PreparedAnswer>>;
  // SipHash-1-3 (https://www.aumasson.jp/siphash/siphash.pdf).
  struct Hash {
    std::uint64_t seed_0;
    std::uint64_t seed_1;
    std::size_t operator()(std::string_view text) const;
  };

  void Drop(Order::iterator entry);

  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  Order order_;  // most recently used first
  // Keys are views into the entries.
  std::unordered_map<std::string_view, Order::iterator, Hash> index_;
};

}  // namespace latchkey::gateway
