// SPDX-License-Identifier: Apache-2.0
#include "agent/supervisor.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "agent/agent.hpp"
#include "agent/class_table.hpp"
#include "agent/outputs.hpp"
#include "agent/process.hpp"
#include "kernel/commands.hpp"
#include "kernel/pins.hpp"
#include "kernel/tc.hpp"

namespace nids {
namespace {

constexpr int kLookEvery_ms = 200;
constexpr int kAgentStarts_ms = 10'000;
constexpr auto kAgentMayTake = std::chrono::seconds(10);

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);  // the terminal is gone
  return set;
}

Result<std::vector<LinkFacts>> resolve(const std::vector<std::string>& names) {
  std::vector<LinkFacts> links;
  if (names.empty()) {
    auto link = default_route_link();
    if (!link) return link.error();
    return std::vector{*link};
  }
  for (const std::string& name : names) {
    auto link = find_link(name);
    if (!link) return link.error();
    const auto is_same = [&](const LinkFacts& other) { return other.ifindex == link->ifindex; };
    if (std::ranges::none_of(links, is_same)) links.push_back(*link);
  }
  return links;
}

std::string nids_class_name(const nids_class& one) {
  return {one.name, strnlen(one.name, sizeof(one.name))};
}

Result<void> write_classes(const Attachment& attachment, const ProgramSetup& setup) {
  if (auto ports = write_value(attachment.maps.fd("nids_ports"), setup.ports, "nids_ports"); !ports)
    return ports;
  return write_value(attachment.maps.fd("nids_classes"), setup.classes.data(), "nids_classes");
}

}  // namespace

Result<AttachOutcome> Supervisor::run() {
  const sigset_t signals = ending_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A shell starts background commands with SIGINT ignored; to us it is how one ends an agent.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  auto links = LinkMonitor::open();  // before the interfaces are looked at, so that none is missed
  if (!links) return links.error();
  links_.emplace(std::move(*links));
  if (auto attached = attach_all(); !attached) return attached.error();
  if (auto started = start_agent(); !started) {
    undo_attach();
    stop_agent();
    return started.error();
  }
  callbacks_.started(eve_is_open_, packets_are_open_);

  const Ending ending = watch();
  const bool is_removed = remove_programs(ending);
  // From here on a second signal ends at once, as impatient people expect; there is nothing left
  // on the interfaces.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  const bool is_agent_clean = stop_agent();
  for (const Attachment& attachment : attachments_) claim(attachment, false);

  AttachOutcome outcome{.is_doubtful = is_doubtful_ || !is_agent_clean,
                        .is_done = ending == Ending::kAsked && is_removed,
                        .readings = {}};
  for (const auto* group : {&attachments_, &dropped_})
    for (const Attachment& attachment : *group)
      if (auto reading = attachment.maps.read())
        outcome.readings.emplace_back(attachment.ifname, std::move(*reading));
      else
        callbacks_.error(reading.error().message());
  return outcome;
}

Result<void> Supervisor::attach_all() {
  auto links = resolve(request_.interfaces);
  if (!links) return links.error();
  const auto classes = abi_classes(request_.config);
  const auto ports = abi_ports(request_.config);
  const AttachOptions options{.mode = request_.mode,
                              .egress = request_.egress,
                              .setup = program_setup(request_.config, classes, *ports)};
  auto lock = AttachLock::take(request_.paths.run);
  if (!lock) return lock.error();
  const Pins pins(request_.paths.bpffs);
  pins.sweep();
  for (const LinkFacts& link : *links) {
    auto attachment = attach_one(link, options);
    if (!attachment) {
      undo_attach();
      return attachment.error();
    }
    claim(*attachment, true);
    if (auto pinned = pins.pin(*attachment, reader_group()); !pinned)
      callbacks_.warning(pinned.error().message() + "; only root can read the counters");
    attachments_.push_back(std::move(*attachment));
  }
  return {};
}

// Slots and counters know classes by index: another name there would make them lie.
bool Supervisor::has_same_classes(const Attachment& attachment) const {
  const auto reading = attachment.maps.read();
  const auto wanted = abi_classes(request_.config);
  return reading &&
         std::ranges::equal(reading->classes, wanted, {}, &nids_class_name, &nids_class_name);
}

