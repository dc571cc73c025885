// The latchkey command.
#pragma once

namespace latchkey::cli {

// Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// Reads the command line and runs what it says; the exit code. No exception leaves it.
int Run(int argc, const char* const* argv);

}  // namespace latchkey::cli
