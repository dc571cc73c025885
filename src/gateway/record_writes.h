// POST /v1/record/… and DELETE /v1/data/…: records of one dataset written and deleted (wire.md §7).
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "gateway/chain.h"
#include "http/server.h"
#include "service/record_writes.h"

namespace latchkey::gateway {

class RecordWritesApi {
 public:
  explicit RecordWritesApi(Chain& chain) : chain_(chain) {}

  // `parameters` as ReadCredential leaves them.
  void Write(http::Exchange& exchange, Call& call, const Destination& to,
             std::string_view parameters);
  void Delete(http::Exchange& exchange, Call& call, const Destination& to,
              std::string_view parameters);

 private:
  Chain& chain_;
};

// What DELETE …/{key}[/{subkey}][/{date}]?from=&to= means for this dataset: after the key comes the
// subkey, where the dataset has one, and then the date; in one without, the date comes at once. A
// date is a day (YYYY-MM-DD, all of it), an RFC 3339 date-time or milliseconds: that instant.
// kInvalid names the part or the parameter.
Result<store::DeleteRange> ReadDeleteRange(const Destination& to, std::string_view parameters,
                                           const core::Dataset& dataset);

// Whether a request makes its dataset if it is not there; wire.md §7: it does, unless
// createDatasetOnDemand says no. Looks at nothing else: a bad value is refused later.
bool CreatesOnDemand(std::string_view parameters);

}  // namespace latchkey::gateway
