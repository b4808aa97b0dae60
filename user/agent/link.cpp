// SPDX-License-Identifier: Apache-2.0
#include "agent/link.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace nids {
namespace {

struct Message {
  Word word;
  std::uint32_t number;
};

union Room {  // for one descriptor
  cmsghdr head;
  char bytes[CMSG_SPACE(sizeof(int))];
};

// All descriptors that came: padding leaves room for one more than we ask for.
Fd first_file(msghdr& header) {
  Fd first;
  for (cmsghdr* one = CMSG_FIRSTHDR(&header); one != nullptr; one = CMSG_NXTHDR(&header, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= one->cmsg_len; at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, reinterpret_cast<const char*>(one) + at, sizeof(fd));
      Fd owned{fd};
      if (!first) first = std::move(owned);
    }
  }
  return first;
}

}  // namespace

Result<std::pair<Fd, Fd>> make_link() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    return Error{.action = "make a socket pair", .error_number = errno};
  return std::pair(Fd{ends[0]}, Fd{ends[1]});
}

bool say(int link, Word word, std::uint32_t number, int file, std::span<const std::byte> body) {
  Message message{word, number};
  std::array<iovec, 2> parts{
      iovec{.iov_base = &message, .iov_len = sizeof(message)},
      iovec{.iov_base = const_cast<std::byte*>(body.data()), .iov_len = body.size()}};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  Room room{};
  if (file >= 0) {
    header.msg_control = room.bytes;
    header.msg_controllen = sizeof(room.bytes);
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &file, sizeof(file));
  }
  ssize_t sent = 0;
  do sent = sendmsg(link, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(sizeof(message) + body.size());
}

std::optional<Said> hear(int link, std::size_t longest_body) {
  Message message{};
  std::vector<std::byte> body(longest_body);
  std::array<iovec, 2> parts{iovec{.iov_base = &message, .iov_len = sizeof(message)},
                             iovec{.iov_base = body.data(), .iov_len = body.size()}};
  Room room{};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  header.msg_control = room.bytes;
  header.msg_controllen = sizeof(room.bytes);
  ssize_t got = 0;
  do got = recvmsg(link, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
  Said said;
  if (got < 0) return said;
  said.number = message.number;
  said.file = first_file(header);
  if (got < static_cast<ssize_t>(sizeof(message)) || (header.msg_flags & MSG_TRUNC) != 0)
    return said;
  said.word = message.word;
  body.resize(static_cast<std::size_t>(got) - sizeof(message));
  said.body = std::move(body);
  return said;
}

}  // namespace nids
