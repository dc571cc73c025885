// How it works. Each token is an immutable entry in a slab; two open-addressing tables, by digest
// and by id, hold (tag, entry number) in slots of 64 bits that are read and written whole. A change
// makes a new entry and swaps one slot; growing makes a new table and swaps one pointer. What was
// swapped out is freed when no reader can hold it any more (epochs, below). So a look-up costs one
// cache miss for the slot, one for the entry (two lines side by side, which the hardware fetches
// together) and, where there are many accounts, one for the account.
//
// Epochs. `epoch_` counts the changes that took something out of readers' sight. A reader writes
// the epoch it sees into a cache line of its own before it reads a table, and only when the epoch
// has moved. A writer first takes the thing out of sight, then counts the epoch up to E and marks
// the thing with E; it may free it when every reader's line shows at least E, or that the reader
// holds nothing. Why that is enough, with all of these operations sequentially consistent: if the
// writer finds in a reader's line a value from before the reader's latest write, that write comes
// later in the one order, so the reader's read of the table does too and sees the thing gone; if it
// finds E or more, the reader read `epoch_` after it was counted up, so after the thing was gone.
// Sequentially consistent loads cost nothing on x86; the one store per change and reader does not
// matter. Fences would do as well, but the thread sanitizer does not understand them.
#include "service/token_index.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <type_traits>
#include <unordered_map>

#include <sys/mman.h>

#include "base/thread_annotations.h"

namespace latchkey::service {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr std::size_t kLinePairBytes = 128;  // two cache lines, which x86 fetches together
constexpr std::size_t kEntriesPerSlab = kHugePageBytes / kLinePairBytes;
constexpr std::size_t kMaxSlabs = 8192;  // 134 million entries
constexpr int kMinTableBits = 4;
constexpr std::uint64_t kHoldsNothing = 0;

struct AccountCell {
  std::atomic<const core::Account*> account{nullptr};
};

struct alignas(kLinePairBytes) Entry {
  core::Token token;
  AccountCell* account = nullptr;
};
static_assert(sizeof(Entry) == kLinePairBytes);
static_assert(std::is_trivially_destructible_v<Entry>);

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, FreeMemory>;

// With a million tokens in small pages nearly every look-up would also miss the TLB.
Memory AllocatePages(std::size_t bytes) {
  const std::size_t alignment = bytes >= kHugePageBytes ? kHugePageBytes : kLinePairBytes;
  bytes = (bytes + alignment - 1) / alignment * alignment;
  Memory memory(std::aligned_alloc(alignment, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  if (alignment == kHugePageBytes) (void)madvise(memory.get(), bytes, MADV_HUGEPAGE);  // a wish
  return memory;
}

// A slot holds the tag in its upper half and below it an entry's number + 2, or one of these.
constexpr std::uint64_t kEmpty = 0;
constexpr std::uint64_t kErased = 1;
constexpr std::uint64_t MakeSlot(std::uint32_t tag, std::uint32_t entry) {
  return std::uint64_t{tag} << 32 | (std::uint64_t{entry} + 2);
}
constexpr bool HasEntry(std::uint64_t slot) { return (slot & 0xFFFFFFFF) >= 2; }
constexpr std::uint32_t TagOf(std::uint64_t slot) { return static_cast<std::uint32_t>(slot >> 32); }
constexpr std::uint32_t EntryOf(std::uint64_t slot) {
  return static_cast<std::uint32_t>(slot & 0xFFFFFFFF) - 2;
}

// A digest is uniform already.
std::uint32_t TagOf(const Digest& digest) {
  std::uint32_t tag;
  std::memcpy(&tag, digest.data(), sizeof(tag));
  return tag;
}
// Ids are drawn at random, but not in tests: Fibonacci hashing spreads any of them.
std::uint32_t TagOf(core::TokenId id) {
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(id.value) * 0x9E3779B97F4A7C15U) >>
                                    32);
}

// Linear probing from the tag's upper bits, so that a table can be copied into a larger one without
// touching any entry. One writer; any number of readers.
class Table {
 public:
  explicit Table(int bits)
      : bits_(bits),
        memory_(AllocatePages(capacity() * sizeof(std::atomic<std::uint64_t>))),
        slots_(static_cast<std::atomic<std::uint64_t>*>(memory_.get())) {
    std::uninitialized_value_construct_n(slots_, capacity());
  }

