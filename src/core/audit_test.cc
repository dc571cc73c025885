#include "core/audit.h"

#include <functional>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace latchkey::core {
namespace {

AuditEvent Example() {
  AuditEvent event;
  event.sequence = 7;
  event.at = FromUnixMillis(1'700'000'000'123);
  event.actor = {"tok_00000000001", "198.51.100.7", "req-1"};
  event.action = "token.create";
  event.subject = "tok_00000000002";
  event.account = AccountId{42};
  event.after = R"({"enabled":true})";
  std::iota(event.previous_hash.begin(), event.previous_hash.end(), std::uint8_t{0});
  return event;
}

// Computed by hand with Python's hashlib from the layout that the header gives: rows that stand in
// audit logs must hash to the same for ever.
TEST(AuditHashTest, KeepsItsLayout) {
  EXPECT_EQ(HexEncode(AuditHash(Example())),
            "9ea9da5cd696fa59c0b0d147ce1ce96a0ee7259d9ce7abfe5429a8f4df2e7f46");
}

TEST(AuditHashTest, ChangesWithEveryField) {
  const Digest hash = AuditHash(Example());
  const std::vector<std::function<void(AuditEvent&)>> changes = {
      [](AuditEvent& e) { e.sequence = 8; },
      [](AuditEvent& e) { e.at += std::chrono::milliseconds(1); },
      [](AuditEvent& e) { e.actor.principal = "operator"; },
      [](AuditEvent& e) { e.actor.address = "198.51.100.8"; },
      [](AuditEvent& e) { e.actor.request_id = "req-2"; },
      [](AuditEvent& e) { e.action = "token.delete"; },
      [](AuditEvent& e) { e.subject = "tok_00000000003"; },
      [](AuditEvent& e) { e.account = AccountId{43}; },
      [](AuditEvent& e) { e.before = "{}"; },
      [](AuditEvent& e) { e.after = "{}"; },
      [](AuditEvent& e) { e.previous_hash[31] ^= 1; },
      // The same bytes, divided otherwise.
      [](AuditEvent& e) {
        e.action = "token.creat";
        e.subject = "etok_00000000002";
      },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    AuditEvent changed = Example();
    changes[i](changed);
    EXPECT_NE(AuditHash(changed), hash) << "change " << i;
  }
  AuditEvent rehashed = Example();
  rehashed.hash[0] = 1;
  EXPECT_EQ(AuditHash(rehashed), hash);
}

}  // namespace
}  // namespace latchkey::core
