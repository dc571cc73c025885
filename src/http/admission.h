// Who may connect to a listener. Inside http alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/ip_address.h"
#include "base/thread_annotations.h"
#include "http/server.h"

namespace latchkey::http {

// What all threads share of a listener: asked at accept and at close, never by a request.
class Admission {
 public:
  enum class Verdict : std::uint8_t { kAdmitted, kTooMany, kTooManyOfAddress };

  explicit Admission(const ListenerOptions& options) : options_(options) {}
  Verdict Enter(const IpAddress& address) EXCLUDES(mutex_);
  void Leave(const IpAddress& address) EXCLUDES(mutex_);

 private:
  bool Trusted(const IpAddress& address) const;

  const ListenerOptions& options_;
  Mutex mutex_;
  std::size_t open_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<IpAddress, std::size_t, IpAddressHash> per_address_ GUARDED_BY(mutex_);
};

}  // namespace latchkey::http
