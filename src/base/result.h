// Result<T>: a value or an Error. Every fallible function of Latchkey returns one; no exception
// crosses a folder.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace latchkey {

enum class ErrorCode {
  kInvalid,      // the caller's input is wrong; public_text says what would be right
  kNotFound,     // there is no such thing
  kConflict,     // it exists already, or it changed meanwhile
  kStale,        // a precondition (a version) no longer holds
  kLimit,        // a plan's or a configured maximum is reached
  kUnavailable,  // the store, the disk or a pool can't serve now; the outcome is known: not done
  kUnknown,      // the outcome is unknown; treat as not done towards the caller, as done elsewhere
  kCorrupt,      // stored bytes are not what was written
  kNewer,        // the file was written by a newer version
  kInternal,
};

// One field of the input and what is wrong with it.
struct FieldError {
  std::string field;
  std::string detail;
};

// public_text may be shown to whoever asked. internal_text is for the log. Neither holds a secret.
struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string public_text;
  std::string internal_text;
  std::vector<FieldError> fields;
};

inline Error MakeError(ErrorCode code, std::string public_text, std::string internal_text = {}) {
  return Error{code, std::move(public_text), std::move(internal_text), {}};
}

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Only when ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Only when !ok().
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& {
    assert(error_);
    return *error_;
  }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace latchkey
