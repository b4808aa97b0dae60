// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

#include "config/config.hpp"
#include "config/wording.hpp"
#include "nids/endpoint.hpp"

namespace nids {
namespace {

constexpr std::size_t kIpv4MappedPrefixBytes = 12;

bool read_address(const std::string& text, Endpoint& out) {
  return inet_pton(out.ip_version == 4 ? AF_INET : AF_INET6, text.c_str(), out.address.data()) == 1;
}

bool read_port(std::string_view text, std::uint16_t& out) {
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, out);
  return failure == std::errc() && rest == end && out != 0;
}

// Neither 0.0.0.0 and ::, nor IPv4 in the clothes of IPv6 (RFC 4291 section 2.5.5.2), whose
// packets would not be those of the address that was given.
bool names_a_host(const Endpoint& endpoint) {
  constexpr std::array<std::uint8_t, kIpv4MappedPrefixBytes> kMapped{0, 0, 0, 0, 0,    0,
                                                                     0, 0, 0, 0, 0xff, 0xff};
  if (std::ranges::all_of(endpoint.address, [](std::uint8_t byte) { return byte == 0; }))
    return false;
  return endpoint.ip_version == 4 ||
         !std::equal(kMapped.begin(), kMapped.end(), endpoint.address.begin());
}

// 127.0.0.0/8 and ::1
bool is_loopback(const Endpoint& endpoint) {
  constexpr std::array<std::uint8_t, 16> kLoopback6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return endpoint.ip_version == 4 ? endpoint.address[0] == 127 : endpoint.address == kLoopback6;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  const Error refusal{
      .action = "read " + quoted(text) + " as an address and a port",
      .reason = "expected such as \"192.0.2.1:4739\" or \"[2001:db8::1]:4739\", no name"};
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return refusal;
  std::string_view address = text.substr(0, colon);

  Endpoint endpoint;
  endpoint.ip_version = 4;
  if (address.starts_with('[') && address.ends_with(']')) {
    endpoint.ip_version = 6;
    address = address.substr(1, address.size() - 2);
  }
  // inet_pton() ends at a NUL, and would take what stands before it.
  if (address.find('\0') != address.npos) return refusal;
  if (!read_address(std::string(address), endpoint)) return refusal;
  if (!read_port(text.substr(colon + 1), endpoint.port)) return refusal;
  if (!names_a_host(endpoint)) return refusal;
  return endpoint;
}

std::string endpoint_text(const Endpoint& endpoint) {
  char text[INET6_ADDRSTRLEN];
  const bool is_ipv6 = endpoint.ip_version == 6;
  if (!is_ipv6 && endpoint.ip_version != 4) return {};
  inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, endpoint.address.data(), text, sizeof(text));
  const std::string port = ':' + std::to_string(endpoint.port);
  return is_ipv6 ? '[' + std::string(text) + ']' + port : text + port;
}

Result<Config::Metrics> parse_listener(std::string_view text) {
  if (text.empty()) return Config::Metrics{};
  if (text == "unix") return Config::Metrics{.on_unix_socket = true, .address = {}};
  const auto endpoint = parse_endpoint(text);
  if (!endpoint || !is_loopback(*endpoint))
    return Error{.action = "listen at " + quoted(text),
                 .reason =
                     "expected \"unix\", or an address and a port of this host alone such as "
                     "\"127.0.0.1:9177\" or \"[::1]:9177\""};
  return Config::Metrics{.on_unix_socket = false, .address = *endpoint};
}

std::string listener_text(const Config::Metrics& metrics) {
  return metrics.on_unix_socket ? "unix" : endpoint_text(metrics.address);
}

}  // namespace nids
