#include "manage/idempotency.h"

#include <algorithm>
#include <vector>

#include "base/encoding.h"

namespace latchkey::manage {
namespace {

// Names the derivation, so that the credential's HMAC means nothing elsewhere.
constexpr std::string_view kDerivation = "latchkey idempotency 1\n";
constexpr std::string_view kOtherBody = "This Idempotency-Key was used already with another body.";

std::string_view Bytes(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Status, ETag, Location and body, each with its length in front.
void AppendPart(std::string& out, std::string_view part) {
  out.append(std::to_string(part.size())).push_back(':');
  out.append(part);
}

std::optional<std::string_view> TakePart(std::string_view& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> size = ParseUint64(text.substr(0, colon));
  text.remove_prefix(colon + 1);
  if (!size || *size > text.size()) return std::nullopt;
  const std::string_view part = text.substr(0, static_cast<std::size_t>(*size));
  text.remove_prefix(part.size());
  return part;
}

std::optional<Reply> ParseReply(std::string_view text) {
  const auto status = TakePart(text);
  const auto etag = TakePart(text);
  const auto location = TakePart(text);
  const auto body = TakePart(text);
  if (!status || !etag || !location || !body || !text.empty()) return std::nullopt;
  const std::optional<std::uint64_t> number = ParseUint64(*status);
  if (!number || *number < 200 || *number > 299) return std::nullopt;
  Reply reply;
  reply.status = static_cast<int>(*number);
  reply.etag = *etag;
  reply.location = *location;
  reply.body = *body;
  reply.replayed = true;
  return reply;
}

}  // namespace

Result<IdempotentCall> IdempotentCall::Make(const Call& call, std::string_view route) {
  const std::string_view key = call.idempotency_key;
  const bool visible =
      std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (key.empty() || key.size() > kMaxIdempotencyKeyBytes || !visible) {
    Error error = MakeError(ErrorCode::kInvalid,
                            "Idempotency-Key must be 1 to 255 visible ASCII characters.");
    error.fields.push_back({"Idempotency-Key", "It must be 1 to 255 visible ASCII characters."});
    return error;
  }
  IdempotentCall once;
  once.scope_ = call.actor.principal;
  once.scope_.append(" ").append(route);
  once.key_digest_ = Sha256(key);
  once.body_digest_ = Sha256(call.body);
  const Digest derived = HmacSha256(call.credential.Reveal(), std::string(kDerivation).append(key));
  once.sealing_key_ = Secret(std::string(Bytes(derived)));
  return once;
}

std::string IdempotentCall::Seal(const Reply& reply) const {
  std::string plain;
  AppendPart(plain, std::to_string(reply.status));
  AppendPart(plain, reply.etag);
  AppendPart(plain, reply.location);
  AppendPart(plain, reply.body);
  return latchkey::Seal(sealing_key_, scope_, Secret(std::move(plain)));
}

Reply IdempotentCall::Replay(const service::EarlierAnswer& earlier,
                             std::string_view request_id) const {
  if (earlier.body_digest != body_digest_) {
    return Refuse(core::Reason::kConflict, kOtherBody, request_id);
  }
  const std::optional<Secret> plain = Unseal(sealing_key_, scope_, earlier.sealed_answer);
  std::optional<Reply> reply = plain ? ParseReply(plain->Reveal()) : std::nullopt;
  if (!reply) {
    return Refuse(core::Reason::kConflict,
                  "This Idempotency-Key was used already with another credential.", request_id);
  }
  return std::move(*reply);
}

}  // namespace latchkey::manage
