#include "manage/datasets_api.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "core/record_text.h"
#include "manage/idempotency.h"
#include "manage/json.h"
#include "manage/paging.h"
#include "manage/tokens_api.h"

namespace latchkey::manage {
namespace {

using service::CatalogueEntry;

bool HoldsText(std::string_view text, std::string_view folded) {
  return ToLower(text).find(folded) != std::string::npos;
}

std::pair<Timestamp, std::int64_t> PlaceOf(const CatalogueEntry& entry) {
  return {entry.dataset.created_at, entry.dataset.id.value};
}

Reply NoSuchDataset(const Call& call) {
  return Refuse(core::Reason::kNotFound, "There is no such dataset.", call.actor.request_id);
}

Reply DatasetReply(const CatalogueEntry& entry) {
  return ObjectReply(DatasetJson(entry), entry.dataset.version);
}

bool IsPatch(Route route) {
  return route == Route::kPatchDataset || route == Route::kPatchOwnDataset;
}
bool IsGet(Route route) { return route == Route::kGetDataset || route == Route::kGetOwnDataset; }

}  // namespace

std::shared_ptr<const CatalogueEntry> FindOwnDataset(const service::Catalogue& catalogue,
                                                     std::string_view workspace,
                                                     std::string_view name_or_id) {
  // A dataset may be called as ids are written: its name wins.
  if (auto by_name = catalogue.Find(workspace, name_or_id)) return by_name;
  const auto id = core::DatasetId::Parse(name_or_id);
  auto by_id = id ? catalogue.Find(*id) : nullptr;
  return by_id && by_id->dataset.workspace == workspace ? by_id : nullptr;
}

bool Reaches(const Call& call, const CatalogueEntry* entry) {
  return call.environment == core::Environment::kLive || (entry != nullptr && entry->dataset.test);
}

Reply DatasetsApi::Run(const Call& call) {
  if (call.route == Route::kListDatasets) return List(call, "");
  if (call.route == Route::kCreateDataset) {
    Result<service::NewDataset> dataset = ParseDatasetCreation(call.body, Definer::kOperator);
    if (!dataset.ok()) return Refuse(dataset.error(), call.actor.request_id);
    const std::string location = call.path + "/" + dataset->workspace + "/";
    return Create(call, *std::move(dataset), "POST datasets", location);
  }
  const Entry entry = catalogue_.Find(call.captures[0], call.captures[1]);
  return entry ? RunForOne(call, entry) : NoSuchDataset(call);
}

Reply DatasetsApi::RunOwn(const Call& call, const core::Account& account) {
  if (call.route == Route::kListOwnDatasets) return List(call, account.workspace);
  if (call.route == Route::kCreateOwnDataset) {
    // The mark `test` is the operator's to give.
    if (!Reaches(call, nullptr)) {
      return Refuse(core::Reason::kTokenWrongEnvironment, "A test token makes no datasets.",
                    call.actor.request_id);
    }
    Result<service::NewDataset> dataset = ParseDatasetCreation(call.body, Definer::kAccount);
    if (!dataset.ok()) return Refuse(dataset.error(), call.actor.request_id);
    dataset->workspace = account.workspace;
    return Create(call, *std::move(dataset), "POST datasets " + account.id.ToString(),
                  call.path + "/");
  }
  const Entry entry = FindOwnDataset(catalogue_, account.workspace, call.captures.back());
  if (!entry) return NoSuchDataset(call);
  if (!Reaches(call, entry.get())) {
    return Refuse(core::Reason::kTokenWrongEnvironment, "", call.actor.request_id);
  }
  return RunForOne(call, entry);
}

Reply DatasetsApi::RunForOne(const Call& call, const Entry& entry) {
  if (IsGet(call.route)) return DatasetReply(*entry);
  if (IsPatch(call.route)) return Patch(call, *entry);
  if (call.route == Route::kListOwnRecords) return ListRecords(call, *entry);
  return Remove(call, entry->dataset);
}

Reply DatasetsApi::List(const Call& call, std::string_view workspace) {
  const Result<service::PageRequest> page = ParsePageRequest(call);
  if (!page.ok()) return Refuse(page.error(), call.actor.request_id);
  const std::string search = ToLower(page->search);
  const std::shared_ptr<const service::DatasetMap> map = catalogue_.Snapshot();
  std::vector<const CatalogueEntry*> found;
  for (const auto& [name, entry] : *map) {
    const core::Dataset& dataset = entry->dataset;
    if (!workspace.empty() && dataset.workspace != workspace) continue;
    if (!Reaches(call, entry.get())) continue;
    if (page->after && PlaceOf(*entry) <= std::pair(page->after->created_at, page->after->id)) {
      continue;
    }
    // Of one workspace every name would hold the workspace's.
    const std::string_view called = workspace.empty() ? std::string_view(name) : dataset.name;
    if (search.empty() || HoldsText(called, search) || HoldsText(dataset.title, search)) {
      found.push_back(entry.get());
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto* a, const auto* b) { return PlaceOf(*a) < PlaceOf(*b); });
  const bool more = found.size() > page->size;
  if (more) found.resize(page->size);
  std::vector<std::string> items;
  items.reserve(found.size());
  for (const CatalogueEntry* entry : found) items.push_back(DatasetJson(*entry));
  std::string next;
  if (more) next = PageToken({found.back()->dataset.created_at, found.back()->dataset.id.value});
  return JsonReply(ListJson(items, next));
}

Reply DatasetsApi::Create(const Call& call, service::NewDataset dataset,
                          const std::string& idempotency_route, const std::string& location) {
  const auto create =
      [&](const service::IdempotencyRecord<CatalogueEntry>* idempotency) -> Result<CatalogueEntry> {
    const Result<Entry> created = definitions_.Create(dataset, call.actor, idempotency);
    if (!created.ok()) {
      Error error = created.error();
      // The path is there; it is the body's workspace that is not.
      if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kInvalid;
      return error;
    }
    return CatalogueEntry(**created);
  };
  const auto reply = [&](const CatalogueEntry& created) {
    return CreatedReply(DatasetJson(created), created.dataset.version,
                        location + created.dataset.name);
  };
  return CreateOnce<CatalogueEntry>(answers_, call, idempotency_route, create, reply);
}

Reply DatasetsApi::Patch(const Call& call, const CatalogueEntry& entry) {
  const std::string& request_id = call.actor.request_id;
  const core::Dataset& dataset = entry.dataset;
  WantedVersion wanted = RequireIfMatch(call, dataset.version);
  if (wanted.refusal) return std::move(*wanted.refusal);
  const Definer definer =
      call.route == Route::kPatchDataset ? Definer::kOperator : Definer::kAccount;
  Result<service::DatasetPatch> patch = ParseDatasetPatch(call.body, definer);
  if (!patch.ok()) return Refuse(patch.error(), request_id);
  if (patch->title && patch->title->empty()) patch->title = patch->name.value_or(dataset.name);
  const Result<Entry> changed = definitions_.Change(dataset.id, *patch, wanted.version, call.actor,
                                                    !wanted.version.has_value());
  return changed.ok() ? DatasetReply(**changed) : Refuse(changed.error(), request_id);
}

Reply DatasetsApi::Remove(const Call& call, const core::Dataset& dataset) {
  const std::string& request_id = call.actor.request_id;
  std::optional<std::int64_t> version;
  if (call.has_if_match) {
    WantedVersion wanted = RequireIfMatch(call, dataset.version);
    if (wanted.refusal) return std::move(*wanted.refusal);
    version = wanted.version;
  }
  const Status removed = definitions_.Remove(dataset.id, version, call.actor);
  return removed.ok() ? NoContentReply() : Refuse(removed.error(), request_id);
}

// A page's mark is how many records stand before it: what is looked at is the top of the dataset,
// and a record that comes in between moves the others by one.
Reply DatasetsApi::ListRecords(const Call& call, const CatalogueEntry& entry) {
  const std::string& request_id = call.actor.request_id;
  const Result<service::PageRequest> page = ParsePageRequest(call);
  if (!page.ok()) return Refuse(page.error(), request_id);
  core::RecordQuery query;
  query.offset = page->after ? static_cast<std::uint64_t>(page->after->id) : 0;
  if (query.offset >= kMaxFirstRecords) {
    const FieldError error{"page_token", "It is not one that this list gave."};
    return Refuse(core::Reason::kInvalidValues, error.field + ": " + error.detail, request_id,
                  {&error, 1});
  }
  query.limit = page->size + 1;
  Result<std::vector<core::Record>> records =
      datasets_.Query(entry.dataset, query, [] { return false; });
  if (!records.ok()) return Refuse(records.error(), request_id);
  const bool more = records->size() > page->size;
  if (more) records->pop_back();
  const core::Dataset* const dataset = &entry.dataset;
  core::RecordTextOptions options;
  options.system = core::RecordTextOptions::System::kAlways;
  core::RecordWriter writer(std::move(options), {&dataset, 1});
  if (Status written = writer.Append(0, *records); !written.ok()) {
    return Refuse(written.error(), request_id);
  }
  const Result<std::string> items = writer.Finish();
  if (!items.ok()) return Refuse(items.error(), request_id);
  const std::uint64_t next = query.offset + records->size();
  std::string json = "{\"items\":" + *items + ",\"next_page_token\":";
  if (more && next < kMaxFirstRecords) {
    AppendJsonString(json, PageToken({{}, static_cast<std::int64_t>(next)}));
  } else {
    json.append("null");
  }
  return JsonReply(json.append("}"));
}

}  // namespace latchkey::manage
