// SPDX-License-Identifier: Apache-2.0
// The control socket: answers clients' questions about flows, in the agent's thread, a little at a
// time. Changes nothing; who may connect is said by the socket's mode.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "agent/pipeline.hpp"
#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

// The socket of the agent whose parent is `pid`.
std::string control_path(const std::string& run_directory, std::uint64_t pid);

class Control {
 public:
  struct Limits {
    std::size_t max_clients = 8;
    std::size_t max_question_bytes = 16 << 10;
    std::size_t max_changes = 16'384;        // that wait for filters; beyond it they are left out
    std::size_t max_unsent_bytes = 4 << 20;  // of changes; beyond it they are left out, and counted
    int question_seconds = 2;                // to ask, and to take each piece of the answer
  };

  // Owns `listener`. The pipeline outlives it.
  Control(Fd listener, Pipeline& pipeline, const Limits& limits);
  ~Control();

  // Does what can be done without waiting, for about so long and at least a little; call it often.
  void poll(std::chrono::nanoseconds budget);
  bool is_answering() const;  // the next poll() is waited for
  int fd() const;             // readable when a client comes

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace nids
