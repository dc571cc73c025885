#include "gateway/legacy_api.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/encoding.h"
#include "core/date_forms.h"
#include "core/record_text.h"
#include "core/time_range.h"
#include "gateway/parameters.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using core::LegacyKind;
using core::LegacyMap;
using core::Reason;
using http::Exchange;
using Shape = LegacyQuestion::Shape;

// Old clients compare it (wire.md §2).
constexpr std::string_view kUnknownSymbol = "Unknown symbol";
constexpr std::string_view kDefaultRange = "1m";
constexpr std::uint64_t kMaxIgnoredLast = 1'000'000'000;

std::vector<std::string_view> SplitList(std::string_view list) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view part = TrimBlanks(list.substr(0, comma));
    if (!part.empty() && std::find(parts.begin(), parts.end(), part) == parts.end()) {
      parts.push_back(part);
    }
    if (comma == list.size()) return parts;
    list.remove_prefix(comma + 1);
  }
}

Error Wrong(std::string_view what) { return MakeError(ErrorCode::kInvalid, std::string(what)); }

// ---- The question

// The original's names for what is minute data there; here it is days.
std::string_view OldRange(std::string_view range) {
  if (EqualsIgnoreCase(range, "1mm")) return "1m";
  if (EqualsIgnoreCase(range, "5dm")) return "5d";
  if (EqualsIgnoreCase(range, "dynamic")) return "1d";
  return range;
}

Status ReadRange(std::string_view range, Timestamp now, LegacyQuestion& question) {
  if (EqualsIgnoreCase(range, "max")) return {};
  const Date today = std::chrono::floor<std::chrono::days>(now);
  const std::optional<core::DayRange> days = core::ParseDayRange(OldRange(range), today);
  if (!days) return Wrong("The range must be max, ytd, or as 5y, 3m, 2w and 5d are");
  question.chart.from_millis = days->from_millis();
  question.chart.to_millis = days->to_millis();
  if (days->relative) question.valid_until = Timestamp(today + std::chrono::days(1));
  return {};
}

// YYYYMMDD, as the original has it.
Status ReadDay(std::string_view text, LegacyQuestion& question) {
  std::optional<core::DateValue> day;
  if (text.size() == 8) {
    const std::string iso = std::string(text.substr(0, 4))
                                .append("-")
                                .append(text.substr(4, 2))
                                .append("-")
                                .append(text.substr(6));
    day = core::ParseDateText(iso);
  }
  if (!day || day->form != core::DateForm::kIso) {
    return Wrong("The date in the path must be a day, YYYYMMDD");
  }
  question.chart.from_millis = day->millis;
  question.chart.to_millis = day->millis + core::kMillisPerDay - 1;
  return {};
}

void ReadChartParameters(Parameters& parameters, std::uint64_t max_records,
                         LegacyQuestion& question) {
  // What the original made of a whole price history; the records here are the answer.
  for (const std::string_view name : {"chartCloseOnly", "chartByDay", "chartSimplify",
                                      "changeFromClose", "exactDate", "includeToday"}) {
    parameters.Ignore(name);
  }
  const std::uint64_t last = parameters.Number("chartLast", 0, 1, max_records);
  question.chart.interval = parameters.Number("chartInterval", 1, 1, max_records);
  const bool descending = parameters.Choice("sort", {"asc", "desc"}, 0) == 1;
  // The newest of them, and in the answer the oldest first.
  question.chart.newest_first = last != 0;
  question.chart.limit = last != 0 ? last : max_records + 1;
  question.reverse_chart = question.chart.newest_first != descending;
}

Status ReadTypes(std::string_view list, LegacyQuestion& question) {
  for (const std::string_view name : SplitList(list)) {
    const std::optional<LegacyKind> kind = core::ParseLegacyKind(ToLower(name));
    if (!kind) return Wrong("The parameter types takes quote and chart");
    if (std::find(question.types.begin(), question.types.end(), *kind) == question.types.end()) {
      question.types.push_back(*kind);
    }
  }
  return {};
}

Status ReadSymbols(std::string_view list, LegacyQuestion& question) {
  for (const std::string_view symbol : SplitList(list)) {
    std::string folded = ToLower(symbol);
    if (std::find(question.symbols.begin(), question.symbols.end(), folded) ==
        question.symbols.end()) {
      question.symbols.push_back(std::move(folded));
    }
  }
  if (question.symbols.empty()) return Wrong("The parameter symbols must name at least one symbol");
  if (question.symbols.size() > kMaxBatchSymbols) {
    return Wrong("The parameter symbols takes at most " + std::to_string(kMaxBatchSymbols) +
                 " symbols");
  }
  return {};
}

