// Moves large changes down into the records that they lie over (store/dataset_store.h, "layer"), in
// small steps, whatever the account uploads meanwhile. Internal to the use cases of datasets.
#pragma once

#include <cstdint>

#include "service/dataset_changes.h"
#include "service/job_runner.h"

namespace latchkey::service {

// If the generation has anything to drain. `lane`: of the account that the records belong to.
void AddDrain(JobRunner& runner, DatasetChanges& changes, std::int64_t generation,
              std::int64_t lane);

}  // namespace latchkey::service
