// The audit log: who changed what, when, from where; each row holds the hash of the one before it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/time.h"
#include "core/ids.h"

namespace latchkey::core {

// Who changes something, and from where.
struct Actor {
  std::string principal;  // "tok_…", "operator", "demo", "system"
  std::string address;    // the client's address; empty: this machine itself
  std::string request_id;
};

struct AuditEvent {
  std::int64_t sequence = 0;  // 1, 2, 3 …, given by the store
  Timestamp at{};
  Actor actor;
  std::string action;   // "token.create", "account.suspend", …
  std::string subject;  // the opaque id of what was changed
  AccountId account;    // whose log it belongs to; none: the operator's alone
  std::string before;   // compact JSON of what changed, without secrets; empty: it was not there
  std::string after;
  Digest previous_hash{};  // 32 zero bytes in the first row
  Digest hash{};
};

// SHA-256 over previous_hash and every other field but hash, in the order of the declaration
// (sequence, at, principal, address, request_id, action, subject, account, before, after), each
// with its length in front; lengths and numbers are eight bytes, most significant first; `at` is in
// milliseconds since 1970.
Digest AuditHash(const AuditEvent& event);

}  // namespace latchkey::core
