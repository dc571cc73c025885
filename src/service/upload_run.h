// One upload's way from its file into its dataset, in steps. Internal to uploads; all of it runs on
// the thread of the runner.
//
// The file is read two times, three where its fields are to be found first: all of it is checked
// before a record is stored. What may be lost with the process at any point is only work: a run
// that begins anew finds out from the stored job and the catalogue whether the records came to be
// seen, and if not, does it all again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/record_reader.h"
#include "core/upload_job.h"
#include "service/dataset_changes.h"
#include "service/job_runner.h"
#include "service/plan_limits.h"
#include "service/record_maker.h"
#include "service/upload_files.h"
#include "service/upload_table.h"
#include "store/dataset_store.h"

namespace latchkey::service {

// What the runs of all uploads share; borrowed.
struct UploadParts {
  DatasetChanges& changes;
  PlanLimits& limits;
  JobRunner& runner;
  UploadTable& table;
  std::string directory;
  // Of jobs that failed for no fault of the file's.
  std::function<void(const core::UploadJob&, const Error&)> on_failure;
};

std::string UploadPath(const std::string& directory, core::UploadJobId id);
std::string RejectedPath(const std::string& directory, core::UploadJobId id);

class UploadRun {
 public:
  // The table has it open.
  UploadRun(const UploadParts& parts, core::UploadJob job);
  ~UploadRun();
  UploadRun(const UploadRun&) = delete;
  UploadRun& operator=(const UploadRun&) = delete;

  StepResult Step();

 private:
  enum class Phase : std::uint8_t {
    kLook,
    kInfer,
    kCheck,
    kStage,
    kPublish,
    kSettle,
    kSave,
    kOver
  };
  class Checker;
  class Stager;

  // Each does one step.
  Status Look();
  Status Infer();
  Status Check();
  Status Stage();
  Status Publish();
  Status Settle();
  StepResult Save();

  bool WasPublished(const EntryPointer& entry) const;
  void BeginReading(core::RecordFileHandler& handler);
  // Feeds one piece; true at the end, when the reader has finished too.
  Result<bool> Feed();
  Status BeginStaging();
  Status PublishLayer();
  Status PublishGeneration();
  Status CommitGeneration(DefinitionChange change);
  // The dataset is another one than the file was checked against: begin anew.
  Status Again();
  // Stores how far it is and goes on with `next`.
  Status Reach(core::UploadState state, Phase next);
  void Fail(const Error& error);
  void End(core::UploadState state, std::string message);

  const UploadParts& parts_;
  core::UploadJob job_;
  Phase phase_ = Phase::kLook;
  Phase after_save_ = Phase::kOver;
  int attempts_ = 0;
  InputFile file_;
  EntryPointer entry_;     // that the file was checked against; null: the dataset is to be made
  core::Dataset dataset_;  // as checked against
  std::uint64_t new_bytes_ = 0;  // of all records, as the store counts them
  PlanLimits::Room room_;

  std::unique_ptr<FieldFinder> finder_;
  std::unique_ptr<Checker> checker_;
  std::unique_ptr<Stager> stager_;
  std::unique_ptr<core::RecordFileReader> reader_;
  std::unique_ptr<store::LayerWriter> layer_;
  std::unique_ptr<store::GenerationWriter> generation_;
};

}  // namespace latchkey::service
