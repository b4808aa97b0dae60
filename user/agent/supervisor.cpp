// SPDX-License-Identifier: Apache-2.0
#include "agent/supervisor.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "agent/adoption.hpp"
#include "agent/class_table.hpp"
#include "agent/joined_links.hpp"
#include "agent/link_notices.hpp"
#include "agent/privileges.hpp"
#include "agent/process.hpp"
#include "kernel/pins.hpp"
#include "kernel/split_frames.hpp"
#include "kernel/tc.hpp"

namespace nids {
namespace {

constexpr int kLookEvery_ms = 200;
constexpr std::size_t kToEnd = 16;  // descriptors that removing needs

}  // namespace

Supervisor::Supervisor(AttachRequest request, Callbacks callbacks)
    : request_(std::move(request)),
      callbacks_(std::move(callbacks)),
      agent_(request_, classes_, callbacks_, attachments_, joined_, [this] { leave_parent(); }) {}

Result<AttachOutcome> Supervisor::run() {
  if (auto prepared = prepare(); !prepared) return prepared.error();
  if (auto attached = attach_all(); !attached) return attached.error();
  if (auto started = agent_.start([this] { return early_end(); }); !started) {
    spare_.release();  // the lock is a file too
    {
      const auto held = lock();
      undo_attach();
    }
    signals_->let_through();
    reload_door_.remove();
    agent_.stop();
    return started.error();
  }
  callbacks_.started(agent_.eve_is_open(), agent_.packets_directory());

  const Ending ending = watch();
  reload_door_.remove();
  const bool is_removed = remove_programs();
  // From here on a second signal ends at once, as impatient people expect; there is nothing left
  // on the interfaces.
  signals_->let_through();
  const bool is_agent_clean = agent_.stop();
  for (const Attachment& attachment : attachments_) claim(attachment, false);

  AttachOutcome outcome{.is_doubtful = is_doubtful_ || !is_agent_clean || agent_.restarts() != 0,
                        .is_done = ending == Ending::kAsked && is_removed && !is_left_behind_,
                        .readings = {}};
  for (const auto* group : {&attachments_, &dropped_})
    for (const Attachment& attachment : *group)
      if (auto reading = attachment.maps.read_with_rings())
        outcome.readings.emplace_back(attachment.ifname, std::move(*reading));
      else
        callbacks_.error(reading.error().message());
  return outcome;
}

// What would be too late once something is attached.
Result<void> Supervisor::prepare() {
  auto signals = Signals::take();
  if (!signals) return signals.error();
  signals_.emplace(std::move(*signals));
  if (!spare_.reserve(kToEnd))
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
  auto joined = join_interfaces(request_.config.links, *links, callbacks_);
  if (!joined) return joined.error();
  joined_ = std::move(*joined);
  auto lock = AttachLock::take(request_.paths.run);
  if (!lock) return lock.error();
  const Pins pins(request_.paths.bpffs);
  pins.sweep();
  auto stay = lock->stay();
  if (!stay) return stay.error();
  stay_ = std::move(*stay);
  classes_ = indexes_with_adopted(*links, request_);
  const auto classes = abi_classes(request_.config, classes_);
  const auto ports = abi_ports(classes_);
  AttachOptions options{.mode = request_.mode,
                        .egress = request_.egress,
                        .setup = program_setup(request_.config, classes, *ports)};
  if (auto shared = share_with_adopted(*links, request_, classes_, options.setup); !shared)
    return shared;
  for (const LinkFacts& link : *links) {
    auto placed = place_programs(link, request_, classes_, options, joined_, callbacks_);
    if (!placed) {
      undo_attach();
      return placed.error();
    }
    if (placed->is_adopted) adopted_.insert(link.ifindex);
    claims_[link.ifindex] = std::move(placed->claim);
    claim(placed->attachment, true);
    tell_mtu(placed->attachment, link.mtu);
    if (auto pinned = pins.pin(placed->attachment, reader_group()); !pinned)
      callbacks_.warning(pinned.error().message() + "; only root can read the counters");
    attachments_.push_back(std::move(placed->attachment));
  }
  const std::string door = reload_path(request_.paths.run, static_cast<std::uint64_t>(getpid()));
  if (auto opened = reload_door_.open(door); !opened)
    callbacks_.warning(opened.error().message() + "; nids-xdp reload can't reach this agent");
  warn_about_links(attachments_, request_.enter, callbacks_.warning);
  return {};
}

// In the agent, which has no use for it.
void Supervisor::leave_parent() {
  stay_ = Fd{};
  claims_.clear();
  reload_door_.close();
  links_.reset();
  spare_.release();
  signals_->close();
}

// While the agent starts.
std::optional<std::string> Supervisor::early_end() {
  auto signal = ending_signal();
  if (signal) *signal += " came meanwhile, to end it";
  return signal;
}

void Supervisor::wait() {
  std::vector<pollfd> fds{{signals_->fd(), POLLIN, 0}, {links_->fd(), POLLIN, 0}};
  agent_.add_to(fds);
  reload_door_.add_to(fds);
  int wait_ms = kLookEvery_ms;
  if (request_.duration) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end_ - std::chrono::steady_clock::now());
    wait_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, wait_ms));
  }
  poll(fds.data(), fds.size(), wait_ms);
}