// Why programs that are there can't be taken over; nothing where they can.
std::optional<std::string> Supervisor::misfit(const Attachment& attachment) const {
  if (!attachment.maps.fit()) return "they are of another version";
  const auto info = attachment.maps.info();
  if (!info || info->mode == 0) return "they were never completed";
  if (request_.egress != (attachment.egress_id != 0)) return "they watch other directions";
  if (attachment.xdp_id == 0) return "the XDP program was removed";
  const bool wants_skb = request_.mode == ModeChoice::kSkb;
  if (request_.mode != ModeChoice::kAuto && wants_skb != (attachment.mode == NIDS_MODE_SKB))
    return "they run in another mode";
  const Config& config = request_.config;
  if (info->sets4_per_cpu * NIDS_WAYS != config.flow.slots_per_cpu ||
      info->sets6_per_cpu * NIDS_WAYS != config.flow.ipv6_slots_per_cpu)
    return "their flow tables have other sizes";
  if (!has_same_classes(attachment)) return "their classes have other names";
  if (info->ring_bytes != config.ring.size_bytes || info->rings != config.ring.count ||
      info->snap_bytes != config.ring.snap_bytes || info->sample_bytes != config.ring.sample_bytes)
    return "their rings or snaps have other sizes";
  if (info->features != abi_features(config)) return "they were loaded for other interests";
  return std::nullopt;
}

Result<Attachment> Supervisor::attach_new(const LinkFacts& link, const AttachOptions& options) {
  auto attachment = attach(link.ifindex, link.name, options);
  if (!attachment || options.mode != ModeChoice::kAuto || attachment->mode != NIDS_MODE_SKB)
    return attachment;
  const auto info = attachment->maps.info();
  callbacks_.warning(
      link.name + " is watched in skb mode, which costs more CPU: " + (info ? info->reason : ""));
  return attachment;
}

Result<Attachment> Supervisor::attach_one(const LinkFacts& link, const AttachOptions& options) {
  auto found = find_attachment(link.ifindex, link.name);
  if (!found) return found.error();
  if (!*found) return attach_new(link, options);

  Attachment& there = **found;
  if (const auto agent = there.maps.agent(); agent && agent_is_alive(*agent))
    return Error{.action = "attach to " + link.name,
                 .reason = "nids-xdp already watches it, process " + std::to_string(agent->pid),
                 .hint = "to end that one: nids-xdp detach " + link.name};
  if (const auto why = misfit(there)) {
    callbacks_.warning("replacing the programs that an earlier agent left on " + link.name + ": " +
                       *why);
    if (auto removed = detach(there); !removed) return removed.error();
    return attach_new(link, options);
  }
  adopted_.insert(link.ifindex);
  callbacks_.info("taking over the programs that an earlier agent left on " + link.name +
                  "; their counters go on");
  if (auto written = write_classes(there, options.setup); !written) return written.error();
  return std::move(there);
}

Sinks Supervisor::open_sinks() {
  Sinks sinks;
  const Config& config = request_.config;
  const std::string going_on = "; counting and alerting go on";
  if (config.eve.enabled) {
    const bool is_default = config.eve.path.empty();
    if (auto fd = open_eve(is_default ? request_.paths.eve : config.eve.path, is_default); fd) {
      sinks.eve.emplace(fd->release());
    } else {
      sinks.eve_is_missing = true;
      callbacks_.error(fd.error().message() + going_on);
    }
  }
  if (config.retain.enabled) {
    const std::string path =
        config.retain.directory.empty() ? request_.paths.packets : config.retain.directory;
    std::map<std::uint32_t, pcapng::Interface> interfaces;
    for (const Attachment& one : attachments_)
      interfaces[static_cast<std::uint32_t>(one.ifindex)] = {
          .name = one.ifname, .description = {}, .link_type = 1, .snap_len = 0};
    auto store = [&]() -> Result<Store> {
      auto fd = open_packet_directory(path, agent_user());
      if (!fd) return fd.error();
      return Store::open(fd->get(), path, interfaces,
                         {.budget_bytes = config.retain.budget_bytes,
                          .segment_bytes = config.retain.segment_bytes,
                          .min_free_share = config.retain.min_free_percent / 100.0});
    }();
    if (store) {
      sinks.store.emplace(std::move(*store));
    } else {
      sinks.store_is_missing = true;
      callbacks_.error(store.error().message() + going_on);
    }
  }
  sinks.on_alert = callbacks_.alert;
  return sinks;
}

