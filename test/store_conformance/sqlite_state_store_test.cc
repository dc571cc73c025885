// The conformance suite over SQLite.
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include "store/files.h"
#include "store/sqlite_database.h"
#include "store/sqlite_store.h"
#include "test/store_conformance/state_store_conformance.h"

namespace latchkey::store {
namespace {

class SqliteStateStoreUnderTest final : public StateStoreUnderTest {
 public:
  SqliteStateStoreUnderTest() {
    folder_ = testing::TempDir() + "/latchkey-state-XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr) std::abort();
  }
  ~SqliteStateStoreUnderTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> Open() override {
    Result<std::unique_ptr<SqliteStore>> store =
        SqliteStore::Open({.folder = folder_, .create = true, .vfs = {}}, kTestTime);
    EXPECT_TRUE(store.ok()) << (store.ok() ? "" : store.error().internal_text);
    if (!store.ok()) return nullptr;
    return *std::move(store);
  }

  void RunSql(const std::string& sql) override {
    SqliteDatabase::Options options;
    options.path = folder_ + "/" + std::string(kStateFile);
    options.application_id = kStateApplicationId;
    options.migrations = StateMigrations();
    const auto database = SqliteDatabase::Open(options);
    ASSERT_TRUE(database.ok());
    const Status done = (*database)->Execute(sql.c_str());
    ASSERT_TRUE(done.ok()) << done.error().internal_text;
  }

 private:
  std::string folder_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, StateStoreConformanceTest,
                         testing::Values(StateStoreBackEnd{
                             "Sqlite",
                             [] { return std::make_unique<SqliteStateStoreUnderTest>(); }}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace latchkey::store
