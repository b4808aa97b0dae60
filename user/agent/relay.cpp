// SPDX-License-Identifier: Apache-2.0
#include "agent/relay.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "decode/printable.hpp"

namespace nids {
namespace {

constexpr std::size_t kLongestLine = 64 << 10;  // a longer one is printed in parts

// "\033[1;31m", at the beginning of the text; 0: something else stands there.
std::size_t colour_length(std::string_view text) {
  if (!text.starts_with("\033[")) return 0;
  const std::size_t end = text.find_first_not_of("0123456789;", 2);
  return end != text.npos && text[end] == 'm' ? end + 1 : 0;
}

}  // namespace

Result<Relay> Relay::make() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    return Error{.action = "make a pipe", .error_number = errno};
  Relay relay;
  relay.read_end_ = Fd{ends[0]};
  relay.write_end_ = Fd{ends[1]};
  return relay;
}

void Relay::pass(const std::function<bool()>& has_room,
                 const std::function<void(std::string_view)>& print) {
  std::array<char, 4096> bytes;
  while (read_end_ && has_room()) {
    const ssize_t got = read(read_end_.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) read_end_ = Fd{};
    line_.append(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    std::size_t start = 0;
    for (auto end = line_.find('\n'); end != line_.npos; end = line_.find('\n', start)) {
      print(harmless_line(std::string_view(line_).substr(start, end - start)));
      start = end + 1;
    }
    line_.erase(0, start);
    if (line_.empty() || (line_.size() < kLongestLine && read_end_)) continue;
    print(harmless_line(line_));
    line_.clear();
  }
}

std::string harmless_line(std::string_view text) {
  std::string harmless;
  while (!text.empty()) {
    if (const std::size_t length = colour_length(text); length != 0) {
      harmless += text.substr(0, length);
      text.remove_prefix(length);
      continue;
    }
    const std::size_t next = std::min(text.find('\033', 1), text.size());
    harmless += printable(text.substr(0, next), kLongestLine);
    text.remove_prefix(next);
  }
  return harmless;
}

}  // namespace nids