Result<void> Supervisor::start_agent() {
  sinks_.emplace(open_sinks());
  eve_is_open_ = sinks_->eve.has_value();
  packets_are_open_ = sinks_->store.has_value();

  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return Error{.action = "make a socket pair", .error_number = errno};
  control_ = Fd{ends[0]};
  const Fd child_end{ends[1]};
  agent_pid_ = fork();
  if (agent_pid_ < 0) return Error{.action = "start the agent", .error_number = errno};
  if (agent_pid_ == 0) {
    control_ = Fd{};
    run_child(child_end);
  }
  sinks_.reset();
  return await_agent();
}

// The agent says one byte once it takes records; anything else is its end.
Result<void> Supervisor::await_agent() {
  pollfd ready{control_.get(), POLLIN, 0};
  char byte = 0;
  const bool is_told =
      poll(&ready, 1, kAgentStarts_ms) == 1 && recv(control_.get(), &byte, 1, MSG_DONTWAIT) == 1;
  if (is_told) return {};
  return Error{.action = "start the agent", .reason = "it ended, or did not answer in time"};
}

void Supervisor::run_child(const Fd& control) {
  links_.reset();
  if (callbacks_.in_agent) callbacks_.in_agent();
  std::map<std::uint32_t, std::string> names;
  for (const Attachment& one : attachments_)
    names[static_cast<std::uint32_t>(one.ifindex)] = one.ifname;
  // All that needs root is opened now; what the agent does not need it does not keep.
  std::vector<Watched> watched;
  std::map<std::uint32_t, FlowCommands> commands;
  Result<void> result;
  for (Attachment& one : attachments_) {
    auto rings = one.maps.rings();
    if (!rings) result = rings.error();
    if (rings) watched.push_back({&one, std::move(*rings)});
    // Tables that it has nothing to say to it can't write to.
    if ((abi_features(request_.config) & NIDS_FEATURE_COMMANDS) != 0)
      commands.emplace(static_cast<std::uint32_t>(one.ifindex), FlowCommands(one.maps));
    one.maps.keep_only({"nids_agent"});
  }
  sinks_->steer = [&](std::uint32_t ifindex, const nids_flow_key& key, nids_slot_address slot,
                      nids_interest interest) {
    const auto found = commands.find(ifindex);
    return found == commands.end() ? 0 : found->second.give(key, slot, interest);
  };
  Pipeline pipeline(request_.config, std::move(names), std::move(*sinks_));
  if (result) result = drop_privileges(agent_user());
  if (result) result = run_agent(watched, pipeline, control.get());
  if (!result) callbacks_.error(result.error().message());
  // Not exit(): the parent's objects are here too, and are not ours to end.
  _exit(result ? 0 : 1);
}

Supervisor::Ending Supervisor::watch() {
  const sigset_t signals = ending_signals();
  const Fd signal_fd{signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    std::array<pollfd, 2> fds{pollfd{signal_fd.get(), POLLIN, 0}, pollfd{links_->fd(), POLLIN, 0}};
    int wait_ms = kLookEvery_ms;
    if (request_.duration) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          *request_.duration - (std::chrono::steady_clock::now() - start));
      if (left.count() <= 0) return Ending::kAsked;
      wait_ms = static_cast<int>(std::min<std::int64_t>(wait_ms, left.count()));
    }
    poll(fds.data(), fds.size(), wait_ms);
    signalfd_siginfo signal;
    // Taken, not only seen: it would strike once signals are let through again.
    if (read(signal_fd.get(), &signal, sizeof(signal)) > 0) return Ending::kAsked;
    if (agent_has_died()) return Ending::kAgentDied;
    if (fds[1].revents != 0) check_links();
    if (attachments_.empty()) return Ending::kInterfacesGone;
    check_egress();
    check_detach_requests();
    if (attachments_.empty()) return Ending::kAsked;
  }
}

bool Supervisor::agent_has_died() {
  int status = 0;
  if (waitpid(agent_pid_, &status, WNOHANG) != agent_pid_) return false;
  agent_pid_ = 0;
  const std::string how = WIFSIGNALED(status) ? std::string("signal ") + strsignal(WTERMSIG(status))
                                              : "exit code " + std::to_string(WEXITSTATUS(status));
  callbacks_.error("the agent ended by itself (" + how +
                   "); the programs go on counting\n  hint: nids-xdp attach takes over, nids-xdp "
                   "detach removes them");
  return true;
}

