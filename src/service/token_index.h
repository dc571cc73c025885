// Every token that may be used, and its account, in memory: what the request path reads instead of
// asking the store.
//
// Readers take no shared lock and touch no shared counter: each I/O thread has a Reader of its own.
// Writers (one at a time, under a lock of theirs) publish a change before they return; a look-up
// that begins after that sees it. What readers may still hold is freed once they have moved on.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/account.h"
#include "core/token.h"

namespace latchkey::service {

class TokenIndex {
 public:
  TokenIndex();
  ~TokenIndex();
  TokenIndex(const TokenIndex&) = delete;
  TokenIndex& operator=(const TokenIndex&) = delete;

  // Room for so many tokens without growing; for the start.
  void Reserve(std::size_t tokens);

  // ---- Changes. Any thread; in force for every look-up that begins after the return.
  // By id; a new digest replaces the old one. Not found before its account is there.
  void Put(const core::Token& token);
  void Remove(core::TokenId id);
  void Put(const core::Account& account);  // with premium_data from its plan

  struct Found {
    const core::Token* token = nullptr;      // null: no such token
    const core::Account* account = nullptr;  // not null if token is not
  };

  // One per thread; used on that thread alone; must not outlive the index.
  class Reader {
   public:
    virtual ~Reader() = default;
    // The pointers hold until this reader's next Find or Quiesce.
    virtual Found Find(const Digest& digest) = 0;
    virtual Found Find(core::TokenId id) = 0;  // slower; not for the request path
    // "I hold nothing": lets what was replaced be freed. Called when a thread is idle: what changes
    // while a reader neither looks up nor quiesces stays in memory.
    virtual void Quiesce() = 0;
  };
  std::unique_ptr<Reader> MakeReader();

  struct Size {
    std::size_t tokens = 0;
    std::size_t accounts = 0;
    std::size_t bytes = 0;  // of tables and entries, retired ones included
  };
  Size GetSize() const;

 private:
  class Impl;
  class ReaderImpl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace latchkey::service
