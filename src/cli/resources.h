// JSON objects of the management API as commands read and print them. The values are the server's
// own texts; nothing is interpreted that needs not be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace latchkey::cli {

// A body for the API, member by member.
class JsonBody {
 public:
  void Text(std::string_view name, const std::string& value);
  void Number(std::string_view name, std::uint64_t value);
  void Flag(std::string_view name, bool value);
  void Null(std::string_view name);
  // A value that is JSON already.
  void Json(std::string_view name, std::string_view json);
  // {"a": "b", …}; an empty value takes the label away (null, RFC 7396).
  void Labels(std::string_view name,
              const std::vector<std::pair<std::string, std::string>>& labels);
  bool empty() const { return members_.empty(); }
  std::string Finish() const { return "{" + members_ + "}"; }

 private:
  void Name(std::string_view name);
  std::string members_;
};

// One column of a table or one line of a listing: its title, and the member it shows.
struct Column {
  std::string title;
  std::string member;
};

// Prints a list as a table, or as {"items":[…]}.
Result<int> PrintList(const std::vector<std::string>& items, const std::vector<Column>& columns,
                      bool as_json);
// Prints one object as lines, or as it is.
Result<int> PrintObject(const std::string& object, const std::vector<Column>& columns,
                        bool as_json);
// The member as text: texts as they are, null as "", other values as JSON; lists and objects on one
// line. `path` may lead inside: "dataset.records".
Result<std::string> Member(const std::string& object, std::string_view path);
// The elements of a list member, as JSON texts.
Result<std::vector<std::string>> Elements(const std::string& object, std::string_view member);

}  // namespace latchkey::cli
