// The old forms of wire.md §7: /stock/{symbol}/quote, chart and batch, over the core datasets that
// the operator maps to them (service/legacy_maps.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/legacy_map.h"
#include "core/record.h"
#include "core/record_query.h"
#include "gateway/chain.h"
#include "gateway/prepared_reads.h"
#include "http/server.h"

namespace latchkey::gateway {

inline constexpr std::size_t kMaxBatchSymbols = 100;

// What one of them asks.
struct LegacyQuestion {
  enum class Shape : std::uint8_t {
    kQuote,        // one object
    kField,        // the value of one field of it
    kChart,        // an array
    kBatch,        // an object by type
    kMarketBatch,  // an object by symbol, then by type
  };
  Shape shape = Shape::kQuote;
  std::vector<std::string> symbols;     // folded, each once
  std::vector<core::LegacyKind> types;  // each once, in the order asked
  std::string field;                    // of kField, as in the answer
  std::vector<std::string> filter;      // names as in the answer; none: all
  core::RecordQuery chart;              // without key
  bool reverse_chart = false;           // the answer has it the other way round
  Timestamp valid_until = Timestamp::max();
};

// From the route, the symbol or field or range in its path, and the parameters. kInvalid names the
// parameter; a batch without types is a refusal of its own (type_required), told by `types` being
// empty.
Result<LegacyQuestion> ParseLegacyQuestion(const Destination& to, std::string_view parameters,
                                           std::uint64_t max_records, Timestamp now);

// Appends one record as old clients read it: its fields under the map's names, `filter` alone if
// there is one, nothing else. kCorrupt if its values are not what an import makes.
Status AppendLegacyObject(std::string& out, const core::Dataset& dataset,
                          const core::LegacyMap& map, const std::vector<std::string>& filter,
                          const core::Record& record);

class LegacyApi {
 public:
  LegacyApi(Chain& chain, PreparedReads& reads) : chain_(chain), reads_(reads) {}

  // `parameters` as ReadCredential leaves them; `cache_key`: under which the answer is kept.
  void Answer(http::Exchange& exchange, Call& call, const Destination& to,
              std::string_view parameters, std::string_view cache_key);

 private:
  // Its place in the catalogue; empty: it is gone.
  std::string KeyOf(core::DatasetId id);

  Chain& chain_;
  PreparedReads& reads_;
};

}  // namespace latchkey::gateway
