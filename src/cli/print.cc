#include "cli/print.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

namespace latchkey::cli {
namespace {

// Puts something else in the place of each character that a terminal may act on: C0, DEL, and the
// C1 of Unicode, two bytes in UTF-8, of which U+009B begins commands as ESC [ does.
template <typename Replace>
std::string WithoutControls(std::string_view text, const Replace& replace) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : '\0';
    if (byte < 0x20 || byte == 0x7f) {
      out += replace(byte);
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      out += replace(next);
      ++i;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string Plain(std::string_view text) {
  return WithoutControls(text, [](unsigned char) { return " "; });
}

void Write(std::FILE* file, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file);
}

// Characters of UTF-8: continuation bytes take no column.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

void PrintLine(std::string_view text) { Write(stdout, Plain(text) + "\n"); }

// In JSON such a character stands inside a text, where an escape means the same.
void PrintJson(std::string_view json) {
  Write(stdout,
        WithoutControls(json, [](unsigned char c) { return fmt::format("\\u{:04x}", c); }) + "\n");
}

void PrintTable(const std::vector<std::string>& header,
                const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(header.size());
  const auto measure = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  };
  measure(header);
  for (const auto& row : rows) measure(row);
  const auto print = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += Plain(row[i]);
      if (i + 1 < row.size()) line.append(widths[i] - Width(row[i]) + 2, ' ');
    }
    Write(stdout, line + "\n");
  };
  print(header);
  for (const auto& row : rows) print(row);
}

void PrintValues(const std::vector<std::pair<std::string, std::string>>& values) {
  std::size_t width = 0;
  for (const auto& [name, value] : values) width = std::max(width, Width(name));
  for (const auto& [name, value] : values) {
    Write(stdout,
          fmt::format("{}:{}{}\n", name, std::string(width - Width(name) + 2, ' '), Plain(value)));
  }
}

void PrintError(std::string_view text) {
  Write(stderr, fmt::format("latchkey: {}\n", Plain(text)));
}

void PrintError(const Error& error) {
  PrintError(error.public_text.empty() ? std::string_view("it failed") : error.public_text);
  for (const FieldError& field : error.fields) {
    Write(stderr, fmt::format("  {}: {}\n", Plain(field.field), Plain(field.detail)));
  }
}

Progress::Progress(std::string label) : label_(std::move(label)), terminal_(::isatty(2) == 1) {}

Progress::~Progress() {
  if (shown_percent_ >= 0) Write(stderr, "\r\x1b[K");
}

void Progress::Show(std::uint64_t done, std::uint64_t total) {
  if (!terminal_ || total == 0) return;
  const int percent = static_cast<int>(done * 100 / total);
  if (percent == shown_percent_) return;
  shown_percent_ = percent;
  constexpr int kBar = 40;
  const int filled = percent * kBar / 100;
  Write(stderr,
        fmt::format("\r{} [{}{}] {:3}%", label_, std::string(static_cast<std::size_t>(filled), '#'),
                    std::string(static_cast<std::size_t>(kBar - filled), '.'), percent));
}

}  // namespace latchkey::cli
