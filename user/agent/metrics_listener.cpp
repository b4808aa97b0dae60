// SPDX-License-Identifier: Apache-2.0
#include "agent/metrics_listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "agent/unix_listener.hpp"

namespace nids {
namespace {

constexpr int kBacklog = 64;

Error cannot_listen(const std::string& where, int error_number) {
  return {.action = "serve metrics at " + where,
          .error_number = error_number,
          .hint =
              "another agent may serve its own there; metrics.listen in the configuration "
              "names another place"};
}

Result<Fd> listen_at_port(const Endpoint& endpoint) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (endpoint.ip_version == 6) {
    auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(endpoint.port);
    std::memcpy(&address->sin6_addr, endpoint.address.data(), sizeof(address->sin6_addr));
    length = sizeof(*address);
  } else {
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_port = htons(endpoint.port);
    std::memcpy(&address->sin_addr, endpoint.address.data(), sizeof(address->sin_addr));
    length = sizeof(*address);
  }
  Fd fd{socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  // The server closes connections first. They stay in TIME_WAIT and would block the next bind().
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 ||
      listen(fd.get(), kBacklog) != 0)
    return cannot_listen(endpoint_text(endpoint), errno);
  return fd;
}

}  // namespace

std::string metrics_path(const std::string& run_directory) {
  return run_directory + "/metrics.sock";
}

Result<Fd> listen_for_metrics(const Config::Metrics& config, const std::string& run_directory,
                              int group) {
  if (!config.on_unix_socket) return listen_at_port(config.address);
  const std::string path = metrics_path(run_directory);
  if (has_listener(path)) return cannot_listen(path, EADDRINUSE);
  return listen_at(path, group);
}

}  // namespace nids
