#include "service/accounts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/text.h"
#include "service/audit_fields.h"
#include "service/mint.h"
#include "service/paging.h"

namespace latchkey::service {
namespace {

Error NoSuch(std::string_view what) {
  return MakeError(ErrorCode::kNotFound, fmt::format("There is no such {}.", what));
}

Error Stale(std::string_view what) {
  return MakeError(ErrorCode::kStale,
                   fmt::format("The {} changed since it was read: read it again.", what));
}

Error Taken(std::string_view what, std::string_view name) {
  return MakeError(ErrorCode::kConflict, fmt::format("The {} \"{}\" exists already.", what, name));
}

Status Invalid(std::vector<FieldError> errors) {
  if (errors.empty()) return {};
  Error error = MakeError(ErrorCode::kInvalid,
                          fmt::format("{}: {}", errors.front().field, errors.front().detail));
  error.fields = std::move(errors);
  return error;
}

void CheckTitle(std::vector<FieldError>& errors, std::string_view title) {
  if (title.empty()) errors.push_back({"title", "It is empty."});
  if (const auto wrong = core::CheckLine(title, core::kMaxTitleBytes)) {
    errors.push_back({"title", "It " + *wrong + "."});
  }
}

void CheckName(std::vector<FieldError>& errors, std::string field, const Status& status) {
  if (!status.ok()) errors.push_back({std::move(field), status.error().public_text});
}

core::AuditEvent MakeEvent(Timestamp now, core::Actor actor, std::string_view action,
                           std::string subject, core::AccountId account) {
  core::AuditEvent event;
  event.at = now;
  event.actor = std::move(actor);
  event.action = action;
  event.subject = std::move(subject);
  event.account = account;
  return event;
}

// With `If-Match: *` or by a verb: what changes is what stands.
struct AuditTexts {
  std::string before;
  std::string after;
};
AuditTexts TellChange(const AuditFields& before, const AuditFields& after, bool unconditional) {
  auto [was, becomes] = Differences(before, after);
  if (unconditional) MarkUnconditional(becomes);
  return {AuditJson(was), AuditJson(becomes)};
}

template <typename Created>
std::optional<store::IdempotentAnswer> SealAnswer(const IdempotencyRecord<Created>* idempotency,
                                                  const Created& created, Timestamp now) {
  if (idempotency == nullptr) return std::nullopt;
  return store::IdempotentAnswer{idempotency->scope, idempotency->key_digest,
                                 idempotency->body_digest, idempotency->seal(created), now};
}

void ApplySettings(core::Plan& plan, const PlanSettings& settings) {
  if (settings.title) plan.title = *settings.title;
  if (settings.monthly_core_credits) plan.monthly_core_credits = *settings.monthly_core_credits;
  if (settings.pay_as_you_go) plan.pay_as_you_go = *settings.pay_as_you_go;
  if (settings.premium_data) plan.premium_data = *settings.premium_data;
  if (settings.max_tokens) plan.max_tokens = *settings.max_tokens;
  if (settings.max_datasets) plan.max_datasets = *settings.max_datasets;
  if (settings.max_storage_bytes) plan.max_storage_bytes = *settings.max_storage_bytes;
  if (settings.max_jobs) plan.max_jobs = *settings.max_jobs;
}

Status CheckPlan(const core::Plan& plan) {
  std::vector<FieldError> errors;
  CheckName(errors, "name", core::CheckPlanName(plan.name));
  CheckTitle(errors, plan.title);
  if (plan.monthly_core_credits > kMaxMonthlyCredits) {
    errors.push_back(
        {"monthly_core_credits", fmt::format("It is more than {}.", kMaxMonthlyCredits)});
  }
  if (plan.max_storage_bytes.value_or(0) > kMaxStorageBytes) {
    errors.push_back({"max_storage_bytes", fmt::format("It is more than {}.", kMaxStorageBytes)});
  }
  return Invalid(std::move(errors));
}

}  // namespace

// ---- Plans

Result<core::Plan> Accounts::CreatePlan(const NewPlan& wanted, core::Actor actor,
                                        const IdempotencyRecord<core::Plan>* idempotency) {
  core::Plan plan;
  plan.id = core::PlanId{DrawId(entropy_)};
  plan.name = wanted.name;
  plan.title = wanted.name;
  plan.created_at = clock_.Now();
  ApplySettings(plan, wanted.settings);
  if (Status status = CheckPlan(plan); !status.ok()) return std::move(status).error();
  if (state_.FindPlan(plan.name)) return Taken("plan", plan.name);

  store::Mutation mutation;
  mutation.changes.push_back(store::PutPlan{plan, std::nullopt});
  mutation.event =
      MakeEvent(plan.created_at, std::move(actor), "plan.create", plan.id.ToString(), {});
  mutation.event.after = AuditJson(FieldsOf(plan));
  mutation.answer = SealAnswer(idempotency, plan, plan.created_at);
  const State::Hold hold(state_, {plan.id.value});
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    if (committed.error().code == ErrorCode::kUnknown) {
      const Result<core::Plan> stands = store_.GetPlan(plan.id);
      if (stands.ok()) state_.Apply(*stands);
    }
    return committed.error();
  }
  state_.Apply(plan);
  return plan;
}

