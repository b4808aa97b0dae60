// SPDX-License-Identifier: Apache-2.0
// Answers GET /metrics over HTTP, in a thread of its own that waits for no client. Opens nothing
// and changes nothing; who may connect is decided by the socket.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "nids/fd.hpp"
#include "nids/result.hpp"

namespace nids {

class MetricsServer {
 public:
  struct Limits {
    std::size_t max_clients = 16;  // beyond it the one that came first is closed
    std::size_t max_request_bytes = 4096;
    std::chrono::milliseconds client_time{5000};   // from its coming to its end
    std::chrono::milliseconds accept_interval{5};  // so that no flood of clients keeps a CPU busy
    std::chrono::milliseconds text_time{250};      // a text is used again for so long
  };
  using Source = std::function<std::string()>;  // the metrics; called in the thread

  // `listener` does not block.
  MetricsServer(Fd listener, Source source, const Limits& limits);
  ~MetricsServer();  // ends the thread

  // Once; threads inherit the confinement of the process.
  [[nodiscard]] Result<void> start();

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace nids
