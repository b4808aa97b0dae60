// SPDX-License-Identifier: Apache-2.0
// The parent's view of the agent process: starts it, answers its requests, restarts it if it dies
// or stops answering, and ends it. Never touches a packet.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/class_index.hpp"
#include "agent/eve_renewal.hpp"
#include "agent/relay.hpp"
#include "agent/request.hpp"
#include "kernel/attachment.hpp"
#include "output/outputs.hpp"

namespace nids {

class AgentProcess {
 public:
  // All references must outlive this object. `leave_parent` runs in the child and closes what only
  // the parent needs.
  AgentProcess(const AttachRequest& request, const ClassIndexes& classes,
               const Callbacks& callbacks, std::vector<Attachment>& attachments, const Links& links,
               std::function<void()> leave_parent);

  // Starts the first agent and waits until it takes records. `is_to_end` returns a reason to give
  // up early.
  [[nodiscard]] Result<void> start(const std::function<std::optional<std::string>()>& is_to_end);
  // The outputs that the last start opened, for messages.
  bool eve_is_open() const { return eve_is_open_; }
  const std::string& packets_directory() const { return packets_directory_; }

  void add_to(std::vector<pollfd>& fds) const;
  // Answers the agent's requests, forwards its output, and restarts it if needed. Never waits.
  void serve();
  bool has_enough() const { return has_enough_; }  // the agent: Quota::has_enough()
  std::uint64_t restarts() const { return restarts_; }
  void reopen_eve() { eve_.ask_reopen(); }

  bool is_starting() const { return state_ == State::kStarting; }
  bool is_running() const { return state_ == State::kRunning; }
  // Call it while the agent runs. Returns true once the agent uses these classes. Returns false if
  // the agent ended, or if it did not take the classes in time and was killed. The next agent
  // begins with the classes that the constructor got.
  bool give_classes(const PlacedClasses& classes);

  // Ends the agent. Returns whether it read all records and exited with code 0.
  bool stop();

 private:
  using Clock = std::chrono::steady_clock;
  enum class State { kNone, kStarting, kRunning, kKilled };

  Result<void> begin();
  [[noreturn]] void become_agent(Sinks sinks, Fd link, Fd control_listener, int parent);
  Result<void> open_metrics_listener();
  void hear_words();
  void pass_output();
  void give_collector();
  void look_after();
  bool is_silent() const;
  bool has_ended(std::string& how);
  void plan_restart(const std::string& why);
  void end_of_process();
  std::string control_socket() const;

  bool is_waited_for(const std::function<bool()>& is_so, Clock::time_point end);

  const AttachRequest& request_;
  const ClassIndexes& classes_;
  const Callbacks& callbacks_;
  std::vector<Attachment>& attachments_;
  const Links& joined_;
  std::function<void()> leave_parent_;
  EveRenewal eve_;
  std::optional<Relay> out_, err_;
  State state_ = State::kNone;
  int pid_ = 0;                   // of the agent; 0 while none runs
  Fd metrics_listener_;           // stays open, so that nobody takes the port between two children
  Fd link_;                       // to the agent; closed once the agent has closed its end
  Clock::time_point deadline_{};  // of the start, or of the end once the link is gone
  Clock::time_point running_since_{}, next_start_{};
  std::chrono::seconds delay_{0};  // of the last restart
  std::uint64_t restarts_ = 0;
  std::uint32_t classes_given_ = 0, classes_taken_ = 0;  // numbers of reloads
  bool has_enough_ = false, eve_is_open_ = false;
  std::string packets_directory_;  // empty: none are kept
};

}  // namespace nids