Result<core::Plan> Accounts::FindPlan(std::string_view name_or_id) {
  std::optional<core::Plan> plan = state_.FindPlan(name_or_id);
  if (!plan) return NoSuch("plan");
  return *std::move(plan);
}

Result<Paged<core::Plan>> Accounts::ListPlans(const PageRequest& page) {
  return ReadPage<core::Plan>(
      page, [&](const store::Page& rows) { return store_.ListPlans(rows); },
      [](const core::Plan& plan) { return PageMark{plan.created_at, plan.id.value}; });
}

Result<core::Plan> Accounts::PatchPlan(core::PlanId id, const PlanSettings& settings,
                                       std::optional<std::int64_t> expected_version,
                                       core::Actor actor) {
  const State::Hold hold(state_, {id.value});
  Result<core::Plan> before = store_.GetPlan(id);
  if (!before.ok()) {
    if (before.error().code == ErrorCode::kNotFound) return NoSuch("plan");
    return before;
  }
  if (expected_version && *expected_version != before->version) return Stale("plan");
  core::Plan after = *before;
  ApplySettings(after, settings);
  if (Status status = CheckPlan(after); !status.ok()) return std::move(status).error();
  if (FieldsOf(after) == FieldsOf(*before)) return before;

  store::Mutation mutation;
  mutation.changes.push_back(store::PutPlan{after, before->version});
  mutation.event = MakeEvent(clock_.Now(), std::move(actor), "plan.update", id.ToString(), {});
  AuditTexts texts = TellChange(FieldsOf(*before), FieldsOf(after), !expected_version);
  mutation.event.before = std::move(texts.before);
  mutation.event.after = std::move(texts.after);
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    if (committed.error().code == ErrorCode::kUnknown) {
      core::Plan stricter = *before;
      stricter.premium_data = before->premium_data && after.premium_data;
      state_.Apply(stricter);
      const Result<core::Plan> stands = store_.GetPlan(id);
      if (stands.ok() && stands->version > before->version) state_.Apply(*stands);
    }
    return committed.error();
  }
  after.version = before->version + 1;
  state_.Apply(after);
  return after;
}

// ---- Accounts

Result<CreatedAccount> Accounts::CreateAccount(
    const NewAccount& wanted, core::Actor actor,
    const IdempotencyRecord<CreatedAccount>* idempotency) {
  const std::optional<core::Plan> plan = state_.FindPlan(wanted.plan);
  core::Account account;
  account.id = core::AccountId{DrawId(entropy_)};
  account.plan = wanted.plan;
  account.workspace = wanted.workspace;
  account.title = wanted.title.empty() ? wanted.workspace : wanted.title;
  account.created_at = clock_.Now();
  std::vector<FieldError> errors;
  CheckName(errors, "workspace", core::CheckWorkspaceName(account.workspace));
  if (!account.workspace.empty()) CheckTitle(errors, account.title);
  if (!plan) errors.push_back({"plan", "There is no such plan."});
  if (Status status = Invalid(std::move(errors)); !status.ok()) return std::move(status).error();
  account.premium_data = plan->premium_data;
  if (state_.FindAccount(account.workspace)) return Taken("workspace", account.workspace);

  const KeyRing::Lease lease(keys_);
  CreatedAccount created{account, {}, {}};
  // The order of a list is by creation, then id: the secret token comes first.
  const auto [first, second] = std::minmax({DrawId(entropy_), DrawId(entropy_)});
  for (CreatedToken* token : {&created.secret, &created.publishable}) {
    const bool secret = token == &created.secret;
    Result<CreatedToken> minted =
        MintToken({core::TokenId{secret ? first : second}, account.id,
                   secret ? core::TokenKind::kSecret : core::TokenKind::kPublishable,
                   core::Environment::kLive, account.created_at, actor.principal},
                  lease, entropy_);
    if (!minted.ok()) return std::move(minted).error();
    *token = std::move(minted).value();
  }

  store::Mutation mutation;
  mutation.changes.push_back(store::PutAccount{account, std::nullopt});
  for (const CreatedToken* token : {&created.secret, &created.publishable}) {
    mutation.changes.push_back(
        store::PutToken{token->record, std::nullopt, plan->max_tokens, std::nullopt});
  }
  mutation.event = MakeEvent(account.created_at, std::move(actor), "account.create",
                             account.id.ToString(), account.id);
  AuditFields fields = FieldsOf(account);
  fields.push_back(
      {"tokens", fmt::format(R"(["{}","{}"])", created.secret.record.token.id.ToString(),
                             created.publishable.record.token.id.ToString())});
  mutation.event.after = AuditJson(fields);
  mutation.answer = SealAnswer(idempotency, created, account.created_at);

  const State::Hold hold(state_, {account.id.value, created.secret.record.token.id.value,
                                  created.publishable.record.token.id.value});
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  const auto apply = [&] {
    state_.Apply(account);
    state_.Apply(created.secret.record.token);
    state_.Apply(created.publishable.record.token);
  };
  if (!committed.ok()) {
    Error error = committed.error();
    // Where the store shows the account it is there: its name is taken, and a call with the same
    // Idempotency-Key is given its tokens.
    if (error.code == ErrorCode::kUnknown && store_.GetAccount(account.id).ok()) apply();
    if (error.code == ErrorCode::kLimit) {
      error.public_text = "An account has two tokens from the start; the plan allows fewer.";
    }
    return error;
  }
  apply();
  return created;
}

