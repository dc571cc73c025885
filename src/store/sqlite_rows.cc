#include "store/sqlite_rows.h"

#include <algorithm>
#include <optional>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/encoding.h"

namespace latchkey::store {
namespace {

Error CorruptRow(std::string_view what, std::int64_t id) {
  return MakeError(ErrorCode::kCorrupt, "The state database is damaged. The log says more.",
                   fmt::format("a row of {} ({}) holds a value that was never written", what, id));
}

template <typename Enum>
std::optional<Enum> ReadEnum(std::int64_t number, Enum last) {
  if (number < 0 || number > static_cast<std::int64_t>(last)) return std::nullopt;
  return static_cast<Enum>(number);
}

template <typename Enum>
std::int64_t ToNumber(Enum value) {
  return static_cast<std::int64_t>(value);
}

void BindTime(SqliteStatement& statement, int parameter, Timestamp time) {
  statement.Bind(parameter, ToUnixMillis(time));
}

// NULL: none.
template <typename Number>
std::optional<Number> ReadOptional(const SqliteStatement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return static_cast<Number>(row.Integer(column));
}

template <typename Number>
void BindOptional(SqliteStatement& statement, int parameter, const std::optional<Number>& number) {
  if (number) {
    statement.Bind(parameter, static_cast<std::int64_t>(*number));
  } else {
    statement.BindNull(parameter);
  }
}

// [["project","site"],["app","ios"]]: an array, since order counts. Of anything that is two texts.
template <typename Pair>
std::string WritePairs(const std::vector<Pair>& pairs) {
  std::string json = "[";
  for (const auto& [first, second] : pairs) {
    if (json.size() > 1) json += ',';
    json += '[';
    AppendJsonString(json, first);
    json += ',';
    AppendJsonString(json, second);
    json += ']';
  }
  return json += ']';
}

template <typename Pair>
std::optional<std::vector<Pair>> ReadPairs(std::string_view text) {
  if (text == "[]") return std::vector<Pair>();
  boost::system::error_code failed;
  const boost::json::value json = boost::json::parse(text, failed);
  const boost::json::array* array = failed ? nullptr : json.if_array();
  if (array == nullptr) return std::nullopt;
  std::vector<Pair> pairs;
  for (const boost::json::value& element : *array) {
    const boost::json::array* pair = element.if_array();
    if (pair == nullptr || pair->size() != 2) return std::nullopt;
    const boost::json::string* first = (*pair)[0].if_string();
    const boost::json::string* second = (*pair)[1].if_string();
    if (first == nullptr || second == nullptr) return std::nullopt;
    pairs.push_back({std::string(*first), std::string(*second)});
  }
  return pairs;
}

// [{"name":"close","type":"number","required":true}]
std::string WriteFields(const std::vector<core::Field>& fields) {
  std::string json = "[";
  for (const core::Field& field : fields) {
    if (json.size() > 1) json += ',';
    json += R"({"name":)";
    AppendJsonString(json, field.name);
    json += R"(,"type":)";
    AppendJsonString(json, core::ToString(field.type));
    json += field.required ? R"(,"required":true})" : R"(,"required":false})";
  }
  return json += ']';
}

std::optional<core::Field> ReadField(const boost::json::value& element) {
  const boost::json::object* object = element.if_object();
  if (object == nullptr) return std::nullopt;
  const boost::json::value* name = object->if_contains("name");
  const boost::json::value* type = object->if_contains("type");
  const boost::json::value* required = object->if_contains("required");
  if (name == nullptr || !name->is_string() || type == nullptr || !type->is_string() ||
      required == nullptr || !required->is_bool()) {
    return std::nullopt;
  }
  const std::optional<core::FieldType> known = core::ParseFieldType(type->get_string());
  if (!known) return std::nullopt;
  return core::Field{std::string(name->get_string()), *known, required->get_bool()};
}

std::optional<std::vector<core::Field>> ReadFields(std::string_view text) {
  boost::system::error_code failed;
  const boost::json::value json = boost::json::parse(text, failed);
  const boost::json::array* array = failed ? nullptr : json.if_array();
  if (array == nullptr) return std::nullopt;
  std::vector<core::Field> fields;
  for (const boost::json::value& element : *array) {
    std::optional<core::Field> field = ReadField(element);
    if (!field) return std::nullopt;
    fields.push_back(*std::move(field));
  }
  return fields;
}

}  // namespace

std::string_view AsBytes(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Result<Digest> ReadDigest(std::string_view bytes, std::string_view what) {
  Digest digest;
  if (bytes.size() != digest.size()) return CorruptRow(what, 0);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(digest.data()));
  return digest;
}

Result<core::Plan> ReadPlan(const SqliteStatement& row) {
  core::Plan plan;
  plan.id.value = row.Integer(0);
  plan.name = row.Text(1);
  plan.title = row.Text(2);
  // 64 bits without a sign stand as the same bits with one.
  plan.monthly_core_credits = static_cast<std::uint64_t>(row.Integer(3));
  plan.pay_as_you_go = row.Integer(4) != 0;
  plan.premium_data = row.Integer(5) != 0;
  plan.max_tokens = ReadOptional<std::uint32_t>(row, 6);
  plan.max_datasets = ReadOptional<std::uint32_t>(row, 7);
  plan.max_storage_bytes = ReadOptional<std::uint64_t>(row, 8);
  plan.max_jobs = ReadOptional<std::uint32_t>(row, 9);
  plan.created_at = FromUnixMillis(row.Integer(10));
  plan.version = row.Integer(11);
  return plan;
}

void BindPlan(SqliteStatement& statement, const core::Plan& plan) {
  statement.Bind(1, plan.id.value)
      .Bind(2, plan.name)
      .Bind(3, plan.title)
      .Bind(4, static_cast<std::int64_t>(plan.monthly_core_credits))
      .Bind(5, std::int64_t{plan.pay_as_you_go})
      .Bind(6, std::int64_t{plan.premium_data});
  BindOptional(statement, 7, plan.max_tokens);
  BindOptional(statement, 8, plan.max_datasets);
  BindOptional(statement, 9, plan.max_storage_bytes);
  BindOptional(statement, 10, plan.max_jobs);
  BindTime(statement, 11, plan.created_at);
  statement.Bind(12, plan.version);
}

Result<core::Account> ReadAccount(const SqliteStatement& row) {
  core::Account account;
  account.id.value = row.Integer(0);
  account.plan.value = row.Integer(1);
  const auto state = ReadEnum(row.Integer(2), core::AccountState::kSuspended);
  if (!state) return CorruptRow("accounts", account.id.value);
  account.state = *state;
  account.browser_guard = row.Integer(3) != 0;
  account.workspace = row.Text(4);
  account.title = row.Text(5);
  account.created_at = FromUnixMillis(row.Integer(6));
  account.version = row.Integer(7);
  return account;
}

void BindAccount(SqliteStatement& statement, const core::Account& account) {
  statement.Bind(1, account.id.value)
      .Bind(2, account.plan.value)
      .Bind(3, ToNumber(account.state))
      .Bind(4, std::int64_t{account.browser_guard})
      .Bind(5, account.workspace)
      .Bind(6, account.title);
  BindTime(statement, 7, account.created_at);
  statement.Bind(8, account.version);
}

Result<core::Token> ReadToken(const SqliteStatement& row) {
  core::Token token;
  token.id.value = row.Integer(0);
  token.account.value = row.Integer(1);
  const auto kind = ReadEnum(row.Integer(2), core::TokenKind::kSecret);
  const auto environment = ReadEnum(row.Integer(3), core::Environment::kTest);
  const Result<Digest> digest = ReadDigest(row.Blob(8), "tokens");
  if (!kind || !environment || !digest.ok()) return CorruptRow("tokens", token.id.value);
  token.kind = *kind;
  token.environment = *environment;
  token.enabled = row.Integer(4) != 0;
  token.core_data_access = row.Integer(5) != 0;
  token.created_at = FromUnixMillis(row.Integer(6));
  if (!row.IsNull(7)) token.expires_at = FromUnixMillis(row.Integer(7));
  token.digest = *digest;
  return token;
}

Result<core::TokenRecord> ReadTokenRecord(const SqliteStatement& row) {
  Result<core::Token> token = ReadToken(row);
  if (!token.ok()) return token.error();
  core::TokenRecord record;
  record.token = *token;
  record.version = row.Integer(9);
  record.profile.shown_text = row.Text(10);
  record.profile.nickname = row.Text(11);
  record.profile.end_user = row.Text(12);
  record.profile.created_by = row.Text(13);
  std::optional<std::vector<core::Label>> labels = ReadPairs<core::Label>(row.Text(14));
  if (!labels) return CorruptRow("tokens", record.token.id.value);
  record.profile.labels = *std::move(labels);
  record.profile.master_key_id = static_cast<std::uint32_t>(row.Integer(15));
  record.profile.sealed_key_state = row.Blob(16);
  return record;
}

void BindTokenRecord(SqliteStatement& statement, const core::TokenRecord& record) {
  const core::Token& token = record.token;
  const core::TokenProfile& profile = record.profile;
  statement.Bind(1, token.id.value)
      .Bind(2, token.account.value)
      .Bind(3, ToNumber(token.kind))
      .Bind(4, ToNumber(token.environment))
      .Bind(5, std::int64_t{token.enabled})
      .Bind(6, std::int64_t{token.core_data_access});
  BindTime(statement, 7, token.created_at);
  if (token.expires_at) {
    BindTime(statement, 8, *token.expires_at);
  } else {
    statement.BindNull(8);
  }
  statement.BindBlob(9, AsBytes(token.digest))
      .Bind(10, record.version)
      .Bind(11, profile.shown_text)
      .Bind(12, profile.nickname)
      .Bind(13, profile.end_user)
      .Bind(14, profile.created_by)
      .Bind(15, WritePairs(profile.labels))
      .Bind(16, std::int64_t{profile.master_key_id})
      .BindBlob(17, profile.sealed_key_state);
}

Result<core::Dataset> ReadDataset(const SqliteStatement& row) {
  core::Dataset dataset;
  dataset.id.value = row.Integer(0);
  const auto dataset_class = ReadEnum(row.Integer(1), core::DatasetClass::kWorkspace);
  std::optional<std::vector<core::Field>> fields = ReadFields(row.Text(6));
  if (!dataset_class || !fields) return CorruptRow("datasets", dataset.id.value);
  dataset.dataset_class = *dataset_class;
  dataset.owner.value = row.Integer(2);  // NULL reads as 0: none
  dataset.workspace = row.Text(3);
  dataset.name = row.Text(4);
  dataset.title = row.Text(5);
  dataset.fields = *std::move(fields);
  dataset.key_field = row.Text(7);
  dataset.subkey_field = row.Text(8);
  dataset.date_field = row.Text(9);
  dataset.weight = static_cast<std::uint32_t>(row.Integer(10));
  dataset.test = row.Integer(11) != 0;
  dataset.generation = row.Integer(12);
  dataset.created_at = FromUnixMillis(row.Integer(14));
  dataset.updated_at = FromUnixMillis(row.Integer(15));
  dataset.version = row.Integer(16);
  dataset.source = row.Text(17);
  return dataset;
}

void BindDataset(SqliteStatement& statement, const core::Dataset& dataset) {
  statement.Bind(1, dataset.id.value).Bind(2, ToNumber(dataset.dataset_class));
  if (dataset.owner) {
    statement.Bind(3, dataset.owner.value);
  } else {
    statement.BindNull(3);  // 0 would be a reference to an account that is not there
  }
  statement.Bind(4, dataset.workspace)
      .Bind(5, dataset.name)
      .Bind(6, dataset.title)
      .Bind(7, WriteFields(dataset.fields))
      .Bind(8, dataset.key_field)
      .Bind(9, dataset.subkey_field)
      .Bind(10, dataset.date_field)
      .Bind(11, std::int64_t{dataset.weight})
      .Bind(12, std::int64_t{dataset.test})
      .Bind(13, dataset.generation)
      .Bind(14, std::int64_t{0});
  BindTime(statement, 15, dataset.created_at);
  BindTime(statement, 16, dataset.updated_at);
  statement.Bind(17, dataset.version).Bind(18, dataset.source);
}

Result<core::LegacyMap> ReadLegacyMap(const SqliteStatement& row) {
  core::LegacyMap map;
  const auto kind = ReadEnum(row.Integer(0), core::LegacyKind::kChart);
  auto renames = ReadPairs<core::LegacyRename>(row.Text(4));
  if (!kind || !renames) return CorruptRow("legacy_maps", row.Integer(0));
  map.kind = *kind;
  map.dataset.value = row.Integer(1);
  map.updated_at = FromUnixMillis(row.Integer(2));
  map.version = row.Integer(3);
  map.renames = *std::move(renames);
  return map;
}

void BindLegacyMap(SqliteStatement& statement, const core::LegacyMap& map) {
  statement.Bind(1, ToNumber(map.kind)).Bind(2, map.dataset.value);
  BindTime(statement, 3, map.updated_at);
  statement.Bind(4, map.version).Bind(5, WritePairs(map.renames));
}

Result<core::AuditEvent> ReadAuditEvent(const SqliteStatement& row) {
  core::AuditEvent event;
  event.sequence = row.Integer(0);
  event.at = FromUnixMillis(row.Integer(1));
  event.actor.principal = row.Text(2);
  event.actor.address = row.Text(3);
  event.actor.request_id = row.Text(4);
  event.action = row.Text(5);
  event.subject = row.Text(6);
  event.account.value = row.Integer(7);
  event.before = row.Text(8);
  event.after = row.Text(9);
  const Result<Digest> previous = ReadDigest(row.Blob(10), "audit_events");
  const Result<Digest> hash = ReadDigest(row.Blob(11), "audit_events");
  if (!previous.ok() || !hash.ok()) return CorruptRow("audit_events", event.sequence);
  event.previous_hash = *previous;
  event.hash = *hash;
  return event;
}

void BindAuditEvent(SqliteStatement& statement, const core::AuditEvent& event) {
  statement.Bind(1, event.sequence);
  BindTime(statement, 2, event.at);
  statement.Bind(3, event.actor.principal)
      .Bind(4, event.actor.address)
      .Bind(5, event.actor.request_id)
      .Bind(6, event.action)
      .Bind(7, event.subject)
      .Bind(8, event.account.value)
      .Bind(9, event.before)
      .Bind(10, event.after)
      .BindBlob(11, AsBytes(event.previous_hash))
      .BindBlob(12, AsBytes(event.hash));
}

}  // namespace latchkey::store
