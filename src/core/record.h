// One record of a dataset, as imports make it and queries return it.
#pragma once

#include <cstdint>
#include <string>

namespace latchkey::core {

// Key and subkey are as written; the store compares them with ASCII case folded. An absent key or
// subkey is the empty text, an absent date 0. The unique index is key + subkey + date.
struct Record {
  std::string key;
  std::string subkey;
  std::int64_t date_millis = 0;
  std::int64_t updated_millis = 0;
  // The values of the fields in the definition's order: a JSON array in compact form, for instance
  // ["AAPL","2010-03-01",223.02]. Fields added to the definition later may be missing at its end.
  std::string values;
};

}  // namespace latchkey::core
