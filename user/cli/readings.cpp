// SPDX-License-Identifier: Apache-2.0
#include "cli/readings.hpp"

#include <cerrno>
#include <cstring>

#include "agent/process.hpp"
#include "kernel/netlink.hpp"
#include "kernel/pins.hpp"
#include "report/totals.hpp"

namespace nids {
namespace {

Result<std::vector<Attachment>> find(const std::optional<std::string>& interface) {
  if (!interface) return find_attachments();
  auto link = find_link(*interface);
  if (!link) return in_this_netns(link.error(), "stats " + *interface);
  auto found = find_attachment(link->ifindex, link->name);
  if (!found) return found.error();
  std::vector<Attachment> all;
  if (*found) all.push_back(std::move(**found));
  return all;
}

std::string name_of(const nids_info& info) {
  return {info.ifname, strnlen(info.ifname, sizeof(info.ifname))};
}

Result<Reading> read_one(const Maps& maps) {
  auto kernel = maps.read_with_rings();
  if (!kernel) return kernel.error();
  const auto pid = pid_here(agent_process(kernel->agent));
  return Reading{.kernel = std::move(*kernel),
                 .attachment = {},
                 .agent = pid != std::uint64_t{0},
                 .agent_pid = pid};
}

Result<std::vector<Reading>> read_pinned(const std::optional<std::string>& interface,
                                         const Paths& paths) {
  auto pinned = Pins(paths.bpffs).open_all();
  if (!pinned) return pinned.error();
  std::vector<Reading> readings;
  for (const Maps& maps : *pinned) {
    auto reading = read_one(maps);
    if (!reading) return reading.error();
    if (!interface || name_of(reading->kernel.info) == *interface)
      readings.push_back(std::move(*reading));
  }
  return readings;
}

bool lacks_privileges(const Error& error) {
  return error.error_number == EPERM || error.error_number == EACCES;
}

Error not_watched(const std::string& interface) {
  return Error{.action = "read the tables of " + interface,
               .reason = "nids-xdp is not attached to it",
               .hint = "sudo nids-xdp attach " + interface +
                       "; in another namespace, put before the command: ip netns exec NAME"};
}

// There is a program that may be ours, and no pin to read it by.
Error out_of_sight(const Error& refused, const std::optional<std::string>& interface) {
  return Error{
      .action = "tell whether nids-xdp is attached" + (interface ? " to " + *interface : ""),
      .error_number = refused.error_number,
      .hint =
          "run as root, or as a member of the group nids-xdp; what was attached under "
          "ip netns exec only root can read"};
}

}  // namespace

Result<std::vector<Reading>> read_attached(const std::optional<std::string>& interface,
                                           const Paths& paths) {
  auto attachments = find(interface);
  std::vector<Reading> readings;
  if (attachments) {
    for (Attachment& attachment : *attachments) {
      if (!attachment.maps.fit())
        return Error{.action = "read the counters of " + attachment.ifname,
                     .reason = "its programs are of another version of nids-xdp",
                     .hint = "nids-xdp detach " + attachment.ifname + ", then attach again"};
      auto reading = read_one(attachment.maps);
      if (!reading) return reading.error();
      reading->attachment = std::move(attachment);
      readings.push_back(std::move(*reading));
    }
  } else if (lacks_privileges(attachments.error())) {
    auto pinned = read_pinned(interface, paths);
    if (!pinned) return pinned.error();
    if (pinned->empty()) return out_of_sight(attachments.error(), interface);
    readings = std::move(*pinned);
  } else {
    return attachments.error();
  }
  if (interface && readings.empty()) return not_watched(*interface);
  return readings;
}

Error in_this_netns(Error error, const std::string& command) {
  error.hint += (error.hint.empty() ? "" : "; ") +
                ("in another namespace: ip netns exec NAME nids-xdp " + command);
  return error;
}

StatsReport report_of(const Reading& reading) {
  const KernelReading& kernel = reading.kernel;
  StatsReport report = report_of(kernel);
  report.agent = reading.agent;
  if (!reading.attachment) return report;
  report.interface = reading.attachment->ifname;
  // The slots can be added up only while no packet comes: else the sum is of no one moment, and
  // the running count, which each CPU keeps consistent, stands for itself.
  const auto live = reading.attachment->maps.live_by_scan();
  const auto after = reading.attachment->maps.read();
  if (live && after && after->counters.finished == kernel.counters.finished &&
      kernel.counters.started == kernel.counters.finished)
    report.scan_agrees =
        live->packets == kernel.counters.live.packets && live->bytes == kernel.counters.live.bytes;
  return report;
}

}  // namespace nids