Shape ShapeOf(Route route) {
  switch (route) {
    case Route::kLegacyField:
      return Shape::kField;
    case Route::kLegacyChart:
    case Route::kLegacyChartDate:
      return Shape::kChart;
    case Route::kLegacyBatch:
      return Shape::kBatch;
    case Route::kLegacyMarketBatch:
      return Shape::kMarketBatch;
    default:
      return Shape::kQuote;
  }
}

// ---- The answer, on the pool

// A form of the question with what it stands over.
struct Form {
  LegacyMap map;
  std::size_t part = 0;  // of the read
};

struct Work {
  LegacyQuestion question;
  std::array<std::optional<Form>, core::kLegacyKinds.size()> forms;
  std::uint64_t max_records = 0;
  std::uint64_t max_bytes = 0;
  service::Datasets& datasets;

  const Form& FormOf(LegacyKind kind) const { return *forms[static_cast<std::size_t>(kind)]; }
};

class Reader {
 public:
  Reader(const Work& work, ColdRead& read, const ColdRead::Interrupted& interrupted)
      : work_(work), read_(read), interrupted_(interrupted) {}

  Status Run() {
    const LegacyQuestion& question = work_.question;
    if (Status known = CheckFilter(); !known.ok()) return known;
    if (question.shape == Shape::kMarketBatch) return MarketBatch();
    bool found = false;
    Status status;
    if (question.shape == Shape::kBatch) {
      status = Batch(question.symbols.front(), found);
    } else {
      status = Append(question.types.front(), question.symbols.front(), found);
    }
    if (!status.ok()) return status;
    if (!found) return MakeError(ErrorCode::kNotFound, {});
    return {};
  }

 private:
  const core::Dataset& DatasetOf(const Form& form) const {
    return read_.parts[form.part].entry->dataset;
  }

  Status CheckFilter() const {
    for (const std::string& name : work_.question.filter) {
      bool known = false;
      for (const LegacyKind kind : work_.question.types) {
        const Form& form = work_.FormOf(kind);
        for (const core::Field& field : DatasetOf(form).fields) {
          known = known || form.map.NameOf(DatasetOf(form), field.name) == name;
        }
      }
      if (!known) {
        return Wrong("The parameter filter names " + http::ShownName(name) +
                     ", which is no field of the answer");
      }
    }
    return {};
  }

  Result<std::vector<core::Record>> Query(const Form& form, core::RecordQuery query,
                                          const std::string& symbol) {
    if (interrupted_()) return MakeError(ErrorCode::kUnavailable, {});
    query.key = symbol;
    return work_.datasets.Query(DatasetOf(form), query, interrupted_, work_.max_bytes);
  }

  // Appends one form of one symbol; `found` says whether there is such a symbol. If not, nothing is
  // appended.
  Status Append(LegacyKind kind, const std::string& symbol, bool& found) {
    const Form& form = work_.FormOf(kind);
    core::RecordQuery query;  // the newest
    const bool chart = kind == LegacyKind::kChart;
    if (chart) query = work_.question.chart;
    query.limit = std::min(query.limit, work_.max_records + 1 - records_);
    Result<std::vector<core::Record>> records = Query(form, query, symbol);
    if (!records.ok()) return TooLargeOr(std::move(records).error());
    if (chart && records->empty()) {
      // No record in the range, but maybe in another one.
      const Result<std::vector<core::Record>> any = Query(form, {}, symbol);
      if (!any.ok()) return any.error();
      if (any->empty()) return {};
      key_ = any->front().key;
      read_.body.append("[]");
      found = true;
      return {};
    }
    if (records->empty()) return {};
    found = true;
    key_ = records->front().key;
    records_ += records->size();
    read_.parts[form.part].records += records->size();
    if (records_ > work_.max_records) {
      return Wrong("The answer would hold more than " + std::to_string(work_.max_records) +
                   " records; ask for fewer symbols or a shorter range");
    }
    if (chart) return AppendChart(form, *records);
    if (work_.question.shape == Shape::kField) return AppendField(form, records->front());
    return AppendObject(form, records->front());
  }

  Status AppendObject(const Form& form, const core::Record& record) {
    Status status =
        AppendLegacyObject(read_.body, DatasetOf(form), form.map, work_.question.filter, record);
    if (status.ok() && read_.body.size() > work_.max_bytes) return TooLarge();
    return status;
  }

