#include "app/demo.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "demo/demo_data.h"
#include "env/flat_json.h"

namespace latchkey::app {
namespace {

constexpr std::string_view kDemoFile = "demo.json";
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

// Nothing of anybody's own: no account, and no plan or dataset but those that a fill that was cut
// off has left.
Result<bool> MayFill(Storage& storage) {
  store::Page page;
  page.size = 2;
  const Result<std::vector<core::Account>> accounts = storage.store().ListAccounts(page, "");
  if (!accounts.ok()) return accounts.error();
  const Result<std::vector<core::Plan>> plans = storage.store().ListPlans(page);
  if (!plans.ok()) return plans.error();
  const auto datasets = storage.catalogue().Snapshot();
  const bool only_ours =
      std::all_of(plans->begin(), plans->end(),
                  [](const core::Plan& plan) { return plan.name == kPlanName; }) &&
      std::all_of(datasets->begin(), datasets->end(), [](const auto& entry) {
        const auto all = demo::DemoDatasets();
        return std::any_of(all.begin(), all.end(), [&](const demo::DemoDataset& ours) {
          return entry.second->workspace == ours.workspace && entry.second->name == ours.name;
        });
      });
  return accounts->empty() && only_ours;
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

// The account comes after the operator's data: until then a start that was cut off begins anew.
Result<Demo> Fill(Storage& storage) {
  const Result<core::PlanId> plan = EnsurePlan(storage);
  if (!plan.ok()) return plan.error();
  for (const demo::DemoDataset& dataset : demo::DemoDatasets()) {
    if (dataset.workspace == demo::kAccountWorkspace) continue;
    if (Status done = Import(storage, dataset); !done.ok()) return done.error();
  }
  service::NewAccount account;
  account.workspace = demo::kAccountWorkspace;
  account.title = "Demo";
  account.plan = *plan;
  const Result<service::CreatedAccount> made =
      storage.accounts().CreateAccount(account, DemoActor());
  if (!made.ok()) return made.error();
  Demo demo;
  demo.account = made->account.workspace;
  demo.publishable_token = std::string(made->publishable.text.Reveal());
  demo.secret_token = made->secret.text;
  if (Status written = WriteDemo(storage.folder(), demo); !written.ok()) return written.error();
  for (const demo::DemoDataset& dataset : demo::DemoDatasets()) {
    if (dataset.workspace != demo::kAccountWorkspace) continue;
    if (Status done = Import(storage, dataset); !done.ok()) return done.error();
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
