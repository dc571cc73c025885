// SqliteDatasetStore: jobs of uploads.
#include <utility>

#include <fmt/format.h>

#include "store/sqlite_dataset_view.h"

namespace latchkey::store {
namespace {

constexpr std::string_view kColumns =
    "id, account, workspace, dataset, dataset_id, state, overwrite, keep_first, create_on_demand, "
    "max_errors, principal, address, request_id, bytes, lines, rejected, stored, message, "
    "generation, created, updated";

constexpr std::string_view kPut =
    "INSERT INTO jobs (id, account, workspace, dataset, dataset_id, state, overwrite, keep_first, "
    "create_on_demand, max_errors, principal, address, request_id, bytes, lines, rejected, stored, "
    "message, generation, created, updated, finished) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, "
    "?20, ?21, ?22) "
    "ON CONFLICT (id) DO UPDATE SET account = ?2, workspace = ?3, dataset = ?4, dataset_id = ?5, "
    "state = ?6, overwrite = ?7, keep_first = ?8, create_on_demand = ?9, max_errors = ?10, "
    "principal = ?11, address = ?12, request_id = ?13, bytes = ?14, lines = ?15, rejected = ?16, "
    "stored = ?17, message = ?18, generation = ?19, created = ?20, updated = ?21, finished = ?22";

std::int64_t Signed(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t Unsigned(std::int64_t number) { return static_cast<std::uint64_t>(number); }

core::UploadJob JobOf(const SqliteStatement& row) {
  core::UploadJob job;
  job.id = {row.Integer(0)};
  job.account = {row.Integer(1)};
  job.workspace = row.Text(2);
  job.dataset = row.Text(3);
  job.dataset_id = {row.Integer(4)};
  job.state = static_cast<core::UploadState>(row.Integer(5));
  job.overwrite = row.Integer(6) != 0;
  job.keep_first = row.Integer(7) != 0;
  job.create_on_demand = row.Integer(8) != 0;
  job.max_errors = Unsigned(row.Integer(9));
  job.actor = {std::string(row.Text(10)), std::string(row.Text(11)), std::string(row.Text(12))};
  job.bytes = Unsigned(row.Integer(13));
  job.lines = Unsigned(row.Integer(14));
  job.rejected = Unsigned(row.Integer(15));
  job.stored = Unsigned(row.Integer(16));
  job.message = row.Text(17);
  job.generation = row.Integer(18);
  job.created_at = FromUnixMillis(row.Integer(19));
  job.updated_at = FromUnixMillis(row.Integer(20));
  return job;
}

}  // namespace

Status SqliteDatasetStore::PutJobRow(SqliteDatabase& database, const core::UploadJob& job) {
  Result<SqliteStatement> put = database.Prepare(kPut);
  if (!put.ok()) return put.error();
  return put->Bind(1, job.id.value)
      .Bind(2, job.account.value)
      .Bind(3, job.workspace)
      .Bind(4, job.dataset)
      .Bind(5, job.dataset_id.value)
      .Bind(6, static_cast<std::int64_t>(job.state))
      .Bind(7, static_cast<std::int64_t>(job.overwrite))
      .Bind(8, static_cast<std::int64_t>(job.keep_first))
      .Bind(9, static_cast<std::int64_t>(job.create_on_demand))
      .Bind(10, Signed(job.max_errors))
      .Bind(11, job.actor.principal)
      .Bind(12, job.actor.address)
      .Bind(13, job.actor.request_id)
      .Bind(14, Signed(job.bytes))
      .Bind(15, Signed(job.lines))
      .Bind(16, Signed(job.rejected))
      .Bind(17, Signed(job.stored))
      .Bind(18, job.message)
      .Bind(19, job.generation)
      .Bind(20, ToUnixMillis(job.created_at))
      .Bind(21, ToUnixMillis(job.updated_at))
      .Bind(22, static_cast<std::int64_t>(job.Finished()))
      .Run();
}

Status SqliteDatasetStore::ChangeJobs(std::int64_t lane,
                                      const std::function<Status(SqliteDatabase&)>& change) {
  Turn turn(turns_, lane);
  if (Status status = SetDurable(true); !status.ok()) return status;
  const auto commit = [&]() REQUIRES(turns_) -> Status {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_);
    if (!transaction.ok()) return transaction.error();
    if (Status status = change(*database_); !status.ok()) return status;
    return transaction->Commit();
  };
  Status status = commit();
  static_cast<void>(SetDurable(false));
  return status;
}

Status SqliteDatasetStore::PutJob(const core::UploadJob& job) {
  return ChangeJobs(job.account.value,
                    [&job](SqliteDatabase& database) { return PutJobRow(database, job); });
}

Status SqliteDatasetStore::RemoveJob(core::UploadJobId id) {
  return ChangeJobs(kHousekeeping, [id](SqliteDatabase& database) -> Status {
    Result<SqliteStatement> remove = database.Prepare("DELETE FROM jobs WHERE id = ?1");
    if (!remove.ok()) return remove.error();
    return remove->Bind(1, id.value).Run();
  });
}

Result<std::vector<core::UploadJob>> SqliteDatasetStore::ReadJobs(
    std::string_view where, const std::function<void(SqliteStatement&)>& bind) {
  Result<Reader> reader = TakeReader();
  if (!reader.ok()) return reader.error();
  Result<SqliteStatement> select =
      reader->database().Prepare(fmt::format("SELECT {} FROM jobs WHERE {}", kColumns, where));
  if (!select.ok()) return select.error();
  bind(*select);
  std::vector<core::UploadJob> jobs;
  Result<bool> row = false;
  while ((row = select->Step()).ok() && *row) jobs.push_back(JobOf(*select));
  if (!row.ok()) return row.error();
  return jobs;
}

Result<std::optional<core::UploadJob>> SqliteDatasetStore::GetJob(core::UploadJobId id) {
  Result<std::vector<core::UploadJob>> found =
      ReadJobs("id = ?1", [id](SqliteStatement& select) { select.Bind(1, id.value); });
  if (!found.ok()) return found.error();
  if (found->empty()) return std::optional<core::UploadJob>();
  return std::optional<core::UploadJob>(std::move(found->front()));
}

Result<std::vector<core::UploadJob>> SqliteDatasetStore::ListJobs(
    std::string_view workspace, std::optional<core::UploadJobId> before, std::size_t limit) {
  return ReadJobs(before ? "workspace = ?1 AND sequence < (SELECT sequence FROM jobs WHERE "
                           "id = ?3) ORDER BY sequence DESC LIMIT ?2"
                         : "workspace = ?1 ORDER BY sequence DESC LIMIT ?2",
                  [&](SqliteStatement& select) {
                    select.Bind(1, workspace).Bind(2, static_cast<std::int64_t>(limit));
                    if (before) select.Bind(3, before->value);
                  });
}

Result<std::vector<core::UploadJob>> SqliteDatasetStore::UnfinishedJobs() {
  return ReadJobs("finished = 0 ORDER BY sequence", [](SqliteStatement&) {});
}

Result<std::vector<core::UploadJob>> SqliteDatasetStore::FinishedJobsBefore(Timestamp time) {
  return ReadJobs("finished = 1 AND updated < ?1 ORDER BY sequence LIMIT 1000",
                  [time](SqliteStatement& select) { select.Bind(1, ToUnixMillis(time)); });
}

Result<std::vector<core::UploadJob>> SqliteDatasetStore::FinishedJobsBeyond(std::size_t keep) {
  return ReadJobs(
      "sequence IN (SELECT sequence FROM (SELECT sequence, ROW_NUMBER() OVER (PARTITION BY "
      "workspace ORDER BY sequence DESC) AS place FROM jobs WHERE finished = 1) WHERE place > ?1) "
      "ORDER BY sequence LIMIT 1000",
      [keep](SqliteStatement& select) { select.Bind(1, static_cast<std::int64_t>(keep)); });
}

}  // namespace latchkey::store
