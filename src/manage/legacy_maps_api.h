// The old forms (wire.md §7) and the core datasets they stand over: /operator/v1/legacy-maps.
// Thread-safe; changes block on the store and run on the worker pool.
#pragma once

#include "core/legacy_map.h"
#include "manage/call.h"
#include "service/catalogue.h"
#include "service/legacy_maps.h"

namespace latchkey::manage {

class LegacyMapsApi {
 public:
  // Borrowed.
  LegacyMapsApi(service::LegacyMaps& maps, service::Catalogue& catalogue)
      : maps_(maps), catalogue_(catalogue) {}

  // One of the routes of legacy maps.
  Reply Run(const Call& call);

 private:
  Reply List(const Call& call);
  Reply Put(const Call& call, core::LegacyKind kind);
  Reply Remove(const Call& call, core::LegacyKind kind);
  // The name of the map's dataset ("core/STOCKS"), empty if it is gone.
  std::string DatasetName(core::DatasetId id) const;

  service::LegacyMaps& maps_;
  service::Catalogue& catalogue_;
};

}  // namespace latchkey::manage