  std::size_t capacity() const { return std::size_t{1} << bits_; }
  std::size_t live() const { return live_; }
  std::size_t bytes() const { return capacity() * sizeof(*slots_); }
  // At most 6 of 10 in use, erased ones included: probes stay short and always end.
  bool IsFull() const { return (used_ + 1) * 10 > capacity() * 6; }

  static int BitsFor(std::size_t entries) {
    return std::max(kMinTableBits, static_cast<int>(std::bit_width(2 * entries - 1)));
  }

  // The position of the entry of which `matches(number)` holds, or npos.
  static constexpr std::size_t npos = SIZE_MAX;
  template <typename Matches>
  std::size_t Find(std::uint32_t tag, const Matches& matches) const {
    for (std::size_t at = Home(tag);; at = Next(at)) {
      const std::uint64_t slot = slots_[at].load();
      if (slot == kEmpty) return npos;
      if (TagOf(slot) == tag && HasEntry(slot) && matches(EntryOf(slot))) return at;
    }
  }
  // As Find, with the entry's number: the slot may be another already when it is read again.
  template <typename Matches>
  std::int64_t FindEntry(std::uint32_t tag, const Matches& matches) const {
    for (std::size_t at = Home(tag);; at = Next(at)) {
      const std::uint64_t slot = slots_[at].load();
      if (slot == kEmpty) return -1;
      if (TagOf(slot) == tag && HasEntry(slot) && matches(EntryOf(slot))) return EntryOf(slot);
    }
  }

  // ---- The writer's.

  // Not IsFull(); the entry is not in the table.
  void Insert(std::uint64_t slot) {
    std::size_t at = Home(TagOf(slot));
    while (HasEntry(slots_[at].load())) at = Next(at);
    if (slots_[at].load() == kEmpty) ++used_;
    ++live_;
    slots_[at].store(slot);
  }
  void Replace(std::size_t at, std::uint32_t entry) {
    slots_[at].store(MakeSlot(TagOf(slots_[at].load()), entry));
  }
  void Erase(std::size_t at) {
    --live_;
    if (slots_[Next(at)].load() != kEmpty) {
      slots_[at].store(kErased);
      return;
    }
    // The end of a run: this one and the erased ones before it hold up no probe.
    slots_[at].store(kEmpty);
    --used_;
    for (at = Previous(at); slots_[at].load() == kErased; at = Previous(at)) {
      slots_[at].store(kEmpty);
      --used_;
    }
  }
  void CopyTo(Table& other) const {
    for (std::size_t at = 0; at < capacity(); ++at) {
      const std::uint64_t slot = slots_[at].load();
      if (HasEntry(slot)) other.Insert(slot);
    }
  }

 private:
  std::size_t Home(std::uint32_t tag) const { return tag >> (32 - bits_); }
  std::size_t Next(std::size_t at) const { return (at + 1) & (capacity() - 1); }
  std::size_t Previous(std::size_t at) const { return (at - 1) & (capacity() - 1); }

  const int bits_;
  Memory memory_;
  std::atomic<std::uint64_t>* slots_;
  std::size_t live_ = 0;
  std::size_t used_ = 0;
};

// Where a reader says which epoch it has seen. Its own pair of lines: readers never disturb each
// other.
struct alignas(kLinePairBytes) ReaderLine {
  std::atomic<std::uint64_t> epoch{kHoldsNothing};
};

std::size_t BytesOf(const core::Account& account) {
  return sizeof(core::Account) + account.workspace.capacity() + account.title.capacity();
}

}  // namespace

