// A token. `Token` is what a decision needs and stands in memory for every token there is, so it is
// small; `TokenProfile` is what people need to know of it and stays in the store.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"
#include "core/ids.h"
#include "core/token_text.h"

namespace latchkey::core {

struct Token {
  TokenId id;
  AccountId account;
  TokenKind kind = TokenKind::kPublishable;
  Environment environment = Environment::kLive;
  bool enabled = true;
  // Publishable tokens only; a secret token may read what its account may.
  bool core_data_access = true;
  Timestamp created_at{};
  // Refused from this instant on.
  std::optional<Timestamp> expires_at;
  // SHA-256 of the text: by it the token is found.
  Digest digest{};
};

struct Label {
  std::string name;
  std::string value;
  friend bool operator==(const Label&, const Label&) = default;
};

inline constexpr std::size_t kMaxLabels = 8;
inline constexpr std::size_t kMaxLabelBytes = 64;  // name and value each
inline constexpr std::size_t kMaxNicknameBytes = 128;
inline constexpr std::size_t kMaxEndUserBytes = 128;

struct TokenProfile {
  std::string nickname;
  std::vector<Label> labels;
  std::string end_user;    // empty: none
  std::string created_by;  // the principal: "tok_…", "operator"
  // Publishable: the whole text. Secret: prefix, ellipsis, last four (RedactTokenText).
  std::string shown_text;
  // Secret tokens: the HMAC key state, sealed under the master key (wire.md §3). Else empty.
  std::string sealed_key_state;
  std::uint32_t master_key_id = 0;
};

// What is wrong with nickname, labels and end_user, each error under its field's name as in the
// management API ("labels[2].name"): lengths, control characters, too many labels, a label's name
// empty or twice. Empty: nothing.
std::vector<FieldError> CheckProfile(const TokenProfile& profile);

// Both, and the version that an ETag names: 1 when made, one more with each change.
struct TokenRecord {
  Token token;
  TokenProfile profile;
  std::int64_t version = 1;
};

}  // namespace latchkey::core
