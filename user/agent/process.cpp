// SPDX-License-Identifier: Apache-2.0
#include "agent/process.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace nids {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kInitialPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO of the kernel

// 0: no such process.
std::uint64_t start_ticks(const std::string& process) {
  std::ifstream file("/proc/" + process + "/stat");
  std::string line;
  if (!std::getline(file, line)) return 0;
  // The name in field 2 may hold spaces and brackets: count from its last one.
  std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  std::string field;
  for (int i = 3; i <= 22 && fields >> field; ++i)
    if (i == 3 && field == "Z") return 0;  // dead, and not yet waited for
  return fields ? std::strtoull(field.c_str(), nullptr, 10) : 0;
}

std::uint64_t own_pid_namespace() {
  struct stat status {};
  return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

// With a namespace of its own a process may still see the /proc of the one around it.
bool proc_is_of_own_namespace() {
  std::error_code error;
  return fs::read_symlink("/proc/self", error) == std::to_string(getpid());
}

// The pid in the namespace that the process itself is in.
std::uint64_t innermost_pid(const std::string& process) {
  std::ifstream file("/proc/" + process + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("NSpid:"))
      return std::strtoull(line.c_str() + line.find_last_of("\t ") + 1, nullptr, 10);
  return 0;
}

std::uint64_t search(const ProcessIdentity& wanted) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    std::uint64_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{}) continue;
    if (innermost_pid(name) == wanted.pid && start_ticks(name) == wanted.start_ticks) return pid;
  }
  return 0;
}

}  // namespace

ProcessIdentity this_process() {
  return {static_cast<std::uint64_t>(getpid()), start_ticks("self"), own_pid_namespace()};
}

ProcessIdentity agent_process(const nids_agent_counters& counters) {
  return {counters.pid, counters.pid_start_ticks, counters.pid_namespace};
}

ProcessIdentity reader_process(const nids_agent_counters& counters) {
  return {counters.reader_pid, counters.reader_start_ticks, counters.pid_namespace};
}

std::optional<std::uint64_t> pid_here(const ProcessIdentity& process) {
  if (process.pid == 0) return 0;
  const std::uint64_t own = own_pid_namespace();
  const bool is_own = process.pid_namespace == 0 || process.pid_namespace == own;
  if (is_own && proc_is_of_own_namespace())
    return start_ticks(std::to_string(process.pid)) == process.start_ticks ? process.pid : 0;
  if (const std::uint64_t found = search(process); found != 0) return found;
  if (is_own || own == kInitialPidNamespace) return 0;  // all of them are seen
  return std::nullopt;
}

bool may_be_alive(const nids_agent_counters& counters) {
  return pid_here(agent_process(counters)) != std::uint64_t{0};
}

}  // namespace nids
