// SPDX-License-Identifier: Apache-2.0
// The small parent: holds the programs and their removal, and sees to it that an agent runs. Never
// touches a packet.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/agent_process.hpp"
#include "agent/class_index.hpp"
#include "agent/reload.hpp"
#include "agent/reload_door.hpp"
#include "agent/request.hpp"
#include "agent/signals.hpp"
#include "kernel/attach_lock.hpp"
#include "kernel/attachment.hpp"
#include "kernel/netlink.hpp"
#include "net/links.hpp"
#include "nids/abi/counters.h"

namespace nids {

// How a run ended; the readings were taken after the agent's last record.
struct AttachOutcome {
  bool is_doubtful = false;  // for a time less was watched than asked, or the agent ended badly
  bool is_done = false;      // ended as asked: by a signal, the time, or `nids-xdp detach`
  std::vector<std::pair<std::string, KernelReading>> readings;  // by interface
};

class Supervisor {
 public:
  using Callbacks = nids::Callbacks;

  Supervisor(AttachRequest request, Callbacks callbacks);

  // Until it is told to end. An error: nothing was attached, and nothing is left behind.
  [[nodiscard]] Result<AttachOutcome> run();

 private:
  enum class Ending { kAsked, kInterfacesGone };

  std::optional<AttachLock> lock() const;
  Result<void> prepare();
  Result<void> attach_all();
  void leave_parent();
  void wait();
  Ending watch();
  // The name of a signal that ends the agent, or nothing. Handles the other signals.
  std::optional<std::string> ending_signal();
  std::optional<std::string> early_end();
  void check_links();
  void check_detach_requests();
  void check_filters();
  bool ingress_is_lost(std::size_t index);
  ReloadOutcome reload_classes();
  void log(const ReloadOutcome& outcome) const;
  void serve_reload_door();
  // Under the lock.
  void drop(std::size_t index);
  void claim(const Attachment& attachment, bool is_ours) const;
  bool release(const Attachment& attachment);
  void undo_attach();
  bool remove_programs();

  AttachRequest request_;
  Callbacks callbacks_;
  std::vector<Attachment> attachments_;  // those watched now
  std::vector<Attachment> dropped_;      // gone; their maps still hold the final counts
  Links joined_;                         // links of the configuration, attached interfaces only
  std::optional<LinkMonitor> links_;
  std::optional<Signals> signals_;  // blocked until the programs are gone
  SpareDescriptors spare_;
  Fd stay_;                   // our bpffs is in the run directory
  std::map<int, Fd> claims_;  // of the interfaces, by ifindex
  ClassIndexes classes_;
  AgentProcess agent_;
  ReloadDoor reload_door_;
  std::chrono::steady_clock::time_point end_{};  // where a duration was given
  bool is_doubtful_ = false;
  bool is_reload_due_ = false;   // a signal asked for a reload
  bool is_left_behind_ = false;  // what `nids-xdp detach` wanted removed
  std::set<int> adopted_;        // interfaces whose programs an earlier agent left
};

}  // namespace nids
