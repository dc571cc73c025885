#include "gateway/datasets_api.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "core/schema_json.h"
#include "gateway/data_api.h"
#include "gateway/parameters.h"
#include "gateway/records_get.h"

namespace latchkey::gateway {
namespace {

using core::Decision;
using core::Reason;
using http::Exchange;
using http::Request;

// Of a list.
constexpr std::uint64_t kMaxDefinitions = 1'000'000;

using Changed = Result<EntryPointer>;

}  // namespace

void DatasetsApi::List(Exchange& exchange, Call& call, const Destination& to,
                       std::string_view raw) {
  const Request& request = exchange.request();
  const service::Verdict verdict =
      chain_.Verify(call, request, CatalogueFacts(request, call.client));
  if (!verdict.decision.allowed()) return chain_.Refuse(exchange, call, verdict.decision);
  Parameters parameters(raw);
  const std::uint64_t limit = parameters.Number("limit", kMaxDefinitions, 1, kMaxDefinitions);
  if (const Status checked = parameters.Check(); !checked.ok()) {
    return chain_.Refuse(exchange, call, checked.error());
  }
  std::vector<const core::Dataset*> definitions;
  for (const service::CatalogueEntry* entry :
       ReadableDatasets(chain_, call, request, verdict, to.workspace)) {
    if (definitions.size() == limit) break;
    definitions.push_back(&entry->dataset);
  }
  chain_.AnswerJson(exchange, call, core::SchemaListJson(definitions));
}

EntryPointer DatasetsApi::Admit(Exchange& exchange, Call& call, const Target& target,
                                std::string_view parameters) {
  EntryPointer entry;
  const Decision decision = chain_.Verify(call, exchange.request(), target, entry);
  if (!decision.allowed()) {
    chain_.Refuse(exchange, call, decision);
    return nullptr;
  }
  if (const Status refused = RefuseParameters(parameters); !refused.ok()) {
    chain_.Refuse(exchange, call, refused.error());
    return nullptr;
  }
  return entry;
}

// Who may read the records may read what they are.
void DatasetsApi::Show(Exchange& exchange, Call& call, const Destination& to,
                       std::string_view parameters) {
  const EntryPointer entry = Admit(exchange, call, TargetOf(to.workspace, to.dataset), parameters);
  if (entry == nullptr) return;
  chain_.AnswerJson(exchange, call, core::SchemaJson(entry->dataset));
}

void DatasetsApi::Create(Exchange& exchange, Call& call, const Destination& to,
                         std::string_view parameters) {
  // Its name stands in the body; the right is the workspace's.
  const Target target = TargetOf(to.workspace, {}, core::Action::kDefine, true);
  chain_.ReadVerifiedBody(
      exchange, call, target, RefuseParameters(parameters), kMaxDefinitionBodyBytes,
      [this, target](Exchange& read, Call& verified, const EntryPointer&, std::string_view body) {
        CreateFrom(read, verified, target, body);
      });
}

void DatasetsApi::CreateFrom(Exchange& exchange, Call& call, const Target& target,
                             std::string_view text) {
  Result<DefinitionBody> body = ParseDefinition(text);
  if (!body.ok()) return chain_.Refuse(exchange, call, body.error());
  if (!body->dataset_id || !body->fields) {
    const char* missing = !body->dataset_id ? "datasetId" : "schema";
    return chain_.Refuse(exchange, call,
                         core::Refuse(Reason::kInvalidValues, std::string("The member ") + missing +
                                                                  " is missing in the definition"));
  }
  service::NewDataset dataset;
  dataset.workspace = target.workspace;
  dataset.name = *std::move(body->dataset_id);
  dataset.title = std::move(body->title);
  dataset.source = std::move(body->source).value_or("");
  dataset.fields = *std::move(body->fields);
  dataset.key_field = std::move(body->key).value_or("");
  dataset.subkey_field = std::move(body->subkey).value_or("");
  dataset.date_field = std::move(body->date).value_or("");
  chain_.Act<Changed>(
      exchange, call, target,
      [&definitions = chain_.dependencies().definitions, dataset = std::move(dataset),
       actor = Chain::ActorOf(call)] { return definitions.Create(dataset, actor); },
      [this](Exchange& done, Call& at, Changed& created) {
        if (!created.ok()) return chain_.Refuse(done, at, created.error());
        chain_.AnswerJson(done, at,
                          SuccessJson("Dataset has been created", (*created)->dataset.name));
      });
}

Result<service::DatasetPatch> PatchOf(DefinitionBody body, const core::Dataset& dataset) {
  const struct {
    const std::optional<std::string>& sent;
    const std::string& stands;
    const char* name;
  } kIndex[] = {{body.key, dataset.key_field, "key"},
                {body.subkey, dataset.subkey_field, "subkey"},
                {body.date, dataset.date_field, "date"}};
  for (const auto& part : kIndex) {
    if (part.sent && !EqualsIgnoreCase(*part.sent, part.stands)) {
      return MakeError(ErrorCode::kInvalid,
                       std::string("The member columnMapping.") + part.name +
                           " can't change; make another dataset, or load one with overwrite");
    }
  }
  service::DatasetPatch patch;
  if (body.dataset_id && *body.dataset_id != dataset.name) patch.name = std::move(body.dataset_id);
  patch.title = std::move(body.title);
  patch.source = std::move(body.source);
  patch.fields = std::move(body.fields);
  return patch;
}

void DatasetsApi::Change(Exchange& exchange, Call& call, const Destination& to,
                         std::string_view parameters) {
  const Target target = TargetOf(to.workspace, to.dataset, core::Action::kDefine);
  chain_.ReadVerifiedBody(
      exchange, call, target, RefuseParameters(parameters), kMaxDefinitionBodyBytes,
      [this, target](Exchange& read, Call& verified, const EntryPointer& entry,
                     std::string_view text) {
        Result<DefinitionBody> body = ParseDefinition(text);
        if (!body.ok()) return chain_.Refuse(read, verified, body.error());
        if (body->fields && read.request().method == http::Method::kPatch) {
          body->fields = MergeFields(entry->dataset.fields, *body);
        }
        Result<service::DatasetPatch> patch = PatchOf(*std::move(body), entry->dataset);
        if (!patch.ok()) return chain_.Refuse(read, verified, patch.error());
        Submit(read, verified, target, entry->dataset.id, *std::move(patch),
               "Dataset has been updated");
      });
}

void DatasetsApi::Rename(Exchange& exchange, Call& call, const Destination& to,
                         std::string_view parameters) {
  const Target target = TargetOf(to.workspace, to.dataset, core::Action::kDefine);
  const EntryPointer entry = Admit(exchange, call, target, parameters);
  if (entry == nullptr) return;
  service::DatasetPatch patch;
  patch.name = std::string(to.new_name);
  Submit(exchange, call, target, entry->dataset.id, std::move(patch), "Dataset has been renamed");
}

void DatasetsApi::Submit(Exchange& exchange, const Call& call, const Target& target,
                         core::DatasetId id, service::DatasetPatch patch,
                         std::string_view message) {
  chain_.Act<Changed>(
      exchange, call, target,
      [&definitions = chain_.dependencies().definitions, id, patch = std::move(patch),
       actor = Chain::ActorOf(call)] { return definitions.Change(id, patch, std::nullopt, actor); },
      [this, message = std::string(message)](Exchange& done, Call& at, Changed& changed) {
        if (!changed.ok()) return chain_.Refuse(done, at, changed.error());
        chain_.AnswerJson(done, at, SuccessJson(message, (*changed)->dataset.name));
      });
}

void DatasetsApi::Remove(Exchange& exchange, Call& call, const Destination& to,
                         std::string_view parameters) {
  const Target target = TargetOf(to.workspace, to.dataset, core::Action::kDefine);
  const EntryPointer entry = Admit(exchange, call, target, parameters);
  if (entry == nullptr) return;
  chain_.Act<Status>(
      exchange, call, target,
      [&definitions = chain_.dependencies().definitions, id = entry->dataset.id,
       actor = Chain::ActorOf(call)] { return definitions.Remove(id, std::nullopt, actor); },
      [this, name = entry->dataset.name](Exchange& done, Call& at, Status& removed) {
        if (!removed.ok()) return chain_.Refuse(done, at, removed.error());
        chain_.AnswerJson(done, at, SuccessJson("Dataset has been deleted", name));
      });
}

}  // namespace latchkey::gateway
