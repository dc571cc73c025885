#include "service/catalogue.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"

namespace latchkey::service {
namespace {

std::string KeyOf(std::string_view workspace, std::string_view name) {
  return ToLower(workspace) + "/" + ToLower(name);
}

DatasetMap::const_iterator FindId(const DatasetMap& map, core::DatasetId id) {
  return std::find_if(map.begin(), map.end(),
                      [id](const auto& each) { return each.second->dataset.id == id; });
}

}  // namespace

// Changes are rare and the map is small, so each copies it; a reader keeps what it holds.
std::shared_ptr<const CatalogueEntry> Catalogue::Put(core::Dataset dataset) {
  std::string key = KeyOf(dataset.workspace, dataset.name);
  MutexLock lock(mutex_);
  auto map = std::make_shared<DatasetMap>(*current_);
  std::shared_ptr<RecordsState> live;
  if (const auto standing = FindId(*map, dataset.id); standing != map->end()) {
    live = standing->second->live;
    map->erase(standing);
  } else {
    live = std::make_shared<RecordsState>();
  }
  live->updated_millis.store(ToUnixMillis(dataset.updated_at), std::memory_order_relaxed);
  auto entry =
      std::make_shared<const CatalogueEntry>(CatalogueEntry{std::move(dataset), std::move(live)});
  (*map)[std::move(key)] = entry;
  current_ = std::move(map);
  generation_.fetch_add(1, std::memory_order_release);
  return entry;
}

void Catalogue::Remove(core::DatasetId id) {
  MutexLock lock(mutex_);
  auto map = std::make_shared<DatasetMap>(*current_);
  if (const auto standing = FindId(*map, id); standing != map->end()) map->erase(standing);
  current_ = std::move(map);
  generation_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const DatasetMap> Catalogue::Snapshot() const {
  MutexLock lock(mutex_);
  return current_;
}

std::shared_ptr<const CatalogueEntry> Catalogue::Find(std::string_view workspace,
                                                      std::string_view name) const {
  const std::shared_ptr<const DatasetMap> map = Snapshot();
  const auto found = map->find(KeyOf(workspace, name));
  return found == map->end() ? nullptr : found->second;
}

std::shared_ptr<const CatalogueEntry> Catalogue::Find(core::DatasetId id) const {
  const std::shared_ptr<const DatasetMap> map = Snapshot();
  const auto found = FindId(*map, id);
  return found == map->end() ? nullptr : found->second;
}

// The number is read before the map: if a change comes in between, the map is newer than the number
// says and is taken once more the next time.
const DatasetMap& Catalogue::Reader::Get() {
  const std::uint64_t generation = catalogue_.generation_.load(std::memory_order_acquire);
  if (generation != generation_) {
    map_ = catalogue_.Snapshot();
    generation_ = generation;
  }
  return *map_;
}

}  // namespace latchkey::service