class TokenIndex::Impl {
 public:
  Impl()
      : by_digest_(new Table(kMinTableBits)),
        by_id_(new Table(kMinTableBits)),
        slabs_(std::make_unique<std::array<std::atomic<Entry*>, kMaxSlabs>>()) {}

  ~Impl() {
    delete by_digest_.load();
    delete by_id_.load();
    for (auto& slab : *slabs_) std::free(slab.load());
    for (auto& [id, cell] : accounts_) delete cell->account.load();
    for (const Retired& retired : retired_) Free(retired);
  }

  void Reserve(std::size_t tokens) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    for (std::atomic<Table*>* table : {&by_digest_, &by_id_}) {
      if (table->load()->capacity() < 2 * tokens) Rebuild(*table, tokens);
    }
    Collect();
  }

  void Put(const core::Token& token) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const std::uint32_t number = TakeEntry();
    new (Place(number)) Entry{token, &CellOf(token.account)};

    const std::int64_t old = EntryOfId(token.id);
    const bool same_digest = old >= 0 && At(Number(old)).token.digest == token.digest;
    if (!same_digest) EraseStranger(token);
    // The new digest first, then the old one away: the token is never missing in between.
    PutInto(by_digest_, TagOf(token.digest), number,
            [&](std::uint32_t entry) { return At(entry).token.digest == token.digest; });
    PutInto(by_id_, TagOf(token.id), number,
            [&](std::uint32_t entry) { return At(entry).token.id == token.id; });
    if (old >= 0) {
      if (!same_digest) EraseEntry(*by_digest_.load(), TagOf(At(Number(old)).token.digest), old);
      RetireEntry(Number(old));
    }
    Collect();
  }

  void Remove(core::TokenId id) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const std::int64_t entry = EntryOfId(id);
    if (entry >= 0) RemoveEntry(entry);
    Collect();
  }

  void Put(const core::Account& account) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    auto* copy = new core::Account(account);
    account_bytes_ += BytesOf(*copy);
    const core::Account* old = CellOf(account.id).account.exchange(copy);
    if (old != nullptr) {
      account_bytes_ -= BytesOf(*old);
      retired_account_bytes_ += BytesOf(*old);
      Retire({.account = old});
    } else {
      ++account_count_;
    }
    Collect();
  }

  Size GetSize() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    Size size;
    size.tokens = by_id_.load()->live();
    size.accounts = account_count_;
    // A node of the map and its bucket: about four words beside key and value.
    const std::size_t cell_bytes = sizeof(AccountCell) + 6 * sizeof(void*);
    size.bytes = by_digest_.load()->bytes() + by_id_.load()->bytes() +
                 slab_count_ * kHugePageBytes + sizeof(*slabs_) +
                 free_entries_.capacity() * sizeof(std::uint32_t) + account_bytes_ +
                 retired_account_bytes_ + accounts_.size() * cell_bytes + retired_table_bytes_;
    return size;
  }

  // ---- For readers.

  std::uint64_t epoch() const { return epoch_.load(); }
  const Table& by_digest() const { return *by_digest_.load(); }
  const Table& by_id() const { return *by_id_.load(); }
  // The entry behind a number found in a table since the reader last showed its epoch.
  const Entry& At(std::uint32_t number) const {
    return (*slabs_)[number / kEntriesPerSlab].load(
        std::memory_order_relaxed)[number % kEntriesPerSlab];
  }

  ReaderLine* AddReader() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    readers_.push_back(std::make_unique<ReaderLine>());
    return readers_.back().get();
  }
  void RemoveReader(ReaderLine* line) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    std::erase_if(readers_, [line](const auto& reader) { return reader.get() == line; });
    Collect();
  }

 private:
  struct Retired {
    std::uint64_t epoch = 0;
    std::int64_t entry = -1;
    const Table* table = nullptr;
    const core::Account* account = nullptr;
  };

  static std::uint32_t Number(std::int64_t entry) { return static_cast<std::uint32_t>(entry); }
  Entry* Place(std::uint32_t number) {
    return (*slabs_)[number / kEntriesPerSlab].load() + number % kEntriesPerSlab;
  }

  AccountCell& CellOf(core::AccountId id) REQUIRES(mutex_) {
    std::unique_ptr<AccountCell>& cell = accounts_[id];
    if (cell == nullptr) cell = std::make_unique<AccountCell>();
    return *cell;
  }

  std::int64_t EntryOfId(core::TokenId id) REQUIRES(mutex_) {
    return by_id_.load()->FindEntry(TagOf(id),
                                    [&](std::uint32_t entry) { return At(entry).token.id == id; });
  }

  std::uint32_t TakeEntry() REQUIRES(mutex_) {
    if (!free_entries_.empty()) {
      const std::uint32_t number = free_entries_.back();
      free_entries_.pop_back();
      return number;
    }
    if (next_entry_ == slab_count_ * kEntriesPerSlab) {
      if (slab_count_ == kMaxSlabs) std::abort();  // beyond any machine this is made for
      (*slabs_)[slab_count_++] = static_cast<Entry*>(AllocatePages(kHugePageBytes).release());
    }
    return static_cast<std::uint32_t>(next_entry_++);
  }

  template <typename Matches>
  void PutInto(std::atomic<Table*>& table, std::uint32_t tag, std::uint32_t number,
               const Matches& matches) REQUIRES(mutex_) {
    const std::size_t at = table.load()->Find(tag, matches);
    if (at != Table::npos) {
      table.load()->Replace(at, number);
      return;
    }
    if (table.load()->IsFull()) Rebuild(table, table.load()->live() + 1);
    table.load()->Insert(MakeSlot(tag, number));
  }

  void EraseEntry(Table& table, std::uint32_t tag, std::int64_t entry) REQUIRES(mutex_) {
    const std::size_t at =
        table.Find(tag, [entry](std::uint32_t number) { return number == entry; });
    if (at != Table::npos) table.Erase(at);
  }

  void RemoveEntry(std::int64_t entry) REQUIRES(mutex_) {
    const core::Token& token = At(Number(entry)).token;
    EraseEntry(*by_digest_.load(), TagOf(token.digest), entry);
    EraseEntry(*by_id_.load(), TagOf(token.id), entry);
    RetireEntry(Number(entry));
  }

  // The store lets no two tokens have one digest. Should it happen all the same, the later one has
  // it, and no entry of the other stays behind.
  void EraseStranger(const core::Token& token) REQUIRES(mutex_) {
    const std::int64_t entry = by_digest_.load()->FindEntry(
        TagOf(token.digest),
        [&](std::uint32_t number) { return At(number).token.digest == token.digest; });
    if (entry >= 0 && At(Number(entry)).token.id != token.id) RemoveEntry(entry);
  }

  void Rebuild(std::atomic<Table*>& table, std::size_t entries) REQUIRES(mutex_) {
    auto larger = std::make_unique<Table>(Table::BitsFor(entries));
    const Table* old = table.load();
    old->CopyTo(*larger);
    table.store(larger.release());
    retired_table_bytes_ += old->bytes();
    Retire({.table = old});
  }

  void RetireEntry(std::uint32_t number) REQUIRES(mutex_) { Retire({.entry = number}); }

  // It is out of sight already.
  void Retire(Retired retired) REQUIRES(mutex_) {
    retired.epoch = epoch_.fetch_add(1) + 1;
    retired_.push_back(retired);
  }

  void Collect() REQUIRES(mutex_) {
    if (retired_.empty()) return;
    std::uint64_t oldest = UINT64_MAX;
    for (const auto& reader : readers_) {
      const std::uint64_t seen = reader->epoch.load();
      if (seen != kHoldsNothing) oldest = std::min(oldest, seen);
    }
    while (!retired_.empty() && retired_.front().epoch <= oldest) {
      const Retired& retired = retired_.front();
      if (retired.entry >= 0) free_entries_.push_back(Number(retired.entry));
      if (retired.table != nullptr) retired_table_bytes_ -= retired.table->bytes();
      if (retired.account != nullptr) retired_account_bytes_ -= BytesOf(*retired.account);
      Free(retired);
      retired_.pop_front();
    }
  }

  static void Free(const Retired& retired) {
    delete retired.table;
    delete retired.account;
  }

  // What every look-up reads, apart from what changes write beside it.
  alignas(kLinePairBytes) std::atomic<std::uint64_t> epoch_{1};
  std::atomic<Table*> by_digest_;
  std::atomic<Table*> by_id_;
  const std::unique_ptr<std::array<std::atomic<Entry*>, kMaxSlabs>> slabs_;

  alignas(kLinePairBytes) mutable Mutex mutex_;
  std::size_t slab_count_ GUARDED_BY(mutex_) = 0;
  std::size_t next_entry_ GUARDED_BY(mutex_) = 0;
  std::vector<std::uint32_t> free_entries_ GUARDED_BY(mutex_);
  std::deque<Retired> retired_ GUARDED_BY(mutex_);
  std::size_t retired_table_bytes_ GUARDED_BY(mutex_) = 0;
  // A cell stays for good: entries point at it, and accounts are never deleted.
  std::unordered_map<core::AccountId, std::unique_ptr<AccountCell>> accounts_ GUARDED_BY(mutex_);
  std::size_t account_count_ GUARDED_BY(mutex_) = 0;
  std::size_t account_bytes_ GUARDED_BY(mutex_) = 0;
  std::size_t retired_account_bytes_ GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<ReaderLine>> readers_ GUARDED_BY(mutex_);
};

