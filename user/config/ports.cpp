// SPDX-License-Identifier: Apache-2.0
#include "config/ports.hpp"

#include <charconv>
#include <system_error>

#include "config/wording.hpp"

namespace nids {
namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::size_t kPorts = 65'536;

Error not_ports(std::string_view text, std::string reason) {
  return Error{.action = "read " + quoted(text) + " as ports", .reason = std::move(reason)};
}

// 0 where the text is no port: port 0 is never one.
std::uint16_t port_number(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, port);
  return failure == std::errc{} && rest == end ? port : std::uint16_t{0};
}

}  // namespace

Result<PortRange> parse_ports(std::string_view text) {
  PortRange range;
  if (text.starts_with("tcp/"))
    range.l4_proto = kTcp;
  else if (text.starts_with("udp/"))
    range.l4_proto = kUdp;
  else
    return not_ports(text,
                     R"(expected tcp/ or udp/ and ports, such as "tcp/22" or "udp/5060-5061")");

  const std::string_view ports = text.substr(4);
  const std::size_t dash = ports.find('-');
  range.first = port_number(ports.substr(0, dash));
  range.last = dash == ports.npos ? range.first : port_number(ports.substr(dash + 1));
  if (range.first == 0 || range.last == 0)
    return not_ports(text,
                     R"(expected a port from 1 to 65535, or a range such as "tcp/5900-5999")");
  if (range.first > range.last)
    return not_ports(text, "expected a range with its lower port first");
  return range;
}

std::string ports_text(const PortRange& range) {
  std::string text = range.l4_proto == kUdp ? "udp/" : "tcp/";
  text += std::to_string(range.first);
  if (range.last != range.first) text += "-" + std::to_string(range.last);
  return text;
}

PortOwners::PortOwners() : owners_(2 * kPorts) {}

std::optional<PortOwners::Clash> PortOwners::claim(const PortRange& range, std::size_t owner) {
  const std::size_t base = range.l4_proto == kUdp ? kPorts : 0;
  for (std::uint32_t port = range.first; port <= range.last; ++port) {
    std::uint32_t& taken = owners_[base + port];
    if (taken != 0) {
      const auto number = static_cast<std::uint16_t>(port);
      return Clash{.port = {range.l4_proto, number, number}, .owner = taken - 1};
    }
    taken = static_cast<std::uint32_t>(owner) + 1;
  }
  return std::nullopt;
}

}  // namespace nids
