// What it costs to read the parameters of a request and to make the text of its answer.
//
// usage: record_text_bench
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "core/record_query.h"
#include "core/record_text.h"

namespace {

namespace core = latchkey::core;

// Of this process's CPU: what else runs on the machine does not count.
double Seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

template <typename Call>
void Measure(const char* what, int calls, const Call& call) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const double begin = Seconds();
    for (int i = 0; i < calls; ++i) call();
    best = std::min(best, (Seconds() - begin) / calls);
  }
  std::printf("%-44s %8.2f µs CPU\n", what, best * 1e6);
}

core::Dataset Prices() {
  core::Dataset dataset;
  dataset.dataset_class = core::DatasetClass::kCore;
  dataset.name = "PRICES";
  for (const char* name : {"symbol", "date", "open", "high", "low", "close", "volume", "change",
                           "changePercent", "label"}) {
    dataset.fields.push_back({name, core::FieldType::kAny, false});
  }
  dataset.fields[1].type = core::FieldType::kDate;
  dataset.key_field = "symbol";
  dataset.date_field = "date";
  return dataset;
}

}  // namespace

int main() {
  const core::Dataset dataset = Prices();
  const core::Dataset* const datasets[] = {&dataset};
  std::vector<core::Record> records;
  for (int i = 0; i < 250; ++i) {
    records.push_back({"SYM" + std::to_string(i), "", 946'684'800'000 + i, 1'700'000'000'000,
                       "[\"SYM" + std::to_string(i) +
                           "\",\"2000-01-01\",1469.25,1478.5,1438.359985,1455.219971," +
                           std::to_string(1'000'000 + i) + ",-12.25,-0.8341,\"Jan 1, 2000\"]"});
  }
  std::size_t bytes = 0;
  const auto make = [&](core::RecordTextForm form, std::size_t count,
                        std::vector<std::string> filter) {
    return [&, form, count, filter] {
      core::RecordTextOptions options;
      options.form = form;
      options.filter = filter;
      core::RecordWriter writer(options, datasets);
      if (!writer.Append(0, std::span(records).first(count)).ok()) std::exit(1);
      bytes = writer.Finish()->size();
    };
  };
  using enum core::RecordTextForm;
  Measure("1 record of 10 fields, JSON", 20'000, make(kJson, 1, {}));
  Measure("250 records of 10 fields, JSON", 1000, make(kJson, 250, {}));
  std::printf("  (%zu bytes)\n", bytes);
  Measure("250 records, JSON, 3 fields in order", 1000,
          make(kJson, 250, {"symbol", "open", "close"}));
  Measure("250 records, JSON, 3 fields turned round", 1000,
          make(kJson, 250, {"close", "open", "symbol"}));
  Measure("250 records of 10 fields, CSV", 1000, make(kCsv, 250, {}));

  const std::vector<core::QueryParameter> parameters = {{"range", "1m"}, {"limit", "5"}};
  const auto now = latchkey::FromUnixMillis(1'700'000'000'000);
  Measure("parameters: none", 100'000, [&] {
    if (!core::ParseRecordsRequest("AAPL", std::nullopt, {}, 10'000, now).ok()) std::exit(1);
  });
  Measure("parameters: range and limit, checked", 100'000, [&] {
    const auto request = core::ParseRecordsRequest("AAPL", std::nullopt, parameters, 10'000, now);
    if (!CheckRecordsRequest(*request, datasets).ok()) std::exit(1);
  });
  return 0;
}
