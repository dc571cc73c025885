#include "manage/dataset_import.h"

#include <optional>
#include <utility>

#include "base/encoding.h"
#include "manage/json.h"

namespace latchkey::manage {
namespace {

constexpr std::uint32_t kMaxWeight = 1'000'000;

void AddError(Error& error, std::string_view field, std::string detail) {
  error.fields.push_back({std::string(field), std::move(detail)});
}

std::optional<std::uint64_t> Number(const Call& call, std::string_view name, std::uint64_t max,
                                    Error& error) {
  const std::string* text = call.Query(name);
  if (text == nullptr) return std::nullopt;
  const std::optional<std::uint64_t> number = ParseUint64(*text);
  if (number && *number <= max) return number;
  AddError(error, name, "It must be a whole number from 0 to " + std::to_string(max) + ".");
  return std::nullopt;
}

std::optional<std::string> Text(const Call& call, std::string_view name) {
  const std::string* text = call.Query(name);
  return text == nullptr ? std::nullopt : std::optional<std::string>(*text);
}

// "date:date,price:number": the type stands behind the last colon.
std::optional<std::vector<core::Field>> Fields(const Call& call, Error& error) {
  const std::string* text = call.Query("fields");
  if (text == nullptr) return std::nullopt;
  std::vector<core::Field> fields;
  std::string_view rest = *text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    const std::size_t colon = part.rfind(':');
    const std::optional<core::FieldType> type = colon == std::string_view::npos
                                                    ? std::nullopt
                                                    : core::ParseFieldType(part.substr(colon + 1));
    if (!type || colon == 0 || fields.size() == core::kMaxFields) {
      AddError(error, "fields", "It must be name:type,name:type,… with types of the data API.");
      return std::nullopt;
    }
    fields.push_back({std::string(part.substr(0, colon)), *type, false});
    if (comma == std::string_view::npos) return fields;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<service::ImportOptions> ParseImportOptions(const Call& call) {
  Error error = MakeError(ErrorCode::kInvalid, "");
  service::ImportOptions options;
  options.workspace = ToLower(call.captures[0]);
  options.name = call.captures[1];
  options.title = Text(call, "title");
  options.key_field = Text(call, "key");
  options.subkey_field = Text(call, "subkey");
  options.date_field = Text(call, "date");
  options.fields = Fields(call, error);
  if (const auto weight = Number(call, "weight", kMaxWeight, error)) {
    options.weight = static_cast<std::uint32_t>(*weight);
  }
  options.max_errors = Number(call, "max_errors", INT64_MAX, error).value_or(0);
  if (const std::string* test = call.Query("test")) {
    if (*test == "true" || *test == "false") {
      options.test = *test == "true";
    } else {
      AddError(error, "test", "It must be true or false.");
    }
  }
  if (error.fields.empty()) return options;
  error.public_text = error.fields.front().field + ": " + error.fields.front().detail;
  return error;
}

namespace {

class ImportReceiver final : public BodyReceiver {
 public:
  ImportReceiver(service::Datasets& datasets, service::Catalogue& catalogue,
                 std::shared_ptr<const Call> call, service::ImportOptions options)
      : datasets_(datasets),
        catalogue_(catalogue),
        call_(std::move(call)),
        options_(std::move(options)) {}

  std::optional<Reply> Begin() override {
    existed_ = catalogue_.Find(options_.workspace, options_.name) != nullptr;
    Result<std::unique_ptr<service::Import>> begun = datasets_.BeginImport(options_, call_->actor);
    if (!begun.ok()) return Refuse(begun.error(), call_->actor.request_id);
    import_ = std::move(*begun);
    return std::nullopt;
  }

  std::optional<Reply> Feed(std::string_view bytes) override {
    const Status fed = import_->Feed(bytes);
    if (fed.ok()) return std::nullopt;
    return Refuse(fed.error(), call_->actor.request_id);
  }

  Reply Finish() override {
    const Result<service::ImportReport> report = import_->Finish();
    if (!report.ok()) return Refuse(report.error(), call_->actor.request_id);
    const core::Dataset& dataset = report->entry->dataset;
    Reply reply = ObjectReply(ImportReportJson(*report), dataset.version);
    if (!existed_) {
      reply.status = 201;
      reply.location = "/operator/v1/datasets/" + dataset.workspace + "/" + dataset.name;
    }
    return reply;
  }

 private:
  service::Datasets& datasets_;
  service::Catalogue& catalogue_;
  const std::shared_ptr<const Call> call_;
  const service::ImportOptions options_;
  std::unique_ptr<service::Import> import_;
  bool existed_ = false;
};

}  // namespace

std::unique_ptr<BodyReceiver> MakeImportReceiver(service::Datasets& datasets,
                                                 service::Catalogue& catalogue,
                                                 std::shared_ptr<const Call> call,
                                                 service::ImportOptions options) {
  return std::make_unique<ImportReceiver>(datasets, catalogue, std::move(call), std::move(options));
}

}  // namespace latchkey::manage
