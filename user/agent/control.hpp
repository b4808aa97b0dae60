// SPDX-License-Identifier: Apache-2.0
// The control socket: answers clients' questions about flows, in the control thread, a little at a
// time. Reads the workers' flows under their mutexes. Changes nothing. The socket's mode says who
// may connect.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "kernel/handle.hpp"
#include "nids/result.hpp"
#include "output/flow_changes.hpp"
#include "output/names.hpp"
#include "worker/flow_shard.hpp"

namespace nids {

// The socket of the agent whose parent is `pid`.
std::string control_path(const std::string& run_directory, std::uint64_t pid);

class Control {
 public:
  struct Limits {
    std::size_t max_clients = 8;
    std::size_t max_question_bytes = 16 << 10;
    std::size_t max_unsent_bytes = 4 << 20;  // of changes; beyond it they are left out, and counted
    int question_seconds = 2;                // to ask, and to take each piece of the answer
  };

  // Owns `listener`. The other arguments must outlive the object.
  Control(Fd listener, std::vector<FlowShard> flows, const Names& names, FlowChanges& changes,
          const Limits& limits);
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
