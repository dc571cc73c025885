// Idempotency-Key on a POST that creates something (wire.md §9): a repeat within 24 hours, by the
// same principal on the same route with the same body, gets the first answer again, byte by byte.
//
// The answer may hold a secret token, so it is sealed under a key that only the caller can bring
// about: HMAC-SHA256 over the Idempotency-Key's text, keyed by the credential. Of the key's text
// the store has a digest alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/crypto.h"
#include "base/result.h"
#include "base/secret.h"
#include "manage/call.h"
#include "service/idempotency.h"

namespace latchkey::manage {

inline constexpr std::size_t kMaxIdempotencyKeyBytes = 255;

class IdempotentCall {
 public:
  // `route` names what is created where: "POST tokens acc_…". kInvalid: the key is empty, too long,
  // or has other characters than visible ASCII.
  static Result<IdempotentCall> Make(const Call& call, std::string_view route);

  const std::string& scope() const { return scope_; }
  const Digest& key_digest() const { return key_digest_; }
  const Digest& body_digest() const { return body_digest_; }

  std::string Seal(const Reply& reply) const;
  // The first answer, or a refusal (409: another body; the credential was replaced meanwhile).
  Reply Replay(const service::EarlierAnswer& earlier, std::string_view request_id) const;

 private:
  IdempotentCall() = default;

  std::string scope_;
  Digest key_digest_{};
  Digest body_digest_{};
  Secret sealing_key_;
};

// Runs a creation once. `create` gets null, or the record to store the answer with; `reply` makes
// the answer from what was created, the same bytes each time.
template <typename Created, typename Create, typename MakeReply>
Reply CreateOnce(service::Answers& answers, const Call& call, std::string_view route,
                 const Create& create, const MakeReply& reply) {
  const std::string& request_id = call.actor.request_id;
  if (!call.has_idempotency_key) {
    Result<Created> created = create(nullptr);
    return created.ok() ? reply(*created) : Refuse(created.error(), request_id);
  }
  const Result<IdempotentCall> once = IdempotentCall::Make(call, route);
  if (!once.ok()) return Refuse(once.error(), request_id);
  auto earlier = answers.Find(once->scope(), once->key_digest());
  if (!earlier.ok()) return Refuse(earlier.error(), request_id);
  if (earlier->has_value()) return once->Replay(**earlier, request_id);

  const service::IdempotencyRecord<Created> record{
      once->scope(), once->key_digest(), once->body_digest(),
      [&](const Created& created) { return once->Seal(reply(created)); }};
  Result<Created> created = create(&record);
  if (created.ok()) return reply(*created);
  if (created.error().code == ErrorCode::kConflict || created.error().code == ErrorCode::kLimit) {
    // Maybe the same call, at the same time, was faster.
    earlier = answers.Find(once->scope(), once->key_digest());
    if (earlier.ok() && earlier->has_value()) return once->Replay(**earlier, request_id);
  }
  return Refuse(created.error(), request_id);
}

}  // namespace latchkey::manage
