#include "service/legacy_maps.h"

#include <string>
#include <utility>

#include "base/encoding.h"

namespace latchkey::service {
namespace {

// For the audit log, under the names of the management API.
std::string Describe(const core::LegacyMap& map) {
  std::string json = R"({"dataset":)";
  AppendJsonString(json, map.dataset.ToString());
  json += R"(,"renames":{)";
  for (const core::LegacyRename& rename : map.renames) {
    if (json.back() != '{') json.push_back(',');
    AppendJsonString(json, rename.name);
    json.push_back(':');
    AppendJsonString(json, rename.field);
  }
  return json + "}}";
}

store::Mutation MakeMutation(Timestamp now, core::Actor actor, std::string_view action,
                             core::LegacyKind kind) {
  store::Mutation mutation;
  mutation.event.at = now;
  mutation.event.actor = std::move(actor);
  mutation.event.action = action;
  mutation.event.subject = core::ToString(kind);
  return mutation;
}

Error Stale() {
  return MakeError(ErrorCode::kStale, "The map changed since it was read: read it again.");
}

}  // namespace

Status LegacyMaps::Load() {
  const MutexLock commit_lock(commit_mutex_);
  auto set = std::make_shared<LegacyMapSet>();
  Status status = store_.ForEachLegacyMap([&set](const core::LegacyMap& map) -> Status {
    set->maps_[static_cast<std::size_t>(map.kind)] = map;
    return {};
  });
  if (!status.ok()) return status;
  const MutexLock lock(mutex_);
  current_ = std::move(set);
  generation_.fetch_add(1, std::memory_order_release);
  return {};
}

Result<core::LegacyMap> LegacyMaps::Put(core::LegacyMap map, const core::Dataset& dataset,
                                        std::optional<std::int64_t> expected_version,
                                        core::Actor actor) {
  if (Status status = core::CheckLegacyMap(map, dataset); !status.ok()) {
    return std::move(status).error();
  }
  map.dataset = dataset.id;
  map.updated_at = clock_.Now();
  const MutexLock commit_lock(commit_mutex_);
  const std::shared_ptr<const LegacyMapSet> set = Snapshot();
  const core::LegacyMap* standing = set->Find(map.kind);
  if (expected_version && (standing == nullptr || standing->version != *expected_version)) {
    return Stale();
  }
  std::optional<std::int64_t> version;
  if (standing != nullptr) version = standing->version;
  store::Mutation mutation =
      MakeMutation(map.updated_at, std::move(actor), "legacy_map.put", map.kind);
  if (standing != nullptr) mutation.event.before = Describe(*standing);
  mutation.event.after = Describe(map);
  mutation.changes.emplace_back(store::PutLegacyMap{map, version});
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    if (committed.error().code == ErrorCode::kUnknown) ApplyWhatStands();
    return committed.error();
  }
  map.version = version.value_or(0) + 1;
  Apply(map.kind, map);
  return map;
}

Status LegacyMaps::Remove(core::LegacyKind kind, std::optional<std::int64_t> expected_version,
                          core::Actor actor) {
  const MutexLock commit_lock(commit_mutex_);
  const std::shared_ptr<const LegacyMapSet> set = Snapshot();
  const core::LegacyMap* standing = set->Find(kind);
  if (standing == nullptr) {
    return MakeError(ErrorCode::kNotFound, "No dataset is mapped to this form.");
  }
  if (expected_version && *expected_version != standing->version) return Stale();
  store::Mutation mutation =
      MakeMutation(clock_.Now(), std::move(actor), "legacy_map.remove", kind);
  mutation.event.before = Describe(*standing);
  mutation.changes.emplace_back(store::RemoveLegacyMap{kind, standing->version});
  const Result<std::int64_t> committed = store_.Commit(std::move(mutation));
  if (!committed.ok()) {
    if (committed.error().code == ErrorCode::kUnknown) ApplyWhatStands();
    return committed.error();
  }
  Apply(kind, std::nullopt);
  return {};
}

std::shared_ptr<const LegacyMapSet> LegacyMaps::Snapshot() const {
  const MutexLock lock(mutex_);
  return current_;
}

void LegacyMaps::Apply(core::LegacyKind kind, std::optional<core::LegacyMap> map) {
  const MutexLock lock(mutex_);
  auto set = std::make_shared<LegacyMapSet>(*current_);
  set->maps_[static_cast<std::size_t>(kind)] = std::move(map);
  current_ = std::move(set);
  generation_.fetch_add(1, std::memory_order_release);
}

void LegacyMaps::ApplyWhatStands() {
  auto set = std::make_shared<LegacyMapSet>();
  const Status read = store_.ForEachLegacyMap([&set](const core::LegacyMap& map) -> Status {
    set->maps_[static_cast<std::size_t>(map.kind)] = map;
    return {};
  });
  // Where the store does not answer the maps of before stay.
  if (!read.ok()) return;
  const MutexLock lock(mutex_);
  current_ = std::move(set);
  generation_.fetch_add(1, std::memory_order_release);
}

// The number is read before the set: if a change comes in between, the set is newer than the number
// says and is taken once more the next time.
const LegacyMapSet& LegacyMaps::Reader::Get() {
  const std::uint64_t generation = maps_.generation_.load(std::memory_order_acquire);
  if (generation != generation_) {
    set_ = maps_.Snapshot();
    generation_ = generation;
  }
  return *set_;
}

}  // namespace latchkey::service
