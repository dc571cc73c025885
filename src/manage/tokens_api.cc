#include "manage/tokens_api.h"

#include <utility>
#include <vector>

#include "manage/idempotency.h"
#include "manage/json.h"
#include "manage/paging.h"

namespace latchkey::manage {
namespace {

Reply TokenReply(const core::TokenRecord& record) {
  return ObjectReply(TokenJson(record), record.version);
}

}  // namespace

WantedVersion RequireIfMatch(const Call& call, std::int64_t standing_version) {
  const std::string& request_id = call.actor.request_id;
  WantedVersion wanted;
  switch (CheckIfMatch(call, standing_version)) {
    case Precondition::kAbsent:
      wanted.refusal = Refuse(core::Reason::kPreconditionRequired, "", request_id);
      break;
    case Precondition::kAny:
      break;
    case Precondition::kMatches:
      wanted.version = standing_version;
      break;
    case Precondition::kStale:
      wanted.refusal = Refuse(core::Reason::kPreconditionFailed, "", request_id);
      break;
    case Precondition::kMalformed:
      wanted.refusal = Refuse(core::Reason::kInvalidValues,
                              "If-Match must be * or ETags in quotes.", request_id);
      break;
  }
  return wanted;
}

Reply TokensApi::Run(const Call& call, core::AccountId account) {
  const std::string& request_id = call.actor.request_id;
  if (call.route == Route::kListTokens) return List(call, account);
  if (call.route == Route::kCreateToken) return Create(call, account);

  const std::optional<core::TokenId> id = core::TokenId::Parse(call.captures.back());
  if (!id) return Refuse(core::Reason::kNotFound, "There is no such token.", request_id);
  if (call.route == Route::kPatchToken) return Patch(call, account, *id);
  if (call.route == Route::kDeleteToken) return Remove(call, account, *id);

  if (call.route != Route::kGetToken) {
    if (const Status nothing = ParseNothing(call.body); !nothing.ok()) {
      return Refuse(nothing.error(), request_id);
    }
  }
  Result<core::TokenRecord> record =
      call.route == Route::kDisableToken  ? tokens_.Disable(account, *id, call.actor)
      : call.route == Route::kEnableToken ? tokens_.Enable(account, *id, call.actor)
                                          : tokens_.Get(account, *id);
  return record.ok() ? TokenReply(*record) : Refuse(record.error(), request_id);
}

Reply TokensApi::List(const Call& call, core::AccountId account) {
  const Result<service::PageRequest> page = ParsePageRequest(call);
  if (!page.ok()) return Refuse(page.error(), call.actor.request_id);
  const auto tokens = tokens_.List(account, *page);
  if (!tokens.ok()) return Refuse(tokens.error(), call.actor.request_id);
  std::vector<std::string> items;
  items.reserve(tokens->items.size());
  for (const core::TokenRecord& record : tokens->items) items.push_back(TokenJson(record));
  return JsonReply(ListJson(items, tokens->next ? PageToken(*tokens->next) : std::string()));
}

Reply TokensApi::Create(const Call& call, core::AccountId account) {
  const Result<service::NewToken> token = ParseTokenCreation(call.body);
  if (!token.ok()) return Refuse(token.error(), call.actor.request_id);
  const auto create = [&](const service::IdempotencyRecord<service::CreatedToken>* idempotency) {
    return tokens_.Create(account, *token, call.actor, idempotency);
  };
  const auto reply = [&](const service::CreatedToken& created) {
    return CreatedReply(TokenJson(created.record, created.text.Reveal()), created.record.version,
                        call.path + "/" + created.record.token.id.ToString());
  };
  return CreateOnce<service::CreatedToken>(answers_, call, "POST tokens " + account.ToString(),
                                           create, reply);
}

Reply TokensApi::Patch(const Call& call, core::AccountId account, core::TokenId id) {
  const std::string& request_id = call.actor.request_id;
  // Without If-Match nothing is looked at, so that 428 does not tell what stands.
  if (!call.has_if_match) return std::move(*RequireIfMatch(call, 0).refusal);
  const Result<core::TokenRecord> standing = tokens_.Get(account, id);
  if (!standing.ok()) return Refuse(standing.error(), request_id);
  WantedVersion wanted = RequireIfMatch(call, standing->version);
  if (wanted.refusal) return std::move(*wanted.refusal);
  const Result<service::TokenSettings> settings = ParseTokenPatch(call.body, *standing);
  if (!settings.ok()) return Refuse(settings.error(), request_id);
  const Result<core::TokenRecord> changed =
      tokens_.Patch(account, id, *settings, wanted.version, call.actor);
  return changed.ok() ? TokenReply(*changed) : Refuse(changed.error(), request_id);
}

Reply TokensApi::Remove(const Call& call, core::AccountId account, core::TokenId id) {
  const std::string& request_id = call.actor.request_id;
  std::optional<std::int64_t> version;
  if (call.has_if_match) {
    const Result<core::TokenRecord> standing = tokens_.Get(account, id);
    if (!standing.ok()) return Refuse(standing.error(), request_id);
    WantedVersion wanted = RequireIfMatch(call, standing->version);
    if (wanted.refusal) return std::move(*wanted.refusal);
    version = wanted.version;
  }
  const Status removed = tokens_.Remove(account, id, version, call.actor);
  return removed.ok() ? NoContentReply() : Refuse(removed.error(), request_id);
}

}  // namespace latchkey::manage
