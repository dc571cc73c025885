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
  Result<std::vector<core::Record>> Query(std::int64_t generation, const core::RecordQuery& query,
                                          std::uint64_t max_bytes,
                                          const std::function<bool()>& interrupted) override {
    return inner_.Query(generation, query, max_bytes, interrupted);
  }
  Status Drop(std::int64_t generation) override { return inner_.Drop(generation); }
  Result<std::vector<store::Generation>> ListGenerations() override {
    return inner_.ListGenerations();
  }
  Status CheckIntegrity() override { return inner_.CheckIntegrity(); }
  Result<std::unique_ptr<store::Snapshot>> TakeSnapshot() override { return inner_.TakeSnapshot(); }

 private:
  store::DatasetStore& inner_;
};

}  // namespace latchkey::test
