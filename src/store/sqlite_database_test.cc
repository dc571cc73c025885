#include "store/sqlite_database.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace latchkey::store {
namespace {

constexpr std::array kTwoMigrations = {
    Migration{1, "things", "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"},
    Migration{2, "more", "ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7"}};
constexpr std::array kBrokenMigrations = {
    kTwoMigrations[0],
    Migration{2, "broken",
              "ALTER TABLE things ADD COLUMN size INTEGER; SELECT no_such_function()"}};

class SqliteDatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/latchkey-sqlite-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  SqliteDatabase::Options Options(std::span<const Migration> migrations = kTwoMigrations) const {
    return {
        .path = Path(), .application_id = 77, .migrations = migrations, .create = true, .vfs = {}};
  }
  std::string Path() const { return folder_ + "/a.db"; }

  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Write(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  // Opens `bytes` in the database's place and expects a refusal that leaves them as they are.
  void ExpectRefused(std::string_view bytes, ErrorCode code, std::string_view words) {
    Write(Path(), bytes);
    const auto opened = SqliteDatabase::Open(Options());
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, code) << opened.error().public_text;
    EXPECT_NE(opened.error().public_text.find(words), std::string::npos)
        << opened.error().public_text;
    EXPECT_EQ(Read(Path()), bytes);
  }

  std::string folder_;
};

TEST_F(SqliteDatabaseTest, MakesAFileThatOnlyItsOwnerMayUse) {
  const auto database = SqliteDatabase::Open(Options());
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE((*database)->Execute("INSERT INTO things (name) VALUES ('a')").ok());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status{};
    ASSERT_EQ(::stat((Path() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << suffix;
  }
  EXPECT_FALSE(std::filesystem::exists(Path() + ".new"));
}

TEST_F(SqliteDatabaseTest, GivesBackWhatWasBound) {
  const auto database = SqliteDatabase::Open(Options());
  ASSERT_TRUE(database.ok());
  {
    auto insert = (*database)->Prepare("INSERT INTO things (id, name, size) VALUES (?1, ?2, ?3)");
    ASSERT_TRUE(insert.ok());
    EXPECT_TRUE(insert->Bind(1, 5).Bind(2, "five").Bind(3, INT64_MIN).Run().ok());
    EXPECT_TRUE(insert->Bind(1, 6).Bind(2, std::string_view()).Run().ok());
    const Status again = insert->Bind(1, 7).Bind(2, "five").Run();
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  }
  auto select = (*database)->Prepare("SELECT id, name, size FROM things ORDER BY id");
  ASSERT_TRUE(select.ok());
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Integer(0), 5);
  EXPECT_EQ(select->Text(1), "five");
  EXPECT_EQ(select->Integer(2), INT64_MIN);
  ASSERT_TRUE(*select->Step());
  EXPECT_FALSE(select->IsNull(1));
  EXPECT_EQ(select->Text(1), "");
  EXPECT_FALSE(*select->Step());
}

TEST_F(SqliteDatabaseTest, ATransactionThatGoesWithoutCommitLeavesNothing) {
  const auto database = SqliteDatabase::Open(Options());
  ASSERT_TRUE(database.ok());
  {
    auto transaction = SqliteTransaction::Begin(**database);
    ASSERT_TRUE(transaction.ok());
    ASSERT_TRUE((*database)->Execute("INSERT INTO things (name) VALUES ('a')").ok());
  }
  EXPECT_EQ(*(*database)->QueryInteger("SELECT count(*) FROM things"), 0);
}

TEST_F(SqliteDatabaseTest, MigratesAnOlderFileAndKeepsACopyOfIt) {
  {
    const auto old = SqliteDatabase::Open(Options(std::span(kTwoMigrations).first(1)));
    ASSERT_TRUE(old.ok());
    ASSERT_TRUE((*old)->Execute("INSERT INTO things (name) VALUES ('kept')").ok());
  }
  const auto database = SqliteDatabase::Open(Options());
  ASSERT_TRUE(database.ok()) << database.error().internal_text;
  EXPECT_EQ(*(*database)->QueryInteger("SELECT size FROM things WHERE name = 'kept'"), 7);
  EXPECT_EQ(*(*database)->QueryInteger("PRAGMA user_version"), 2);

  auto before = Options(std::span(kTwoMigrations).first(1));
  before.path += ".before-2";
  before.create = false;
  const auto copy = SqliteDatabase::Open(before);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(*(*copy)->QueryInteger("SELECT count(*) FROM things WHERE name = 'kept'"), 1);
}

TEST_F(SqliteDatabaseTest, AMigrationThatFailsChangesNothing) {
  {
    ASSERT_TRUE(SqliteDatabase::Open(Options(std::span(kTwoMigrations).first(1))).ok());
  }
  ASSERT_FALSE(SqliteDatabase::Open(Options(kBrokenMigrations)).ok());
  const auto database = SqliteDatabase::Open(Options(std::span(kTwoMigrations).first(1)));
  ASSERT_TRUE(database.ok());
  EXPECT_EQ(*(*database)->QueryInteger(
                "SELECT count(*) FROM pragma_table_info('things') WHERE name = 'size'"),
            0);
}

TEST_F(SqliteDatabaseTest, RefusesANewerFileInWordsThatSayWhatToDo) {
  {
    ASSERT_TRUE(SqliteDatabase::Open(Options()).ok());
  }
  const auto older = SqliteDatabase::Open(Options(std::span(kTwoMigrations).first(1)));
  ASSERT_FALSE(older.ok());
  EXPECT_EQ(older.error().code, ErrorCode::kNewer);
  EXPECT_EQ(
      older.error().public_text,
      Path() +
          " was written by a newer Latchkey (schema 2; this one knows 1). Start that version, "
          "or restore a backup.");
}

TEST_F(SqliteDatabaseTest, RefusesWhatIsNotItsOwnAndLeavesItAsItIs) {
  ExpectRefused("", ErrorCode::kCorrupt, "cut short");
  ExpectRefused("SQLite format 3", ErrorCode::kCorrupt, "cut short");
  ExpectRefused(std::string(5000, 'x'), ErrorCode::kCorrupt, "not an SQLite database");
  std::filesystem::remove(Path());

  auto foreign = Options();
  foreign.application_id = 78;
  foreign.path = folder_ + "/foreign.db";
  {
    ASSERT_TRUE(SqliteDatabase::Open(foreign).ok());
  }
  ExpectRefused(Read(foreign.path), ErrorCode::kInvalid, "another program");
}

TEST_F(SqliteDatabaseTest, RefusesAFileThatWasCutShort) {
  {
    const auto database = SqliteDatabase::Open(Options());
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)
                    ->Execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                              "LIMIT 2000) INSERT INTO things (name) SELECT 'name ' || i FROM n")
                    .ok());
  }
  const std::string whole = Read(Path());
  for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{4096},
                                 std::size_t{1000}, std::size_t{100}}) {
    SCOPED_TRACE(size);
    ExpectRefused(std::string_view(whole).substr(0, size), ErrorCode::kCorrupt, "cut short");
  }
}

