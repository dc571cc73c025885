// What the audit log tells of a plan, an account or a token: its fields before and after a change,
// as compact JSON under the names of the management API. Never a secret: not a token's text, not
// its digest. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/account.h"
#include "core/token.h"

namespace latchkey::service {

struct AuditField {
  std::string name;
  std::string json;
  friend bool operator==(const AuditField&, const AuditField&) = default;
};
using AuditFields = std::vector<AuditField>;

AuditFields FieldsOf(const core::Plan& plan);
AuditFields FieldsOf(const core::Account& account);
AuditFields FieldsOf(const core::TokenRecord& record);

// One JSON object.
std::string AuditJson(const AuditFields& fields);

// The fields that differ, before and after. Both name the same fields in the same order.
std::pair<AuditFields, AuditFields> Differences(const AuditFields& before,
                                                const AuditFields& after);

// Marks a change that named no version (`If-Match: *`).
void MarkUnconditional(AuditFields& after);

}  // namespace latchkey::service
