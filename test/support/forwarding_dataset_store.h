// A DatasetStore that hands everything on to another one: what a test overrides, it watches or lets
// fail.
#pragma once

#include <memory>
#include <vector>

#include "store/dataset_store.h"

namespace latchkey::test {

class ForwardingDatasetStore : public store::DatasetStore {
 public:
  explicit ForwardingDatasetStore(store::DatasetStore& inner) : inner_(inner) {}

  Result<std::unique_ptr<store::GenerationWriter>> BeginGeneration(std::int64_t lane) override {
    return inner_.BeginGeneration(lane);
  }
  Result<store::WriteResult> Write(std::int64_t generation, std::int64_t lane,
                                   std::span<const core::Record> records,
                                   store::Duplicates duplicates) override {
    return inner_.Write(generation, lane, records, duplicates);
  }
  Result<std::unique_ptr<store::LayerWriter>> BeginLayer(std::int64_t generation, std::int64_t lane,
                                                         store::Duplicates duplicates) override {
    return inner_.BeginLayer(generation, lane, duplicates);
  }
  Result<store::DeleteResult> Delete(std::int64_t generation, std::int64_t lane,
                                     const store::DeleteRange& range) override {
    return inner_.Delete(generation, lane, range);
  }
  Result<bool> Drain(std::int64_t generation, std::int64_t lane) override {
    return inner_.Drain(generation, lane);
  }
  std::vector<std::int64_t> GenerationsWithLayers() override {
    return inner_.GenerationsWithLayers();
  }
  Result<std::vector<core::Record>> Query(std::int64_t generation, const core::RecordQuery& query,
                                          std::uint64_t max_bytes,
                                          const std::function<bool()>& interrupted) override {
    return inner_.Query(generation, query, max_bytes, interrupted);
  }
  Result<std::vector<std::vector<core::Record>>> QueryEach(
      std::int64_t generation, std::span<const core::RecordQuery> queries,
      std::uint64_t max_records, std::uint64_t max_bytes,
      const std::function<bool()>& interrupted) override {
    return inner_.QueryEach(generation, queries, max_records, max_bytes, interrupted);
  }
  Result<std::vector<core::Record>> Scan(std::int64_t generation,
                                         const std::optional<store::ScanPosition>& after,
                                         std::size_t max_records, std::uint64_t max_bytes,
                                         const std::function<bool()>& interrupted) override {
    return inner_.Scan(generation, after, max_records, max_bytes, interrupted);
  }
  Status Drop(std::int64_t generation) override { return inner_.Drop(generation); }
  Result<std::vector<store::Generation>> ListGenerations() override {
    return inner_.ListGenerations();
  }
  Status PutJob(const core::UploadJob& job) override { return inner_.PutJob(job); }
  Result<std::optional<core::UploadJob>> GetJob(core::UploadJobId id) override {
    return inner_.GetJob(id);
  }
  Result<std::vector<core::UploadJob>> ListJobs(std::string_view workspace,
                                                std::optional<core::UploadJobId> before,
                                                std::size_t limit) override {
    return inner_.ListJobs(workspace, before, limit);
  }
  Result<std::vector<core::UploadJob>> UnfinishedJobs() override { return inner_.UnfinishedJobs(); }
  Result<std::vector<core::UploadJob>> FinishedJobsBefore(Timestamp time) override {
    return inner_.FinishedJobsBefore(time);
  }
  Result<std::vector<core::UploadJob>> FinishedJobsBeyond(std::size_t keep) override {
    return inner_.FinishedJobsBeyond(keep);
  }
  Status RemoveJob(core::UploadJobId id) override { return inner_.RemoveJob(id); }
  Status CheckIntegrity() override { return inner_.CheckIntegrity(); }
  Result<std::unique_ptr<store::Snapshot>> TakeSnapshot() override { return inner_.TakeSnapshot(); }

 private:
  store::DatasetStore& inner_;
};

}  // namespace latchkey::test
