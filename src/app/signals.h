// The signals that end or reload a server, taken one by one instead of by a handler.
#pragma once

#include <chrono>

namespace latchkey::app {

enum class Signal { kNone, kStop, kReload };

// Blocks SIGTERM, SIGINT and SIGHUP for this thread and every thread that it starts from now on,
// and ignores SIGPIPE and SIGXFSZ (a write then fails with EPIPE or EFBIG). Made before any thread.
class Signals {
 public:
  Signals();

  // The next of them; kNone when `patience` is over. On any thread.
  Signal Wait(std::chrono::milliseconds patience) const;
};

}  // namespace latchkey::app
