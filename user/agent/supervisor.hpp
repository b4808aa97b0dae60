// SPDX-License-Identifier: Apache-2.0
// The small parent: holds the programs and their removal, starts the agent and ends with it. Never
// touches a packet.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/eve_renewal.hpp"
#include "agent/paths.hpp"
#include "agent/pipeline.hpp"
#include "agent/signals.hpp"
#include "config/config.hpp"
#include "kernel/attach_lock.hpp"
#include "kernel/attachment.hpp"
#include "kernel/netlink.hpp"
#include "nids/abi/counters.h"

namespace nids {

struct AttachRequest {
  std::vector<std::string> interfaces;  // none: that of the default route
  // What runs a command in their network namespace, if it is not the user's: "ip netns exec NAME".
  std::string enter{};
  ModeChoice mode = ModeChoice::kAuto;
  bool egress = true;
  bool keep_attached = false;
  std::optional<std::chrono::milliseconds> duration;
  Selection selection;
  Config config;
  Paths paths;
};

// How a run ended; the readings were taken after the agent's last record.
struct AttachOutcome {
  bool is_doubtful = false;  // for a time less was watched than asked, or the agent ended badly
  bool is_done = false;      // ended as asked: by a signal, the time, or `nids-xdp detach`
  std::vector<std::pair<std::string, KernelReading>> readings;  // by interface
};

class Supervisor {
 public:
  // What the user is told meanwhile; `alert` runs in the agent's process.
  struct Callbacks {
    std::function<void(const std::string&)> info, warning, error;
    std::function<void(const Alert&)> alert;
    std::function<void()> in_agent;  // first thing in the agent's process
    // Attached, agent running; whether the outputs that are wanted could be opened.
    std::function<void(bool eve, const std::string& packets)> started;
  };

  Supervisor(AttachRequest request, Callbacks callbacks);

  // Until it is told to end. An error: nothing was attached, and nothing is left behind.
  [[nodiscard]] Result<AttachOutcome> run();

 private:
  enum class Ending { kAsked, kInterfacesGone, kAgentDied };

  std::optional<AttachLock> lock() const;
  Result<void> prepare();
  Result<void> attach_all();
  Result<void> start_agent();
  Result<void> await_agent();
  [[noreturn]] void become_agent(Fd link, int parent);
  Ending watch();
  // The name of the signal that asks for the end, or nothing. Does what others ask for.
  std::optional<std::string> ending_signal();
  bool agent_has_enough();
  bool agent_has_died();
  void check_links();
  void check_detach_requests();
  void check_filters();
  bool ingress_is_lost(std::size_t index);
  // Under the lock.
  void drop(std::size_t index);
  void claim(const Attachment& attachment, bool is_ours) const;
  bool release(const Attachment& attachment);
  void undo_attach();
  bool remove_programs(Ending ending);
  std::string control_socket() const;
  bool stop_agent();

  AttachRequest request_;
  Callbacks callbacks_;
  std::vector<Attachment> attachments_;  // those watched now
  std::vector<Attachment> dropped_;      // gone; their maps still hold the final counts
  std::optional<LinkMonitor> links_;
  std::optional<Sinks> sinks_;  // until the agent has them
  EveRenewal eve_;
  std::optional<Signals> signals_;  // blocked until the programs are gone
  SpareDescriptors spare_;
  Fd link_;              // to the agent; none once it speaks no more
  Fd control_listener_;  // until the agent has it
  int agent_pid_ = 0;
  Fd stay_;                   // our bpffs is in the run directory
  std::map<int, Fd> claims_;  // of the interfaces, by ifindex
  bool eve_is_open_ = false;
  std::string packets_directory_;  // empty: none are kept
  bool is_doubtful_ = false;
  bool is_left_behind_ = false;  // what `nids-xdp detach` wanted removed
  std::set<int> adopted_;        // interfaces whose programs an earlier agent left
};

}  // namespace nids
