#include "demo/demo_data.h"

#include <array>

// The assembler puts the files into the program as they are; LATCHKEY_DEMO_FOLDER is where they
// stand while it is built.
#define LATCHKEY_EMBED(symbol, file)              \
  asm(".section .rodata\n"                        \
      ".globl latchkey_demo_" #symbol             \
      "\n"                                        \
      ".globl latchkey_demo_" #symbol             \
      "_end\n"                                    \
      "latchkey_demo_" #symbol                    \
      ":\n"                                       \
      ".incbin \"" LATCHKEY_DEMO_FOLDER "/" file  \
      "\"\n"                                      \
      "latchkey_demo_" #symbol                    \
      "_end:\n"                                   \
      ".previous\n");                             \
  extern "C" const char latchkey_demo_##symbol[]; \
  extern "C" const char latchkey_demo_##symbol##_end[]

LATCHKEY_EMBED(stocks, "stocks.csv");
LATCHKEY_EMBED(sp500, "sp500.csv");
LATCHKEY_EMBED(sp500_2000, "sp500-2000.csv");
LATCHKEY_EMBED(seattle_weather, "seattle-weather.csv");

namespace latchkey::demo {
namespace {

std::string_view Between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

std::span<const DemoDataset> DemoDatasets() {
  static const std::array<DemoDataset, 4> datasets = {{
      {"core", "STOCKS", "Monthly stock prices, 2000 to 2010", "symbol", "date", 1,
       Between(latchkey_demo_stocks, latchkey_demo_stocks_end)},
      {"core", "SP500", "S&P 500, monthly, 2000 to 2010", "", "date", 1,
       Between(latchkey_demo_sp500, latchkey_demo_sp500_end)},
      {"premium", "SP500_DAILY", "S&P 500, daily, 2000 to 2020", "", "date", 10,
       Between(latchkey_demo_sp500_2000, latchkey_demo_sp500_2000_end)},
      {kAccountWorkspace, "WEATHER", "Seattle weather, daily, 2012 to 2015", "", "date", 1,
       Between(latchkey_demo_seattle_weather, latchkey_demo_seattle_weather_end)},
  }};
  return datasets;
}

}  // namespace latchkey::demo
