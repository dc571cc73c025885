// What `latchkey doctor` looks at: the clock, the disk, permissions, certificates, the master key
// and both databases. Reads only; may run beside a server.
#pragma once

#include <string>
#include <vector>

#include "env/clock.h"
#include "env/config.h"

namespace latchkey::app {

enum class Health { kGood, kWarning, kBad };

struct Finding {
  Health health = Health::kGood;
  std::string what;    // "disk", "certificates", …
  std::string detail;  // one sentence
};

// In the order in which they were made. With a folder that can't be read, the rest is left out.
std::vector<Finding> Diagnose(const Config& config, const Clock& clock);

}  // namespace latchkey::app
