// GET /v1/data/…: the catalogue, and records of one dataset or several (wire.md §7).
#pragma once

#include <string_view>
#include <vector>

#include "gateway/chain.h"
#include "gateway/prepared_reads.h"
#include "http/server.h"

namespace latchkey::gateway {

// Datasets × keys of one request.
inline constexpr std::size_t kMaxCombinations = 2000;

class RecordsGet {
 public:
  RecordsGet(Chain& chain, PreparedReads& reads) : chain_(chain), reads_(reads) {}

  // `parameters` as ReadCredential leaves them; `cache_key`: under which the answer is kept.
  void Records(http::Exchange& exchange, Call& call, const Destination& to,
               std::string_view parameters, std::string_view cache_key);
  void Catalogue(http::Exchange& exchange, Call& call, std::string_view workspace,
                 std::string_view parameters);

 private:
  Chain& chain_;
  PreparedReads& reads_;
};

// The datasets that a list names, each once, in its order; without entries.
std::vector<PreparedAnswer::Part> PartsOf(std::string_view workspace, std::string_view list);

// Those of a workspace (all of them if it is empty) that the verdict's token may read, in the order
// of the catalogue. Hold until the chain's next look at it.
std::vector<const service::CatalogueEntry*> ReadableDatasets(Chain& chain, const Call& call,
                                                             const http::Request& request,
                                                             const service::Verdict& verdict,
                                                             std::string_view workspace);

}  // namespace latchkey::gateway
