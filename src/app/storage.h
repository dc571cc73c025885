// Everything that lives in the data folder, opened: the two databases, the master key, what stands
// in memory of them, and the use cases over it. A server has one; so have commands that work on a
// folder without a server.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "env/clock.h"
#include "env/data_folder.h"
#include "env/entropy.h"
#include "env/log.h"
#include "service/accounts.h"
#include "service/catalogue.h"
#include "service/dataset_definitions.h"
#include "service/datasets.h"
#include "service/idempotency.h"
#include "service/job_runner.h"
#include "service/legacy_maps.h"
#include "service/master_key.h"
#include "service/plan_limits.h"
#include "service/record_writes.h"
#include "service/state.h"
#include "service/token_index.h"
#include "service/tokens.h"
#include "service/uploads.h"
#include "store/dataset_store.h"
#include "store/store.h"

namespace latchkey::app {

// Where the master key is: the configured file, else the systemd credential "master.key" if there
// is one, else DIR/master.key.
std::string MasterKeyPath(const DataFolder& folder, const std::string& configured);

// Thread-safe where its parts are.
class Storage {
 public:
  // Locks the folder. References are borrowed. Errors name the file and what would help.
  static Result<std::unique_ptr<Storage>> Open(DataFolder folder,
                                               const std::string& master_key_file,
                                               const Clock& clock, Entropy& entropy, Log& log);

  // Ends the jobs' thread before what jobs use.
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  // For a server: takes up the uploads that an earlier run left unfinished, and begins to run jobs.
  Status StartJobs();

  const DataFolder& folder() const { return folder_; }
  service::TokenIndex& index() { return index_; }
  service::State& state() { return state_; }
  service::Catalogue& catalogue() { return catalogue_; }
  service::LegacyMaps& legacy_maps() { return *legacy_maps_; }
  service::KeyRing& keys() { return *keys_; }
  service::Datasets& datasets() { return *datasets_; }
  service::DatasetDefinitions& definitions() { return *definitions_; }
  service::RecordWrites& record_writes() { return *record_writes_; }
  service::Uploads& uploads() { return *uploads_; }
  service::JobRunner& runner() { return *runner_; }
  service::Tokens& tokens() { return *tokens_; }
  service::Accounts& accounts() { return *accounts_; }
  service::Answers& answers() { return *answers_; }
  store::Store& store() { return *store_; }
  store::DatasetStore& records() { return *records_; }

 private:
  explicit Storage(DataFolder folder) : folder_(std::move(folder)), state_(index_) {}

  DataFolder folder_;
  service::TokenIndex index_;
  service::State state_;
  service::Catalogue catalogue_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::DatasetStore> records_;
  std::unique_ptr<service::KeyRing> keys_;
  std::unique_ptr<service::Datasets> datasets_;
  std::unique_ptr<service::LegacyMaps> legacy_maps_;
  std::unique_ptr<service::PlanLimits> limits_;
  std::unique_ptr<service::JobRunner> runner_;
  std::unique_ptr<service::DatasetDefinitions> definitions_;
  std::unique_ptr<service::RecordWrites> record_writes_;
  std::unique_ptr<service::Uploads> uploads_;
  std::unique_ptr<service::Tokens> tokens_;
  std::unique_ptr<service::Accounts> accounts_;
  std::unique_ptr<service::Answers> answers_;
};

}  // namespace latchkey::app
