// SPDX-License-Identifier: Apache-2.0
// The pipe that is the agent's standard output or error. The parent removes control characters from
// each line before it prints the line. Never waits.
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

  // Prints the lines in the pipe, without their newlines, while `has_room()` is true. The rest
  // stays in the pipe. If the pipe is full, the agent drops lines and counts them.
  void pass(const std::function<bool()>& has_room,
            const std::function<void(std::string_view)>& print);

 private:
  Fd read_end_, write_end_;
  std::string line_;  // its beginning
};

// The text without control characters, except colour sequences.
std::string harmless_line(std::string_view text);

}  // namespace nids
