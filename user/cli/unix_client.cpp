// SPDX-License-Identifier: Apache-2.0
#include "cli/unix_client.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace nids {

Result<Fd> connect_to(const std::string& path, const std::string& action,
                      std::chrono::seconds at_most) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return Error{.action = action, .error_number = ENAMETOOLONG};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  Fd fd{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const timeval time{.tv_sec = at_most.count(), .tv_usec = 0};
  if (fd)
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
      setsockopt(fd.get(), SOL_SOCKET, option, &time, sizeof(time));
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return Error{.action = action, .error_number = errno};
  return fd;
}

}  // namespace nids
