#include "core/audit.h"

namespace latchkey::core {
namespace {

// Eight bytes, most significant first.
std::string BigEndian(std::uint64_t number) {
  std::string bytes(8, '\0');
  for (int i = 7; i >= 0; --i) {
    bytes[static_cast<std::size_t>(i)] = static_cast<char>(number & 0xff);
    number >>= 8;
  }
  return bytes;
}

}  // namespace

Digest AuditHash(const AuditEvent& event) {
  Sha256Stream hash;
  // The length in front keeps bytes from moving between neighbours without a trace.
  const auto add = [&hash](std::string_view field) {
    hash.Update(BigEndian(field.size()));
    hash.Update(field);
  };
  add({reinterpret_cast<const char*>(event.previous_hash.data()), event.previous_hash.size()});
  add(BigEndian(static_cast<std::uint64_t>(event.sequence)));
  add(BigEndian(static_cast<std::uint64_t>(ToUnixMillis(event.at))));
  add(event.actor.principal);
  add(event.actor.address);
  add(event.actor.request_id);
  add(event.action);
  add(event.subject);
  add(BigEndian(static_cast<std::uint64_t>(event.account.value)));
  add(event.before);
  add(event.after);
  return hash.Finish();
}

}  // namespace latchkey::core
