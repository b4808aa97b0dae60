// SPDX-License-Identifier: Apache-2.0
#include "export/udp_exporter.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

namespace nids {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof(storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const Endpoint& endpoint) {
  SocketAddress made;
  if (endpoint.ip_version == 6) {
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(endpoint.port);
    std::memcpy(&ipv6.sin6_addr, endpoint.address.data(), sizeof ipv6.sin6_addr);
    std::memcpy(&made.storage, &ipv6, sizeof ipv6);
    made.bytes = sizeof ipv6;
    return made;
  }
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(endpoint.port);
  std::memcpy(&ipv4.sin_addr, endpoint.address.data(), sizeof ipv4.sin_addr);
  std::memcpy(&made.storage, &ipv4, sizeof ipv4);
  made.bytes = sizeof ipv4;
  return made;
}

// Where the socket stands; none where the kernel does not say.
Endpoint local_endpoint(int fd) {
  SocketAddress found;
  if (getsockname(fd, found.get(), &found.bytes) != 0) return {};
  Endpoint local;
  if (found.storage.ss_family == AF_INET6) {
    sockaddr_in6 ipv6;
    std::memcpy(&ipv6, &found.storage, sizeof ipv6);
    std::memcpy(local.address.data(), &ipv6.sin6_addr, sizeof ipv6.sin6_addr);
    local.port = ntohs(ipv6.sin6_port);
    local.ip_version = 6;
    return local;
  }
  sockaddr_in ipv4;
  std::memcpy(&ipv4, &found.storage, sizeof ipv4);
  std::memcpy(local.address.data(), &ipv4.sin_addr, sizeof ipv4.sin_addr);
  local.port = ntohs(ipv4.sin_port);
  local.ip_version = 4;
  return local;
}

// What passes when a link, an address or a route comes up. EINVAL is left out on purpose: it is
// also the answer to a link-local address, which needs an interface that Endpoint does not have.
bool is_of_the_network(int error_number) {
  return error_number == ENETUNREACH || error_number == EHOSTUNREACH || error_number == ENETDOWN ||
         error_number == EADDRNOTAVAIL;
}

bool is_at(const std::uint8_t (&address)[16], std::uint16_t port, const Endpoint& endpoint) {
  const std::size_t bytes = endpoint.ip_version == 6 ? 16 : 4;
  return port == endpoint.port && std::equal(address, address + bytes, endpoint.address.begin());
}

Result<Fd> open_socket(const Endpoint& collector) {
  const int family = collector.ip_version == 6 ? AF_INET6 : AF_INET;
  Fd fd{socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd)
    return Error{.action = "open a socket to the IPFIX collector",
                 .error_number = errno,
                 .hint = "ipfix.collector = \"\" exports nothing"};
  return fd;
}

int connect(int fd, const Endpoint& collector) {
  SocketAddress to = socket_address(collector);
  return ::connect(fd, to.get(), to.bytes) == 0 ? 0 : errno;
}

}  // namespace

Result<Fd> connect_to_collector(const Endpoint& collector) {
  auto fd = open_socket(collector);
  if (!fd) return fd;
  if (const int error = connect(fd->get(), collector); error != 0)
    return Error{.action = "connect to the IPFIX collector", .error_number = error};
  return fd;
}

void UdpExporter::replace_socket(Fd connected) {
  socket_ = std::move(connected);
  local_ = local_endpoint(socket_.get());
}

Result<UdpExporter> UdpExporter::open(const Endpoint& collector, Options options) {
  auto fd = open_socket(collector);
  if (!fd) return fd.error();
  UdpExporter exporter(std::move(*fd), collector, options);
  const int error_number = exporter.connect_anew();
  if (error_number != 0 && !is_of_the_network(error_number))
    return Error{.action = "connect to the IPFIX collector",
                 .error_number = error_number,
                 .hint = "ipfix.collector is to be one host that routes allow, not link-local"};
  return exporter;
}

