#include "app/certificates.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/ip_address.h"

namespace latchkey::app {
namespace {

constexpr double kWarningDays = 30;

std::vector<http::CertificateFiles> Files(const std::vector<CertificatePair>& pairs) {
  std::vector<http::CertificateFiles> files;
  files.reserve(pairs.size());
  for (const CertificatePair& pair : pairs) files.push_back({pair.chain, pair.key});
  return files;
}

std::string FirstName(const http::CertificateInfo& certificate) {
  return certificate.names.empty() ? certificate.chain_file : certificate.names.front();
}

}  // namespace

double DaysToExpiry(const http::CertificateInfo& certificate, Timestamp now) {
  return static_cast<double>((certificate.not_after - now).count()) / 86'400'000.0;
}

Result<std::unique_ptr<Certificates>> Certificates::Open(const std::vector<CertificatePair>& pairs,
                                                         const std::string& folder,
                                                         const Clock& clock, Log& log) {
  std::unique_ptr<Certificates> certificates(new Certificates(clock, log));
  std::vector<http::CertificateFiles> files = Files(pairs);
  certificates->pairs_ = pairs;
  if (pairs.empty()) {
    Result<http::DevelopmentCertificate> made =
        http::EnsureDevelopmentCertificate(folder, clock.Now());
    if (!made.ok()) return std::move(made).error();
    files.push_back(made->files);
    certificates->development_ = true;
    certificates->ca_file_ = std::filesystem::absolute(made->ca_file).lexically_normal().string();
    log.Warning(made->made ? "no certificate is configured: a development certificate was made"
                           : "no certificate is configured: the development certificate is used",
                {{"ca_file", certificates->ca_file_}});
  }
  Result<std::unique_ptr<http::TlsContext>> context = http::TlsContext::Create(std::move(files));
  if (!context.ok()) return std::move(context).error();
  certificates->context_ = std::move(*context);
  return certificates;
}

std::vector<std::string> Certificates::HostNames() const {
  std::vector<std::string> names;
  for (const http::CertificateInfo& certificate : context_->Certificates()) {
    for (const std::string& name : certificate.names) {
      if (name.find('*') != std::string::npos) continue;
      const bool bracketed = name.find(':') != std::string::npos;
      names.push_back(bracketed ? "[" + name + "]" : name);
    }
  }
  return names;
}

std::vector<MetricSample> Certificates::Expiry() const {
  std::vector<MetricSample> samples;
  const Timestamp now = clock_.Now();
  const std::vector<http::CertificateInfo> all = context_->Certificates();
  for (std::size_t i = 0; i < all.size(); ++i) {
    // The position keeps two certificates of the same name and key apart.
    samples.push_back({{{"certificate", FirstName(all[i])},
                        {"key_type", all[i].key_type},
                        {"position", std::to_string(i + 1)}},
                       DaysToExpiry(all[i], now)});
  }
  return samples;
}

void Certificates::CountFailure(const Error& error) {
  reload_failures_.fetch_add(1, std::memory_order_relaxed);
  log_.Error("new certificates can't be used, the standing ones stay in use",
             {{"problem", error.public_text}});
}

void Certificates::Watch() {
  const Result<bool> reloaded = context_->Reload(false);
  if (!reloaded.ok()) {
    CountFailure(reloaded.error());
  } else if (*reloaded) {
    log_.Info("certificates were read again");
    WarnOfExpiry();
  }
}

void Certificates::Reload(const std::vector<CertificatePair>& pairs) {
  Status done;
  if (pairs != pairs_ && (pairs.empty() || pairs_.empty())) {
    log_.Warning(
        "to change between configured certificates and the development certificate, restart the "
        "server");
    return;
  }
  if (pairs != pairs_) {
    done = context_->Replace(Files(pairs));
    if (done.ok()) pairs_ = pairs;
  } else if (Result<bool> reloaded = context_->Reload(true); !reloaded.ok()) {
    done = std::move(reloaded).error();
  }
  if (!done.ok()) {
    CountFailure(done.error());
    return;
  }
  log_.Info("certificates were read again");
  WarnOfExpiry();
}

void Certificates::WarnOfExpiry() const {
  const Timestamp now = clock_.Now();
  for (const http::CertificateInfo& certificate : context_->Certificates()) {
    const double days = DaysToExpiry(certificate, now);
    if (days > kWarningDays) continue;
    log_.Warning(days < 0 ? "a certificate has expired" : "a certificate expires soon",
                 {{"name", FirstName(certificate)},
                  {"file", certificate.chain_file},
                  {"expires_at", FormatRfc3339(certificate.not_after)},
                  {"days", static_cast<std::int64_t>(days)}});
  }
}

}  // namespace latchkey::app
