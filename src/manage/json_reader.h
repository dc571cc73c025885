// Reads one JSON object of a request strictly (json.h says how): members are taken out one by one,
// what is wrong with them is gathered, and what is left at the end was never asked for. Internal to
// the readers of this folder. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/dataset.h"
#include "core/token.h"
#include "manage/json.h"

namespace latchkey::manage {

class MemberReader {
 public:
  // kInvalid: the body is longer than max_bytes, not well-formed, nested more than eight levels
  // deep, not one object, or holds a name twice.
  static Result<MemberReader> Open(std::string_view body, std::size_t max_bytes = kMaxJsonBytes);
  MemberReader(MemberReader&&) noexcept;
  MemberReader& operator=(MemberReader&&) noexcept;
  ~MemberReader();

  // ---- Each takes a member out: nothing if it is absent or (which is noted) wrong.

  // `clearable`: null gives the empty text. A text is one line without control characters.
  std::optional<std::string> String(std::string_view name, std::size_t max_bytes,
                                    bool clearable = false);
  std::optional<bool> Bool(std::string_view name);
  std::optional<std::uint64_t> Uint(std::string_view name, std::uint64_t max);
  // null: none.
  std::optional<std::optional<std::uint64_t>> UintOrNull(std::string_view name, std::uint64_t max);
  std::optional<std::optional<std::uint32_t>> Uint32OrNull(std::string_view name);
  std::optional<std::optional<Timestamp>> TimeOrNull(std::string_view name);
  template <typename T>
  std::optional<T> Choice(std::string_view name, std::optional<T> (*parse)(std::string_view),
                          std::string_view choices) {
    const std::optional<std::optional<std::string>> text = TakeText(name);
    if (!text) return std::nullopt;
    const std::optional<T> choice = *text ? parse(**text) : std::nullopt;
    if (!choice) Fail(name, "It must be " + std::string(choices) + ".");
    return choice;
  }
  // An object of names to texts, merged into `current` as RFC 7396 says: null takes one out, null
  // in place of the object takes all.
  std::optional<std::vector<core::Label>> Labels(std::string_view name,
                                                 const std::vector<core::Label>& current);
  // An object of names to texts, in its order; null: none.
  std::optional<std::vector<std::pair<std::string, std::string>>> Texts(std::string_view name,
                                                                        std::size_t max_bytes);
  // [{"name":"close","type":"number","required":true}, …]; errors name "fields[2].type".
  std::optional<std::vector<core::Field>> Fields(std::string_view name);

  // Required, and missing: an error.
  void Require(std::string_view name);
  bool Has(std::string_view name) const;
  // Takes it out unread.
  void Drop(std::string_view name);
  void Fail(std::string_view name, std::string detail);

  // Refuses what is left; `read_only` names that the object shows but nobody may set.
  Status Finish(std::span<const std::string_view> read_only);

 private:
  struct Impl;
  explicit MemberReader(std::unique_ptr<Impl> impl);
  // Of a member that is no text: an empty inner one.
  std::optional<std::optional<std::string>> TakeText(std::string_view name);
  bool CheckText(std::string_view name, std::string_view text, std::size_t max_bytes);

  std::unique_ptr<Impl> impl_;
};

}  // namespace latchkey::manage
