// SPDX-License-Identifier: Apache-2.0
// The parent's socket for `nids-xdp reload`. A client must be root, sends one line and gets an
// answer. Serves one client at a time. Reloads nothing, and never waits.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nids/fd.hpp"
#include "nids/result.hpp"

namespace nids {

// The socket of the parent `pid`.
std::string reload_path(const std::string& run_directory, std::uint64_t pid);

inline constexpr std::string_view kReloadQuestion = "reload\n";
// The first byte of an answer. Text for people follows.
inline constexpr char kReloadDone = '+', kReloadRefused = '-';

class ReloadDoor {
 public:
  [[nodiscard]] Result<void> open(const std::string& path);
  void add_to(std::vector<pollfd>& fds) const;
  // Returns whether a client has asked. If so, call answer() next.
  bool is_asked();
  void answer(bool is_done, std::string_view text);
  // Closes and deletes the socket. For the parent, at its end.
  void remove();
  // Closes the socket. For the agent.
  void close();

 private:
  void let_in();

  std::string path_;
  Fd listener_, client_;
  std::string question_;
  std::chrono::steady_clock::time_point deadline_{};  // for the client's question
};

}  // namespace nids
