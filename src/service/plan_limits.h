// What an account's plan leaves for its datasets. Internal to the use cases of datasets.
// Thread-safe. The operator's datasets have no plan, and no limit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/result.h"
#include "base/thread_annotations.h"
#include "core/account.h"
#include "core/ids.h"
#include "service/catalogue.h"
#include "service/state.h"

namespace latchkey::service {

class PlanLimits {
 public:
  // Borrowed; must outlive this.
  PlanLimits(const State& state, const Catalogue& catalogue)
      : state_(state), catalogue_(catalogue) {}

  std::optional<std::uint32_t> MaxDatasets(core::AccountId account) const;
  // kLimit if the account has as many datasets as it may. The store tells exactly (PutDataset).
  Status CheckDatasets(core::AccountId account) const;
  std::optional<std::uint32_t> MaxJobs(core::AccountId account) const;

  // Room that is taken for records on their way, until they are counted where they are stored.
  class Room {
   public:
    Room() = default;
    Room(Room&& other) noexcept { *this = std::move(other); }
    Room& operator=(Room&& other) noexcept;
    ~Room() { Return(); }
    // It may grow: kLimit if there is no more.
    Status Grow(std::uint64_t bytes);
    void Return();

   private:
    friend class PlanLimits;
    PlanLimits* limits_ = nullptr;
    core::AccountId account_;
    std::uint64_t bytes_ = 0;
  };
  // None yet.
  Room MakeRoom(core::AccountId account);
  // kLimit if nothing more at all may be stored.
  Status CheckRoom(core::AccountId account) EXCLUDES(mutex_);

 private:
  std::optional<core::Plan> PlanOf(core::AccountId account) const;
  std::uint64_t StoredBytes(const core::Account& account) const;
  Status Take(core::AccountId account, std::uint64_t bytes) EXCLUDES(mutex_);
  void GiveBack(core::AccountId account, std::uint64_t bytes) EXCLUDES(mutex_);

  const State& state_;
  const Catalogue& catalogue_;
  Mutex mutex_;
  std::unordered_map<core::AccountId, std::uint64_t> taken_ GUARDED_BY(mutex_);
};

}  // namespace latchkey::service
