// Evaluate: the decision over one request. docs/decisions.md tells the order of these checks.
#include "core/decision.h"

namespace latchkey::core {
namespace {

Decision CheckState(const Token& token, const Account& account, Timestamp now) {
  if (!token.enabled) return Refuse(Reason::kTokenDisabled);
  if (token.expires_at && now >= *token.expires_at) {
    return Refuse(Reason::kTokenExpired, "It expired at " + FormatRfc3339(*token.expires_at) + ".");
  }
  if (account.state != AccountState::kActive) return Refuse(Reason::kAccountInactive);
  return Allow();
}

Decision CheckBrowserGuard(const Token& token, const Account& account, const Facts& facts) {
  if (token.kind == TokenKind::kSecret && facts.from_browser && account.browser_guard) {
    return Refuse(Reason::kSecretTokenInBrowser);
  }
  return Allow();
}

// The right to a dataset follows from its workspace alone, never from whether it exists: what is
// foreign and what is absent must not differ.
Decision CheckDatasetAccess(const Token& token, const Account& account, const Facts& facts) {
  const bool secret = token.kind == TokenKind::kSecret;
  const bool operators = facts.dataset_class != DatasetClass::kWorkspace;
  // Of the endpoint, whatever the workspace (wire.md §2).
  if (!secret && facts.action == Action::kDefine) return Refuse(Reason::kSecretTokenRequired);
  if (operators && facts.action != Action::kRead) {
    return Refuse(Reason::kDataRestricted,
                  "Core and premium data is changed by the operator only.");
  }
  switch (facts.dataset_class) {
    case DatasetClass::kCore:
      if (!secret && !token.core_data_access) {
        return Refuse(Reason::kDataRestricted, "The token's access to core data is switched off.");
      }
      return Allow();
    case DatasetClass::kPremium:
      // The token's right first, then the account's subscription (wire.md §2).
      if (!secret) {
        return Refuse(Reason::kDataRestricted, "A publishable token reads core data only.");
      }
      if (!account.premium_data) return Refuse(Reason::kPremiumRequired);
      return Allow();
    case DatasetClass::kWorkspace:
      if (!secret) {
        return Refuse(Reason::kDataRestricted, "A publishable token reads core data only.");
      }
      if (facts.workspace != account.workspace) {
        return Refuse(
            Reason::kDataRestricted,
            "A secret token reads core and premium data and its own account's workspace.");
      }
      return Allow();
  }
  return Refuse(Reason::kDataRestricted);
}

Decision CheckWorkspaceAccess(const Token& token, const Account& account, const Facts& facts) {
  if (token.kind != TokenKind::kSecret) return Refuse(Reason::kSecretTokenRequired);
  if (facts.workspace != account.workspace) {
    return Refuse(Reason::kDataRestricted, "A secret token sees its own account's jobs only.");
  }
  return Allow();
}

Decision CheckAccess(const Token& token, const Account& account, const Facts& facts) {
  switch (facts.resource) {
    case ResourceKind::kCatalogue:
      return Allow();
    case ResourceKind::kAccount:
      if (token.kind != TokenKind::kSecret) return Refuse(Reason::kSecretTokenRequired);
      return Allow();
    case ResourceKind::kDataset:
      return CheckDatasetAccess(token, account, facts);
    case ResourceKind::kWorkspace:
      return CheckWorkspaceAccess(token, account, facts);
  }
  return Refuse(Reason::kDataRestricted);
}

Decision CheckEnvironment(const Token& token, const Facts& facts) {
  if (facts.resource != ResourceKind::kDataset || token.environment != Environment::kTest) {
    return Allow();
  }
  if (facts.dataset_exists && !facts.dataset_test) return Refuse(Reason::kTokenWrongEnvironment);
  // The mark `test` is the operator's to give, so what a test token made it could not read.
  if (!facts.dataset_exists && facts.creates) {
    return Refuse(Reason::kTokenWrongEnvironment, "A test token makes no datasets.");
  }
  return Allow();
}

// Last, and reached only where the token may see the catalogue.
Decision CheckExistence(const Token& token, const Facts& facts) {
  if (facts.resource != ResourceKind::kDataset || facts.dataset_exists) return Allow();
  if (facts.creates && token.kind == TokenKind::kSecret) return Allow();
  return Refuse(Reason::kNotFound, "There is no such dataset in this workspace.");
}

}  // namespace

Decision Evaluate(const Token& token, const Account& account, const Facts& facts, Timestamp now) {
  if (Decision refusal = CheckState(token, account, now); !refusal.allowed()) return refusal;
  if (Decision refusal = CheckBrowserGuard(token, account, facts); !refusal.allowed()) {
    return refusal;
  }
  if (Decision refusal = CheckAccess(token, account, facts); !refusal.allowed()) return refusal;
  if (Decision refusal = CheckEnvironment(token, facts); !refusal.allowed()) return refusal;
  return CheckExistence(token, facts);
}

}  // namespace latchkey::core
