// /v1/datasets/…: the definitions of datasets, listed, shown, created, changed, renamed and removed
// (wire.md §7).
#pragma once

#include <string>
#include <string_view>

#include "gateway/chain.h"
#include "gateway/definition_json.h"
#include "http/server.h"
#include "service/dataset_definitions.h"

namespace latchkey::gateway {

// Of a body with a definition: 512 fields with the longest names fit.
inline constexpr std::size_t kMaxDefinitionBodyBytes = 256 * 1024;

class DatasetsApi {
 public:
  explicit DatasetsApi(Chain& chain) : chain_(chain) {}

  // `parameters` as ReadCredential leaves them.
  void List(http::Exchange& exchange, Call& call, const Destination& to,
            std::string_view parameters);
  void Show(http::Exchange& exchange, Call& call, const Destination& to,
            std::string_view parameters);
  void Create(http::Exchange& exchange, Call& call, const Destination& to,
              std::string_view parameters);
  void Change(http::Exchange& exchange, Call& call, const Destination& to,
              std::string_view parameters);
  void Rename(http::Exchange& exchange, Call& call, const Destination& to,
              std::string_view parameters);
  void Remove(http::Exchange& exchange, Call& call, const Destination& to,
              std::string_view parameters);

 private:
  // Of a request without a body: the right, then that nothing is asked for. Null: it was refused.
  EntryPointer Admit(http::Exchange& exchange, Call& call, const Target& target,
                     std::string_view parameters);
  void CreateFrom(http::Exchange& exchange, Call& call, const Target& target,
                  std::string_view body);
  void Submit(http::Exchange& exchange, const Call& call, const Target& target, core::DatasetId id,
              service::DatasetPatch patch, std::string_view message);

  Chain& chain_;
};

// What a body changes of a dataset. kInvalid for another index: it can't change.
Result<service::DatasetPatch> PatchOf(DefinitionBody body, const core::Dataset& dataset);

}  // namespace latchkey::gateway
