// The server's certificates: configured pairs, or the development certificate; watched, reloaded,
// and warned about before they expire.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "env/clock.h"
#include "env/config.h"
#include "env/log.h"
#include "env/metrics.h"
#include "http/tls.h"

namespace latchkey::app {

// Days from `now` to the end of its validity; negative after it.
double DaysToExpiry(const http::CertificateInfo& certificate, Timestamp now);

// One thread, but Context(), Expiry() and reload_failures(), which any thread may call.
class Certificates {
 public:
  // Borrows clock and log. Without pairs: the development certificate in `folder`.
  static Result<std::unique_ptr<Certificates>> Open(const std::vector<CertificatePair>& pairs,
                                                    const std::string& folder, const Clock& clock,
                                                    Log& log);

  http::TlsContext& Context() { return *context_; }
  bool development() const { return development_; }
  // PEM; empty with configured certificates.
  const std::string& ca_file() const { return ca_file_; }
  // What the management plane's Host may say beside the loopback names: every name of every
  // certificate but wildcards, IPv6 addresses in brackets.
  std::vector<std::string> HostNames() const;
  // One sample per certificate, labelled by its first name and kind of key.
  std::vector<MetricSample> Expiry() const;

  // How often new files could not be used.
  std::uint64_t reload_failures() const { return reload_failures_.load(std::memory_order_relaxed); }

  // Reads the files again if one changed; for every few seconds. Says what came of it in the log.
  void Watch();
  // Reads them again in any case, from other files if `pairs` are others.
  void Reload(const std::vector<CertificatePair>& pairs);
  // Warns of what expires within 30 days.
  void WarnOfExpiry() const;

 private:
  void CountFailure(const Error& error);
  Certificates(const Clock& clock, Log& log) : clock_(clock), log_(log) {}

  const Clock& clock_;
  Log& log_;
  std::vector<CertificatePair> pairs_;
  std::unique_ptr<http::TlsContext> context_;
  bool development_ = false;
  std::string ca_file_;
  std::atomic<std::uint64_t> reload_failures_{0};
};

}  // namespace latchkey::app