Result<core::Account> Accounts::FindAccount(std::string_view workspace_or_id) {
  std::optional<core::Account> account = state_.FindAccount(workspace_or_id);
  if (!account) return NoSuch("account");
  return *std::move(account);
}

Result<Paged<core::Account>> Accounts::ListAccounts(const PageRequest& page) {
  Result<Paged<core::Account>> accounts = ReadPage<core::Account>(
      page, [&](const store::Page& rows) { return store_.ListAccounts(rows, page.search); },
      [](const core::Account& account) { return PageMark{account.created_at, account.id.value}; });
  if (!accounts.ok()) return accounts;
  for (core::Account& account : accounts->items) {
    const std::optional<core::Plan> plan = state_.FindPlan(account.plan);
    account.premium_data = plan && plan->premium_data;
  }
  return accounts;
}

Result<core::Account> Accounts::PatchAccount(core::AccountId id, const AccountSettings& settings,
                                             std::optional<std::int64_t> expected_version,
                                             core::Actor actor) {
  const Change change{settings, std::nullopt, expected_version, !expected_version};
  return ChangeAccount(id, change, "account.update", std::move(actor));
}

Result<core::Account> Accounts::Suspend(core::AccountId id, core::Actor actor) {
  const Change change{{}, core::AccountState::kSuspended, std::nullopt, false};
  return ChangeAccount(id, change, "account.suspend", std::move(actor));
}

Result<core::Account> Accounts::Resume(core::AccountId id, core::Actor actor) {
  const Change change{{}, core::AccountState::kActive, std::nullopt, false};
  return ChangeAccount(id, change, "account.resume", std::move(actor));
}

Result<core::Account> Accounts::ChangeAccount(core::AccountId id, const Change& change,
                                              std::string_view action, core::Actor actor) {
  const State::Hold hold(state_, {id.value});
  Result<core::Account> before = store_.GetAccount(id);
  if (!before.ok()) {
    if (before.error().code == ErrorCode::kNotFound) return NoSuch("account");
    return before;
  }
  if (change.expected_version && *change.expected_version != before->version) {
    return Stale("account");
  }
  core::Account after = *before;
  if (change.settings.title) after.title = *change.settings.title;
  if (change.settings.plan) after.plan = *change.settings.plan;
  if (change.state) after.state = *change.state;
  std::vector<FieldError> errors;
  CheckTitle(errors, after.title);
  const std::optional<core::Plan> plan = state_.FindPlan(after.plan);
  if (!plan) errors.push_back({"plan", "There is no such plan."});
  if (Status status = Invalid(std::move(errors)); !status.ok()) return std::move(status).error();
  after.premium_data = before->premium_data = plan->premium_data;
  if (FieldsOf(after) == FieldsOf(*before)) return before;

  store::Mutation mutation;
  mutation.changes.push_back(store::PutAccount{after, before->version});
  mutation.event = MakeEvent(clock_.Now(), std::move(actor), action, id.ToString(), id);
  AuditTexts texts = TellChange(FieldsOf(*before), FieldsOf(after), change.unconditional);
  mutation.event.before = std::move(texts.before);
  mutation.event.after = std::move(texts.after);
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    if (committed.error().code == ErrorCode::kUnknown) ApplyStricter(*before, after);
    return committed.error();
  }
  after.version = before->version + 1;
  state_.Apply(after);
  return after;
}

void Accounts::ApplyStricter(const core::Account& before, const core::Account& after) {
  core::Account stricter = before;
  if (after.state == core::AccountState::kSuspended) stricter.state = after.state;
  // Of two plans the one without premium data.
  const std::optional<core::Plan> plan = state_.FindPlan(after.plan);
  if (plan && !plan->premium_data) stricter.plan = after.plan;
  state_.Apply(stricter);
  // Where the store shows the change it is in force whole.
  const Result<core::Account> stands = store_.GetAccount(before.id);
  if (stands.ok() && stands->version > before.version) state_.Apply(*stands);
}

}  // namespace latchkey::service
