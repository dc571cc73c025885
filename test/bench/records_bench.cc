// Records at their size: what an import costs per record, and what a query costs, of a store with
// as many records as asked for.
//
// usage: records_bench FOLDER [RECORDS [KEYS]]     FOLDER must be empty
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>

#include "base/time.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "service/datasets.h"
#include "store/sqlite_dataset_store.h"
#include "store/sqlite_store.h"

namespace {

namespace core = latchkey::core;
namespace service = latchkey::service;
namespace store = latchkey::store;

// Of this process's CPU: what else runs on the machine does not count.
double Seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

template <typename T>
T Must(latchkey::Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s %s\n", result.error().public_text.c_str(),
                 result.error().internal_text.c_str());
    std::exit(1);
  }
  return std::move(result).value();
}

template <typename Call>
void Measure(const char* what, int calls, const Call& call) {
  const double begin = Seconds();
  for (int i = 0; i < calls; ++i) call();
  std::printf("%-44s %8.1f µs CPU\n", what, (Seconds() - begin) / calls * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string folder = argv[1];
  const std::size_t records = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000;
  const std::size_t keys = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 5000;

  const auto state =
      Must(store::SqliteStore::Open({.folder = folder, .create = true, .vfs = {}}, {}));
  const auto data = Must(store::SqliteDatasetStore::Open(folder + "/records.db"));
  service::Catalogue catalogue;
  const latchkey::SystemClock clock;
  latchkey::SystemEntropy entropy;
  service::Datasets datasets(*state, *data, catalogue, clock, entropy, {.spool_directory = folder});
  if (!datasets.Load().ok()) return 1;

  // By day, then by key, as files of prices are: the worse of the usual orders for a table that is
  // clustered by key.
  const auto import_all = [&] {
    service::ImportOptions options;
    options.workspace = "core";
    options.name = "PRICES";
    options.key_field = "symbol";
    options.date_field = "date";
    const double begin = Seconds();
    const auto wall = clock.Monotonic();
    auto import = Must(datasets.BeginImport(options, {"operator", "", ""}));
    std::string text = "symbol,date,open,high,low,close,volume\n";
    const latchkey::Date first = *latchkey::ParseDate("1970-01-01");
    for (std::size_t i = 0; i < records; ++i) {
      text += "SYM" + std::to_string(i % keys) + "," +
              latchkey::FormatDate(first + std::chrono::days(i / keys)) +
              ",1469.250000,1478.000000,1438.359985,1455.219971," + std::to_string(i) + "\n";
      if (text.size() > 60'000 || i + 1 == records) {
        if (!import->Feed(text).ok()) std::exit(1);
        text.clear();
      }
    }
    const double fed = Seconds();
    const auto report = Must(import->Finish());
    const double cpu = Seconds() - begin;
    const double seconds = std::chrono::duration<double>(clock.Monotonic() - wall).count();
    std::printf(
        "import of %zu records: %.1f s CPU, %.1f s; %.0f records/s of CPU (of the time "
        "%.1f s was making and feeding the file)\n",
        static_cast<std::size_t>(report.imported), cpu, seconds, static_cast<double>(records) / cpu,
        fed - begin);
  };
  import_all();

  const auto dataset = catalogue.Snapshot()->at("core/prices");
  std::mt19937 random(1);
  const auto ask = [&](auto change) {
    return [&, change] {
      core::RecordQuery query;
      change(query);
      if (!datasets.Query(*dataset, query, [] { return false; }).ok()) std::exit(1);
    };
  };
  const auto any_key = [&] { return "sym" + std::to_string(random() % keys); };
  Measure("newest of a key", 50'000, ask([&](core::RecordQuery& q) { q.key = any_key(); }));
  Measure("oldest of a key", 50'000, ask([&](core::RecordQuery& q) {
            q.key = any_key();
            q.newest_first = false;
          }));
  Measure("newest of everything", 50'000, ask([](core::RecordQuery&) {}));
  Measure("an unknown key", 50'000, ask([](core::RecordQuery& q) { q.key = "nobody"; }));
  Measure("100 newest of a key", 2000, ask([&](core::RecordQuery& q) {
            q.key = any_key();
            q.limit = 100;
          }));
  Measure("10,000 newest of everything", 20, ask([](core::RecordQuery& q) { q.limit = 10'000; }));
  return 0;
}
