#include "app/demo.h"

#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "demo/demo_data.h"
#include "env/flat_json.h"

namespace latchkey::app {
namespace {

constexpr std::string_view kDemoFile = "demo.json";
// Stands while the folder is being filled, so that a start that was cut off is gone on with.
constexpr std::string_view kFillingFile = "demo.filling";
constexpr std::string_view kPlanName = "demo";
constexpr std::uint64_t kMonthlyCoreCredits = 5'000'000;

core::Actor DemoActor() {
  core::Actor actor;
  actor.principal = "demo";
  return actor;
}

Result<Demo> ReadDemo(const DataFolder& folder) {
  const Result<std::string> text = ReadWholeFile(folder.File(kDemoFile));
  if (!text.ok()) return text.error();
  const std::optional<FlatJson> members = ParseFlatJson(*text);
  for (const char* name : {"account", "publishable_token", "secret_token"}) {
    if (!members || members->find(name) == members->end()) {
      return MakeError(ErrorCode::kCorrupt, folder.File(kDemoFile) + " is damaged");
    }
  }
  Demo demo;
  demo.account = members->at("account");
  demo.publishable_token = members->at("publishable_token");
  demo.secret_token = Secret(members->at("secret_token"));
  return demo;
}

Status WriteDemo(const DataFolder& folder, const Demo& demo) {
  FlatJsonWriter writer;
  writer.Add("account", demo.account);
  writer.Add("publishable_token", demo.publishable_token);
  writer.Add("secret_token", demo.secret_token.Reveal());
  return WriteFileAtomically(folder.File(kDemoFile), writer.Finish());
}

// Nothing stands in the folder, or what a fill that was cut off has left there.
Result<bool> MayFill(Storage& storage) {
  const Result<std::string> marker = ReadWholeFile(storage.folder().File(kFillingFile));
  if (marker.ok()) return true;
  if (marker.error().code != ErrorCode::kNotFound) return marker.error();
  store::Page page;
  page.size = 1;
  const Result<std::vector<core::Account>> accounts = storage.store().ListAccounts(page, "");
  if (!accounts.ok()) return accounts.error();
  const Result<std::vector<core::Plan>> plans = storage.store().ListPlans(page);
  if (!plans.ok()) return plans.error();
  return accounts->empty() && plans->empty() && storage.catalogue().Snapshot()->empty();
}

Status Import(Storage& storage, const demo::DemoDataset& dataset) {
  service::ImportOptions options;
  options.workspace = dataset.workspace;
  options.name = dataset.name;
  options.title = std::string(dataset.title);
  if (!dataset.key_field.empty()) options.key_field = std::string(dataset.key_field);
  if (!dataset.date_field.empty()) options.date_field = std::string(dataset.date_field);
  options.weight = dataset.weight;
  options.test = true;
  Result<std::unique_ptr<service::Import>> import =
      storage.datasets().BeginImport(std::move(options), DemoActor());
  if (!import.ok()) return std::move(import).error();
  if (Status fed = (*import)->Feed(dataset.csv); !fed.ok()) return fed;
  Result<service::ImportReport> report = (*import)->Finish();
  if (!report.ok()) return std::move(report).error();
  return {};
}

Result<core::PlanId> EnsurePlan(Storage& storage) {
  Result<core::Plan> plan = storage.accounts().FindPlan(kPlanName);
  if (!plan.ok()) {
    service::NewPlan fresh;
    fresh.name = kPlanName;
    fresh.settings.title = "Demo";
    fresh.settings.monthly_core_credits = kMonthlyCoreCredits;
    fresh.settings.pay_as_you_go = true;
    fresh.settings.premium_data = true;
    plan = storage.accounts().CreatePlan(fresh, DemoActor());
  }
  if (!plan.ok()) return std::move(plan).error();
  return plan->id;
}

// The account that a fill has left when it was cut off: the text of its secret token went with it,
// so its tokens are made anew.
Result<Demo> ReplaceTokens(Storage& storage, const core::Account& account) {
  const Result<service::Paged<core::TokenRecord>> standing =
      storage.tokens().List(account.id, service::PageRequest{});
  if (!standing.ok()) return standing.error();
  for (const core::TokenRecord& record : standing->items) {
    const Status removed =
        storage.tokens().Remove(account.id, record.token.id, std::nullopt, DemoActor());
    if (!removed.ok()) return removed.error();
  }
  Demo demo;
  demo.account = account.workspace;
  for (const core::TokenKind kind : {core::TokenKind::kSecret, core::TokenKind::kPublishable}) {
    service::NewToken token;
    token.kind = kind;
    Result<service::CreatedToken> made = storage.tokens().Create(account.id, token, DemoActor());
    if (!made.ok()) return std::move(made).error();
    if (kind == core::TokenKind::kSecret) {
      demo.secret_token = made->text;
    } else {
      demo.publishable_token = std::string(made->text.Reveal());
    }
  }
  return demo;
}

Result<Demo> EnsureAccount(Storage& storage, core::PlanId plan) {
  const Result<core::Account> standing = storage.accounts().FindAccount(demo::kAccountWorkspace);
  if (standing.ok()) return ReplaceTokens(storage, *standing);
  if (standing.error().code != ErrorCode::kNotFound) return standing.error();
  service::NewAccount account;
  account.workspace = demo::kAccountWorkspace;
  account.title = "Demo";
  account.plan = plan;
  const Result<service::CreatedAccount> made =
      storage.accounts().CreateAccount(account, DemoActor());
  if (!made.ok()) return made.error();
  Demo demo;
  demo.account = made->account.workspace;
  demo.publishable_token = std::string(made->publishable.text.Reveal());
  demo.secret_token = made->secret.text;
  return demo;
}

// The old forms over the prices.
Status MapOldForms(Storage& storage) {
  const std::shared_ptr<const service::DatasetMap> datasets = storage.catalogue().Snapshot();
  const auto stocks = datasets->find("core/stocks");
  if (stocks == datasets->end()) return MakeError(ErrorCode::kInternal, "core/STOCKS is missing");
  for (const core::LegacyKind kind : core::kLegacyKinds) {
    core::LegacyMap map;
    map.kind = kind;
    const Result<core::LegacyMap> mapped = storage.legacy_maps().Put(
        std::move(map), stocks->second->dataset, std::nullopt, DemoActor());
    if (!mapped.ok()) return mapped.error();
  }
  return {};
}

// May be cut off at any moment and run again.
Result<Demo> Fill(Storage& storage) {
  const std::string marker = storage.folder().File(kFillingFile);
  if (Status marked = WriteFileAtomically(marker, "{}\n"); !marked.ok()) return marked.error();
  const Result<core::PlanId> plan = EnsurePlan(storage);
  if (!plan.ok()) return plan.error();
  Result<Demo> demo = EnsureAccount(storage, *plan);
  if (!demo.ok()) return demo;
  for (const demo::DemoDataset& dataset : demo::DemoDatasets()) {
    if (Status done = Import(storage, dataset); !done.ok()) return done.error();
  }
  if (Status mapped = MapOldForms(storage); !mapped.ok()) return mapped.error();
  // From here on the demo is whole.
  if (Status written = WriteDemo(storage.folder(), *demo); !written.ok()) return written.error();
  if (std::remove(marker.c_str()) != 0) {
    return MakeError(ErrorCode::kUnavailable, marker + " can't be removed");
  }
  return demo;
}

std::string Quoted(const std::string& path) {
  const bool plain = path.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,@") ==
                     std::string::npos;
  if (plain) return path;
  std::string quoted = "'";
  for (const char c : path) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "'";
}

}  // namespace

Result<std::optional<Demo>> EnsureDemo(Storage& storage, Log& log) {
  Result<Demo> standing = ReadDemo(storage.folder());
  if (standing.ok()) return std::optional<Demo>(std::move(*standing));
  if (standing.error().code != ErrorCode::kNotFound) return std::move(standing).error();
  const Result<bool> may_fill = MayFill(storage);
  if (!may_fill.ok()) return may_fill.error();
  if (!*may_fill) {
    log.Warning("the data folder is not empty, so the demo changes nothing in it",
                {{"folder", storage.folder().path()}});
    return std::optional<Demo>();
  }
  Result<Demo> demo = Fill(storage);
  if (!demo.ok()) return std::move(demo).error();
  log.Info("the data folder was filled with the demo", {{"account", demo->account}});
  return std::optional<Demo>(std::move(*demo));
}

std::string DemoBanner(const Demo& demo, const std::string& port, const std::string& ca_file) {
  std::string own;
  for (const demo::DemoDataset& dataset : demo::DemoDatasets()) {
    if (dataset.workspace == demo::kAccountWorkspace) own = dataset.name;
  }
  const std::string curl =
      ca_file.empty() ? std::string("curl") : "curl --cacert " + Quoted(ca_file);
  const std::string data = fmt::format("https://localhost:{}/v1/data", port);
  return fmt::format(
      "\n"
      "The demo is served on https://localhost:{}. Try it from another terminal.\n"
      "\n"
      "A price by the account's publishable token:\n"
      "  {} \"{}/core/STOCKS/AAPL?token={}\"\n"
      "The same without a token, refused:\n"
      "  {} \"{}/core/STOCKS/AAPL\"\n"
      "The account's own data by its secret token, as CSV:\n"
      "  {} -H \"Authorization: Bearer {}\" \"{}/{}/{}?last=3&format=csv\"\n"
      "\n"
      "Ctrl-C ends it.\n",
      port, curl, data, demo.publishable_token, curl, data, curl, demo.secret_token.Reveal(), data,
      demo.account, own);
}

}  // namespace latchkey::app
