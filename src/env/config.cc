#include "env/config.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <type_traits>
#include <utility>
#include <variant>

#include <errno.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include "base/encoding.h"
#include "env/data_folder.h"

namespace latchkey {
namespace {

using std::chrono::milliseconds;

// A value before anybody knows whether it is right: from the file or from a flag's text.
using Value = std::variant<std::int64_t, bool, std::string, std::vector<std::string>>;
enum class Kind : std::uint8_t { kNumber, kSize, kTime, kFlag, kText, kPath, kTexts };

// Sets the member that it stands for, or says what is wrong.
using Apply = std::function<std::optional<std::string>(Config&, const Value&)>;

struct Setting {
  SettingInfo info;
  Kind kind;
  Apply apply;
};

std::optional<std::string> Fine() { return std::nullopt; }

// "64MiB", "16KiB", "4GiB", "512".
std::optional<std::int64_t> ParseSize(std::string_view text) {
  constexpr std::pair<std::string_view, int> kUnits[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  int shift = 0;
  for (const auto& [unit, bits] : kUnits) {
    if (text.ends_with(unit)) {
      shift = bits;
      text.remove_suffix(unit.size());
      break;
    }
  }
  const std::optional<std::uint64_t> number = ParseUint64(text);
  if (!number || *number > (std::uint64_t{1} << 50 >> shift)) return std::nullopt;
  return static_cast<std::int64_t>(*number << shift);
}

// "500ms", "10s", "5m", in milliseconds.
std::optional<std::int64_t> ParseTime(std::string_view text) {
  constexpr std::pair<std::string_view, int> kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}};
  for (const auto& [unit, factor] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const std::optional<std::uint64_t> number =
        ParseUint64(text.substr(0, text.size() - unit.size()));
    if (!number || *number > 86'400'000) return std::nullopt;
    return static_cast<std::int64_t>(*number) * factor;
  }
  return std::nullopt;
}

std::string SizeText(std::uint64_t bytes) {
  if (bytes >= 1024 * 1024 * 1024 && bytes % (1024 * 1024 * 1024) == 0) {
    return fmt::format("\"{}GiB\"", bytes >> 30);
  }
  if (bytes >= 1024 * 1024 && bytes % (1024 * 1024) == 0)
    return fmt::format("\"{}MiB\"", bytes >> 20);
  if (bytes >= 1024 && bytes % 1024 == 0) return fmt::format("\"{}KiB\"", bytes >> 10);
  return fmt::format("{}", bytes);
}

std::string TimeText(milliseconds time) {
  return time.count() % 1000 == 0 ? fmt::format("\"{}s\"", time.count() / 1000)
                                  : fmt::format("\"{}ms\"", time.count());
}

// ---- Settings by kind of value. `member` gives a reference to the member in a Config.

template <typename Member>
Apply Number(Member member, std::int64_t least, std::int64_t most) {
  return [=](Config& config, const Value& value) -> std::optional<std::string> {
    const std::int64_t number = std::get<std::int64_t>(value);
    if (number < least || number > most) return fmt::format("{} is out of range", number);
    member(config) = static_cast<std::decay_t<decltype(member(config))>>(number);
    return Fine();
  };
}

template <typename Member>
Apply Size(Member member, std::int64_t least, std::int64_t most) {
  return [=](Config& config, const Value& value) -> std::optional<std::string> {
    std::optional<std::int64_t> bytes;
    if (const auto* number = std::get_if<std::int64_t>(&value)) bytes = *number;
    if (const auto* text = std::get_if<std::string>(&value)) bytes = ParseSize(*text);
    if (!bytes) return "not a size";
    if (*bytes < least || *bytes > most) return fmt::format("{} bytes are out of range", *bytes);
    member(config) = static_cast<std::decay_t<decltype(member(config))>>(*bytes);
    return Fine();
  };
}

template <typename Member>
Apply Time(Member member, milliseconds least, milliseconds most) {
  return [=](Config& config, const Value& value) -> std::optional<std::string> {
    const std::optional<std::int64_t> millis = ParseTime(std::get<std::string>(value));
    if (!millis) return "not a span of time";
    if (milliseconds(*millis) < least || milliseconds(*millis) > most) return "out of range";
    member(config) = milliseconds(*millis);
    return Fine();
  };
}

template <typename Member>
Apply Text(Member member, bool may_be_empty) {
  return [=](Config& config, const Value& value) -> std::optional<std::string> {
    const std::string& text = std::get<std::string>(value);
    if (text.empty() && !may_be_empty) return "empty";
    if (text.find('\0') != std::string::npos) return "holds a NUL";
    member(config) = text;
    return Fine();
  };
}

template <typename Member>
Apply Address(Member member, bool may_be_empty) {
  return [=](Config& config, const Value& value) -> std::optional<std::string> {
    const std::string& text = std::get<std::string>(value);
    if (!(text.empty() && may_be_empty) && !IpAddress::Parse(text)) {
      return fmt::format("\"{}\" is no address", text);
    }
    member(config) = text;
    return Fine();
  };
}

template <typename Member>
Apply HostNames(Member member) {
  return [=](Config& config, const Value& value) -> std::optional<std::string> {
    std::vector<std::string> names;
    for (const std::string& text : std::get<std::vector<std::string>>(value)) {
      const bool plain =
          !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
            return IsAlpha(c) || IsDigit(c) || c == '-' || c == '.';
          });
      const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']' &&
                             IpAddress::Parse(text.substr(1, text.size() - 2));
      if (!plain && !bracketed) return fmt::format("\"{}\" is no host name", text);
      names.push_back(ToLower(text));
    }
    member(config) = std::move(names);
    return Fine();
  };
}

