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

#include "agent/adoption.hpp"
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
constexpr std::size_t kToEnd = 16;  // descriptors that removing needs

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  // The terminal is gone; but nohup, which has it ignored, means to outlive the terminal.
  struct sigaction now {};
  if (sigaction(SIGHUP, nullptr, &now) != 0 || now.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Result<AttachOutcome> Supervisor::run() {
  const sigset_t signals = ending_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  if (auto prepared = prepare(); !prepared) return prepared.error();
  if (auto attached = attach_all(); !attached) return attached.error();
  if (auto started = start_agent(); !started) {
    unlink(control_socket().c_str());
    spare_.release();  // the lock is a file too
    {
      const auto held = lock();
      undo_attach();
    }
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    stop_agent();
    return started.error();
  }
  callbacks_.started(eve_is_open_, packets_are_open_);

  const Ending ending = watch();
  unlink(control_socket().c_str());
  const bool is_removed = remove_programs(ending);
  // From here on a second signal ends at once, as impatient people expect; there is nothing left
  // on the interfaces.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  const bool is_agent_clean = stop_agent();
  for (const Attachment& attachment : attachments_) claim(attachment, false);

  AttachOutcome outcome{.is_doubtful = is_doubtful_ || !is_agent_clean,
                        .is_done = ending == Ending::kAsked && is_removed && !is_left_behind_,
                        .readings = {}};
  for (const auto* group : {&attachments_, &dropped_})
    for (const Attachment& attachment : *group)
      if (auto reading = attachment.maps.read())
        outcome.readings.emplace_back(attachment.ifname, std::move(*reading));
      else
        callbacks_.error(reading.error().message());
  return outcome;
}

// What would be too late once something is attached.
Result<void> Supervisor::prepare() {
  // A shell starts background commands with SIGINT ignored; to us it is how one ends an agent. And
  // where SIGCHLD is ignored nobody is told how the agent ended.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGCHLD, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const sigset_t signals = ending_signals();
  signals_ = Fd{signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!signals_ || !spare_.reserve(kToEnd))
    return Error{.action = "prepare to attach",
                 .error_number = errno,
                 .hint = "more open files are needed: ulimit -n"};
  auto links = LinkMonitor::open();  // before the interfaces are looked at, so that none is missed
  if (!links) return links.error();
  links_.emplace(std::move(*links));
  return {};
}

// What is ours has to go whether or not the lock can be had.
std::optional<AttachLock> Supervisor::lock() const {
  auto taken = AttachLock::take(request_.paths.run);
  if (taken) return std::move(*taken);
  callbacks_.warning(taken.error().message() + "\n  going on without");
  return std::nullopt;
}

Result<void> Supervisor::attach_all() {
  auto links = links_to_watch(request_.interfaces);
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
  auto stay = lock->stay();
  if (!stay) return stay.error();
  stay_ = std::move(*stay);
  for (const LinkFacts& link : *links) {
    auto placed = place_programs(link, request_, options, callbacks_);
    if (!placed) {
      undo_attach();
      return placed.error();
    }
    if (placed->is_adopted) adopted_.insert(link.ifindex);
    claim(placed->attachment, true);
    if (auto pinned = pins.pin(placed->attachment, reader_group()); !pinned)
      callbacks_.warning(pinned.error().message() + "; only root can read the counters");
    attachments_.push_back(std::move(placed->attachment));
  }
  return {};
}

Sinks Supervisor::open_sinks() {
  Sinks sinks;
  const Config& config = request_.config;
  const std::string going_on = "; counting and alerting go on";
  if (config.eve.enabled) {
    const bool is_default = config.eve.path.empty();
    auto fd = config.eve.path == "-"
                  ? open_standard_output(WhenFull::kLose)
                  : open_eve(is_default ? request_.paths.eve : config.eve.path, is_default);
    if (fd) {
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
                         store_limits(config, Store::WhenBehind::kLose));
    }();
    if (store) {
      sinks.store.emplace(std::move(*store));
    } else {
      sinks.store_is_missing = true;
      callbacks_.error(store.error().message() + going_on);
    }
  }
  if (config.ipfix.collector.ip_version != 0) {
    auto exporter = UdpExporter::open(
        config.ipfix.collector,
        {.domain = config.ipfix.domain, .template_seconds = config.ipfix.template_seconds});
    if (exporter) {
      sinks.exporter.emplace(std::move(*exporter));
    } else {
      sinks.exporter_is_missing = true;
      callbacks_.error(exporter.error().message() + going_on);
    }
  }
  sinks.on_alert = callbacks_.alert;
  return sinks;
}

