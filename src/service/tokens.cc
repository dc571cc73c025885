#include "service/tokens.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/audit_fields.h"
#include "service/mint.h"
#include "service/paging.h"

namespace latchkey::service {
namespace {

Error NoSuchToken() { return MakeError(ErrorCode::kNotFound, "There is no such token."); }

Error Stale() {
  return MakeError(ErrorCode::kStale, "The token changed since it was read: read it again.");
}

std::vector<FieldError> CheckSettings(core::TokenKind kind, const TokenSettings& settings) {
  std::vector<FieldError> errors;
  if (kind == core::TokenKind::kSecret) {
    constexpr const char* kPublishableOnly = "A secret token does not take it.";
    if (settings.core_data_access) errors.push_back({"core_data_access", kPublishableOnly});
    if (settings.end_user && !settings.end_user->empty()) {
      errors.push_back({"end_user", kPublishableOnly});
    }
  }
  return errors;
}

// Applies the settings to the record; what can't hold is an error under its field's name.
Status ApplySettings(core::TokenRecord& record, const TokenSettings& settings, Timestamp now) {
  std::vector<FieldError> errors = CheckSettings(record.token.kind, settings);
  core::Token& token = record.token;
  core::TokenProfile& profile = record.profile;
  if (settings.nickname) profile.nickname = *settings.nickname;
  if (settings.labels) profile.labels = *settings.labels;
  if (settings.end_user) profile.end_user = *settings.end_user;
  if (settings.enabled) token.enabled = *settings.enabled;
  if (settings.core_data_access) token.core_data_access = *settings.core_data_access;
  if (settings.expires_at && *settings.expires_at != token.expires_at) {
    token.expires_at = *settings.expires_at;
    if (token.expires_at && *token.expires_at <= now) {
      errors.push_back({"expires_at", "It must be in the future."});
    }
  }
  std::ranges::move(core::CheckProfile(profile), std::back_inserter(errors));
  if (errors.empty()) return {};
  Error error = MakeError(ErrorCode::kInvalid,
                          fmt::format("{}: {}", errors.front().field, errors.front().detail));
  error.fields = std::move(errors);
  return error;
}

// What both allow: in force while it is not known which of them stands.
core::Token Stricter(const core::Token& before, core::Token after) {
  after.enabled = after.enabled && before.enabled;
  after.core_data_access = after.core_data_access && before.core_data_access;
  if (before.expires_at) {
    after.expires_at =
        after.expires_at ? std::min(*after.expires_at, *before.expires_at) : *before.expires_at;
  }
  return after;
}

core::AuditEvent MakeEvent(Timestamp now, core::Actor actor, std::string_view action,
                           const core::Token& token) {
  core::AuditEvent event;
  event.at = now;
  event.actor = std::move(actor);
  event.action = action;
  event.subject = token.id.ToString();
  event.account = token.account;
  return event;
}

}  // namespace

Result<CreatedToken> Tokens::Create(core::AccountId account_id, const NewToken& wanted,
                                    core::Actor actor,
                                    const IdempotencyRecord<CreatedToken>* idempotency) {
  const std::optional<core::Account> account = state_.FindAccount(account_id);
  if (!account) return MakeError(ErrorCode::kNotFound, "There is no such account.");
  const std::optional<core::Plan> plan = state_.FindPlan(account->plan);
  const Timestamp now = clock_.Now();

  const KeyRing::Lease lease(keys_);
  Result<CreatedToken> minted = MintToken({core::TokenId{DrawId(entropy_)}, account_id, wanted.kind,
                                           wanted.environment, now, actor.principal},
                                          lease, entropy_);
  if (!minted.ok()) return minted;
  CreatedToken& created = *minted;
  core::TokenRecord& record = created.record;
  if (Status status = ApplySettings(record, wanted.settings, now); !status.ok()) {
    return std::move(status).error();
  }

  store::PutToken put{record, std::nullopt, std::nullopt, std::nullopt};
  if (plan) put.max_tokens = plan->max_tokens;
  if (record.token.kind == core::TokenKind::kSecret && record.token.enabled) {
    put.max_enabled_secrets = kMaxEnabledSecrets;
  }
  store::Mutation mutation;
  mutation.changes.push_back(std::move(put));
  mutation.event = MakeEvent(now, std::move(actor), "token.create", record.token);
  mutation.event.after = AuditJson(FieldsOf(record));
  if (idempotency != nullptr) {
    mutation.answer =
        store::IdempotentAnswer{idempotency->scope, idempotency->key_digest,
                                idempotency->body_digest, idempotency->seal(created), now};
  }

  const State::Hold hold(state_, {record.token.id.value});
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    Error error = committed.error();
    if (error.code == ErrorCode::kUnknown) {
      // Where the store shows the token it is in force: a list tells of it, and a call with the
      // same Idempotency-Key is given its text.
      const Result<core::TokenRecord> stands = store_.GetToken(record.token.id);
      if (stands.ok()) state_.Apply(stands->token);
    }
    if (error.code == ErrorCode::kLimit && plan && plan->max_tokens) {
      error.public_text = fmt::format("The plan allows at most {} tokens.", *plan->max_tokens);
    }
    return error;
  }
  state_.Apply(record.token);
  return minted;
}