template <typename Member, typename Parse>
Apply OneOf(Member member, Parse parse) {
  return [=](Config& config, const Value& value) -> std::optional<std::string> {
    const auto choice = parse(std::get<std::string>(value));
    if (!choice) return fmt::format("\"{}\" is none of them", std::get<std::string>(value));
    member(config) = *choice;
    return Fine();
  };
}

std::optional<std::string> ApplyTrustedProxies(Config& config, const Value& value) {
  std::vector<IpNetwork> networks;
  for (const std::string& text : std::get<std::vector<std::string>>(value)) {
    const std::optional<IpNetwork> network = IpNetwork::Parse(text);
    if (!network) return fmt::format("\"{}\" is no address or block", text);
    networks.push_back(*network);
  }
  config.trusted_proxies = std::move(networks);
  return Fine();
}

#define MEMBER(path) [](Config& config) -> auto& { return config.path; }

std::vector<Setting> MakeSettings() {
  const Config defaults;
  std::vector<Setting> all;
  const auto add = [&](std::string_view key, std::string_view flag, Kind kind,
                       std::string_view takes, std::string default_text, std::string_view what,
                       Apply apply, bool reloadable = false) {
    all.push_back(
        {{key, flag, takes, std::move(default_text), reloadable, what}, kind, std::move(apply)});
  };
  constexpr std::string_view kPort = "a port, 0 to 65535; 0 takes a free one";
  constexpr std::string_view kTexts = "a list of texts";
  const auto quoted = [](std::string_view text) { return fmt::format("\"{}\"", text); };

  add("data_folder", "data", Kind::kPath, "the path of a folder", quoted(defaults.data_folder),
      "Where everything lives that must survive.", Text(MEMBER(data_folder), false));
  add("master_key_file", "master-key-file", Kind::kPath, "the path of a file", quoted(""),
      "The master key; empty: the systemd credential master.key if there is one, else master.key "
      "in "
      "the data folder.",
      Text(MEMBER(master_key_file), true));
  add("trusted_proxies", "", Kind::kTexts,
      "a list of addresses and CIDR blocks, e.g. [\"10.0.0.0/8\"]", "[]",
      "Whose X-Forwarded-For is believed.", ApplyTrustedProxies);

  add("data.listen", "listen", Kind::kText, "an IP address, or \"\"", quoted(""),
      "Address of the https listeners; empty: all addresses, but loopback with --demo.",
      Address(MEMBER(data.listen), true));
  add("data.https_port", "https-port", Kind::kNumber, kPort,
      fmt::format("{}", defaults.data.https_port), "Port of the data plane.",
      Number(MEMBER(data.https_port), 0, 65535));
  add("data.http_port", "http-port", Kind::kNumber, kPort, "",
      "Port of a plain data listener, for use behind a TLS proxy; absent: none is opened.",
      [](Config& config, const Value& value) -> std::optional<std::string> {
        const std::int64_t port = std::get<std::int64_t>(value);
        if (port < 0 || port > 65535) return fmt::format("{} is out of range", port);
        config.data.http_port = static_cast<std::uint16_t>(port);
        return Fine();
      });
  add("data.http_listen", "", Kind::kText, "an IP address", quoted(defaults.data.http_listen),
      "Address of the plain data listener.", Address(MEMBER(data.http_listen), false));
  add("data.secret_tokens_over_http", "", Kind::kFlag, "true or false", "false",
      "Take secret tokens over plain HTTP from peers that are neither loopback nor trusted "
      "proxies.",
      [](Config& config, const Value& value) -> std::optional<std::string> {
        config.data.secret_tokens_over_http = std::get<bool>(value);
        return Fine();
      });

  add("manage.listen", "", Kind::kText, "an IP address, or \"\"", quoted(""),
      "Address of the management plane; empty: as data.listen.",
      Address(MEMBER(manage.listen), true));
  add("manage.port", "manage-port", Kind::kNumber, kPort, fmt::format("{}", defaults.manage.port),
      "Port of the management plane.", Number(MEMBER(manage.port), 0, 65535));
  add("manage.host_names", "", Kind::kTexts, kTexts, "[]",
      "What Host may say on the management plane, beside localhost, the loopback addresses and the "
      "names of the certificates; others get 421.",
      HostNames(MEMBER(manage.host_names)));
  add("internal.listen", "", Kind::kText, "an IP address", quoted(defaults.internal.listen),
      "Address of the internal plane.", Address(MEMBER(internal.listen), false));
  add("internal.port", "internal-port", Kind::kNumber, kPort,
      fmt::format("{}", defaults.internal.port), "Port of the internal plane.",
      Number(MEMBER(internal.port), 0, 65535));
  add("internal.host_names", "", Kind::kTexts, kTexts, "[]",
      "What Host may say on the internal plane, beside localhost and the loopback addresses.",
      HostNames(MEMBER(internal.host_names)));

  add("server.threads", "threads", Kind::kNumber, "0 to 256; 0: one per processor", "0",
      "I/O threads.", Number(MEMBER(server.threads), 0, 256));
  add("server.workers", "", Kind::kNumber, "1 to 64", fmt::format("{}", defaults.server.workers),
      "Threads for what may block: reads from disk, changes, imports.",
      Number(MEMBER(server.workers), 1, 64));
  add("server.worker_queue", "", Kind::kNumber, "1 to 100000",
      fmt::format("{}", defaults.server.worker_queue), "Jobs that may wait for them; more get 503.",
      Number(MEMBER(server.worker_queue), 1, 100'000));
  add("server.drain_timeout", "", Kind::kTime, "a span of time, \"0s\" to \"10s\"",
      TimeText(defaults.server.drain_timeout), "How long running requests may take on SIGTERM.",
      Time(MEMBER(server.drain_timeout), milliseconds(0), milliseconds(10'000)));

  add("limits.head_bytes", "", Kind::kSize, "\"1KiB\" to \"1MiB\"",
      SizeText(defaults.limits.head_bytes), "A request's head.",
      Size(MEMBER(limits.head_bytes), 1024, 1024 * 1024));
  add("limits.header_fields", "", Kind::kNumber, "8 to 1000",
      fmt::format("{}", defaults.limits.header_fields), "Fields in a head.",
      Number(MEMBER(limits.header_fields), 8, 1000));
  add("limits.url_bytes", "", Kind::kSize, "\"256\" bytes to \"64KiB\"",
      SizeText(defaults.limits.url_bytes), "A request target.",
      Size(MEMBER(limits.url_bytes), 256, 64 * 1024));
  add("limits.body_bytes", "", Kind::kSize, "\"1KiB\" to \"64KiB\"",
      SizeText(defaults.limits.body_bytes), "The body of a management request.",
      Size(MEMBER(limits.body_bytes), 1024, 64 * 1024));
  add("limits.import_bytes", "", Kind::kSize, "\"1KiB\" to \"1024GiB\"",
      SizeText(defaults.limits.import_bytes), "The body of one import.",
      Size(MEMBER(limits.import_bytes), 1024, std::int64_t{1} << 40));
  add("limits.record_bytes", "", Kind::kSize, "\"1KiB\" to \"256MiB\"",
      SizeText(defaults.limits.record_bytes),
      "The body of one POST /v1/record, which is held in memory.",
      Size(MEMBER(limits.record_bytes), 1024, std::int64_t{256} << 20));
  add("limits.upload_bytes", "", Kind::kSize, "\"1KiB\" to \"1024GiB\"",
      SizeText(defaults.limits.upload_bytes),
      "The file of one POST /v1/data, which is streamed to disk.",
      Size(MEMBER(limits.upload_bytes), 1024, std::int64_t{1} << 40));
  add("limits.connections", "", Kind::kNumber, "16 to 1000000",
      fmt::format("{}", defaults.limits.connections), "Open connections per listener.",
      Number(MEMBER(limits.connections), 16, 1'000'000));
  add("limits.connections_per_address", "", Kind::kNumber, "1 to 1000000",
      fmt::format("{}", defaults.limits.connections_per_address),
      "Open connections per listener and client address; trusted proxies are not counted.",
      Number(MEMBER(limits.connections_per_address), 1, 1'000'000));
  constexpr std::string_view kTimeout = "a span of time, \"100ms\" to \"60m\"";
  const auto timeout = [&](std::string_view key, milliseconds standing, std::string_view what,
                           auto member) {
    add(key, "", Kind::kTime, kTimeout, TimeText(standing), what,
        Time(member, milliseconds(100), milliseconds(3'600'000)));
  };
  timeout("limits.head_timeout", defaults.limits.head_timeout,
          "For a TLS handshake, and from a head's first byte to its last.",
          MEMBER(limits.head_timeout));
  timeout("limits.body_timeout", defaults.limits.body_timeout, "Without a byte of the body.",
          MEMBER(limits.body_timeout));
  timeout("limits.idle_timeout", defaults.limits.idle_timeout, "Between two requests.",
          MEMBER(limits.idle_timeout));
  timeout("limits.write_timeout", defaults.limits.write_timeout,
          "Without the client taking a byte of the answer.", MEMBER(limits.write_timeout));

  add("log.level", "log-level", Kind::kText, "\"debug\", \"info\", \"warning\" or \"error\"",
      quoted(ToString(defaults.log.level)), "What the server's own log tells.",
      OneOf(MEMBER(log.level), ParseLogLevel), true);
  add("log.format", "log-format", Kind::kText, "\"auto\", \"text\" or \"json\"",
      quoted(ToString(defaults.log.format)), "auto: text on a terminal, JSON otherwise.",
      OneOf(MEMBER(log.format), ParseLogFormat));
  add("log.access", "access-log", Kind::kPath, "\"stderr\", \"off\", or the path of a file",
      quoted(defaults.log.access),
      "Where one line per request goes; a file is opened again on SIGHUP.",
      Text(MEMBER(log.access), false));

  add("datasets.cache_bytes", "", Kind::kSize, "\"0\" to \"64GiB\"",
      SizeText(defaults.datasets.cache_bytes), "Prepared answers kept in memory, in all.",
      Size(MEMBER(datasets.cache_bytes), 0, std::int64_t{64} << 30));
  add("datasets.max_records", "", Kind::kNumber, "1 to 1000000",
      fmt::format("{}", defaults.datasets.max_records), "Records of one answer.",
      Number(MEMBER(datasets.max_records), 1, 1'000'000));
  add("datasets.answer_bytes", "", Kind::kSize, "\"64KiB\" to \"1GiB\"",
      SizeText(defaults.datasets.answer_bytes), "The text of one answer.",
      Size(MEMBER(datasets.answer_bytes), 64 * 1024, std::int64_t{1} << 30));
  add("datasets.query_timeout", "", Kind::kTime, "a span of time, \"100ms\" to \"5m\"",
      TimeText(defaults.datasets.query_timeout), "What a query may take before it is given up.",
      Time(MEMBER(datasets.query_timeout), milliseconds(100), milliseconds(300'000)));
  return all;
}

#undef MEMBER

const std::vector<Setting>& AllSettings() {
  static const std::vector<Setting> all = MakeSettings();
  return all;
}

// ---- From a TOML node to a Value.

std::string_view TypeName(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::optional<Value> FromToml(Kind kind, const toml::node& node) {
  switch (kind) {
    case Kind::kNumber:
      if (node.is_integer()) return Value(node.as_integer()->get());
      return std::nullopt;
    case Kind::kSize:
      if (node.is_integer()) return Value(node.as_integer()->get());
      if (node.is_string()) return Value(node.as_string()->get());
      return std::nullopt;
    case Kind::kFlag:
      if (node.is_boolean()) return Value(node.as_boolean()->get());
      return std::nullopt;
    case Kind::kTime:
    case Kind::kText:
    case Kind::kPath:
      if (node.is_string()) return Value(node.as_string()->get());
      return std::nullopt;
    case Kind::kTexts:
      break;
  }
  const toml::array* list = node.as_array();
  if (list == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  for (const toml::node& item : *list) {
    if (!item.is_string()) return std::nullopt;
    texts.push_back(item.as_string()->get());
  }
  return Value(std::move(texts));
}

std::optional<Value> FromText(Kind kind, std::string_view text) {
  switch (kind) {
    case Kind::kNumber:
      if (const std::optional<std::uint64_t> number = ParseUint64(text);
          number && *number <= INT64_MAX) {
        return Value(static_cast<std::int64_t>(*number));
      }
      return std::nullopt;
    case Kind::kFlag:
      if (text == "true" || text == "false") return Value(text == "true");
      return std::nullopt;
    case Kind::kTexts:
      return std::nullopt;
    default:
      return Value(std::string(text));
  }
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// ---- Reading a file.

class FileReader {
 public:
  // `folder`: what relative paths start from; empty: they stay, and no file is looked at.
  FileReader(std::string name, std::string folder)
      : name_(std::move(name)), folder_(std::move(folder)) {}

  Result<Config> Read(std::string_view text) {
    try {
      const toml::table root = toml::parse(text, name_);
      ReadTable(root, "");
    } catch (const toml::parse_error& error) {
      problems_.push_back(
          {error.source().begin.line, fmt::format("not TOML: {}", error.description())});
    }
    if (problems_.empty()) return std::move(config_);
    std::stable_sort(problems_.begin(), problems_.end(),
                     [](const Problem& a, const Problem& b) { return a.line < b.line; });
    std::string all;
    for (const Problem& problem : problems_) {
      if (!all.empty()) all.push_back('\n');
      all += fmt::format("{}:{}: {}", name_, problem.line, problem.text);
    }
    return MakeError(ErrorCode::kInvalid, std::move(all));
  }

 private:
  struct Problem {
    std::uint32_t line;
    std::string text;
  };

  void Add(const toml::node& node, std::string_view key, std::string_view wrong,
           std::string_view right) {
    problems_.push_back({node.source().begin.line,
                         fmt::format("key \"{}\": {}; right would be: {}", key, wrong, right)});
  }

  static bool IsSection(std::string_view key) {
    return std::any_of(AllSettings().begin(), AllSettings().end(), [&](const Setting& setting) {
      return setting.info.key.starts_with(std::string(key) + ".");
    });
  }

  void ReadTable(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string key = prefix + std::string(name.str());
      if (key == "certificates") {
        ReadCertificates(node);
        continue;
      }
      const auto setting =
          std::find_if(AllSettings().begin(), AllSettings().end(),
                       [&](const Setting& candidate) { return candidate.info.key == key; });
      if (setting != AllSettings().end()) {
        ReadSetting(*setting, node);
      } else if (IsSection(key)) {
        if (const toml::table* section = node.as_table()) {
          ReadTable(*section, key + ".");
        } else {
          Add(node, key, fmt::format("it is {}", TypeName(node)),
              fmt::format("a table, [{}]", key));
        }
      } else {
        // A key's own place is its value's, on the same line in all that TOML lets one write.
        problems_.push_back({node.source().begin.line,
                             fmt::format("key \"{}\": no such setting; {}", key, Nearest(key))});
      }
    }
  }

  static std::string Nearest(std::string_view key) {
    std::string_view best;
    std::size_t distance = std::numeric_limits<std::size_t>::max();
    for (const Setting& setting : AllSettings()) {
      // A name in the wrong table is the commonest slip.
      const std::string_view full = setting.info.key;
      const auto last = [](std::string_view text) { return text.substr(text.rfind('.') + 1); };
      const std::size_t here =
          std::min(EditDistance(key, full), EditDistance(last(key), last(full)) + 1);
      if (here < distance) {
        distance = here;
        best = full;
      }
    }
    return distance <= 3 ? fmt::format("did you mean \"{}\"?", best)
                         : std::string("`latchkey config check --explain` lists them all");
  }

  void ReadSetting(const Setting& setting, const toml::node& node) {
    const std::string_view key = setting.info.key;
    std::optional<Value> value = FromToml(setting.kind, node);
    if (!value) {
      Add(node, key, fmt::format("it is {}", TypeName(node)), setting.info.takes);
      return;
    }
    if (setting.kind == Kind::kPath) {
      auto& path = std::get<std::string>(*value);
      const bool word = key == "log.access" && (path == "stderr" || path == "off");
      if (!word && !path.empty()) path = FromFolder(path);
    }
    if (std::optional<std::string> wrong = setting.apply(config_, *value)) {
      Add(node, key, *wrong, setting.info.takes);
      return;
    }
    if (key == "master_key_file") CheckFile(node, key, config_.master_key_file);
  }

  void ReadCertificates(const toml::node& node) {
    constexpr std::string_view kRight = "[[certificates]] with chain and key, two PEM files";
    const toml::array* list = node.as_array();
    if (list == nullptr) {
      Add(node, "certificates", fmt::format("it is {}", TypeName(node)), kRight);
      return;
    }
    for (const toml::node& item : *list) {
      const toml::table* table = item.as_table();
      if (table == nullptr) {
        Add(item, "certificates", fmt::format("an entry is {}", TypeName(item)), kRight);
        continue;
      }
      ReadCertificate(*table);
    }
  }

  void ReadCertificate(const toml::table& table) {
    CertificatePair pair;
    for (const auto& [name, node] : table) {
      const std::string key = "certificates." + std::string(name.str());
      std::string* const member = name.str() == "chain" ? &pair.chain
                                  : name.str() == "key" ? &pair.key
                                                        : nullptr;
      if (member == nullptr) {
        Add(node, key, "no such setting", "chain and key");
      } else if (!node.is_string() || node.as_string()->get().empty()) {
        Add(node, key, fmt::format("it is {}", node.is_string() ? "empty" : TypeName(node)),
            "the path of a PEM file");
        *member = "?";
      } else {
        *member = FromFolder(node.as_string()->get());
        CheckFile(node, key, *member);
      }
    }
    if (pair.chain.empty()) Add(table, "certificates.chain", "absent", "the path of a PEM file");
    if (pair.key.empty()) Add(table, "certificates.key", "absent", "the path of a PEM file");
    config_.certificates.push_back(std::move(pair));
  }

  std::string FromFolder(const std::string& path) const {
    if (folder_.empty()) return path;
    return (std::filesystem::path(folder_) / path).lexically_normal().string();
  }

  void CheckFile(const toml::node& node, std::string_view key, const std::string& path) {
    if (folder_.empty() || path.empty()) return;
    struct stat status;
    if (::stat(path.c_str(), &status) != 0 || ::access(path.c_str(), R_OK) != 0) {
      Add(node, key, fmt::format("{}: {}", path, std::strerror(errno)), "a file that can be read");
    } else if (!S_ISREG(status.st_mode)) {
      Add(node, key, path + " is no file", "a file that can be read");
    }
  }

  const std::string name_;
  const std::string folder_;
  Config config_;
  std::vector<Problem> problems_;
};

}  // namespace

const std::vector<SettingInfo>& Settings() {
  static const std::vector<SettingInfo> infos = [] {
    std::vector<SettingInfo> out;
    for (const Setting& setting : AllSettings()) out.push_back(setting.info);
    out.push_back({"certificates.chain", "", "the path of a PEM file", "", true,
                   "In [[certificates]]: the leaf, then its intermediates. The first entry is the "
                   "default. None at all: a development certificate."});
    out.push_back({"certificates.key", "", "the path of a PEM file", "", true,
                   "In [[certificates]]: the key of that chain."});
    return out;
  }();
  return infos;
}

Result<Config> LoadConfig(const std::string& file) {
  const Result<std::string> text = ReadWholeFile(file, 1024 * 1024);
  if (!text.ok()) return MakeError(ErrorCode::kInvalid, text.error().public_text);
  std::string folder = std::filesystem::path(file).parent_path().string();
  return FileReader(file, folder.empty() ? "." : std::move(folder)).Read(*text);
}

Result<Config> ParseConfig(std::string_view text, const std::string& name) {
  return FileReader(name, "").Read(text);
}

Status ApplyFlag(Config& config, std::string_view name, std::string_view value,
                 std::string_view source) {
  for (const Setting& setting : AllSettings()) {
    if (setting.info.flag.empty() || setting.info.flag != name) continue;
    const std::optional<Value> parsed = FromText(setting.kind, value);
    const std::optional<std::string> wrong =
        parsed ? setting.apply(config, *parsed) : fmt::format("\"{}\" can't be it", value);
    if (!wrong) return {};
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("{}: {}; right would be: {}", source, *wrong, setting.info.takes));
  }
  return MakeError(ErrorCode::kInvalid, fmt::format("{}: no such setting", source));
}

std::string VariableOf(std::string_view flag) {
  std::string variable = "LATCHKEY_";
  for (const char c : flag) {
    variable.push_back(c == '-' ? '_' : static_cast<char>(c - (c >= 'a' && c <= 'z' ? 32 : 0)));
  }
  return variable;
}

Status ApplyEnvironment(Config& config,
                        const std::function<std::optional<std::string>(const std::string&)>& get) {
  for (const Setting& setting : AllSettings()) {
    if (setting.info.flag.empty()) continue;
    const std::string variable = VariableOf(setting.info.flag);
    const std::optional<std::string> value = get(variable);
    if (!value) continue;
    Status applied = ApplyFlag(config, setting.info.flag, *value, variable);
    if (!applied.ok()) return applied;
  }
  return {};
}

}  // namespace latchkey
