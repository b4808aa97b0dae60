// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <functional>
#include <ostream>
#include <thread>

#include "agent/privileges.hpp"
#include "agent/process.hpp"
#include "cli/command.hpp"
#include "cli/readings.hpp"
#include "decode/printable.hpp"
#include "kernel/attach_lock.hpp"
#include "kernel/netlink.hpp"
#include "kernel/pins.hpp"

namespace nids {
namespace {

constexpr auto kAgentMayTake = std::chrono::seconds(5);
constexpr auto kLookEvery = std::chrono::milliseconds(20);

bool wait_until(const std::function<bool()>& is_so) {
  const auto deadline = std::chrono::steady_clock::now() + kAgentMayTake;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kLookEvery);
  }
  return true;
}

bool is_attached(int ifindex) {
  const auto found = find_attachment(ifindex, {});
  return found && found->has_value();
}

bool watches_another(std::uint64_t pid) {
  auto all = find_attachments();
  if (!all) return true;
  for (const Attachment& one : *all)
    if (const auto agent = one.maps.agent(); agent && agent->pid == pid) return true;
  return false;
}

// The agent removes its programs itself, so that it counts to the last packet and says so; false
// where it does not answer.
bool ask_agent(const Attachment& attachment) {
  const auto agent = attachment.maps.agent();
  if (!agent || !may_be_alive(*agent)) return false;
  if (!attachment.maps.request_detach()) return false;
  if (!wait_until([&] { return !is_attached(attachment.ifindex); })) return false;
  // Where its process can't be seen, it says that it lets go.
  const auto is_gone = [&] {
    const auto pid = pid_here(agent_process(*agent));
    const auto now = attachment.maps.agent();
    return pid ? *pid == 0 : now && now->pid == 0;
  };
  if (!watches_another(agent->pid)) wait_until(is_gone);
  return true;
}

Result<void> detach_one(const Attachment& attachment, const Paths& paths) {
  if (ask_agent(attachment)) return {};
  auto lock = AttachLock::take(paths.run);
  if (!lock) return lock.error();
  auto removed = detach(attachment);
  Pins(paths.bpffs).unpin(attachment.ifindex);
  return removed;
}

// Names that are there; `is_missing` where one is not.
Result<std::vector<Attachment>> chosen(const DetachArguments& arguments, bool& is_missing, Io& io) {
  if (arguments.all) return find_attachments();
  std::vector<Attachment> attachments;
  for (const std::string& name : arguments.interfaces) {
    auto link = find_link(name);
    if (!link) {
      is_missing = true;
      fail(in_this_netns(link.error(), "detach " + name), io);
      continue;
    }
    auto found = find_attachment(link->ifindex, link->name);
    if (!found) return found.error();
    if (*found)
      attachments.push_back(std::move(**found));
    else if (!io.is_quiet)
      io.err << "nids-xdp: nothing of ours is attached to " << printable(link->name)
             << " in this network namespace\n";
  }
  return attachments;
}

}  // namespace

Exit run_detach(const DetachArguments& arguments, Io& io) {
  if (arguments.interfaces.empty() && !arguments.all)
    return usage("detach: name an interface, or --all", io, "detach");
  if (const std::string missing = missing_to_detach(); !missing.empty())
    return fail(
        {.action = "detach", .reason = "this process lacks " + missing, .hint = "run it with sudo"},
        io);
  bool has_failed = false;
  auto attachments = chosen(arguments, has_failed, io);
  // What interfaces that are gone left behind, whether the ones named are there or not.
  if (access(io.paths.run.c_str(), F_OK) == 0)
    if (auto lock = AttachLock::take(io.paths.run)) Pins(io.paths.bpffs).sweep();
  if (!attachments) return fail(attachments.error(), io);
  for (const Attachment& attachment : *attachments) {
    if (auto done = detach_one(attachment, io.paths); !done) {
      has_failed = true;
      fail(done.error(), io);
    } else if (!io.is_quiet)
      io.err << "nids-xdp: detached from " << printable(attachment.ifname) << '\n';
  }
  return has_failed ? kFailed : kOk;
}

}  // namespace nids
