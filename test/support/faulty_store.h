// A Store that fails on demand, around a real one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace latchkey::testing_support {

enum class Fault {
  kNotDone,         // kUnavailable, and nothing was changed
  kUnknownNotDone,  // kUnknown, and nothing was changed
  kUnknownDone,     // kUnknown, though the change was made
};

// Not thread-safe where faults are set.
class FaultyStore final : public store::Store {
 public:
  explicit FaultyStore(store::Store& real) : real_(real) {}

  // The next change fails like this. Reads go on, or fail from that moment on.
  void FailNextChange(Fault fault, bool then_reads = false) {
    fault_ = fault;
    then_reads_ = then_reads;
  }
  // While set, reads of one thing fail with kUnavailable.
  void FailReads(bool fail) { reads_fail_ = fail; }

  // Runs before key states are sealed anew, on the thread that does it.
  void BeforeReseal(std::function<void()> run) { before_reseal_ = std::move(run); }

  // Runs before each change, on its thread.
  void BeforeChange(std::function<void()> run) { before_change_ = std::move(run); }

  Result<std::int64_t> Commit(store::Mutation mutation) override {
    if (before_change_) before_change_();
    if (!fault_) return real_.Commit(std::move(mutation));
    const Fault fault = TakeFault();
    if (fault == Fault::kUnknownDone) {
      const Result<std::int64_t> done = real_.Commit(std::move(mutation));
      if (!done.ok()) return done.error();
    }
    return ErrorOf(fault);
  }
  Status ResealKeyStates(
      const std::function<Result<std::string>(const core::Token&, const core::TokenProfile&)>&
          reseal,
      std::uint32_t new_master_key_id, std::string_view new_check,
      core::AuditEvent event) override {
    if (before_reseal_) before_reseal_();
    if (!fault_) {
      return real_.ResealKeyStates(reseal, new_master_key_id, new_check, std::move(event));
    }
    const Fault fault = TakeFault();
    if (fault == Fault::kUnknownDone) {
      Status done = real_.ResealKeyStates(reseal, new_master_key_id, new_check, std::move(event));
      if (!done.ok()) return done;
    }
    return ErrorOf(fault);
  }
  Status SetMasterKeyCheck(std::string_view check) override {
    if (!fault_) return real_.SetMasterKeyCheck(check);
    const Fault fault = TakeFault();
    if (fault == Fault::kUnknownDone) {
      Status done = real_.SetMasterKeyCheck(check);
      if (!done.ok()) return done;
    }
    return ErrorOf(fault);
  }

  Result<core::Plan> GetPlan(core::PlanId id) override {
    if (reads_fail_) return ErrorOf(Fault::kNotDone);
    return real_.GetPlan(id);
  }
  Result<core::Account> GetAccount(core::AccountId id) override {
    if (reads_fail_) return ErrorOf(Fault::kNotDone);
    return real_.GetAccount(id);
  }
  Result<core::TokenRecord> GetToken(core::TokenId id) override {
    if (reads_fail_) return ErrorOf(Fault::kNotDone);
    return real_.GetToken(id);
  }
  Result<core::Dataset> GetDataset(core::DatasetId id) override { return real_.GetDataset(id); }
  Result<core::Plan> FindPlan(std::string_view name) override { return real_.FindPlan(name); }
  Result<core::Account> FindAccount(std::string_view workspace) override {
    return real_.FindAccount(workspace);
  }
  Result<std::vector<core::Plan>> ListPlans(const store::Page& page) override {
    return real_.ListPlans(page);
  }
  Result<std::vector<core::Account>> ListAccounts(const store::Page& page,
                                                  std::string_view search) override {
    return real_.ListAccounts(page, search);
  }
  Result<std::vector<core::TokenRecord>> ListTokens(core::AccountId account,
                                                    const store::Page& page,
                                                    std::string_view search) override {
    return real_.ListTokens(account, page, search);
  }
  Result<std::uint64_t> CountTokens(core::AccountId account) override {
    return real_.CountTokens(account);
  }
  Result<std::vector<core::AuditEvent>> ListAuditEvents(std::int64_t after_sequence,
                                                        std::size_t limit) override {
    return real_.ListAuditEvents(after_sequence, limit);
  }
  Result<std::optional<store::IdempotentAnswer>> FindAnswer(std::string_view scope,
                                                            const Digest& key_digest,
                                                            Timestamp not_before) override {
    return real_.FindAnswer(scope, key_digest, not_before);
  }
  Status ForEachPlan(const std::function<Status(const core::Plan&)>& use) override {
    return real_.ForEachPlan(use);
  }
  Status ForEachAccount(const std::function<Status(const core::Account&)>& use) override {
    return real_.ForEachAccount(use);
  }
  Status ForEachToken(const std::function<Status(const core::Token&)>& use) override {
    return real_.ForEachToken(use);
  }
  Status ForEachDataset(const std::function<Status(const core::Dataset&)>& use) override {
    return real_.ForEachDataset(use);
  }
  Status ForEachLegacyMap(const std::function<Status(const core::LegacyMap&)>& use) override {
    if (reads_fail_) return ErrorOf(Fault::kNotDone);
    return real_.ForEachLegacyMap(use);
  }
  Result<std::string> MasterKeyCheck() override { return real_.MasterKeyCheck(); }
  Result<std::int64_t> LastFeedSequence() override { return real_.LastFeedSequence(); }
  Result<std::vector<store::FeedRow>> Feed(std::int64_t after_sequence,
                                           std::size_t limit) override {
    return real_.Feed(after_sequence, limit);
  }
  Status CheckIntegrity() override { return real_.CheckIntegrity(); }
  Result<std::unique_ptr<store::Snapshot>> TakeSnapshot(
      const std::function<Status()>& at_cut) override {
    return real_.TakeSnapshot(at_cut);
  }

 private:
  Fault TakeFault() {
    reads_fail_ = reads_fail_ || std::exchange(then_reads_, false);
    return *std::exchange(fault_, std::nullopt);
  }
  static Error ErrorOf(Fault fault) {
    return MakeError(fault == Fault::kNotDone ? ErrorCode::kUnavailable : ErrorCode::kUnknown,
                     "The store failed.", "a fault of the test");
  }

  store::Store& real_;
  std::function<void()> before_reseal_;
  std::function<void()> before_change_;
  std::optional<Fault> fault_;
  bool then_reads_ = false;
  bool reads_fail_ = false;
};

}  // namespace latchkey::testing_support