Supervisor::Ending Supervisor::watch() {
  end_ =
      std::chrono::steady_clock::now() + request_.duration.value_or(std::chrono::milliseconds(0));
  for (;;) {
    wait();
    if (request_.duration && std::chrono::steady_clock::now() >= end_) return Ending::kAsked;
    if (const auto signal = ending_signal()) {
      callbacks_.info("ended by " + *signal);
      return Ending::kAsked;
    }
    agent_.serve();
    serve_reload_door();
    if (agent_.has_enough()) return Ending::kAsked;
    check_links();
    check_filters();
    if (attachments_.empty()) return Ending::kInterfacesGone;
    check_detach_requests();
    if (attachments_.empty()) return Ending::kAsked;
  }
}

std::optional<std::string> Supervisor::ending_signal() {
  for (;;) {
    Signals::Received signal = signals_->next();
    switch (signal.asked) {
      case Signals::Asked::kNothing:
        return std::nullopt;
      case Signals::Asked::kEnd:
        return std::move(signal.name);
      case Signals::Asked::kReopen:
        agent_.reopen_eve();
        break;
      case Signals::Asked::kReload:
        agent_.reopen_eve();
        is_reload_due_ = true;
        break;
    }
  }
}

ReloadOutcome Supervisor::reload_classes() {
  Attachments all(attachments_.begin(), attachments_.end());
  all.insert(all.end(), dropped_.begin(), dropped_.end());
  return reload({.request = request_, .classes = classes_, .attachments = all, .agent = agent_});
}

void Supervisor::serve_reload_door() {
  if (reload_door_.is_asked()) {
    const ReloadOutcome outcome = reload_classes();
    reload_door_.answer(outcome.is_done, outcome.text);
    log(outcome);
  }
  if (std::exchange(is_reload_due_, false)) log(reload_classes());
}

void Supervisor::log(const ReloadOutcome& outcome) const {
  if (outcome.is_done)
    callbacks_.info("reload: " + outcome.text);
  else
    callbacks_.error("not reloaded:\n" + outcome.text);
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
      tell_mtu(attachment, change.link.mtu);
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
  const auto ifindex = static_cast<std::uint32_t>(attachments_[index].ifindex);
  if (const Links::Link* link = joined_.find(joined_.id_of(ifindex)))
    callbacks_.warning("the link " + link->name + " is not complete without " +
                       attachments_[index].ifname + "; its flows may have one direction only");
  claim(attachments_[index], false);  // moved away, it is free for the agent of its new home
  Pins(request_.paths.bpffs).unpin(attachments_[index].ifindex);
  claims_.erase(attachments_[index].ifindex);
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
  agent->heartbeat_ns = 0;  // of the agent before
  agent->detach_requested = 0;
  agent->degraded = 0;
}

bool Supervisor::release(const Attachment& attachment) {
  auto removed = detach(attachment);
  if (!removed) callbacks_.error(removed.error().message());
  Pins(request_.paths.bpffs).unpin(attachment.ifindex);
  claims_.erase(attachment.ifindex);
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
bool Supervisor::remove_programs() {
  if (request_.keep_attached) return true;
  spare_.release();
  const auto held = lock();  // whoever holds it last removes the run directory
  bool is_removed = true;
  for (const Attachment& attachment : attachments_) is_removed = release(attachment) && is_removed;
  stay_ = Fd{};
  return is_removed;
}

}  // namespace nids