void UdpExporter::add(const FlowRecord& record, WallTime now) {
  if (is_own(record)) {
    ++counts_.own;
    return;
  }
  begin_message(now);
  if (message_.append(record)) return;
  send_message(now);
  begin_message(now);
  // Templates and one record fit in any message.
  if (!message_.append(record)) ++counts_.lost;
}

void UdpExporter::flush(WallTime now) {
  begin_message(now);
  if (!message_.is_empty()) send_message(now);
}

bool UdpExporter::is_own(const FlowRecord& record) const {
  const Ends& ends = record.ends;
  if (ends.l4_proto != IPPROTO_UDP || ends.ip_version != local_.ip_version) return false;
  const bool from_us = is_at(ends.client, ends.client_port, local_) &&
                       is_at(ends.server, ends.server_port, collector_);
  const bool to_us = is_at(ends.client, ends.client_port, collector_) &&
                     is_at(ends.server, ends.server_port, local_);
  return from_us || to_us;
}

// A wall clock that was set back must not keep them away for as long.
bool UdpExporter::templates_due(WallTime now) const {
  const std::uint64_t interval_ns = options_.template_seconds * 1'000'000'000ull;
  return must_send_templates_ || now < templates_sent_ ||
         now.ns - templates_sent_.ns >= interval_ns;
}

void UdpExporter::begin_message(WallTime now) {
  if (!message_.is_empty()) return;
  take_refusal();
  if (templates_due(now)) message_.append_templates();
}

// The sequence number goes on also where the kernel refused the message: so the collector sees
// that records are missing.
void UdpExporter::send_message(WallTime now) {
  const std::uint32_t records = message_.records();
  const int error_number = try_send(now);
  is_taken_ = error_number == 0;
  in_doubt_ = is_taken_ ? records : 0;
  if (is_taken_) {
    counts_.delivered += records;
  } else {
    counts_.lost += records;
    error_number_ = error_number;
    must_send_templates_ = true;
  }
  if (is_taken_ && message_.has_templates()) {
    templates_sent_ = now;
    must_send_templates_ = false;
  }
  sequence_ += records;
  message_.clear();
}

int UdpExporter::try_send(WallTime now) {
  if (local_.ip_version == 0) {
    const int error_number = connect_anew();
    if (error_number != 0) return error_number;
  }
  take_refusal();
  const auto bytes = message_.finish({now, sequence_, options_.domain});
  ssize_t sent = 0;
  do sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return 0;

  const int error_number = errno;
  if (error_number == ECONNREFUSED) refused(error_number);
  // The socket keeps the source address that it was connected with. EINVAL: the host no longer
  // has it.
  if (is_of_the_network(error_number) || error_number == EINVAL) local_ = {};
  return error_number;
}

// AF_UNSPEC first: the kernel chooses another source address only for a socket without one.
int UdpExporter::connect_anew() {
  local_ = {};
  const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  static_cast<void>(::connect(socket_.get(), &nowhere, sizeof nowhere));
  if (const int error = connect(socket_.get(), collector_); error != 0) return error;
  local_ = local_endpoint(socket_.get());
  return 0;
}

// "Port unreachable" arrives after send() has returned. The kernel keeps it, and would answer the
// next send() with it instead of sending: so it is taken out first.
void UdpExporter::take_refusal() {
  int error_number = 0;
  socklen_t bytes = sizeof error_number;
  if (getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error_number, &bytes) != 0) return;
  if (error_number != 0) return refused(error_number);
  if (is_taken_) error_number_ = 0;
}

// It was an earlier message, most likely the last: its records move from delivered to lost. The
// kernel keeps one error however many messages were refused, so that `lost` is a lower bound where
// several were sent in the time that the answer took.
void UdpExporter::refused(int error_number) {
  counts_.delivered -= in_doubt_;
  counts_.lost += in_doubt_;
  in_doubt_ = 0;
  is_taken_ = false;
  error_number_ = error_number;
  must_send_templates_ = true;  // whoever comes up there has none
}

}  // namespace nids
