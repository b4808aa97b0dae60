// SPDX-License-Identifier: Apache-2.0
// A pipe by which the agent prints: the agent has no terminal of its own, and what it prints is
// made harmless before it reaches one. Never waits.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "nids/fd.hpp"
#include "nids/result.hpp"

namespace nids {

class Relay {
 public:
  [[nodiscard]] static Result<Relay> make();

  int fd() const { return read_end_.get(); }             // to poll; -1: at its end
  Fd take_write_end() { return std::move(write_end_); }  // the agent's; the parent closes its own

  // Passes on the lines that have come, without their newlines, until there is none or `has_room()`
  // is false: then they stay in the pipe, and the agent counts what finds no room there.
  void pass(const std::function<bool()>& has_room,
            const std::function<void(std::string_view)>& print);

 private:
  Fd read_end_, write_end_;
  std::string line_;  // its beginning
};

// The text with nothing that a terminal obeys, but for colours.
std::string harmless_line(std::string_view text);

}  // namespace nids