void Supervisor::check_links() {
  for (const LinkChange& change : links_->read()) {
    for (std::size_t i = 0; i < attachments_.size(); ++i) {
      Attachment& attachment = attachments_[i];
      if (attachment.ifindex != change.link.ifindex) continue;
      if (change.deleted) {
        callbacks_.error("interface " + attachment.ifname + " was deleted or moved away");
        is_doubtful_ = true;
        drop(i);
        break;
      }
      if (!change.link.name.empty() && change.link.name != attachment.ifname) {
        callbacks_.info("interface " + attachment.ifname + " is now called " + change.link.name);
        attachment.ifname = change.link.name;
      }
      auto found = find_attachment(attachment.ifindex, attachment.ifname);
      const bool is_removed = found && (!*found || (*found)->xdp_id != attachment.xdp_id);
      const auto agent = attachment.maps.agent();
      // A link loses its programs before it is deleted; that news is on its way then.
      if (is_removed && find_link(attachment.ifname) && !(agent && agent->detach_requested)) {
        callbacks_.error("somebody removed the XDP program from " + attachment.ifname);
        if (*found)
          if (auto removed = detach(**found); !removed) callbacks_.error(removed.error().message());
        is_doubtful_ = true;
        drop(i);
        break;
      }
    }
  }
}

void Supervisor::check_detach_requests() {
  for (std::size_t i = attachments_.size(); i-- > 0;) {
    const auto agent = attachments_[i].maps.agent();
    if (!agent || agent->detach_requested == 0) continue;
    callbacks_.info("detached from " + attachments_[i].ifname + " by nids-xdp detach");
    if (auto removed = detach(attachments_[i]); !removed)
      callbacks_.error(removed.error().message());
    drop(i);
  }
}

// Filters come and go without news to a listener on links, so it is looked for.
void Supervisor::check_egress() {
  for (Attachment& attachment : attachments_) {
    if (attachment.egress_id == 0 || egress_program(attachment.ifindex) == attachment.egress_id)
      continue;
    const auto agent = attachment.maps.agent();
    if ((agent && agent->detach_requested) || !find_link(attachment.ifname)) continue;
    callbacks_.error("somebody removed the egress filter from " + attachment.ifname +
                     "; outgoing packets are no longer seen");
    attachment.egress_id = 0;
    is_doubtful_ = true;
  }
}

void Supervisor::drop(std::size_t index) {
  claim(attachments_[index], false);  // moved away, it is free for the agent of its new home
  const auto lock = AttachLock::take(request_.paths.run);
  Pins(request_.paths.bpffs).unpin(attachments_[index].ifindex);
  dropped_.push_back(std::move(attachments_[index]));
  attachments_.erase(attachments_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Supervisor::claim(const Attachment& attachment, bool is_ours) const {
  const Mapped<nids_agent_counters> agent{attachment.maps.fd("nids_agent")};
  if (!agent) return;
  const auto pid = static_cast<std::uint64_t>(getpid());
  agent->pid_start_ticks = is_ours ? process_start_ticks(pid) : 0;
  agent->pid = is_ours ? pid : 0;
  agent->detach_requested = 0;
  agent->degraded = 0;
}

bool Supervisor::release(const Attachment& attachment) const {
  auto removed = detach(attachment);
  if (!removed) callbacks_.error(removed.error().message());
  Pins(request_.paths.bpffs).unpin(attachment.ifindex);
  return static_cast<bool>(removed);
}

// What was taken over goes back to as it was: counting, without an agent.
void Supervisor::undo_attach() {
  for (const Attachment& attachment : attachments_)
    if (adopted_.contains(attachment.ifindex))
      claim(attachment, false);
    else
      release(attachment);
}

// Before the agent is stopped, so that nothing comes after its last record. Returns whether what
// had to go is gone.
bool Supervisor::remove_programs(Ending ending) {
  if (request_.keep_attached || ending == Ending::kAgentDied) return true;
  const auto lock = AttachLock::take(request_.paths.run);
  bool is_removed = true;
  for (const Attachment& attachment : attachments_) is_removed = release(attachment) && is_removed;
  return is_removed;
}

bool Supervisor::stop_agent() {
  if (agent_pid_ <= 0) return true;
  control_ = Fd{};  // its end of file tells the agent
  const auto deadline = std::chrono::steady_clock::now() + kAgentMayTake;
  int status = 0;
  while (waitpid(agent_pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      kill(agent_pid_, SIGKILL);
      waitpid(agent_pid_, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  agent_pid_ = 0;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace nids