  Status AppendChart(const Form& form, std::vector<core::Record>& records) {
    if (work_.question.reverse_chart) std::reverse(records.begin(), records.end());
    read_.body.push_back('[');
    for (const core::Record& record : records) {
      if (read_.body.back() != '[') read_.body.push_back(',');
      if (Status status = AppendObject(form, record); !status.ok()) return status;
    }
    read_.body.push_back(']');
    return {};
  }

  Status AppendField(const Form& form, const core::Record& record) {
    const core::Dataset& dataset = DatasetOf(form);
    const std::optional<std::vector<std::string_view>> values = core::SplitValues(record.values);
    if (!values) return MakeError(ErrorCode::kCorrupt, {}, "the values of a record");
    for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
      if (form.map.NameOf(dataset, dataset.fields[i].name) != work_.question.field) continue;
      read_.body.append(i < values->size() ? (*values)[i] : "null");
      return {};
    }
    return MakeError(ErrorCode::kNotFound, "The quote has no such field");
  }

  // {"quote":{…},"chart":[…]}; nothing of a form that has no such symbol.
  Status Batch(const std::string& symbol, bool& found) {
    const std::size_t start = read_.body.size();
    read_.body.push_back('{');
    for (const LegacyKind kind : work_.question.types) {
      const std::size_t before = read_.body.size();
      if (read_.body.back() != '{') read_.body.push_back(',');
      AppendJsonString(read_.body, core::ToString(kind));
      read_.body.push_back(':');
      bool here = false;
      if (Status status = Append(kind, symbol, here); !status.ok()) return status;
      if (!here) read_.body.resize(before);
      found = found || here;
    }
    read_.body.push_back('}');
    if (!found) read_.body.resize(start);
    return {};
  }

  // By the symbol as its record writes it; nothing of one that is not there.
  Status MarketBatch() {
    std::string out = "{";
    for (const std::string& symbol : work_.question.symbols) {
      read_.body.clear();
      bool found = false;
      if (Status status = Batch(symbol, found); !status.ok()) return status;
      if (!found) continue;
      if (out.size() > 1) out.push_back(',');
      AppendJsonString(out, key_);
      out.push_back(':');
      out.append(read_.body);
      if (out.size() > work_.max_bytes) return TooLarge();
    }
    read_.body = std::move(out.append("}"));
    return {};
  }

  Error TooLarge() const {
    return Wrong("The answer would be larger than " + std::to_string(work_.max_bytes) +
                 " bytes; ask for fewer symbols or a shorter range");
  }
  Error TooLargeOr(Error error) const {
    return error.code == ErrorCode::kLimit ? TooLarge() : std::move(error);
  }

  const Work& work_;
  ColdRead& read_;
  const ColdRead::Interrupted& interrupted_;
  std::uint64_t records_ = 0;
  std::string key_;  // the symbol as the last record found writes it
};

}  // namespace

Result<LegacyQuestion> ParseLegacyQuestion(const Destination& to, std::string_view raw,
                                           std::uint64_t max_records, Timestamp now) {
  LegacyQuestion question;
  question.shape = ShapeOf(to.route);
  if (to.route != Route::kLegacyMarketBatch) question.symbols.push_back(ToLower(to.symbol));
  const bool batch = question.shape == Shape::kBatch || question.shape == Shape::kMarketBatch;
  Parameters parameters(raw);
  parameters.Ignore("displayPercent");
  parameters.Choice("format", {"json"}, 0);
  const std::string filter = parameters.Text("filter").value_or("");
  for (const std::string_view name : SplitList(filter)) question.filter.emplace_back(name);
  std::string range(to.range.data() == nullptr ? kDefaultRange : to.range);
  std::optional<std::string> types;
  std::optional<std::string> symbols;
  if (batch) {
    types = parameters.Text("types");
    range = parameters.Text("range").value_or(range);
    // Of the news, which the original had; clients send it whatever they ask for.
    parameters.Number("last", 1, 0, kMaxIgnoredLast);
    if (question.shape == Shape::kMarketBatch) symbols = parameters.Text("symbols");
  } else {
    question.types.push_back(question.shape == Shape::kChart ? LegacyKind::kChart
                                                             : LegacyKind::kQuote);
  }
  if (batch || question.shape == Shape::kChart) {
    ReadChartParameters(parameters, max_records, question);
  }
  if (Status checked = parameters.Check(); !checked.ok()) return std::move(checked).error();

  Status read;
  if (batch) read = ReadTypes(types.value_or(""), question);
  if (read.ok() && question.shape == Shape::kMarketBatch) {
    read = ReadSymbols(symbols.value_or(""), question);
  }
  if (read.ok() && (batch || question.shape == Shape::kChart)) {
    read = to.route == Route::kLegacyChartDate ? ReadDay(range, question)
                                               : ReadRange(range, now, question);
  }
  if (!read.ok()) return std::move(read).error();
  const bool charts = std::find(question.types.begin(), question.types.end(), LegacyKind::kChart) !=
                      question.types.end();
  if (!charts) question.valid_until = Timestamp::max();
  if (question.shape == Shape::kField) question.field = std::string(to.field);
  return question;
}

