// What commands write: tables and values to stdout, problems to stderr.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace latchkey::cli {

// To stdout. Control characters become blanks, so that no stored text moves a terminal's cursor.
void PrintLine(std::string_view text);
// To stdout: compact JSON as the server made it, which keeps its meaning; nothing of it moves a
// terminal's cursor either.
void PrintJson(std::string_view json);
// Columns as wide as their widest cell (in bytes of UTF-8 characters), two blanks apart.
void PrintTable(const std::vector<std::string>& header,
                const std::vector<std::vector<std::string>>& rows);
// "name:   value" lines.
void PrintValues(const std::vector<std::pair<std::string, std::string>>& values);
// "latchkey: text" to stderr, one line more per field. Control characters become blanks: the text
// may be what a server, or something in its place, said.
void PrintError(const Error& error);
void PrintError(std::string_view text);

// A bar on stderr while something of known length goes out; nothing where stderr is no terminal.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();
  void Show(std::uint64_t done, std::uint64_t total);

 private:
  const std::string label_;
  const bool terminal_;
  int shown_percent_ = -1;
};

}  // namespace latchkey::cli
