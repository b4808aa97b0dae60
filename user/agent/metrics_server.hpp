// SPDX-License-Identifier: Apache-2.0
// Answers GET /metrics over HTTP, in a thread of its own that waits for no client. Opens and
// changes nothing; the rights of the socket decide who may connect.
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
    std::size_t max_clients = 16;  // beyond it the oldest is closed
    std::size_t max_request_bytes = 4096;
    std::chrono::milliseconds client_time{5000};   // from accept() to the end of the answer
    std::chrono::milliseconds accept_interval{5};  // a flood of clients does not keep a CPU busy
    std::chrono::milliseconds text_time{250};      // how long a text is reused
  };
  using Source = std::function<std::string()>;  // the metrics; called in the thread

  // `listener` is non-blocking.
  MetricsServer(Fd listener, Source source, const Limits& limits);
  ~MetricsServer();  // ends the thread

  // Call once, after the process is confined, because threads inherit the confinement.
  [[nodiscard]] Result<void> start();

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace nids
