// Identities. Inside, 63-bit numbers drawn at random; outside, opaque texts: "tok_", "acc_" and so
// on, then 11 digits of base62.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/encoding.h"

namespace latchkey::core {

template <typename Tag>
struct Id {
  std::int64_t value = 0;  // 1 to 2^63-1; 0 is no identity

  explicit operator bool() const { return value != 0; }
  friend auto operator<=>(const Id&, const Id&) = default;

  std::string ToString() const {
    return std::string(Tag::kPrefix) + Base62Encode(static_cast<std::uint64_t>(value), 11);
  }
  static std::optional<Id> Parse(std::string_view text) {
    if (!text.starts_with(Tag::kPrefix)) return std::nullopt;
    text.remove_prefix(Tag::kPrefix.size());
    const std::optional<std::uint64_t> number =
        text.size() == 11 ? Base62Decode(text) : std::nullopt;
    if (!number || *number == 0 || *number > INT64_MAX) return std::nullopt;
    return Id{static_cast<std::int64_t>(*number)};
  }
};

struct AccountTag {
  static constexpr std::string_view kPrefix = "acc_";
};
struct PlanTag {
  static constexpr std::string_view kPrefix = "plan_";
};
struct TokenTag {
  static constexpr std::string_view kPrefix = "tok_";
};
struct DatasetTag {
  static constexpr std::string_view kPrefix = "ds_";
};

struct UploadJobTag {
  static constexpr std::string_view kPrefix = "job_";
};

using AccountId = Id<AccountTag>;
using PlanId = Id<PlanTag>;
using TokenId = Id<TokenTag>;
using DatasetId = Id<DatasetTag>;
using UploadJobId = Id<UploadJobTag>;

}  // namespace latchkey::core

template <typename Tag>
struct std::hash<latchkey::core::Id<Tag>> {
  // The numbers are random already.
  std::size_t operator()(latchkey::core::Id<Tag> id) const noexcept {
    return static_cast<std::size_t>(id.value);
  }
};
