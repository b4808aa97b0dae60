// SPDX-License-Identifier: Apache-2.0
#include "cli/ends_text.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cctype>

#include "decode/packet.hpp"
#include "log/eve_json.hpp"

namespace nids {
namespace {

std::string end_text(const std::uint8_t (&address)[16], std::uint16_t port, const Ends& ends,
                     bool with_port) {
  if (ends.ip_version == 0) return "-";
  const std::string text = address_text(address, ends.ip_version);
  if (!with_port || !has_ports(ends.l4_proto)) return text;
  return (ends.ip_version == 6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

}  // namespace

std::string client_text(const Ends& ends, bool with_port) {
  return end_text(ends.client, ends.client_port, ends, with_port);
}

std::string server_text(const Ends& ends, bool with_port) {
  return end_text(ends.server, ends.server_port, ends, with_port);
}

std::string protocol_text(const Ends& ends) {
  if (ends.ip_version == 0) return "-";
  if (ends.l4_proto == IPPROTO_ICMPV6) return "icmp6";
  std::string text = protocol_name(ends.l4_proto);
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string moment_text(WallTime time) {
  std::string text = eve_timestamp(time);
  const std::size_t date = text.find('T');
  if (date == text.npos) return text;
  text[date] = ' ';
  text.resize(std::min(text.size(), date + 9));
  return text;
}

std::string short_moment_text(WallTime time, WallTime now) {
  const std::string text = moment_text(time);
  const std::size_t year = text.find('-');
  if (year == text.npos) return text;
  const bool is_this_year = moment_text(now).starts_with(text.substr(0, year + 1));
  return is_this_year ? text.substr(year + 1) : text.substr(0, text.rfind(':'));
}

}  // namespace nids
