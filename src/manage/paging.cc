#include "manage/paging.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/encoding.h"

namespace latchkey::manage {
namespace {

constexpr std::size_t kNumberDigits = 11;
constexpr std::size_t kCheckDigits = 6;

std::string Check(std::string_view digits) { return Base62Encode(Crc32(digits), kCheckDigits); }

Error Invalid(std::string_view field, std::string detail) {
  Error error = MakeError(ErrorCode::kInvalid, std::string(field) + ": " + detail);
  error.fields.push_back({std::string(field), std::move(detail)});
  return error;
}

}  // namespace

std::string PageToken(const service::PageMark& mark) {
  std::string text =
      Base62Encode(static_cast<std::uint64_t>(ToUnixMillis(mark.created_at)), kNumberDigits) +
      Base62Encode(static_cast<std::uint64_t>(mark.id), kNumberDigits);
  return text + Check(text);
}

std::optional<service::PageMark> ParsePageToken(std::string_view text) {
  if (text.size() != 2 * kNumberDigits + kCheckDigits) return std::nullopt;
  const std::string_view digits = text.substr(0, 2 * kNumberDigits);
  if (text.substr(2 * kNumberDigits) != Check(digits)) return std::nullopt;
  const auto millis = Base62Decode(digits.substr(0, kNumberDigits));
  const auto id = Base62Decode(digits.substr(kNumberDigits));
  if (!millis || !id || *millis > INT64_MAX || *id > INT64_MAX) return std::nullopt;
  return service::PageMark{FromUnixMillis(static_cast<std::int64_t>(*millis)),
                           static_cast<std::int64_t>(*id)};
}

Result<service::PageRequest> ParsePageRequest(const Call& call) {
  service::PageRequest page;
  page.size = kDefaultPageSize;
  if (const std::string* text = call.Query("page_size")) {
    const std::optional<std::uint64_t> size = ParseUint64(*text);
    if (!size || *size < 1 || *size > kMaxPageSize) {
      return Invalid("page_size", "It must be a whole number from 1 to 500.");
    }
    page.size = static_cast<std::size_t>(*size);
  }
  if (const std::string* text = call.Query("page_token")) {
    page.after = ParsePageToken(*text);
    if (!page.after) return Invalid("page_token", "It is not one that this list gave.");
  }
  if (const std::string* text = call.Query("q")) {
    if (text->size() > kMaxSearchBytes) return Invalid("q", "It may be at most 128 bytes long.");
    page.search = *text;
  }
  return page;
}

}  // namespace latchkey::manage
