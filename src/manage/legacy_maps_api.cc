#include "manage/legacy_maps_api.h"

#include <utility>
#include <vector>

#include "base/encoding.h"
#include "manage/json.h"
#include "manage/paging.h"
#include "manage/tokens_api.h"

namespace latchkey::manage {
namespace {

constexpr std::string_view kNothing = "No dataset is mapped to this form.";

Reply NoSuchDataset(std::string_view request_id) {
  Error error = MakeError(ErrorCode::kInvalid, "dataset: There is no such dataset.");
  error.fields.push_back({"dataset", "There is no such dataset."});
  return Refuse(error, request_id);
}

}  // namespace

Reply LegacyMapsApi::Run(const Call& call) {
  const std::string& request_id = call.actor.request_id;
  if (call.route == Route::kListLegacyMaps) return List(call);
  const std::optional<core::LegacyKind> kind = core::ParseLegacyKind(call.captures.front());
  if (!kind) {
    return Refuse(core::Reason::kNotFound, "The old forms are quote and chart.", request_id);
  }
  if (call.route == Route::kPutLegacyMap) return Put(call, *kind);
  if (call.route == Route::kDeleteLegacyMap) return Remove(call, *kind);
  const std::shared_ptr<const service::LegacyMapSet> set = maps_.Snapshot();
  const core::LegacyMap* map = set->Find(*kind);
  if (map == nullptr) return Refuse(core::Reason::kNotFound, kNothing, request_id);
  return ObjectReply(LegacyMapJson(*map, DatasetName(map->dataset)), map->version);
}

std::string LegacyMapsApi::DatasetName(core::DatasetId id) const {
  const std::shared_ptr<const service::CatalogueEntry> entry = catalogue_.Find(id);
  return entry == nullptr ? std::string() : entry->dataset.workspace + "/" + entry->dataset.name;
}

Reply LegacyMapsApi::List(const Call& call) {
  const Result<service::PageRequest> page = ParsePageRequest(call);
  if (!page.ok()) return Refuse(page.error(), call.actor.request_id);
  const std::shared_ptr<const service::LegacyMapSet> set = maps_.Snapshot();
  std::vector<std::string> items;
  std::string next;
  service::PageMark last;
  for (const core::LegacyKind kind : core::kLegacyKinds) {
    const core::LegacyMap* map = set->Find(kind);
    // Their order is that of the kinds, whose numbers begin with 0.
    const service::PageMark mark{{}, static_cast<std::int64_t>(kind) + 1};
    if (map == nullptr || (page->after && mark.id <= page->after->id)) continue;
    if (items.size() == page->size) {
      next = PageToken(last);
      break;
    }
    items.push_back(LegacyMapJson(*map, DatasetName(map->dataset)));
    last = mark;
  }
  return JsonReply(ListJson(items, next));
}

Reply LegacyMapsApi::Put(const Call& call, core::LegacyKind kind) {
  const std::string& request_id = call.actor.request_id;
  std::optional<std::int64_t> version;
  if (call.has_if_match) {
    const std::shared_ptr<const service::LegacyMapSet> set = maps_.Snapshot();
    const core::LegacyMap* standing = set->Find(kind);
    // "*" holds only for what is there (RFC 9110 §13.1.1).
    if (standing == nullptr) return Refuse(core::Reason::kPreconditionFailed, kNothing, request_id);
    WantedVersion wanted = RequireIfMatch(call, standing->version);
    if (wanted.refusal) return std::move(*wanted.refusal);
    version = wanted.version;
  }
  Result<LegacyMapInput> input = ParseLegacyMap(call.body);
  if (!input.ok()) return Refuse(input.error(), request_id);
  const std::shared_ptr<const service::DatasetMap> datasets = catalogue_.Snapshot();
  const auto found = datasets->find(ToLower(input->dataset));
  if (found == datasets->end()) return NoSuchDataset(request_id);
  const core::Dataset& dataset = found->second->dataset;
  core::LegacyMap map;
  map.kind = kind;
  map.renames = std::move(input->renames);
  const Result<core::LegacyMap> put = maps_.Put(std::move(map), dataset, version, call.actor);
  if (!put.ok()) return Refuse(put.error(), request_id);
  Reply reply =
      ObjectReply(LegacyMapJson(*put, dataset.workspace + "/" + dataset.name), put->version);
  // Where none stood before it has its first version: it was made (RFC 9110 §9.3.4).
  if (put->version == 1) reply.status = 201;
  return reply;
}

Reply LegacyMapsApi::Remove(const Call& call, core::LegacyKind kind) {
  const std::string& request_id = call.actor.request_id;
  std::optional<std::int64_t> version;
  if (call.has_if_match) {
    const std::shared_ptr<const service::LegacyMapSet> set = maps_.Snapshot();
    const core::LegacyMap* standing = set->Find(kind);
    if (standing == nullptr) return Refuse(core::Reason::kNotFound, kNothing, request_id);
    WantedVersion wanted = RequireIfMatch(call, standing->version);
    if (wanted.refusal) return std::move(*wanted.refusal);
    version = wanted.version;
  }
  const Status removed = maps_.Remove(kind, version, call.actor);
  return removed.ok() ? NoContentReply() : Refuse(removed.error(), request_id);
}

}  // namespace latchkey::manage
