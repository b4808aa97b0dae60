// SPDX-License-Identifier: Apache-2.0
// Output to a reader who may stop reading: a terminal after ^S, a stalled ssh, a pipe. Never waits.
// Lines that do not fit into the buffer are dropped whole and counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>

#include "nids/fd.hpp"

namespace nids {

// Not thread-safe. A write to a regular file may block in its disk.
class ConsoleBuffer final : public std::streambuf {
 public:
  // `fd` is a standard descriptor. A terminal or pipe is opened again, because the shell shares the
  // file description of `fd` and O_NONBLOCK would apply to the shell too.
  explicit ConsoleBuffer(int fd);
  // Switches to another descriptor and drops the buffer. For a child process.
  void use(int fd);

  bool has_room() const { return unsent_.size() < kRoom_bytes / 2; }
  std::uint64_t lost_lines() const { return lost_; }  // so far
  // errno of the last failed write; 0: none. A full pipe is no failure.
  int error_number() const { return error_; }

  // Waits for the reader until the buffer is empty, at most that long.
  void drain(std::chrono::milliseconds may_take);

 protected:
  int_type overflow(int_type character) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  static constexpr std::size_t kRoom_bytes = 64 << 10;

  void end_line();
  void tell_loss();
  void send_some();

  Fd own_;
  int fd_ = -1;  // the one that is written to
  bool is_socket_ = false;
  std::string line_;    // not at its end yet
  std::string unsent_;  // whole lines
  std::uint64_t lost_ = 0, untold_ = 0;
  int error_ = 0;
};

class Console : public std::ostream {
 public:
  explicit Console(int fd) : std::ostream(nullptr), buffer_(fd) { rdbuf(&buffer_); }
  ConsoleBuffer& buffer() { return buffer_; }

 private:
  ConsoleBuffer buffer_;
};

}  // namespace nids
