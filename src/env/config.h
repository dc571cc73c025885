// The configuration: every setting with its default, and where it may come from. A flag beats the
// environment, which beats the file. docs/operations.md tells the same table to people; a test
// holds both together.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "env/log.h"

namespace latchkey {

struct CertificatePair {
  std::string chain;  // PEM: leaf first, then its intermediates
  std::string key;    // PEM
  friend bool operator==(const CertificatePair&, const CertificatePair&) = default;
};

struct Config {
  std::string data_folder = "./latchkey-data";

  struct Data {
    std::string listen;                      // empty: all addresses, loopback with the demo
    std::uint16_t https_port = 8443;         // 0: a free one
    std::optional<std::uint16_t> http_port;  // absent: no plain listener
    std::string http_listen = "127.0.0.1";
    // Whether secret tokens are taken over plain HTTP from peers that are not loopback.
    bool secret_tokens_over_http = false;
  } data;

  struct Manage {
    std::string listen;  // empty: as data.listen
    std::uint16_t port = 8444;
    // What Host may say, without port; others get 421. Empty: the names of the certificates,
    // localhost and the loopback addresses.
    std::vector<std::string> host_names;
  } manage;

  struct Internal {
    std::string listen = "127.0.0.1";
    std::uint16_t port = 8445;
    std::vector<std::string> host_names;  // beside localhost and the loopback addresses
  } internal;

  struct Server {
    int threads = 0;  // 0: one per processor
    int workers = 4;
    std::size_t worker_queue = 256;
    std::chrono::milliseconds drain_timeout{10'000};
  } server;

  struct Limits {
    std::size_t head_bytes = 16 * 1024;
    std::size_t header_fields = 100;
    std::size_t url_bytes = 8 * 1024;
    std::size_t body_bytes = 64 * 1024;                      // of JSON bodies
    std::uint64_t import_bytes = 4ULL * 1024 * 1024 * 1024;  // of one import
    std::size_t record_bytes = 16 * 1024 * 1024;             // of one POST /v1/record
    std::uint64_t upload_bytes = 4ULL * 1024 * 1024 * 1024;  // of one POST /v1/data
    std::size_t connections = 20'000;
    std::size_t connections_per_address = 1'024;
    std::chrono::milliseconds head_timeout{10'000};
    std::chrono::milliseconds body_timeout{30'000};
    std::chrono::milliseconds idle_timeout{75'000};
    std::chrono::milliseconds write_timeout{30'000};
  } limits;

  std::vector<IpNetwork> trusted_proxies;
  std::vector<CertificatePair> certificates;  // empty: the development certificate

  struct Logging {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kAuto;
    std::string access = "stderr";  // "stderr", "off", or a file
  } log;

  struct Datasets {
    std::size_t cache_bytes = 64 * 1024 * 1024;     // prepared answers
    std::size_t max_records = 10'000;               // of one answer
    std::uint64_t answer_bytes = 32 * 1024 * 1024;  // of one answer
    std::chrono::milliseconds query_timeout{5'000};
  } datasets;

  std::string master_key_file;  // empty: DIR/master.key, or the systemd credential "master.key"
};

// One setting as people see it.
struct SettingInfo {
  std::string_view key;      // "limits.head_bytes"
  std::string_view flag;     // "https-port": --https-port and LATCHKEY_HTTPS_PORT; or empty
  std::string_view takes;    // "a port, 0 to 65535", in words
  std::string default_text;  // as it would stand in the file
  bool reloadable = false;   // taken over on SIGHUP
  std::string_view what;     // one sentence
};
// In the order of the file.
const std::vector<SettingInfo>& Settings();

// Reads and checks a file whole, the files that it names too (they must be there and readable).
// Relative paths in it are taken from the folder that it lies in. kInvalid: public_text holds every
// problem, one per line, each as
//   FILE:LINE: key "limits.head_bytes": what is wrong; what would be right
Result<Config> LoadConfig(const std::string& file);
// The same over a text, without a look at other files; `name` stands for the file.
Result<Config> ParseConfig(std::string_view text, const std::string& name);

// Applies one flag's text to `config` ("https-port", "0"); `source` names it in the error
// ("--https-port", "LATCHKEY_HTTPS_PORT"). kInvalid for an unknown name or a bad value.
Status ApplyFlag(Config& config, std::string_view name, std::string_view value,
                 std::string_view source);
// "https-port" → "LATCHKEY_HTTPS_PORT".
std::string VariableOf(std::string_view flag);
// Applies LATCHKEY_DATA, LATCHKEY_HTTPS_PORT … for each flag that a setting has, by `get`, which
// gives a variable's value or nullopt.
Status ApplyEnvironment(Config& config,
                        const std::function<std::optional<std::string>(const std::string&)>& get);

}  // namespace latchkey
