// The use cases of tokens and accounts over a real store in a temporary folder, as a server has
// them, with faults on demand and a clock that stands.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "core/decision.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "service/accounts.h"
#include "service/master_key.h"
#include "service/state.h"
#include "service/token_index.h"
#include "service/tokens.h"
#include "service/verifier.h"
#include "store/sqlite_store.h"
#include "test/support/faulty_store.h"

namespace latchkey::testing_support {

// A folder of its own, gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "latchkey-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class ServiceHouse {
 public:
  ServiceHouse() {
    CryptoInit();
    Start();
  }

  // As a server that was ended, or killed, and started again.
  void Restart() {
    Stop();
    Start();
  }
  void Stop() {
    verifier_.reset();
    accounts_.reset();
    tokens_.reset();
    keys_.reset();
    state_.reset();
    index_.reset();
    faulty_.reset();
    store_.reset();
  }
  void Start() {
    auto opened = store::SqliteStore::Open({folder_.path(), true, {}}, clock_.Now());
    ASSERT_TRUE(opened.ok()) << opened.error().public_text << opened.error().internal_text;
    store_ = std::move(opened).value();
    faulty_ = std::make_unique<FaultyStore>(*store_);
    index_ = std::make_unique<service::TokenIndex>();
    state_ = std::make_unique<service::State>(*index_);
    auto keys = service::KeyRing::Open(key_path(), *faulty_, clock_, entropy_);
    ASSERT_TRUE(keys.ok()) << keys.error().public_text;
    keys_ = std::move(keys).value();
    const Status loaded = state_->Load(*faulty_);
    ASSERT_TRUE(loaded.ok()) << loaded.error().public_text;
    tokens_ = std::make_unique<service::Tokens>(*faulty_, *state_, *keys_, clock_, entropy_);
    accounts_ = std::make_unique<service::Accounts>(*faulty_, *state_, *keys_, clock_, entropy_);
    verifier_ = std::make_unique<service::Verifier>(*index_);
  }

  std::string key_path() const { return folder_.path() + "/master.key"; }
  const std::string& folder() const { return folder_.path(); }
  ManualClock& clock() { return clock_; }
  Entropy& entropy() { return entropy_; }
  FaultyStore& store() { return *faulty_; }
  service::TokenIndex& index() { return *index_; }
  service::State& state() { return *state_; }
  service::KeyRing& keys() { return *keys_; }
  service::Tokens& tokens() { return *tokens_; }
  service::Accounts& accounts() { return *accounts_; }
  service::Verifier& verifier() { return *verifier_; }

  static core::Actor Operator() { return {"operator", "198.51.100.7", "req-1"}; }

  core::Plan MakePlan(std::string name, service::PlanSettings settings = {}) {
    auto plan = accounts_->CreatePlan({std::move(name), std::move(settings)}, Operator());
    EXPECT_TRUE(plan.ok()) << plan.error().public_text;
    return plan.ok() ? *plan : core::Plan{};
  }
  service::CreatedAccount MakeAccount(std::string workspace, core::PlanId plan) {
    auto account = accounts_->CreateAccount({std::move(workspace), {}, plan}, Operator());
    EXPECT_TRUE(account.ok()) << account.error().public_text;
    return account.ok() ? *account : service::CreatedAccount{};
  }

  // Of a read of a dataset of core, or of the workspace named.
  core::Reason Ask(const Secret& text, std::string_view workspace = "core") {
    core::Facts facts;
    facts.workspace = workspace;
    facts.dataset_class = workspace == "core"      ? core::DatasetClass::kCore
                          : workspace == "premium" ? core::DatasetClass::kPremium
                                                   : core::DatasetClass::kWorkspace;
    facts.dataset_exists = true;
    return verifier_->Verify(text.Reveal(), facts, clock_.Now()).decision.reason;
  }

  core::AuditEvent LastEvent() {
    const auto events = store_->ListAuditEvents(0, 10'000);
    EXPECT_TRUE(events.ok() && !events->empty());
    return events.ok() && !events->empty() ? events->back() : core::AuditEvent{};
  }

 private:
  TemporaryFolder folder_;
  ManualClock clock_{FromUnixMillis(1'800'000'000'000)};
  SystemEntropy entropy_;
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<FaultyStore> faulty_;
  std::unique_ptr<service::TokenIndex> index_;
  std::unique_ptr<service::State> state_;
  std::unique_ptr<service::KeyRing> keys_;
  std::unique_ptr<service::Tokens> tokens_;
  std::unique_ptr<service::Accounts> accounts_;
  std::unique_ptr<service::Verifier> verifier_;
};

}  // namespace latchkey::testing_support
