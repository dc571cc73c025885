// What every DatasetStore must do, whatever it is built on. A back end instantiates the suite with
// a way to open itself in a folder:
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, DatasetStoreConformance, testing::Values(DatasetBackEnd{…}));
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/result.h"
#include "core/record.h"
#include "core/record_query.h"
#include "store/dataset_store.h"

namespace latchkey::store {

struct DatasetBackEnd {
  std::string name;
  // Opens the store in the folder, creating it the first time.
  std::function<Result<std::unique_ptr<DatasetStore>>(const std::string& folder)> open;
  // Opens the file that a snapshot was copied to.
  std::function<Result<std::unique_ptr<DatasetStore>>(const std::string& file)> open_copy;
};

class DatasetStoreConformance : public testing::TestWithParam<DatasetBackEnd> {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::unique_ptr<DatasetStore> Open() const;
  // A finished generation of these records.
  static std::int64_t Write(DatasetStore& store, const std::vector<core::Record>& records,
                            Duplicates duplicates = Duplicates::kReplace);
  static std::vector<core::Record> Ask(DatasetStore& store, std::int64_t generation,
                                       const core::RecordQuery& query);
  // Everything, newest first.
  static std::vector<core::Record> All(DatasetStore& store, std::int64_t generation);

  std::string folder_;
};

}  // namespace latchkey::store
