// SPDX-License-Identifier: Apache-2.0
// The agent's process, as its parent sees it: started, heard, started again where it ended by
// itself or no longer answers, and ended. Never touches a packet.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/eve_renewal.hpp"
#include "agent/pipeline.hpp"
#include "agent/relay.hpp"
#include "agent/request.hpp"
#include "kernel/attachment.hpp"

namespace nids {

class AgentProcess {
 public:
  // All references outlive this. `leave_parent` closes, in the child, what is the parent's alone.
  AgentProcess(const AttachRequest& request, const Callbacks& callbacks,
               std::vector<Attachment>& attachments, std::function<void()> leave_parent);

  // Starts it for the first time, and waits until it takes records. `is_to_end` says why the
  // waiting is to end early.
  [[nodiscard]] Result<void> start(const std::function<std::optional<std::string>()>& is_to_end);
  // Opened by the last start, for people.
  bool eve_is_open() const { return eve_is_open_; }
  const std::string& packets_directory() const { return packets_directory_; }

  void add_to(std::vector<pollfd>& fds) const;
  // Does what the agent asks for, passes on what it prints, and sees to it that there is one.
  // Never waits.
  void serve();
  bool has_enough() const { return has_enough_; }  // the agent: Pipeline::has_enough()
  std::uint64_t restarts() const { return restarts_; }
  void reopen_eve() { eve_.ask_reopen(); }

  // Returns whether it took all there was, and ended well.
  bool stop();

 private:
  using Clock = std::chrono::steady_clock;
  enum class State { kNone, kStarting, kRunning, kKilled };

  Result<void> begin();
  [[noreturn]] void become_agent(Sinks sinks, Fd link, Fd control_listener, int parent);
  void hear_words();
  void pass_output();
  void give_collector();
  void look_after();
  bool is_silent() const;
  bool has_ended(std::string& how);
  void plan_restart(const std::string& why);
  void end_of_process();
  std::string control_socket() const;

  const AttachRequest& request_;
  const Callbacks& callbacks_;
  std::vector<Attachment>& attachments_;
  std::function<void()> leave_parent_;
  EveRenewal eve_;
  std::optional<Relay> out_, err_;
  State state_ = State::kNone;
  int pid_ = 0;  // 0: there is none
  Fd link_;      // to the agent; none once it speaks no more
  Mapped<nids_agent_counters> beats_;
  Clock::time_point deadline_{};  // of the start
  Clock::time_point running_since_{}, next_start_{};
  std::chrono::seconds delay_{0};  // of the last restart
  std::uint64_t restarts_ = 0;
  bool has_enough_ = false, eve_is_open_ = false;
  std::string packets_directory_;  // empty: none are kept
};

}  // namespace nids
