#include "gateway/data_api.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace latchkey::gateway {
namespace {

TEST(RefuseParametersTest, NamesTheFirst) {
  EXPECT_TRUE(RefuseParameters("").ok());
  EXPECT_EQ(RefuseParameters("last=1&x=2").error().public_text,
            "The parameter last is not known here");
  EXPECT_EQ(RefuseParameters("a%0Ab").error().public_text, "The parameter a?b is not known here");
}

TEST(CostTest, IsWeightTimesRecordsInTheCreditsOfTheClass) {
  core::Dataset dataset;
  dataset.weight = 1'000'000;
  dataset.dataset_class = core::DatasetClass::kCore;
  EXPECT_EQ(CostOf(dataset, 10'000).core, 10'000'000'000u);
  EXPECT_EQ(CostOf(dataset, 10'000).premium, 0u);
  dataset.dataset_class = core::DatasetClass::kWorkspace;
  EXPECT_EQ(CostOf(dataset, 2).core, 2'000'000u);
  dataset.dataset_class = core::DatasetClass::kPremium;
  EXPECT_EQ(CostOf(dataset, 2).core, 0u);
  EXPECT_EQ(CostOf(dataset, 2).premium, 2'000'000u);
  dataset.weight = 0;
  EXPECT_EQ(CostOf(dataset, 2).premium, 0u);
}

TEST(CatalogueJsonTest, ShowsWhatWireSays) {
  service::CatalogueEntry entry;
  core::Dataset& dataset = entry.dataset;
  dataset.name = "STOCKS";
  dataset.workspace = "core";
  dataset.title = "Monthly \"closes\"";
  dataset.dataset_class = core::DatasetClass::kCore;
  dataset.key_field = "symbol";
  dataset.date_field = "date";
  dataset.weight = 2;
  dataset.updated_at = FromUnixMillis(1'700'000'000'000);
  entry.live = std::make_shared<service::RecordsState>();
  entry.live->records = 560;
  entry.live->updated_millis = 1'700'000'000'123;  // the later of the two counts
  const service::CatalogueEntry* list[] = {&entry, &entry};
  const std::string one =
      R"({"id":"STOCKS","workspace":"core","title":"Monthly \"closes\"","class":"core",)"
      R"("key":"symbol","subkey":null,"date":"date","weight":2,"records":560,)"
      R"("updated":1700000000123})";
  EXPECT_EQ(CatalogueJson(list), "[" + one + "," + one + "]");
  EXPECT_EQ(CatalogueJson({}), "[]");
}

TEST(SuccessJsonTest, IsWhatOldClientsRead) {
  EXPECT_EQ(SuccessJson("wrote 2 messages"), R"({"success":true,"message":"wrote 2 messages"})");
  EXPECT_EQ(SuccessJson("Dataset has been created", "X"),
            R"({"success":true,"message":"Dataset has been created","datasetId":"X"})");
}

TEST(UploadJobJsonTest, TellsStateCountsAndWhereTheRejectedLinesAre) {
  core::UploadJob job;
  job.id = {7};
  job.workspace = "acme";
  job.dataset = "FUNDS";
  job.bytes = 100;
  job.lines = 10;
  job.rejected = 3;
  job.created_at = FromUnixMillis(1'700'000'000'000);
  job.updated_at = FromUnixMillis(1'700'000'000'001);
  const std::string url = "/v1/jobs/acme/ingest/" + job.id.ToString();
  EXPECT_EQ(UploadTakenJson(job),
            R"({"success":true,"message":"The file for FUNDS was taken; its job is at )" + url +
                R"(","jobId":")" + job.id.ToString() + R"(","jobUrl":")" + url + "\"}");
  const auto expected = [&](std::string_view state, std::string_view message,
                            std::string_view stored, std::string_view rejected) {
    return R"({"jobId":")" + job.id.ToString() + R"(","jobUrl":")" + url +
           R"(","type":"ingest","workspace":"acme","datasetId":"FUNDS","status":")" +
           std::string(state) + R"(","message":)" + std::string(message) +
           R"(,"bytes":100,"lines":10,"valid":7,"rejected":3,"stored":)" + std::string(stored) +
           R"(,"rejectedUrl":)" + std::string(rejected) +
           R"(,"created":1700000000000,"updated":1700000000001})";
  };
  EXPECT_EQ(UploadJobJson(job), expected("VALIDATING", "null", "0", "null"));
  job.state = core::UploadState::kFailed;
  job.message = "Too many";
  EXPECT_EQ(UploadJobJson(job),
            expected("FAILED", "\"Too many\"", "0", "\"" + url + "/rejected\""));
  job.state = core::UploadState::kIngested;
  job.message.clear();
  job.stored = 7;
  const core::UploadJob jobs[] = {job, job};
  const std::string one = expected("INGESTED", "null", "7", "\"" + url + "/rejected\"");
  EXPECT_EQ(UploadJobsJson(jobs), "[" + one + "," + one + "]");
  EXPECT_EQ(UploadJobsJson({}), "[]");
}

TEST(StatusJsonTest, IsWhatOldClientsRead) {
  EXPECT_EQ(StatusJson("0.1.0", FromUnixMillis(1'700'000'000'123)),
            R"({"status":"up","version":"0.1.0","time":1700000000123})");
}

TEST(DatasetKeyTest, FoldsCase) { EXPECT_EQ(DatasetKey("Core", "STOCKS"), "core/stocks"); }

}  // namespace
}  // namespace latchkey::gateway
