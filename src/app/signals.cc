#include "app/signals.h"

#include <signal.h>

namespace latchkey::app {
namespace {

sigset_t Waited() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Signals::Signals() {
  const sigset_t set = Waited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

Signal Signals::Wait(std::chrono::milliseconds patience) const {
  const sigset_t set = Waited();
  timespec time{};
  time.tv_sec = patience.count() / 1000;
  time.tv_nsec = patience.count() % 1000 * 1'000'000;
  switch (sigtimedwait(&set, nullptr, &time)) {
    case SIGTERM:
    case SIGINT:
      return Signal::kStop;
    case SIGHUP:
      return Signal::kReload;
    default:
      return Signal::kNone;
  }
}

}  // namespace latchkey::app
