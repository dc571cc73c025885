// What every back end of store::Store must do. A back end's test file gives a StateStoreUnderTest
// and instantiates StateStoreConformanceTest with it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "store/store.h"

namespace latchkey::store {

// One place where a state stands; empty at first, gone with the object.
class StateStoreUnderTest {
 public:
  virtual ~StateStoreUnderTest() = default;
  // Opens what stands there. The store before must be gone.
  virtual std::unique_ptr<Store> Open() = 0;
  // Changes rows behind the store's back; no store is open.
  virtual void RunSql(const std::string& sql) = 0;
};

struct StateStoreBackEnd {
  std::string name;
  std::function<std::unique_ptr<StateStoreUnderTest>()> make;
};

// ---- Values for tests. The same number gives the same value.

inline constexpr Timestamp kTestTime = FromUnixMillis(1'700'000'000'000);
core::Plan TestPlan(std::int64_t number);
core::Account TestAccount(std::int64_t number, std::int64_t plan = 1);
// Odd numbers are publishable, even ones secret with a key state.
core::TokenRecord TestToken(std::int64_t number, std::int64_t account = 1);
core::Dataset TestDataset(std::int64_t number);
Mutation Change(StateChange change, std::string_view action = "test.change");
Mutation Create(core::Plan plan);
Mutation Create(core::Account account);
Mutation Create(core::TokenRecord record);
Mutation Create(core::Dataset dataset);

class StateStoreConformanceTest : public testing::TestWithParam<StateStoreBackEnd> {
 protected:
  void SetUp() override;
  void Reopen();
  // Plan 1 and account 1.
  void CreateAccount();
  // Commits what must succeed; the feed's sequence number.
  std::int64_t Do(Mutation mutation);

  std::unique_ptr<StateStoreUnderTest> place_;
  std::unique_ptr<Store> store_;
};

}  // namespace latchkey::store
