#include "gateway/record_writes.h"

#include <string>
#include <utility>

#include "base/encoding.h"
#include "core/date_forms.h"
#include "gateway/data_api.h"
#include "gateway/parameters.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using http::Exchange;

constexpr std::int64_t kMillisPerDay = 86'400'000;

// Both ends inclusive.
struct Span {
  std::int64_t from = 0;
  std::int64_t to = 0;
};

std::optional<Span> ReadDay(std::string_view text) {
  const std::optional<core::DateValue> date =
      text.size() == 10 ? core::ParseDateText(text) : std::nullopt;
  if (!date || date->form != core::DateForm::kIso) return std::nullopt;
  return Span{date->millis, date->millis + kMillisPerDay - 1};
}

std::optional<Span> ReadDate(std::string_view text) {
  if (const std::optional<Span> day = ReadDay(text)) return day;
  const std::optional<core::DateValue> date = core::ParseDateOrMillis(text);
  if (!date || date->form == core::DateForm::kEnglish) return std::nullopt;
  return Span{date->millis, date->millis};
}

Error BadDay(std::string_view parameter) {
  return MakeError(ErrorCode::kInvalid,
                   "The parameter " + std::string(parameter) + " must be a day, YYYY-MM-DD");
}

struct WriteOptions {
  store::Duplicates duplicates = store::Duplicates::kReplace;
  bool create_on_demand = true;
};

Result<WriteOptions> ReadWriteOptions(std::string_view raw) {
  Parameters parameters(raw);
  WriteOptions options;
  options.duplicates = parameters.Choice("duplicateKeyHandling", {"replace", "ignore"}, 0) == 0
                           ? store::Duplicates::kReplace
                           : store::Duplicates::kIgnore;
  options.create_on_demand = parameters.Flag("createDatasetOnDemand", true);
  parameters.Flag("wait", true);  // every write is waited for
  if (Status checked = parameters.Check(); !checked.ok()) return std::move(checked).error();
  return options;
}

}  // namespace

bool CreatesOnDemand(std::string_view parameters) {
  return Parameters(parameters).Flag("createDatasetOnDemand", true);
}

void RecordWritesApi::Write(Exchange& exchange, Call& call, const Destination& to,
                            std::string_view raw) {
  const Result<WriteOptions> options = ReadWriteOptions(raw);
  const Status question = options.ok() ? Status() : Status(options.error());
  const bool creates = CreatesOnDemand(raw);
  const Target target = TargetOf(to.workspace, to.dataset, core::Action::kWrite, creates);
  chain_.ReadVerifiedBody(
      exchange, call, target, question, chain_.options().max_record_body_bytes,
      [this, target, options = options.ok() ? *options : WriteOptions(),
       workspace = std::string(to.workspace), name = std::string(to.dataset)](
          Exchange& read, Call& verified, const EntryPointer&, std::string_view body) {
        chain_.Act<Result<service::WriteReport>>(
            read, verified, target,
            // A copy: the connection's may go while the pool works.
            [&writes = chain_.dependencies().record_writes, options, workspace, name,
             text = std::make_shared<const std::string>(body), actor = Chain::ActorOf(verified)] {
              service::WriteRequest request;
              request.workspace = workspace;
              request.dataset = name;
              request.body = *text;
              request.duplicates = options.duplicates;
              request.create_on_demand = options.create_on_demand;
              return writes.Write(request, actor);
            },
            // What is done is done: nobody is asked again who might say no now.
            [this](Exchange& done, Call& at, Result<service::WriteReport>& report) {
              if (!report.ok()) return chain_.Refuse(done, at, report.error());
              chain_.AnswerJson(
                  done, at, SuccessJson("wrote " + std::to_string(report->stored) + " messages"));
            });
      });
}

Result<store::DeleteRange> ReadDeleteRange(const Destination& to, std::string_view raw,
                                           const core::Dataset& dataset) {
  store::DeleteRange range;
  range.key = ToLower(to.key);
  std::string_view date = to.date;
  if (to.date.data() != nullptr || !dataset.subkey_field.empty()) {
    if (to.subkey.data() != nullptr) range.subkey = ToLower(to.subkey);
  } else {
    date = to.subkey;
  }
  if (date.data() != nullptr) {
    const std::optional<Span> span = ReadDate(date);
    if (!span) {
      return MakeError(ErrorCode::kInvalid,
                       dataset.subkey_field.empty() && to.date.data() == nullptr
                           ? "This dataset has no subkey: after the key comes the date, YYYY-MM-DD "
                             "or milliseconds"
                           : "The date in the path must be YYYY-MM-DD or milliseconds");
    }
    range.from_millis = span->from;
    range.to_millis = span->to;
  }

  Parameters parameters(raw);
  const std::optional<std::string> from = parameters.Text("from");
  const std::optional<std::string> until = parameters.Text("to");
  if (Status checked = parameters.Check(); !checked.ok()) return std::move(checked).error();
  if (date.data() != nullptr && (from || until)) {
    return MakeError(ErrorCode::kInvalid, std::string("The parameter ") + (from ? "from" : "to") +
                                              " can't stand beside a date in the path");
  }
  if (from) {
    const std::optional<Span> day = ReadDay(*from);
    if (!day) return BadDay("from");
    range.from_millis = day->from;
  }
  if (until) {
    const std::optional<Span> day = ReadDay(*until);
    if (!day) return BadDay("to");
    range.to_millis = day->to;
  }
  if (range.from_millis && range.to_millis && *range.from_millis > *range.to_millis) {
    return MakeError(ErrorCode::kInvalid, "The parameter to must not be a day before from");
  }
  if ((range.from_millis || range.to_millis) && dataset.date_field.empty()) {
    return MakeError(ErrorCode::kInvalid,
                     "This dataset has no date: its records are deleted by key and subkey alone");
  }
  return range;
}

void RecordWritesApi::Delete(Exchange& exchange, Call& call, const Destination& to,
                             std::string_view parameters) {
  EntryPointer entry;
  const Target target = TargetOf(to.workspace, to.dataset, core::Action::kDelete);
  const Decision decision = chain_.Verify(call, exchange.request(), target, entry);
  if (!decision.allowed()) return chain_.Refuse(exchange, call, decision);
  Result<store::DeleteRange> range = ReadDeleteRange(to, parameters, entry->dataset);
  if (!range.ok()) return chain_.Refuse(exchange, call, range.error());
  chain_.Act<Result<std::uint64_t>>(
      exchange, call, target,
      [&writes = chain_.dependencies().record_writes, id = entry->dataset.id,
       range = *std::move(range)] { return writes.Delete(id, range); },
      [this](Exchange& done, Call& at, Result<std::uint64_t>& deleted) {
        if (!deleted.ok()) return chain_.Refuse(done, at, deleted.error());
        chain_.AnswerJson(done, at,
                          SuccessJson("deleted " + std::to_string(*deleted) + " records"));
      });
}

}  // namespace latchkey::gateway