class TokenIndex::ReaderImpl final : public TokenIndex::Reader {
 public:
  explicit ReaderImpl(Impl& index) : index_(index), line_(index.AddReader()) {}
  ~ReaderImpl() override { index_.RemoveReader(line_); }
  ReaderImpl(const ReaderImpl&) = delete;
  ReaderImpl& operator=(const ReaderImpl&) = delete;

  Found Find(const Digest& digest) override {
    ShowEpoch();
    return FoundAt(index_.by_digest().FindEntry(TagOf(digest), [&](std::uint32_t entry) {
      return index_.At(entry).token.digest == digest;
    }));
  }

  Found Find(core::TokenId id) override {
    ShowEpoch();
    return FoundAt(index_.by_id().FindEntry(
        TagOf(id), [&](std::uint32_t entry) { return index_.At(entry).token.id == id; }));
  }

  void Quiesce() override {
    line_->epoch.store(kHoldsNothing);
    shown_ = kHoldsNothing;
  }

 private:
  void ShowEpoch() {
    const std::uint64_t epoch = index_.epoch();
    if (epoch == shown_) return;  // what we show protects all that went out of sight since
    line_->epoch.store(epoch);
    shown_ = epoch;
  }

  Found FoundAt(std::int64_t entry) const {
    if (entry < 0) return {};
    const Entry& found = index_.At(static_cast<std::uint32_t>(entry));
    const core::Account* account = found.account->account.load();
    // A token whose account is not there is not to be honoured.
    if (account == nullptr) return {};
    return {&found.token, account};
  }

  Impl& index_;
  ReaderLine* const line_;
  std::uint64_t shown_ = kHoldsNothing;
};

TokenIndex::TokenIndex() : impl_(std::make_unique<Impl>()) {}
TokenIndex::~TokenIndex() = default;

void TokenIndex::Reserve(std::size_t tokens) { impl_->Reserve(tokens); }
void TokenIndex::Put(const core::Token& token) { impl_->Put(token); }
void TokenIndex::Remove(core::TokenId id) { impl_->Remove(id); }
void TokenIndex::Put(const core::Account& account) { impl_->Put(account); }

std::unique_ptr<TokenIndex::Reader> TokenIndex::MakeReader() {
  return std::make_unique<ReaderImpl>(*impl_);
}

TokenIndex::Size TokenIndex::GetSize() const { return impl_->GetSize(); }

}  // namespace latchkey::service
