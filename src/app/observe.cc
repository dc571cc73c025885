#include "app/observe.h"

#include <functional>
#include <utility>

#include <sys/statvfs.h>

#include "app/version.h"

namespace latchkey::app {
namespace {

using Samples = std::vector<MetricSample>;

Samples One(double value) { return {{{}, value}}; }

// One family per count, one sample per listener.
void ObserveConnections(Metrics& metrics, const Observed& observed) {
  const auto add = [&](std::string name, std::string help, MetricKind kind,
                       std::uint64_t http::ServerCounts::* member) {
    metrics.AddCollector(
        std::move(name), std::move(help), kind,
        [&server = observed.server, listeners = observed.listeners, member] {
          Samples samples;
          for (const std::string& listener : listeners) {
            samples.push_back(
                {{{"listener", listener}}, static_cast<double>(server.Counts(listener).*member)});
          }
          return samples;
        });
  };
  using Counts = http::ServerCounts;
  add("latchkey_connections_accepted_total", "Connections accepted.", MetricKind::kCounter,
      &Counts::accepted);
  add("latchkey_connections_open", "Connections open now.", MetricKind::kGauge, &Counts::open);
  add("latchkey_tls_handshakes_total", "TLS handshakes done.", MetricKind::kCounter,
      &Counts::tls_handshakes);
  add("latchkey_tls_resumed_total", "Of them, sessions resumed.", MetricKind::kCounter,
      &Counts::tls_resumed);
  add("latchkey_tls_failed_total", "TLS handshakes that failed.", MetricKind::kCounter,
      &Counts::tls_failed);
  add("latchkey_protocol_errors_total", "Requests refused as malformed or out of bounds.",
      MetricKind::kCounter, &Counts::protocol_errors);
}

void ObserveCauses(
    Metrics& metrics, const Observed& observed, std::string name, std::string help,
    std::vector<std::pair<std::string, std::uint64_t http::ServerCounts::*>> causes) {
  metrics.AddCollector(
      std::move(name), std::move(help), MetricKind::kCounter,
      [&server = observed.server, listeners = observed.listeners, causes = std::move(causes)] {
        Samples samples;
        for (const std::string& listener : listeners) {
          const http::ServerCounts counts = server.Counts(listener);
          for (const auto& [cause, member] : causes) {
            samples.push_back(
                {{{"listener", listener}, {"cause", cause}}, static_cast<double>(counts.*member)});
          }
        }
        return samples;
      });
}

}  // namespace

double FreeBytes(const std::string& path) {
  struct statvfs status;
  if (::statvfs(path.c_str(), &status) != 0) return -1;
  return static_cast<double>(status.f_bavail) * static_cast<double>(status.f_frsize);
}

void ObserveProcess(Metrics& metrics, const Observed& observed) {
  using Counts = http::ServerCounts;
  ObserveConnections(metrics, observed);
  ObserveCauses(metrics, observed, "latchkey_connections_rejected_total",
                "Connections closed at once, over a limit.",
                {{"total", &Counts::rejected_total}, {"address", &Counts::rejected_per_address}});
  ObserveCauses(metrics, observed, "latchkey_connections_closed_total",
                "Connections closed for being too slow or idle.",
                {{"head_timeout", &Counts::closed_head_timeout},
                 {"body_timeout", &Counts::closed_body_timeout},
                 {"idle", &Counts::closed_idle},
                 {"write_timeout", &Counts::closed_write_timeout}});

  const auto gauge = [&](std::string name, std::string help, std::function<Samples()> collect) {
    metrics.AddCollector(std::move(name), std::move(help), MetricKind::kGauge, std::move(collect));
  };
  gauge("latchkey_index_tokens", "Tokens in the index in memory.",
        [&index = observed.index] { return One(static_cast<double>(index.GetSize().tokens)); });
  gauge("latchkey_index_accounts", "Accounts in the index in memory.",
        [&index = observed.index] { return One(static_cast<double>(index.GetSize().accounts)); });
  gauge("latchkey_index_bytes", "Memory of the index.",
        [&index = observed.index] { return One(static_cast<double>(index.GetSize().bytes)); });
  gauge("latchkey_datasets", "Datasets in the catalogue.", [&catalogue = observed.catalogue] {
    return One(static_cast<double>(catalogue.Snapshot()->size()));
  });
  gauge("latchkey_worker_queue", "Jobs that wait for a worker.",
        [&pool = observed.pool] { return One(static_cast<double>(pool.Queued())); });
  gauge("latchkey_certificate_expiry_days", "Days until a certificate expires.",
        [&certificates = observed.certificates] { return certificates.Expiry(); });
  gauge("latchkey_disk_free_bytes", "Free space where the data folder is.",
        [folder = observed.data_folder] { return One(FreeBytes(folder)); });
  gauge("latchkey_build_info", "Always 1; the labels tell the build.",
        [] { return Samples{{{{"version", std::string(kVersion)}}, 1}}; });
  metrics.AddCollector("latchkey_certificate_reload_failures_total",
                       "New certificate files that could not be used.", MetricKind::kCounter,
                       [&certificates = observed.certificates] {
                         return One(static_cast<double>(certificates.reload_failures()));
                       });
  metrics.AddCollector(
      "latchkey_access_log_lost_lines_total", "Lines of the access log that could not be written.",
      MetricKind::kCounter,
      [&log = observed.access_log] { return One(static_cast<double>(log.lost())); });
}

}  // namespace latchkey::app
