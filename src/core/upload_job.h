// A file of records on its way into a dataset (wire.md §7, POST /v1/data): what is known of it, as
// it is stored beside the records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "core/audit.h"
#include "core/ids.h"

namespace latchkey::core {

// In this order, but that any of the first three may end as kFailed. The numbers are stored.
enum class UploadState : std::uint8_t {
  kValidating = 0,  // the file is here, whole, and is being read and checked
  kValidated = 1,   // it may be taken: few enough lines are bad
  kIngesting = 2,   // its records are being stored
  kIngested = 3,    // all of them are stored and seen by every query
  kFailed = 4,      // none of them is stored; `message` says why
};
std::string_view ToString(UploadState state);  // "VALIDATING" and so on

// The operator's uploads have no account.
struct UploadJob {
  UploadJobId id;
  AccountId account;      // whose workspace it is; none: core and premium
  std::string workspace;  // in lower case
  std::string dataset;    // its name as asked for
  DatasetId dataset_id;   // none until it is made
  UploadState state = UploadState::kValidating;

  // How it is to be taken.
  bool overwrite = false;        // the file replaces all records of the dataset
  bool keep_first = false;       // of records with one index the standing one stays ("ignore")
  bool create_on_demand = true;  // make the dataset if it is not there
  std::uint64_t max_errors = 0;  // more rejected lines than this: it fails
  Actor actor;                   // who sent it

  // How far it is. Lines are records of the file, good or bad, without a header line.
  std::uint64_t bytes = 0;     // of the file
  std::uint64_t lines = 0;     // read so far in the step that runs
  std::uint64_t rejected = 0;  // of them: left out
  std::uint64_t stored = 0;    // records of the file that are in the dataset
  std::string message;         // of a failed one: why, for whoever sent it

  // The generation that holds the records once they are all there, before anything names it; of an
  // upload into a standing generation: that one, once its records are seen. Inside only.
  std::int64_t generation = 0;

  Timestamp created_at{};
  Timestamp updated_at{};

  bool Finished() const { return state == UploadState::kIngested || state == UploadState::kFailed; }
};

}  // namespace latchkey::core
