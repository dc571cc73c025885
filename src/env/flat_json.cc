#include "env/flat_json.h"

#include "base/encoding.h"

namespace latchkey {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool Take(char c) {
    SkipBlanks();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool AtEnd() {
    SkipBlanks();
    return rest_.empty();
  }

  std::optional<std::string> Text() {
    if (!Take('"')) return std::nullopt;
    std::string out;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return IsValidUtf8(out) ? std::optional(out) : std::nullopt;
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      if (c != '\\') {
        out.push_back(c);
      } else if (!Escape(out)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> Number() {
    SkipBlanks();
    std::size_t length = rest_.starts_with('-') ? 1 : 0;
    while (length < rest_.size() && IsDigit(rest_[length])) ++length;
    const std::string_view digits = rest_.substr(0, length);
    if (!ParseInt64(digits.starts_with('-') ? digits.substr(1) : digits)) return std::nullopt;
    rest_.remove_prefix(length);
    return std::string(digits);
  }

 private:
  void SkipBlanks() {
    const std::size_t at = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at);
  }

  bool Escape(std::string& out) {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    const std::size_t at = kFrom.find(c);
    if (at != std::string_view::npos) {
      out.push_back(kTo[at]);
      return true;
    }
    // What we write escapes control characters alone this way.
    if (c != 'u' || rest_.size() < 4) return false;
    const std::optional<std::string> bytes = HexDecode(rest_.substr(0, 4));
    if (!bytes || (*bytes)[0] != 0 || (static_cast<unsigned char>((*bytes)[1]) & 0x80) != 0) {
      return false;
    }
    out.push_back((*bytes)[1]);
    rest_.remove_prefix(4);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

std::optional<FlatJson> ParseFlatJson(std::string_view text) {
  Reader reader(text);
  FlatJson out;
  if (!reader.Take('{')) return std::nullopt;
  if (!reader.Take('}')) {
    do {
      std::optional<std::string> name = reader.Text();
      if (!name || !reader.Take(':')) return std::nullopt;
      std::optional<std::string> value = reader.Number();
      if (!value) value = reader.Text();
      if (!value || !out.emplace(std::move(*name), std::move(*value)).second) return std::nullopt;
    } while (reader.Take(','));
    if (!reader.Take('}')) return std::nullopt;
  }
  return reader.AtEnd() ? std::optional(std::move(out)) : std::nullopt;
}

void FlatJsonWriter::AddName(std::string_view name) {
  if (!members_.empty()) members_.append(",\n");
  members_.append("  ");
  AppendJsonString(members_, name);
  members_.append(": ");
}

void FlatJsonWriter::Add(std::string_view name, std::string_view value) {
  AddName(name);
  AppendJsonString(members_, value);
}

void FlatJsonWriter::Add(std::string_view name, std::int64_t value) {
  AddName(name);
  members_.append(std::to_string(value));
}

}  // namespace latchkey
