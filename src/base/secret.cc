#include "base/secret.h"

#include <ostream>
#include <utility>

#include <sodium.h>

namespace latchkey {
namespace {

void Wipe(std::string& text) {
  // The whole buffer: a moved-from or shortened string keeps bytes behind its end.
  text.resize(text.capacity());
  sodium_memzero(text.data(), text.size());
  text.clear();
}

}  // namespace

Secret::Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { Wipe(other.text_); }

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    Wipe(text_);
    text_ = other.text_;
  }
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe(text_);
    text_ = std::move(other.text_);
    // What is left there: a short text is copied, not moved.
    Wipe(other.text_);
  }
  return *this;
}

Secret::~Secret() { Wipe(text_); }

std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

}  // namespace latchkey
