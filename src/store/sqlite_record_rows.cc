#include "store/sqlite_record_rows.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/encoding.h"

namespace latchkey::store {
namespace {

constexpr std::int64_t kFixedBytes = 48;

constexpr std::string_view kLook =
    "SELECT key, subkey, field_values FROM records "
    "WHERE generation = ?1 AND key = ?2 AND date = ?3 AND subkey = ?4";
constexpr std::string_view kInsert =
    "INSERT INTO records (generation, key, date, subkey, updated, field_values) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
// Leaves the two other indexes alone; only where key and subkey keep their text.
constexpr std::string_view kUpdate =
    "UPDATE records SET updated = ?5, field_values = ?6 "
    "WHERE generation = ?1 AND key = ?2 AND date = ?3 AND subkey = ?4";
constexpr std::string_view kReplace =
    "REPLACE INTO records (generation, key, date, subkey, updated, field_values) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
constexpr std::string_view kRemove =
    "DELETE FROM records WHERE generation = ?1 AND key = ?2 AND date = ?3 AND subkey = ?4";

SqliteStatement& BindIndex(SqliteStatement& statement, std::int64_t generation,
                           const RowIndex& index) {
  return statement.Bind(1, generation)
      .Bind(2, index.key)
      .Bind(3, index.date_millis)
      .Bind(4, index.subkey);
}

Status RunWith(SqliteStatement& statement, std::int64_t generation, const core::Record& record) {
  return BindIndex(statement, generation, IndexOf(record))
      .Bind(5, record.updated_millis)
      .Bind(6, record.values)
      .Run();
}

}  // namespace

int CompareFolded(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (a[i] == b[i]) {
      if (a[i] == '\0') break;  // where NOCASE stops, too
      continue;
    }
    const auto x = static_cast<unsigned char>(ToLower(a[i]));
    const auto y = static_cast<unsigned char>(ToLower(b[i]));
    if (x != y) return x < y ? -1 : 1;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

int CompareTableOrder(const RowIndex& a, const RowIndex& b) {
  if (const int keys = CompareFolded(a.key, b.key); keys != 0) return keys;
  if (a.date_millis != b.date_millis) return a.date_millis > b.date_millis ? -1 : 1;
  return CompareFolded(a.subkey, b.subkey);
}

int CompareNewestFirst(const RowIndex& a, const RowIndex& b) {
  if (a.date_millis != b.date_millis) return a.date_millis > b.date_millis ? -1 : 1;
  if (const int keys = CompareFolded(a.key, b.key); keys != 0) return keys;
  return CompareFolded(a.subkey, b.subkey);
}

std::int64_t RowBytes(std::string_view key, std::string_view subkey, std::string_view values) {
  return static_cast<std::int64_t>(key.size() + subkey.size() + values.size()) + kFixedBytes;
}

Status CheckValues(std::span<const core::Record> records) {
  const auto empty = std::find_if(records.begin(), records.end(),
                                  [](const core::Record& record) { return record.values.empty(); });
  if (empty == records.end()) return {};
  return MakeError(ErrorCode::kInvalid, "A record has no values.",
                   "the values of a record are the empty text");
}

void OrderDistinct(std::span<const core::Record> records, Duplicates duplicates,
                   std::vector<std::size_t>& order) {
  order.resize(records.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int compared = CompareTableOrder(IndexOf(records[a]), IndexOf(records[b]));
    if (compared != 0) return compared < 0;
    return duplicates == Duplicates::kReplace ? a > b : a < b;
  });
  order.erase(std::unique(order.begin(), order.end(),
                          [&](std::size_t a, std::size_t b) {
                            return CompareTableOrder(IndexOf(records[a]), IndexOf(records[b])) == 0;
                          }),
              order.end());
}

Result<SqliteStatement*> RecordRows::Ready(std::optional<SqliteStatement>& statement,
                                           std::string_view sql) {
  if (!statement) {
    Result<SqliteStatement> prepared = database_.Prepare(sql);
    if (!prepared.ok()) return prepared.error();
    statement.emplace(*std::move(prepared));
  }
  return &*statement;
}

Result<StandingRow> RecordRows::Look(std::int64_t generation, const RowIndex& index) {
  const Result<SqliteStatement*> look = Ready(look_, kLook);
  if (!look.ok()) return look.error();
  SqliteStatement& statement = **look;
  const Result<bool> row = BindIndex(statement, generation, index).Step();
  if (!row.ok()) return row.error();
  StandingRow standing;
  if (!*row) return standing;
  const std::string_view values = statement.Text(2);
  standing.exists = true;
  standing.tombstone = values.empty();
  standing.same_text = statement.Text(0) == index.key && statement.Text(1) == index.subkey;
  if (!values.empty()) standing.bytes = RowBytes(statement.Text(0), statement.Text(1), values);
  statement.Reset();
  return standing;
}

Result<bool> RecordRows::Insert(std::int64_t generation, const core::Record& record) {
  const Result<SqliteStatement*> insert = Ready(insert_, kInsert);
  if (!insert.ok()) return insert.error();
  if (Status status = RunWith(**insert, generation, record); !status.ok()) return status.error();
  return database_.changes() > 0;
}

Result<SizeChange> RecordRows::Put(std::int64_t generation, const core::Record& record) {
  // Most records are new, and then this is one search of the table.
  const Result<bool> inserted = Insert(generation, record);
  if (!inserted.ok()) return inserted.error();
  if (*inserted) return SizeChange{1, RowBytes(record)};
  const Result<StandingRow> standing = Look(generation, IndexOf(record));
  if (!standing.ok()) return standing.error();
  const Result<SqliteStatement*> put =
      standing->same_text ? Ready(update_, kUpdate) : Ready(replace_, kReplace);
  if (!put.ok()) return put.error();
  if (Status status = RunWith(**put, generation, record); !status.ok()) return status.error();
  return SizeChange{0, RowBytes(record) - standing->bytes};
}

Status RecordRows::Remove(std::int64_t generation, const RowIndex& index) {
  const Result<SqliteStatement*> remove = Ready(remove_, kRemove);
  if (!remove.ok()) return remove.error();
  return BindIndex(**remove, generation, index).Run();
}

}  // namespace latchkey::store
