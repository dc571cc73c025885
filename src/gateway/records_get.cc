#include "gateway/records_get.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "core/record_query.h"
#include "core/record_text.h"
#include "core/schema_json.h"
#include "gateway/data_api.h"
#include "http/query.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using core::Reason;
using http::Exchange;
using http::Request;

std::optional<std::string_view> Present(std::string_view part) {
  return part.data() == nullptr ? std::nullopt : std::optional(part);
}

Result<core::RecordsRequest> ParseRequest(const Destination& to, std::string_view raw,
                                          std::uint64_t max_records, Timestamp now) {
  Result<std::vector<http::QueryParameter>> pairs = http::ParseQuery(raw);
  if (!pairs.ok()) return std::move(pairs).error();
  std::vector<core::QueryParameter> parameters;
  parameters.reserve(pairs->size());
  for (const http::QueryParameter& pair : *pairs) parameters.push_back({pair.name, pair.value});
  return core::ParseRecordsRequest(Present(to.key), Present(to.subkey), parameters, max_records,
                                   now);
}

// What one request asks, and the bounds of its answer.
struct Question {
  core::RecordsRequest request;
  core::RecordFormat format;
  std::uint64_t max_records;
  std::uint64_t max_bytes;
};

Error TooMany(const Question& question, std::size_t combinations) {
  const std::string most = std::to_string(question.max_records);
  if (question.request.whole_range && combinations == 1) {
    return MakeError(ErrorCode::kInvalid, "The range holds more than " + most +
                                              " records; narrow it with from and to, or set limit");
  }
  return MakeError(ErrorCode::kInvalid, "The answer would hold more than " + most +
                                            " records; ask for fewer datasets, keys or records");
}

Error TooLarge(const Question& question) {
  return MakeError(ErrorCode::kInvalid, "The answer would be larger than " +
                                            std::to_string(question.max_bytes) +
                                            " bytes; narrow it with from and to, limit or filter");
}

// The records of each key, or of the whole dataset where there are no keys, all of one moment.
Result<std::vector<std::vector<core::Record>>> QueryKeys(
    service::Datasets& datasets, const core::Dataset& dataset, const core::RecordQuery& asked,
    const std::vector<std::string>& keys, const ColdRead::Interrupted& interrupted,
    std::uint64_t max_records, std::uint64_t max_bytes) {
  std::vector<core::RecordQuery> queries(std::max<std::size_t>(keys.size(), 1), asked);
  for (std::size_t k = 0; k < keys.size(); ++k) queries[k].key = keys[k];
  if (queries.size() > 1) {
    return datasets.QueryEach(dataset, queries, interrupted, max_records, max_bytes);
  }
  // One more than may be given, so that it is seen.
  queries.front().limit = std::min(asked.limit, max_records + 1);
  Result<std::vector<core::Record>> records =
      datasets.Query(dataset, queries.front(), interrupted, max_bytes);
  if (!records.ok()) return std::move(records).error();
  std::vector<std::vector<core::Record>> answers;
  answers.push_back(*std::move(records));
  return answers;
}

// On the pool.
Status ReadRecords(service::Datasets& datasets, const Question& question, ColdRead& read,
                   const ColdRead::Interrupted& interrupted) {
  std::vector<const core::Dataset*> definitions;
  for (const PreparedAnswer::Part& part : read.parts) definitions.push_back(&part.entry->dataset);
  Result<std::vector<core::RecordQuery>> queries =
      core::CheckRecordsRequest(question.request, definitions);
  if (!queries.ok()) return std::move(queries).error();

  const std::vector<std::string>& keys = question.request.keys;
  const std::size_t keys_each = std::max<std::size_t>(keys.size(), 1);
  core::RecordTextOptions options = core::TextOptions(question.request, question.format);
  options.max_bytes = question.max_bytes;
  core::RecordWriter writer(std::move(options), definitions);
  for (std::size_t i = 0; i < read.parts.size(); ++i) {
    if (interrupted()) return MakeError(ErrorCode::kUnavailable, {});
    const Result<std::vector<std::vector<core::Record>>> answers =
        QueryKeys(datasets, *definitions[i], (*queries)[i], keys, interrupted,
                  question.max_records - writer.records(), question.max_bytes - writer.bytes());
    if (!answers.ok()) {
      return answers.error().code == ErrorCode::kLimit ? TooLarge(question) : answers.error();
    }
    for (const std::vector<core::Record>& records : *answers) {
      if (writer.records() + records.size() > question.max_records) {
        return TooMany(question, read.parts.size() * keys_each);
      }
      if (Status appended = writer.Append(i, records); !appended.ok()) {
        return appended.error().code == ErrorCode::kLimit ? TooLarge(question) : appended;
      }
      read.parts[i].records += records.size();
    }
  }
  Result<std::string> text = writer.Finish();
  if (!text.ok()) {
    return text.error().code == ErrorCode::kLimit ? TooLarge(question) : std::move(text).error();
  }
  read.body = *std::move(text);
  return {};
}

}  // namespace

