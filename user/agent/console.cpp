// SPDX-License-Identifier: Apache-2.0
#include "agent/console.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace nids {

ConsoleBuffer::ConsoleBuffer(int fd) { use(fd); }

void ConsoleBuffer::use(int fd) {
  own_ = Fd{};
  line_.clear();
  unsent_.clear();
  lost_ = untold_ = 0;
  error_ = 0;
  fd_ = fd;
  struct stat status {};
  const mode_t mode = fstat(fd, &status) == 0 ? status.st_mode : 0;
  is_socket_ = S_ISSOCK(mode);
  if (!S_ISCHR(mode) && !S_ISFIFO(mode)) return;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  own_ = Fd{open(path.c_str(), O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
  // Where it can't be opened again, as another user's terminal after su, a write is tried when
  // poll() says that it will not wait.
  if (own_) fd_ = own_.get();
}

ConsoleBuffer::int_type ConsoleBuffer::overflow(int_type character) {
  if (traits_type::eq_int_type(character, traits_type::eof()))
    return traits_type::not_eof(character);
  const char one = traits_type::to_char_type(character);
  return xsputn(&one, 1) == 1 ? character : traits_type::eof();
}

std::streamsize ConsoleBuffer::xsputn(const char* text, std::streamsize size) {
  std::string_view rest(text, static_cast<std::size_t>(size));
  for (auto end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
    line_ += rest.substr(0, end + 1);
    rest.remove_prefix(end + 1);
    end_line();
  }
  line_ += rest;
  return size;
}

void ConsoleBuffer::end_line() {
  if (unsent_.size() + line_.size() > kRoom_bytes) send_some();
  if (unsent_.size() + line_.size() > kRoom_bytes) {
    ++lost_;
    ++untold_;
  } else {
    tell_loss();
    unsent_ += line_;
  }
  line_.clear();
}

void ConsoleBuffer::tell_loss() {
  if (untold_ == 0 || !has_room()) return;
  unsent_ += "nids-xdp: " + std::to_string(std::exchange(untold_, 0)) +
             " lines are left out here: nobody read them\n";
}

int ConsoleBuffer::sync() {
  send_some();
  tell_loss();
  send_some();
  return 0;
}

void ConsoleBuffer::send_some() {
  while (!unsent_.empty()) {
    pollfd ready{fd_, POLLOUT, 0};
    if (poll(&ready, 1, 0) == 0) return;
    const ssize_t sent =
        is_socket_ ? send(fd_, unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                   : write(fd_, unsent_.data(), unsent_.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      error_ = errno;
      unsent_.clear();  // nobody will ever read it
    }
    if (sent <= 0) return;
    unsent_.erase(0, static_cast<std::size_t>(sent));
  }
}

void ConsoleBuffer::drain(std::chrono::milliseconds may_take) {
  if (!line_.empty()) end_line();
  const auto deadline = std::chrono::steady_clock::now() + may_take;
  for (send_some(); !unsent_.empty(); send_some()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    pollfd ready{fd_, POLLOUT, 0};
    poll(&ready, 1, static_cast<int>(left.count()));
  }
}

}  // namespace nids
