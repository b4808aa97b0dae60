// SPDX-License-Identifier: Apache-2.0
// The signals that the parent is told by: blocked, and read from a descriptor, so that none strikes
// while programs are attached. Ends nothing itself.
#pragma once

#include <csignal>
#include <string>
#include <utility>

#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

class Signals {
 public:
  // kReopen: open the EVE file again. kReload: the same, and read the configuration again.
  enum class Asked { kNothing, kEnd, kReopen, kReload };
  struct Received {
    Asked asked = Asked::kNothing;
    std::string name;  // of the signal, such as "SIGTERM"
  };

  // From now on. The agent's process has them blocked too, and never sees them.
  [[nodiscard]] static Result<Signals> take();

  int fd() const { return fd_.get(); }
  Received next() const;     // never waits
  void let_through() const;  // one that ends strikes from now on, one that came before too
  void close() { fd_ = Fd{}; }

 private:
  Signals(Fd fd, bool hang_up_ends) : fd_(std::move(fd)), hang_up_ends_(hang_up_ends) {}

  Fd fd_;
  bool hang_up_ends_;
};

}  // namespace nids
