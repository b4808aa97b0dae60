// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <ostream>

#include "agent/reload_door.hpp"
#include "cli/command.hpp"
#include "cli/readings.hpp"
#include "cli/unix_client.hpp"
#include "decode/printable.hpp"

namespace nids {
namespace {

constexpr std::size_t kLongestAnswer = 1 << 20;
constexpr auto kMayTake = std::chrono::seconds(60);  // longer than the parent waits for the agent

struct Answer {
  bool is_done;
  std::string text;
};

Result<Answer> ask(const std::string& path, std::uint64_t pid) {
  const std::string action = "ask process " + std::to_string(pid) + " to reload";
  auto fd = connect_to(path, action, kMayTake);
  if (!fd) return fd.error();
  if (send(fd->get(), kReloadQuestion.data(), kReloadQuestion.size(), MSG_NOSIGNAL) < 0)
    return Error{.action = action, .error_number = errno};
  std::string answer;
  for (std::array<char, 4096> bytes; answer.size() < kLongestAnswer;) {
    const ssize_t got = read(fd->get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{.action = action, .error_number = errno};
    if (got == 0) break;
    answer.append(bytes.data(), static_cast<std::size_t>(got));
  }
  if (answer.empty() || (answer[0] != kReloadDone && answer[0] != kReloadRefused))
    return Error{
        .action = action, .reason = "it gave no answer", .hint = "nids-xdp status shows its state"};
  return Answer{.is_done = answer[0] == kReloadDone, .text = printable_lines(answer.substr(1))};
}

// The names of the watched interfaces, by the pid of the parent that watches them.
using Agents = std::map<std::uint64_t, std::string>;

Result<Agents> running_agents(const std::optional<std::string>& interface, const Paths& paths) {
  auto readings = read_attached(interface, paths);
  if (!readings) return readings.error();
  Agents agents;
  for (const Reading& one : *readings) {
    if (!one.agent || !one.agent_pid) continue;
    std::string& names = agents[*one.agent_pid];
    names += (names.empty() ? "" : ", ") + printable(one.attachment->ifname);
  }
  if (!agents.empty()) return agents;
  return Error{.action = "reload",
               .reason = interface ? "no agent watches " + printable(*interface)
                                   : "no agent runs in this network namespace",
               .hint = "nids-xdp status shows what is attached"};
}

}  // namespace

Exit run_reload(const std::optional<std::string>& interface, Io& io) {
  if (geteuid() != 0)
    return fail({.action = "reload", .reason = "this needs root", .hint = "run it with sudo"}, io);
  const auto agents = running_agents(interface, io.paths);
  if (!agents) return fail(agents.error(), io);
  Exit exit = kOk;
  for (const auto& [pid, interfaces] : *agents) {
    const auto answer = ask(reload_path(io.paths.run, pid), pid);
    if (!answer) {
      exit = fail(answer.error(), io);
      continue;
    }
    std::ostream& stream = answer->is_done ? io.out : io.err;
    if (agents->size() > 1) stream << interfaces << ":\n";
    stream << answer->text << '\n';
    if (!answer->is_done) exit = kFailed;
  }
  return exit;
}

}  // namespace nids