Result<Paged<core::TokenRecord>> Tokens::List(core::AccountId account, const PageRequest& page) {
  return ReadPage<core::TokenRecord>(
      page, [&](const store::Page& rows) { return store_.ListTokens(account, rows, page.search); },
      [](const core::TokenRecord& record) {
        return PageMark{record.token.created_at, record.token.id.value};
      });
}

Result<core::TokenRecord> Tokens::Get(core::AccountId account, core::TokenId id) {
  Result<core::TokenRecord> record = store_.GetToken(id);
  // Another account's token is no more there than one that nobody has.
  if (record.ok() ? record->token.account != account
                  : record.error().code == ErrorCode::kNotFound) {
    return NoSuchToken();
  }
  return record;
}

Result<core::TokenRecord> Tokens::Patch(core::AccountId account, core::TokenId id,
                                        const TokenSettings& settings,
                                        std::optional<std::int64_t> expected_version,
                                        core::Actor actor) {
  return Change(account, id, settings, {expected_version, true}, "token.update", std::move(actor));
}

Result<core::TokenRecord> Tokens::Disable(core::AccountId account, core::TokenId id,
                                          core::Actor actor) {
  TokenSettings settings;
  settings.enabled = false;
  return Change(account, id, settings, {std::nullopt, false}, "token.disable", std::move(actor));
}

Result<core::TokenRecord> Tokens::Enable(core::AccountId account, core::TokenId id,
                                         core::Actor actor) {
  TokenSettings settings;
  settings.enabled = true;
  return Change(account, id, settings, {std::nullopt, false}, "token.enable", std::move(actor));
}

Result<core::TokenRecord> Tokens::Change(core::AccountId account, core::TokenId id,
                                         const TokenSettings& settings,
                                         const Precondition& precondition, std::string_view action,
                                         core::Actor actor) {
  const State::Hold hold(state_, {id.value});
  Result<core::TokenRecord> read = Get(account, id);
  if (!read.ok()) return read;
  const core::TokenRecord& before = *read;
  if (precondition.version && *precondition.version != before.version) return Stale();
  const Timestamp now = clock_.Now();
  core::TokenRecord after = before;
  if (Status status = ApplySettings(after, settings, now); !status.ok()) {
    return std::move(status).error();
  }
  auto [was, becomes] = Differences(FieldsOf(before), FieldsOf(after));
  if (becomes.empty()) return read;

  store::Mutation mutation;
  mutation.event = MakeEvent(now, std::move(actor), action, after.token);
  mutation.event.before = AuditJson(was);
  if (precondition.asked && !precondition.version) MarkUnconditional(becomes);
  mutation.event.after = AuditJson(becomes);
  store::PutToken put{after, before.version, std::nullopt, std::nullopt};
  if (after.token.kind == core::TokenKind::kSecret && after.token.enabled &&
      !before.token.enabled) {
    put.max_enabled_secrets = kMaxEnabledSecrets;
  }
  mutation.changes.push_back(std::move(put));

  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    if (committed.error().code == ErrorCode::kUnknown) {
      state_.Apply(Stricter(before.token, after.token));
      // Where the store shows the change it is in force whole.
      const Result<core::TokenRecord> stands = store_.GetToken(id);
      if (stands.ok() && stands->version > before.version) state_.Apply(stands->token);
    }
    if (committed.error().code == ErrorCode::kNotFound) return NoSuchToken();
    return committed.error();
  }
  after.version = before.version + 1;
  state_.Apply(after.token);
  return after;
}

Status Tokens::Remove(core::AccountId account, core::TokenId id,
                      std::optional<std::int64_t> expected_version, core::Actor actor) {
  const State::Hold hold(state_, {id.value});
  const Result<core::TokenRecord> before = Get(account, id);
  if (!before.ok()) return before.error();
  if (expected_version && *expected_version != before->version) return Stale();
  store::Mutation mutation;
  mutation.changes.push_back(store::RemoveToken{id, before->version});
  mutation.event = MakeEvent(clock_.Now(), std::move(actor), "token.remove", before->token);
  mutation.event.before = AuditJson(FieldsOf(*before));
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok() && committed.error().code != ErrorCode::kUnknown) {
    if (committed.error().code == ErrorCode::kNotFound) return NoSuchToken();
    return committed.error();
  }
  // Of unknown outcome: gone here all the same.
  state_.ApplyRemoval(id);
  if (!committed.ok()) return committed.error();
  return {};
}

}  // namespace latchkey::service
