// SPDX-License-Identifier: Apache-2.0
// A stream for people whose reader may stop reading: a terminal after ^S, a stalled ssh, a pipe.
// It never waits for the reader; lines that find no room are left out whole, and counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>

#include "nids/fd.hpp"

namespace nids {

// One thread at a time uses it. Regular files are written at once, whatever their disk does.
class ConsoleBuffer final : public std::streambuf {
 public:
  // Of a standard descriptor. A terminal or pipe is opened again, since O_NONBLOCK on the caller's
  // file description would hold for the shell that shares it, too.
  explicit ConsoleBuffer(int fd);
  // Goes on with another descriptor, and forgets all of this one: in a child.
  void use(int fd);

  bool has_room() const { return unsent_.size() < kRoom_bytes / 2; }
  std::uint64_t lost_lines() const { return lost_; }  // so far
  // Of the last write that failed for another reason than a full pipe; 0: none did.
  int error_number() const { return error_; }

  // Waits for the reader, but no longer than that.
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
