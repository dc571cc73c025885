// The parameters of one request that takes a few options: each is asked for once by its name, and
// what nobody asked for is refused. Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/query.h"

namespace latchkey::gateway {

class Parameters {
 public:
  // As ReadCredential leaves them: without token and nonce.
  explicit Parameters(std::string_view raw);

  // Each gives the default where the parameter is absent, and where its value can't hold, which
  // Check then says.
  bool Flag(std::string_view name, bool otherwise);
  std::uint64_t Number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                       std::uint64_t most);
  // The index of the value in `choices`, compared without case.
  std::size_t Choice(std::string_view name, std::initializer_list<std::string_view> choices,
                     std::size_t otherwise);
  std::optional<std::string> Text(std::string_view name);
  // Of any value, which says nothing here.
  void Ignore(std::string_view name) { (void)Text(name); }

  // kInvalid for the first of: ill-formed text, a bad value, a name twice, a name that nobody asked
  // for. The public text names the parameter and what would be right, never a value.
  Status Check() const;

 private:
  struct Pair {
    http::QueryParameter parameter;
    bool taken = false;
  };
  const std::string* Take(std::string_view name);
  void Wrong(std::string_view name, std::string_view what);

  std::vector<Pair> pairs_;
  std::optional<Error> error_;
};

}  // namespace latchkey::gateway
