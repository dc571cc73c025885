#include "service/drains.h"

#include <algorithm>
#include <vector>

namespace latchkey::service {
namespace {

// Lanes of drains stand beside those of uploads: an account's next file must not wait in front of
// the end of the last one, while queries merge.
std::int64_t DrainLane(std::int64_t lane) { return -1 - lane; }

// What a layer replaces was told from what is new by how things stood when it was staged; now it is
// known.
void UseExactSize(DatasetChanges& changes, std::int64_t generation) {
  const std::shared_ptr<const DatasetMap> map = changes.catalogue().Snapshot();
  for (const auto& [name, entry] : *map) {
    if (entry->dataset.generation != generation) continue;
    MutexLock lock(entry->live->write_mutex);
    const EntryPointer current = changes.catalogue().Find(entry->dataset.id);
    if (current == nullptr || current->dataset.generation != generation) return;
    const auto generations = changes.records().ListGenerations();
    if (!generations.ok()) return;
    for (const store::Generation& each : *generations) {
      if (each.number == generation) SetSize(*entry->live, each.size);
    }
    return;
  }
}

}  // namespace

void AddDrain(JobRunner& runner, DatasetChanges& changes, std::int64_t generation,
              std::int64_t lane) {
  const std::vector<std::int64_t> work = changes.records().GenerationsWithLayers();
  if (std::find(work.begin(), work.end(), generation) == work.end()) return;
  runner.Add(DrainLane(lane), [&changes, generation, lane] {
    const Result<bool> more = changes.records().Drain(generation, lane);
    if (!more.ok()) {
      // A generation that is gone has nothing to drain.
      return more.error().code == ErrorCode::kNotFound ? StepResult::kDone : StepResult::kWait;
    }
    if (*more) return StepResult::kMore;
    UseExactSize(changes, generation);
    return StepResult::kDone;
  });
}

}  // namespace latchkey::service