Result<void> Supervisor::start_agent() {
  sinks_.emplace(open_sinks());
  eve_is_open_ = sinks_->eve.has_value();
  packets_are_open_ = sinks_->store.has_value();

  auto listener = listen_for_control(control_socket(), reader_group());
  if (listener)
    control_listener_ = std::move(*listener);
  else
    callbacks_.warning(listener.error().message() + "; nobody can ask for flows");

  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return Error{.action = "make a socket pair", .error_number = errno};
  control_ = Fd{ends[0]};
  Fd child_end{ends[1]};
  const int parent = getpid();
  agent_pid_ = fork();
  if (agent_pid_ < 0) return Error{.action = "start the agent", .error_number = errno};
  if (agent_pid_ == 0) {
    control_ = Fd{};
    run_child(child_end, parent);
  }
  child_end = Fd{};  // so that the agent's end is the end of the file
  sinks_.reset();
  control_listener_ = Fd{};
  return await_agent();
}

// The agent says one byte once it takes records; anything else is its end.
Result<void> Supervisor::await_agent() {
  const std::string action = "start the agent";
  std::array<pollfd, 2> fds{pollfd{control_.get(), POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0}};
  if (poll(fds.data(), fds.size(), kAgentStarts_ms) <= 0)
    return Error{.action = action, .reason = "it did not answer in time"};
  signalfd_siginfo signal;
  if (read(signals_.get(), &signal, sizeof(signal)) > 0)
    return Error{.action = action, .reason = "a signal came meanwhile, to end it"};
  char byte = 0;
  if (recv(control_.get(), &byte, 1, MSG_DONTWAIT) == 1 && byte == kAgentRuns) return {};
  return Error{.action = action, .reason = "it ended"};
}

// Told before the first record is read. Where the parent was killed before that, nobody who comes
// after it knows of this process, and it must not read.
bool Supervisor::tell_reader(int parent) const {
  const ProcessIdentity self = this_process();
  for (const Attachment& one : attachments_) {
    const Mapped<nids_agent_counters> agent{one.maps.fd("nids_agent")};
    if (!agent) return false;
    agent->reader_start_ticks = self.start_ticks;
    __atomic_store_n(&agent->reader_pid, self.pid, __ATOMIC_SEQ_CST);
  }
  return getppid() == parent;
}

void Supervisor::start_store(Store& store) const {
  const auto repaired = store.start();
  if (!repaired) {
    callbacks_.error(repaired.error().message() + "; packets are kept, but can't be asked for");
    return;
  }
  if (repaired->cut_bytes != 0)
    callbacks_.warning(std::to_string(repaired->cut_bytes) +
                       " bytes of a packet that was not written to its end were cut off");
  for (const std::string& file : repaired->damaged)
    callbacks_.warning("the packets in " + file + " can't be read to its end; it stays as it is");
}

void Supervisor::run_child(const Fd& control, int parent) {
  stay_ = Fd{};  // the parent's to hold, and to let go
  if (!tell_reader(parent)) _exit(1);
  links_.reset();
  spare_.release();
  signals_ = Fd{};
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
    auto tables = FlowMaps::of(one.maps);
    if (!rings) result = rings.error();
    if (!tables) result = tables.error();
    if (rings && tables) watched.push_back({&one, std::move(*rings), std::move(*tables)});
    // Tables that it has nothing to say to it can't write to.
    if ((abi_features(request_.config) & NIDS_FEATURE_COMMANDS) != 0)
      commands.emplace(static_cast<std::uint32_t>(one.ifindex), FlowCommands(one.maps));
    one.maps.keep_only({"nids_agent"});
  }
  sinks_->steer = [&](std::uint32_t ifindex, const nids_flow_key& key, nids_slot_address slot,
                      std::uint8_t word) {
    const auto found = commands.find(ifindex);
    return found == commands.end() ? 0 : found->second.give(key, slot, word);
  };
  if (sinks_->store) start_store(*sinks_->store);
  Pipeline pipeline(request_.config, std::move(names), std::move(*sinks_), request_.selection);
  const auto ticks = sample_ticks(watched.empty() ? 1 : watched.front().tables.info.tick_ns);
  if (!ticks) result = ticks.error();
  if (result) result = drop_privileges(agent_user());
  std::optional<Control> questions;
  if (control_listener_)
    questions.emplace(std::move(control_listener_), pipeline, Control::Limits{});
  if (result)
    result = run_agent(watched, *ticks, pipeline, questions ? &*questions : nullptr, control.get());
  if (!result) callbacks_.error(result.error().message());
  // Not exit(): the parent's objects are here too, and are not ours to end.
  _exit(result ? 0 : 1);
}

Supervisor::Ending Supervisor::watch() {
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    std::array<pollfd, 3> fds{pollfd{signals_.get(), POLLIN, 0}, pollfd{links_->fd(), POLLIN, 0},
                              pollfd{control_.get(), POLLIN, 0}};
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
    if (read(signals_.get(), &signal, sizeof(signal)) > 0) return Ending::kAsked;
    if (agent_has_enough()) return Ending::kAsked;
    if (agent_has_died()) return Ending::kAgentDied;
    check_links();
    check_filters();
    if (attachments_.empty()) return Ending::kInterfacesGone;
    check_detach_requests();
    if (attachments_.empty()) return Ending::kAsked;
  }
}

bool Supervisor::agent_has_enough() const {
  char news = 0;
  return recv(control_.get(), &news, 1, MSG_DONTWAIT) == 1 && news == kAgentHasEnough;
}

