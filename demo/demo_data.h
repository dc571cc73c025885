// The sample data that `serve --demo` fills an empty data folder with, built into the program.
// Where it comes from: demo/README.md.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace latchkey::demo {

// The account whose workspace holds the dataset that is neither core nor premium.
inline constexpr std::string_view kAccountWorkspace = "demo";

struct DemoDataset {
  std::string_view workspace;
  std::string_view name;
  std::string_view title;
  std::string_view key_field;   // empty: none
  std::string_view date_field;  // empty: none
  std::uint32_t weight = 1;     // credits per record
  std::string_view csv;         // the file, byte for byte
};

// All of them are marked `test`, so that live and test tokens both read them.
std::span<const DemoDataset> DemoDatasets();

}  // namespace latchkey::demo
