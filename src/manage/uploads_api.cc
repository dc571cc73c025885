#include "manage/uploads_api.h"

#include <string>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "http/file_source.h"
#include "manage/datasets_api.h"
#include "manage/json.h"
#include "manage/paging.h"

namespace latchkey::manage {
namespace {

Reply NoSuchJob(const Call& call) {
  return Refuse(core::Reason::kNotFound, "There is no such job.", call.actor.request_id);
}

void AddError(Error& error, std::string_view field, std::string detail) {
  error.fields.push_back({std::string(field), std::move(detail)});
}

Result<service::UploadOptions> ParseUploadOptions(const Call& call) {
  Error error = MakeError(ErrorCode::kInvalid, "");
  service::UploadOptions options;
  options.create_on_demand = false;
  if (const std::string* text = call.Query("overwrite")) {
    options.overwrite = *text == "true";
    if (*text != "true" && *text != "false") {
      AddError(error, "overwrite", "It must be true or false.");
    }
  }
  if (const std::string* text = call.Query("duplicates")) {
    if (*text == "ignore") {
      options.duplicates = store::Duplicates::kIgnore;
    } else if (*text != "replace") {
      AddError(error, "duplicates", "It must be replace or ignore.");
    }
  }
  if (const std::string* text = call.Query("max_errors")) {
    const std::optional<std::uint64_t> number = ParseUint64(*text);
    if (number && *number <= INT64_MAX) {
      options.max_errors = *number;
    } else {
      AddError(error, "max_errors", "It must be a whole number from 0 on.");
    }
  }
  if (error.fields.empty()) return options;
  error.public_text = error.fields.front().field + ": " + error.fields.front().detail;
  return error;
}

// "/manage/v1/datasets/X:upload" → "/manage/v1/jobs/".
std::string JobsPath(const std::string& path) {
  return path.substr(0, path.rfind("/datasets/")) + "/jobs/";
}

}  // namespace

class UploadsApi::Receiver final : public BodyReceiver {
 public:
  Receiver(UploadsApi& api, std::shared_ptr<const Call> call, JudgeFunction judge,
           AccountFunction account)
      : api_(api), call_(std::move(call)), judge_(std::move(judge)), account_(std::move(account)) {}

  std::optional<Reply> Begin() override {
    if (std::optional<Reply> refusal = judge_(*call_)) return refusal;
    const std::string& request_id = call_->actor.request_id;
    const Result<core::Account> account = account_(*call_);
    if (!account.ok()) return Refuse(account.error(), request_id);
    Result<service::UploadOptions> options = ParseUploadOptions(*call_);
    if (!options.ok()) return Refuse(options.error(), request_id);
    const auto entry = FindOwnDataset(api_.catalogue_, account->workspace, call_->captures.back());
    if (!entry) {
      return Refuse(core::Reason::kNotFound, "There is no such dataset.", request_id);
    }
    if (!Reaches(*call_, entry.get())) {
      return Refuse(core::Reason::kTokenWrongEnvironment, "", request_id);
    }
    options->workspace = account->workspace;
    options->dataset = entry->dataset.name;
    auto begun = api_.uploads_.Begin(*options, call_->actor);
    if (!begun.ok()) return Refuse(begun.error(), request_id);
    upload_ = *std::move(begun);
    return std::nullopt;
  }

  std::optional<Reply> Feed(std::string_view bytes) override {
    const Status fed = upload_->Feed(bytes);
    if (fed.ok()) return std::nullopt;
    return Refuse(fed.error(), call_->actor.request_id);
  }

  Reply Finish() override {
    // The token may be gone since the first byte.
    if (std::optional<Reply> refusal = judge_(*call_)) return std::move(*refusal);
    const Result<core::UploadJob> job = upload_->Finish();
    if (!job.ok()) return Refuse(job.error(), call_->actor.request_id);
    Reply reply = JsonReply(UploadJobJson(*job));
    reply.status = 201;
    reply.location = JobsPath(call_->path) + job->id.ToString();
    return reply;
  }

 private:
  UploadsApi& api_;
  const std::shared_ptr<const Call> call_;
  const JudgeFunction judge_;
  const AccountFunction account_;
  std::unique_ptr<service::Upload> upload_;
};

std::unique_ptr<BodyReceiver> UploadsApi::MakeReceiver(std::shared_ptr<const Call> call,
                                                       JudgeFunction judge,
                                                       AccountFunction account) {
  return std::make_unique<Receiver>(*this, std::move(call), std::move(judge), std::move(account));
}

Reply UploadsApi::Run(const Call& call, const core::Account& account) {
  if (call.route == Route::kListJobs) return List(call, account);
  const std::optional<core::UploadJobId> id = core::UploadJobId::Parse(call.captures.back());
  if (!id) return NoSuchJob(call);
  const Result<core::UploadJob> job = uploads_.Find(account.workspace, *id);
  if (!job.ok()) return Refuse(job.error(), call.actor.request_id);
  if (!IsShownTo(call, *job)) {
    return Refuse(core::Reason::kTokenWrongEnvironment, "", call.actor.request_id);
  }
  if (call.route == Route::kGetRejectedLines) return RejectedLines(call, account, *id);
  return JsonReply(UploadJobJson(*job));
}

bool UploadsApi::IsShownTo(const Call& call, const core::UploadJob& job) const {
  return Reaches(call, catalogue_.Find(job.workspace, job.dataset).get());
}

Reply UploadsApi::List(const Call& call, const core::Account& account) {
  const Result<service::PageRequest> page = ParsePageRequest(call);
  if (!page.ok()) return Refuse(page.error(), call.actor.request_id);
  const auto jobs = uploads_.List(account.workspace, *page);
  if (!jobs.ok()) return Refuse(jobs.error(), call.actor.request_id);
  std::vector<std::string> items;
  items.reserve(jobs->items.size());
  for (const core::UploadJob& job : jobs->items) {
    if (IsShownTo(call, job)) items.push_back(UploadJobJson(job));
  }
  return JsonReply(ListJson(items, jobs->next ? PageToken(*jobs->next) : std::string()));
}

Reply UploadsApi::RejectedLines(const Call& call, const core::Account& account,
                                core::UploadJobId id) {
  const Result<std::string> path = uploads_.RejectedFile(account.workspace, id);
  if (!path.ok()) return Refuse(path.error(), call.actor.request_id);
  Result<http::FileBody> file = http::OpenFileBody(*path);
  if (!file.ok()) return Refuse(file.error(), call.actor.request_id);
  Reply reply;
  reply.content_type = "text/csv; charset=utf-8";
  reply.source = std::move(file->source);
  reply.source_bytes = file->bytes;
  return reply;
}

}  // namespace latchkey::manage
