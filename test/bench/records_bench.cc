// Records at their size: what writing one costs, directly, by a layer and by a whole generation,
// what a query costs of a store with as many records as asked for, and how long a direct write
// waits while another account's layer is staged and drained.
//
// usage: records_bench FOLDER [RECORDS [KEYS]]     FOLDER must be empty
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "store/sqlite_dataset_store.h"

namespace {

namespace core = latchkey::core;
namespace store = latchkey::store;
using core::Record;
using store::Duplicates;

// Of this process's CPU: what else runs on the machine does not count.
double Seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }
double Wall() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <typename T>
T Must(latchkey::Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s %s\n", result.error().public_text.c_str(),
                 result.error().internal_text.c_str());
    std::exit(1);
  }
  return std::move(result).value();
}
void Must(latchkey::Status status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.error().internal_text.c_str());
  std::exit(1);
}

template <typename Call>
void Measure(const char* what, int calls, const Call& call) {
  const double begin = Seconds();
  for (int i = 0; i < calls; ++i) call();
  std::printf("%-52s %9.1f us CPU\n", what, (Seconds() - begin) / calls * 1e6);
}

// Per record, over all that `write` writes.
template <typename Call>
void MeasureRecords(const char* what, std::size_t records, const Call& write) {
  const double begin = Seconds();
  const double wall = Wall();
  write();
  const double cpu = Seconds() - begin;
  std::printf("%-52s %9.2f us CPU per record, %8.0f records/s of CPU (%.0f of the clock)\n", what,
              cpu / static_cast<double>(records) * 1e6, static_cast<double>(records) / cpu,
              static_cast<double>(records) / (Wall() - wall));
}

// Ten fields, about 120 bytes. By day, then by key, as files of prices are: the worse of the usual
// orders for a table that is clustered by key.
Record PriceOf(std::size_t i, std::size_t keys) {
  const auto day = static_cast<std::int64_t>(i / keys);
  Record record;
  record.key = "SYM" + std::to_string(i % keys);
  record.date_millis = day * 86'400'000;
  record.updated_millis = 1'700'000'000'000;
  record.values = "[\"" + record.key + "\",\"2010-03-01\",1469.25,1478.0,1438.359985,1455.219971," +
                  std::to_string(i) + ",true,null,\"USD\"]";
  return record;
}

std::vector<Record> Prices(std::size_t first, std::size_t count, std::size_t keys) {
  std::vector<Record> records;
  records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) records.push_back(PriceOf(first + i, keys));
  return records;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string folder = argv[1];
  const std::size_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000;
  const std::size_t keys = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 5000;
  const auto data = Must(store::SqliteDatasetStore::Open(folder + "/records.db"));

  auto writer = Must(data->BeginGeneration(1));
  MeasureRecords("whole generation", count, [&] {
    for (std::size_t at = 0; at < count; at += 1000) {
      Must(writer->Append(Prices(at, std::min<std::size_t>(1000, count - at), keys),
                          Duplicates::kReplace));
    }
    Must(writer->Finish());
  });
  const std::int64_t generation = writer->generation();

  std::mt19937 random(1);
  const auto ask = [&](auto change) {
    return [&, change] {
      core::RecordQuery query;
      change(query);
      Must(data->Query(generation, query, UINT64_MAX, [] { return false; }));
    };
  };
  const auto any_key = [&] { return "sym" + std::to_string(random() % keys); };
  const auto queries = [&] {
    Measure("newest of a key", 20'000, ask([&](core::RecordQuery& q) { q.key = any_key(); }));
    Measure("oldest of a key", 20'000, ask([&](core::RecordQuery& q) {
              q.key = any_key();
              q.newest_first = false;
            }));
    Measure("newest of everything", 20'000, ask([](core::RecordQuery&) {}));
    Measure("an unknown key", 20'000, ask([](core::RecordQuery& q) { q.key = "nobody"; }));
    Measure("250 newest of a key", 500, ask([&](core::RecordQuery& q) {
              q.key = any_key();
              q.limit = 250;
            }));
    Measure("10,000 newest of everything", 10, ask([](core::RecordQuery& q) { q.limit = 10'000; }));
    Measure("10 newest by another date field", 1, ask([](core::RecordQuery& q) {
              q.date_field = 1;
              q.limit = 10;
            }));
  };
  queries();

  const std::size_t batches = 50;
  std::size_t next = count;
  MeasureRecords("direct writes of 1,000 new records", batches * 1000, [&] {
    for (std::size_t i = 0; i < batches; ++i, next += 1000) {
      Must(data->Write(generation, 1, Prices(next, 1000, keys), Duplicates::kReplace));
    }
  });
  MeasureRecords("direct writes of 1,000 standing records", batches * 1000, [&] {
    for (std::size_t i = 0; i < batches; ++i) {
      Must(data->Write(generation, 1, Prices((i * 7919 * 1000) % count, 1000, keys),
                       Duplicates::kReplace));
    }
  });
  Measure("direct write of one record", 100,
          [&] { Must(data->Write(generation, 1, Prices(next++, 1, keys), Duplicates::kReplace)); });

  // Another account's small writes, into a generation of its own.
  auto small = Must(data->BeginGeneration(2));
  Must(small->Finish());
  std::vector<double> waits;
  std::atomic<bool> stop = false;
  const auto write_meanwhile = [&] {
    for (std::size_t i = 0; !stop; ++i) {
      const double begin = Wall();
      Must(data->Write(small->generation(), 2, Prices(i * 10, 10, keys), Duplicates::kReplace));
      waits.push_back((Wall() - begin) * 1e3);
    }
  };
  const auto tell_waits = [&](const char* what) {
    std::sort(waits.begin(), waits.end());
    std::printf("%-52s p50 %.1f ms, p99 %.1f ms, longest %.1f ms of %zu\n", what,
                waits[waits.size() / 2], waits[waits.size() * 99 / 100], waits.back(),
                waits.size());
    waits.clear();
  };
  const std::size_t layered = std::min<std::size_t>(count, 100'000);
  const auto with_writer = [&](const char* what, const std::function<void()>& work) {
    stop = false;
    std::thread other(write_meanwhile);
    work();
    stop = true;
    other.join();
    tell_waits(what);
  };

  auto layer = Must(data->BeginLayer(generation, 1, Duplicates::kReplace));
  MeasureRecords("layer, staged and published", layered, [&] {
    for (std::size_t at = 0; at < layered; at += 1000, next += 1000) {
      Must(layer->Append(Prices(next, 1000, keys)));
    }
    Must(layer->Publish({}));
  });
  Measure("newest of a key, over a layer", 20'000,
          ask([&](core::RecordQuery& q) { q.key = any_key(); }));
  MeasureRecords("layer, drained", layered, [&] {
    while (Must(data->Drain(generation, 1))) {
    }
  });

  with_writer("another account's write of 10 while one is staged", [&] {
    layer = Must(data->BeginLayer(generation, 1, Duplicates::kReplace));
    for (std::size_t at = 0; at < layered; at += 1000, next += 1000) {
      Must(layer->Append(Prices(next, 1000, keys)));
    }
    Must(layer->Publish({}));
  });
  with_writer("another account's write of 10 while one is drained", [&] {
    while (Must(data->Drain(generation, 1))) {
    }
  });
  return 0;
}
