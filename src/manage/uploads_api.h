// Files that an account sends into its datasets, and the jobs that take them in: one set of
// functions for /manage/v1/… and /operator/v1/accounts/{account}/…. Thread-safe; all but
// MakeReceiver may block and runs on the worker pool.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/account.h"
#include "manage/body_stream.h"
#include "manage/call.h"
#include "service/catalogue.h"
#include "service/uploads.h"

namespace latchkey::manage {

class UploadsApi {
 public:
  // Judges the caller once more: a refusal, or nothing.
  using JudgeFunction = std::function<std::optional<Reply>(const Call&)>;
  // Whose dataset it is: what the path or the token names. A refusal's error otherwise.
  using AccountFunction = std::function<Result<core::Account>(const Call&)>;

  // Borrowed.
  UploadsApi(service::Uploads& uploads, service::Catalogue& catalogue)
      : uploads_(uploads), catalogue_(catalogue) {}

  // kListJobs, kGetJob, kGetRejectedLines.
  Reply Run(const Call& call, const core::Account& account);

  // Of kUploadToOwnDataset: takes the body and answers 201 with the job. The caller is judged when
  // it begins and again before the file counts.
  std::unique_ptr<BodyReceiver> MakeReceiver(std::shared_ptr<const Call> call, JudgeFunction judge,
                                             AccountFunction account);

 private:
  class Receiver;

  bool IsShownTo(const Call& call, const core::UploadJob& job) const;
  Reply List(const Call& call, const core::Account& account);
  Reply RejectedLines(const Call& call, const core::Account& account, core::UploadJobId id);

  service::Uploads& uploads_;
  service::Catalogue& catalogue_;
};

}  // namespace latchkey::manage
