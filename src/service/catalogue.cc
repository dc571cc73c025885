#include "service/catalogue.h"

#include <utility>

#include "base/encoding.h"

namespace latchkey::service {
namespace {

std::string KeyOf(std::string_view workspace, std::string_view name) {
  return ToLower(workspace) + "/" + ToLower(name);
}

void EraseId(DatasetMap& map, core::DatasetId id) {
  for (auto it = map.begin(); it != map.end(); ++it) {
    if (it->second->id == id) {
      map.erase(it);
      return;
    }
  }
}

}  // namespace

// Changes are rare and the map is small, so each copies it; a reader keeps what it holds.
void Catalogue::Put(core::Dataset dataset) {
  std::string key = KeyOf(dataset.workspace, dataset.name);
  auto entry = std::make_shared<const core::Dataset>(std::move(dataset));
  MutexLock lock(mutex_);
  auto map = std::make_shared<DatasetMap>(*current_);
  const auto standing = map->find(key);
  if (standing == map->end() || standing->second->id != entry->id) EraseId(*map, entry->id);
  (*map)[std::move(key)] = std::move(entry);
  current_ = std::move(map);
  generation_.fetch_add(1, std::memory_order_release);
}

void Catalogue::Remove(core::DatasetId id) {
  MutexLock lock(mutex_);
  auto map = std::make_shared<DatasetMap>(*current_);
  EraseId(*map, id);
  current_ = std::move(map);
  generation_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const DatasetMap> Catalogue::Snapshot() const {
  MutexLock lock(mutex_);
  return current_;
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