Status AppendLegacyObject(std::string& out, const core::Dataset& dataset, const LegacyMap& map,
                          const std::vector<std::string>& filter, const core::Record& record) {
  const std::optional<std::vector<std::string_view>> values = core::SplitValues(record.values);
  if (!values) return MakeError(ErrorCode::kCorrupt, {}, "the values of a record");
  out.push_back('{');
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const std::optional<std::string_view> name = map.NameOf(dataset, dataset.fields[i].name);
    if (!name) continue;
    if (!filter.empty() && std::find(filter.begin(), filter.end(), *name) == filter.end()) continue;
    if (out.back() != '{') out.push_back(',');
    AppendJsonString(out, *name);
    out.push_back(':');
    out.append(i < values->size() ? (*values)[i] : "null");
  }
  out.push_back('}');
  return {};
}

void LegacyApi::Answer(Exchange& exchange, Call& call, const Destination& to,
                       std::string_view parameters, std::string_view cache_key) {
  const service::LegacyMapSet& maps = reads_.Maps();
  const DataPlaneOptions& options = chain_.options();
  Result<LegacyQuestion> question =
      ParseLegacyQuestion(to, parameters, options.max_records, call.now);

  auto read = std::make_shared<ColdRead>();
  read->workspace = core::kCoreWorkspace;
  auto work = std::make_shared<Work>(
      Work{{}, {}, options.max_records, options.max_answer_bytes, chain_.dependencies().datasets});
  bool mapped = true;
  if (question.ok()) {
    for (const LegacyKind kind : question->types) {
      const LegacyMap* map = maps.Find(kind);
      const std::string key = map == nullptr ? std::string() : KeyOf(map->dataset);
      mapped = mapped && !key.empty();
      if (key.empty()) continue;
      std::size_t part = 0;
      while (part < read->parts.size() && read->parts[part].dataset_key != key) ++part;
      if (part == read->parts.size()) read->parts.push_back({key, nullptr, 0, 0});
      work->forms[static_cast<std::size_t>(kind)] = Form{*map, part};
    }
  }
  // What is not mapped is judged as core data that does not exist, so that who has no right to core
  // data learns nothing of the maps; a bad question as core data of which nothing is known.
  if (!mapped || read->parts.empty()) {
    read->parts.assign(1, {std::string(core::kCoreWorkspace) + "/", nullptr, 0, 0});
  }
  Decision decision = reads_.Verify(call, exchange.request(), read->workspace, read->parts);
  const bool absent = decision.reason == Reason::kNotFound;
  if (absent && !question.ok()) return chain_.Refuse(exchange, call, question.error());
  if (absent && question->types.empty()) {
    return chain_.Refuse(exchange, call, core::Refuse(Reason::kTypeRequired));
  }
  if (absent) {
    return chain_.Refuse(exchange, call, core::Refuse(Reason::kNotFound),
                         {.sentence = kUnknownSymbol});
  }
  if (!decision.allowed()) return chain_.Refuse(exchange, call, decision);

  read->call = call;
  read->valid_until = question->valid_until;
  read->maps_generation = reads_.maps_generation();
  read->not_found_sentence = kUnknownSymbol;
  work->question = *std::move(question);
  read->work = [work = std::move(work)](ColdRead& cold, const ColdRead::Interrupted& interrupted) {
    return Reader(*work, cold, interrupted).Run();
  };
  reads_.Start(exchange, std::move(read), cache_key);
}

std::string LegacyApi::KeyOf(core::DatasetId id) {
  const std::string prefix = std::string(core::kCoreWorkspace) + "/";
  const service::DatasetMap& map = chain_.Datasets();
  for (auto entry = map.lower_bound(prefix); entry != map.end(); ++entry) {
    if (!entry->first.starts_with(prefix)) break;
    if (entry->second->dataset.id == id) return entry->first;
  }
  return {};
}

}  // namespace latchkey::gateway
