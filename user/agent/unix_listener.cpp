// SPDX-License-Identifier: Apache-2.0
#include "agent/unix_listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace nids {
namespace {

constexpr int kBacklog = 64;  // clients are accepted one at a time

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

Result<Fd> listen_at(const std::string& path, int group) {
  const std::string action = "listen at " + path;
  const auto address = address_of(path);
  if (!address) return Error{.action = action, .error_number = ENAMETOOLONG};
  Fd fd{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  unlink(path.c_str());  // left by a dead agent
  const mode_t mask = umask(0177);
  const bool is_bound =
      fd && bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == 0;
  const int error = errno;
  umask(mask);
  if (!is_bound) return Error{.action = action, .error_number = error};
  if (group >= 0 &&
      (chown(path.c_str(), 0, static_cast<gid_t>(group)) != 0 || chmod(path.c_str(), 0660) != 0))
    return Error{.action = "give " + path + " to its group", .error_number = errno};
  if (listen(fd.get(), kBacklog) != 0) return Error{.action = action, .error_number = errno};
  return fd;
}

// EAGAIN: the backlog is full, so there is a listener.
bool has_listener(const std::string& path) {
  const auto address = address_of(path);
  const Fd fd{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  return address && fd &&
         (connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == 0 ||
          errno == EAGAIN);
}

}  // namespace nids
