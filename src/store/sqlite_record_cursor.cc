#include "store/sqlite_record_cursor.h"

#include <array>
#include <utility>

namespace latchkey::store {
namespace {

// By what is asked for and in which order. Parameters: generation, first and last date, key,
// subkey.
#define LATCHKEY_SELECT "SELECT key, subkey, date, updated, field_values FROM records "
#define LATCHKEY_WHERE "WHERE generation = ?1 AND date >= ?2 AND date <= ?3 "
#define LATCHKEY_BY_TABLE "INDEXED BY sqlite_autoindex_records_1 "
constexpr std::array<std::string_view, 2> kOfAll = {
    LATCHKEY_SELECT "INDEXED BY records_by_date " LATCHKEY_WHERE "ORDER BY date DESC, key, subkey",
    LATCHKEY_SELECT "INDEXED BY records_by_date " LATCHKEY_WHERE
                    "ORDER BY date, key DESC, subkey DESC"};
constexpr std::array<std::string_view, 2> kOfKey = {
    LATCHKEY_SELECT LATCHKEY_BY_TABLE LATCHKEY_WHERE "AND key = ?4 ORDER BY date DESC, subkey",
    LATCHKEY_SELECT LATCHKEY_BY_TABLE LATCHKEY_WHERE "AND key = ?4 ORDER BY date, subkey DESC"};
constexpr std::array<std::string_view, 2> kOfSubkey = {
    LATCHKEY_SELECT "INDEXED BY records_by_subkey " LATCHKEY_WHERE
                    "AND key = ?4 AND subkey = ?5 AND subkey <> '' ORDER BY date DESC",
    LATCHKEY_SELECT "INDEXED BY records_by_subkey " LATCHKEY_WHERE
                    "AND key = ?4 AND subkey = ?5 AND subkey <> '' ORDER BY date"};
// Records without a subkey are in no index of their own: those of the key are walked.
constexpr std::array<std::string_view, 2> kOfEmptySubkey = {
    LATCHKEY_SELECT LATCHKEY_BY_TABLE LATCHKEY_WHERE
    "AND key = ?4 AND subkey = ?5 ORDER BY date DESC",
    LATCHKEY_SELECT LATCHKEY_BY_TABLE LATCHKEY_WHERE "AND key = ?4 AND subkey = ?5 ORDER BY date"};
// In the order of the table: everything, what stands behind a key, and what stands behind a subkey
// of one key and date.
constexpr std::string_view kTable =
    LATCHKEY_SELECT LATCHKEY_BY_TABLE "WHERE generation = ?1 ORDER BY key, date DESC, subkey";
constexpr std::string_view kBehindKey = LATCHKEY_SELECT LATCHKEY_BY_TABLE
    "WHERE generation = ?1 AND key > ?4 ORDER BY key, date DESC, subkey";
constexpr std::string_view kBehindSubkey = LATCHKEY_SELECT LATCHKEY_BY_TABLE
    "WHERE generation = ?1 AND key = ?4 AND date = ?2 AND subkey > ?5 ORDER BY subkey";
#undef LATCHKEY_SELECT
#undef LATCHKEY_WHERE
#undef LATCHKEY_BY_TABLE

std::string_view SqlOf(const RecordScan& scan) {
  const std::size_t order = scan.order == RowOrder::kOldestFirst ? 1 : 0;
  if (!scan.key) return scan.order == RowOrder::kTable ? kTable : kOfAll[order];
  if (!scan.subkey) return kOfKey[order];
  return scan.subkey->empty() ? kOfEmptySubkey[order] : kOfSubkey[order];
}

}  // namespace

std::vector<ScanStage> StagesOf(const RecordScan& scan) {
  const std::string_view key = scan.key ? std::string_view(*scan.key) : std::string_view();
  const std::string_view subkey = scan.subkey ? std::string_view(*scan.subkey) : std::string_view();
  if (!scan.after) return {{SqlOf(scan), scan.from_millis, scan.to_millis, key, subkey}};

  const ScanPosition& after = *scan.after;
  std::vector<ScanStage> stages;
  // Of one subkey each date has one record.
  if (!scan.subkey) {
    stages.push_back(
        {kBehindSubkey, after.date_millis, after.date_millis, after.key, after.subkey});
  }
  if (after.date_millis > scan.from_millis) {
    RecordScan of_key;
    of_key.key = after.key;
    of_key.subkey = scan.subkey;
    stages.push_back({SqlOf(of_key), scan.from_millis, after.date_millis - 1, after.key, subkey});
  }
  if (!scan.key) stages.push_back({kBehindKey, 0, 0, after.key, {}});
  return stages;
}

core::Record RowView::ToRecord() const {
  return {std::string(index.key), std::string(index.subkey), index.date_millis, updated_millis,
          std::string(values)};
}

// ---- MergedRows

MergedRows::MergedRows(SqliteDatabase& database, RecordScan scan,
                       std::span<const RecordSource> sources)
    : database_(database), scan_(std::move(scan)), stages_(StagesOf(scan_)) {
  cursors_.reserve(sources.size());
  for (const RecordSource& source : sources) cursors_.emplace_back().source = source;
}

Status MergedRows::Advance(Cursor& cursor) {
  cursor.taken = false;
  for (; cursor.stage < stages_.size(); ++cursor.stage) {
    if (!cursor.statement) {
      const ScanStage& stage = stages_[cursor.stage];
      Result<SqliteStatement> select = database_.Prepare(stage.sql);
      if (!select.ok()) return select.error();
      SqliteStatement& statement = cursor.statement.emplace(*std::move(select));
      const int parameters = statement.parameters();
      statement.Bind(1, cursor.source.generation);
      if (parameters >= 3) statement.Bind(2, stage.from_millis).Bind(3, stage.to_millis);
      if (parameters >= 4) statement.Bind(4, stage.key);
      if (parameters >= 5) statement.Bind(5, stage.subkey);
    }
    const Result<bool> stepped = cursor.statement->Step();
    if (!stepped.ok()) return stepped.error();
    if (*stepped) {
      const SqliteStatement& at = *cursor.statement;
      cursor.row = {{at.Text(0), at.Text(1), at.Integer(2)}, at.Integer(3), at.Text(4)};
      return {};
    }
    cursor.statement.reset();
  }
  cursor.ended = true;
  return {};
}

bool MergedRows::Before(const RowIndex& a, const RowIndex& b) const {
  switch (scan_.order) {
    case RowOrder::kNewestFirst:
      return CompareNewestFirst(a, b) < 0;
    case RowOrder::kOldestFirst:
      return CompareNewestFirst(b, a) < 0;
    case RowOrder::kTable:
      return CompareTableOrder(a, b) < 0;
  }
  return false;
}

bool MergedRows::TakeFirst() {
  const Cursor* first = nullptr;
  for (const Cursor& cursor : cursors_) {
    if (cursor.ended) continue;
    if (first == nullptr || Before(cursor.row.index, first->row.index)) first = &cursor;
  }
  if (first == nullptr) return false;
  for (Cursor& cursor : cursors_) {
    cursor.taken = !cursor.ended && !Before(first->row.index, cursor.row.index);
  }
  return true;
}

Result<bool> MergedRows::Next() {
  for (;;) {
    for (Cursor& cursor : cursors_) {
      if (!cursor.taken || cursor.ended) continue;
      if (Status status = Advance(cursor); !status.ok()) return status.error();
    }
    if (cursors_.size() == 1) {
      cursors_[0].taken = true;
      row_ = cursors_[0].row;
      return !cursors_[0].ended;
    }
    if (!TakeFirst()) return false;
    const Cursor* counts = nullptr;
    for (const Cursor& cursor : cursors_) {
      if (!cursor.taken || (cursor.source.keep_first && counts != nullptr)) continue;
      counts = cursor.row.values.empty() ? nullptr : &cursor;
    }
    if (counts == nullptr) continue;
    row_ = counts->row;
    return true;
  }
}

// ---- MergedLook

Result<const MergedLook::Standing*> MergedLook::At(const RowIndex& index) {
  standing_.visible = false;
  standing_.bytes = 0;
  standing_.parts.assign(sources_.size(), {});
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const RecordSource& source = sources_[i];
    const Result<StandingRow> row = rows_.Look(source.generation, index);
    if (!row.ok()) return row.error();
    if (!row->exists) continue;
    Standing::Part& part = standing_.parts[i];
    part.exists = true;
    if (source.keep_first && standing_.visible) continue;
    const std::int64_t before = standing_.visible ? 1 : 0;
    part.change = {(row->tombstone ? 0 : 1) - before, row->bytes - standing_.bytes};
    standing_.visible = !row->tombstone;
    standing_.bytes = row->bytes;
  }
  return &standing_;
}

}  // namespace latchkey::store