std::vector<PreparedAnswer::Part> PartsOf(std::string_view workspace, std::string_view list) {
  std::vector<PreparedAnswer::Part> parts;
  while (true) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string key = DatasetKey(workspace, list.substr(0, comma));
    const bool known = std::any_of(parts.begin(), parts.end(),
                                   [&](const auto& part) { return part.dataset_key == key; });
    if (!known) parts.push_back({std::move(key), nullptr, 0, 0});
    // One too many is enough to be refused.
    if (comma == list.size() || parts.size() > kMaxCombinations) return parts;
    list.remove_prefix(comma + 1);
  }
}

void RecordsGet::Records(Exchange& exchange, Call& call, const Destination& to,
                         std::string_view parameters, std::string_view cache_key) {
  const Request& request = exchange.request();
  auto read = std::make_shared<ColdRead>();
  read->workspace = ToLower(to.workspace);
  read->parts = PartsOf(to.workspace, to.dataset);
  const Decision decision = reads_.Verify(call, request, read->workspace, read->parts);
  if (!decision.allowed()) return chain_.Refuse(exchange, call, decision);

  const DataPlaneOptions& options = chain_.options();
  Result<core::RecordsRequest> parsed = ParseRequest(to, parameters, options.max_records, call.now);
  if (!parsed.ok()) return chain_.Refuse(exchange, call, parsed.error());
  const std::size_t combinations =
      read->parts.size() * std::max<std::size_t>(parsed->keys.size(), 1);
  if (combinations > kMaxCombinations) {
    return chain_.Refuse(
        exchange, call,
        core::Refuse(Reason::kInvalidValues, "The path names more than " +
                                                 std::to_string(kMaxCombinations) +
                                                 " datasets times keys; ask for fewer at a time."));
  }
  const core::RecordFormat accepted = AcceptedFormat(request);
  const core::RecordFormat format = parsed->format.value_or(accepted);
  auto question = std::make_shared<const Question>(
      Question{*std::move(parsed), format, options.max_records, options.max_answer_bytes});
  if (question->request.schema) {
    std::vector<const core::Dataset*> definitions;
    for (const PreparedAnswer::Part& part : read->parts) {
      definitions.push_back(&part.entry->dataset);
    }
    const auto fits = core::CheckRecordsRequest(question->request, definitions);
    if (!fits.ok()) return chain_.Refuse(exchange, call, fits.error());
    return chain_.AnswerJson(exchange, call, core::SchemaListJson(definitions));
  }

  read->call = call;
  read->valid_until = question->request.valid_until;
  if (question->format == core::RecordFormat::kCsv) read->content_type = kCsvContentType;
  read->work = [&datasets = chain_.dependencies().datasets, question](
                   ColdRead& cold, const ColdRead::Interrupted& interrupted) {
    return ReadRecords(datasets, *question, cold, interrupted);
  };
  reads_.Start(exchange, std::move(read), cache_key);
}

std::vector<const service::CatalogueEntry*> ReadableDatasets(Chain& chain, const Call& call,
                                                             const Request& request,
                                                             const service::Verdict& verdict,
                                                             std::string_view workspace) {
  const std::string wanted = ToLower(workspace);
  std::vector<const service::CatalogueEntry*> readable;
  const service::DatasetMap& map = chain.Datasets();
  for (auto entry = wanted.empty() ? map.begin() : map.lower_bound(wanted + "/");
       entry != map.end(); ++entry) {
    const std::string_view key = entry->first;
    const std::string_view of = key.substr(0, key.find('/'));
    if (!wanted.empty() && of != wanted) break;
    const core::Facts facts = DatasetFacts(request, call.client, of, &entry->second->dataset);
    if (core::Evaluate(*verdict.token, *verdict.account, facts, call.now).allowed()) {
      readable.push_back(entry->second.get());
    }
  }
  return readable;
}

void RecordsGet::Catalogue(Exchange& exchange, Call& call, std::string_view workspace,
                           std::string_view parameters) {
  const Request& request = exchange.request();
  const service::Verdict verdict =
      chain_.Verify(call, request, CatalogueFacts(request, call.client));
  if (!verdict.decision.allowed()) return chain_.Refuse(exchange, call, verdict.decision);
  const Status refused = RefuseParameters(parameters);
  if (!refused.ok()) return chain_.Refuse(exchange, call, refused.error());
  chain_.AnswerJson(exchange, call,
                    CatalogueJson(ReadableDatasets(chain_, call, request, verdict, workspace)));
}

}  // namespace latchkey::gateway