TEST_F(SqliteDatabaseTest, RefusesALogWithoutItsDatabase) {
  Write(Path() + "-wal", "changes that nobody has folded in");
  const auto opened = SqliteDatabase::Open(Options());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(std::filesystem::exists(Path()));
}

TEST_F(SqliteDatabaseTest, ASnapshotKeepsTheViewOfItsMoment) {
  const auto database = SqliteDatabase::Open(Options());
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE((*database)->Execute("INSERT INTO things (name) VALUES ('before')").ok());
  const auto snapshot = (*database)->TakeSnapshot();
  ASSERT_TRUE(snapshot.ok());
  ASSERT_TRUE((*database)->Execute("INSERT INTO things (name) VALUES ('after')").ok());

  auto copy = Options();
  copy.path = folder_ + "/copy.db";
  copy.create = false;
  ASSERT_TRUE((*snapshot)->CopyTo(copy.path).ok());
  struct stat status{};
  ASSERT_EQ(::stat(copy.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const Status again = (*snapshot)->CopyTo(copy.path);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);

  const auto opened = SqliteDatabase::Open(copy);
  ASSERT_TRUE(opened.ok()) << opened.error().internal_text;
  EXPECT_EQ(*(*opened)->QueryInteger("SELECT count(*) FROM things"), 1);
  EXPECT_TRUE((*opened)->CheckIntegrity().ok());
}

TEST_F(SqliteDatabaseTest, TheCheckFindsADamagedPage) {
  {
    const auto database = SqliteDatabase::Open(Options());
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)
                    ->Execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                              "LIMIT 2000) INSERT INTO things (name) SELECT 'name ' || i FROM n")
                    .ok());
    ASSERT_TRUE((*database)->CheckIntegrity().ok());
  }
  std::string bytes = Read(Path());
  bytes.replace(bytes.size() - 4096, 64, std::string(64, '\xff'));
  Write(Path(), bytes);
  const auto database = SqliteDatabase::Open(Options());
  ASSERT_TRUE(database.ok());
  const Status checked = (*database)->CheckIntegrity();
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace latchkey::store
