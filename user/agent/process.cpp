// SPDX-License-Identifier: Apache-2.0
#include "agent/process.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace nids {

std::uint64_t process_start_ticks(std::uint64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (pid == 0 || !std::getline(file, line)) return 0;
  // The name in field 2 may hold spaces and brackets: count from its last one.
  std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  std::string field;
  for (int i = 3; i <= 22 && fields >> field; ++i)
    if (i == 3 && field == "Z") return 0;  // dead, and not yet waited for
  return fields ? std::strtoull(field.c_str(), nullptr, 10) : 0;
}

bool agent_is_alive(const nids_agent_counters& counters) {
  return counters.pid != 0 && process_start_ticks(counters.pid) == counters.pid_start_ticks;
}

}  // namespace nids