bool Supervisor::agent_has_died() {
  int status = 0;
  const pid_t ended = waitpid(agent_pid_, &status, WNOHANG);
  if (ended == 0) return false;
  agent_pid_ = 0;
  const std::string how = ended < 0 ? "nobody knows how"
                          : WIFSIGNALED(status)
                              ? std::string("signal ") + strsignal(WTERMSIG(status))
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
        const auto held = lock();
        drop(i);
        break;
      }
      if (!change.link.name.empty() && change.link.name != attachment.ifname) {
        callbacks_.info("interface " + attachment.ifname + " is now called " + change.link.name);
        attachment.ifname = change.link.name;
      }
      auto found = find_attachment(attachment.ifindex, attachment.ifname);
      const bool is_removed = found && (!*found || (*found)->ingress_id != attachment.ingress_id);
      if (is_removed && ingress_is_lost(i)) break;
    }
  }
}

// Without its program for incoming packets an interface is no longer watched: what else is ours
// there goes too. Not where it was removed by us, or with its interface.
bool Supervisor::ingress_is_lost(std::size_t index) {
  const Attachment& attachment = attachments_[index];
  const auto agent = attachment.maps.agent();
  // A link loses its programs before it is deleted; that news is on its way then.
  if ((agent && agent->detach_requested) || !find_link(attachment.ifname)) return false;
  callbacks_.error(std::string("somebody removed ") +
                   (attachment.mode == NIDS_MODE_TC ? "the ingress filter" : "the XDP program") +
                   " from " + attachment.ifname);
  const auto held = lock();
  if (auto left = find_attachment(attachment.ifindex, attachment.ifname); left && *left)
    if (auto removed = detach(**left); !removed) callbacks_.error(removed.error().message());
  is_doubtful_ = true;
  drop(index);
  return true;
}

void Supervisor::check_detach_requests() {
  for (std::size_t i = attachments_.size(); i-- > 0;) {
    const auto agent = attachments_[i].maps.agent();
    if (!agent || agent->detach_requested == 0) continue;
    callbacks_.info("detached from " + attachments_[i].ifname + " by nids-xdp detach");
    const auto held = lock();
    if (auto removed = detach(attachments_[i]); !removed) {
      callbacks_.error(removed.error().message());
      is_left_behind_ = true;
    }
    drop(i);
  }
}

// Filters come and go without news to a listener on links, so they are looked for.
void Supervisor::check_filters() {
  for (std::size_t i = attachments_.size(); i-- > 0;) {
    Attachment& attachment = attachments_[i];
    const int ifindex = attachment.ifindex;
    const auto is_gone = [&](TcHook hook, std::uint32_t id) {
      const auto there = filter_program(ifindex, hook);
      return there && *there != id;
    };
    if (attachment.mode == NIDS_MODE_TC && is_gone(TcHook::kIngress, attachment.ingress_id) &&
        ingress_is_lost(i))
      continue;
    if (attachment.egress_id == 0 || !is_gone(TcHook::kEgress, attachment.egress_id)) continue;
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
  Pins(request_.paths.bpffs).unpin(attachments_[index].ifindex);
  dropped_.push_back(std::move(attachments_[index]));
  attachments_.erase(attachments_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Supervisor::claim(const Attachment& attachment, bool is_ours) const {
  const Mapped<nids_agent_counters> agent{attachment.maps.fd("nids_agent")};
  if (!agent) return;
  const ProcessIdentity self = is_ours ? this_process() : ProcessIdentity{};
  agent->pid_start_ticks = self.start_ticks;
  if (is_ours)
    agent->pid_namespace = self.pid_namespace;  // that of the reader, as long as it lives
  agent->pid = self.pid;
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
  spare_.release();
  for (const Attachment& attachment : attachments_)
    if (adopted_.contains(attachment.ifindex))
      claim(attachment, false);
    else
      release(attachment);
  stay_ = Fd{};
}

// Before the agent is stopped, so that nothing comes after its last record. Returns whether what
// had to go is gone.
bool Supervisor::remove_programs(Ending ending) {
  if (request_.keep_attached || ending == Ending::kAgentDied) return true;
  spare_.release();
  const auto held = lock();  // whoever holds it last removes the run directory
  bool is_removed = true;
  for (const Attachment& attachment : attachments_) is_removed = release(attachment) && is_removed;
  stay_ = Fd{};
  return is_removed;
}

std::string Supervisor::control_socket() const {
  return control_path(request_.paths.run, static_cast<std::uint64_t>(getpid()));
}

bool Supervisor::stop_agent() {
  if (agent_pid_ <= 0) return true;
  control_ = Fd{};  // its end of file tells the agent
  const auto deadline = std::chrono::steady_clock::now() + kAgentMayTake;
  int status = 0;
  pid_t ended = 0;
  while ((ended = waitpid(agent_pid_, &status, WNOHANG)) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      kill(agent_pid_, SIGKILL);
      ended = waitpid(agent_pid_, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  agent_pid_ = 0;
  return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace nids
