// SPDX-License-Identifier: Apache-2.0
#include "log/alert_line.hpp"

#include <netinet/in.h>

#include <cstdio>

#include "decode/packet.hpp"
#include "decode/printable.hpp"

namespace nids {
namespace {

// Narrow enough that a signature begins well before column 80; wider text pushes it along.
constexpr std::size_t kClassColumns = 7;
constexpr std::size_t kEndsColumns = 31;

constexpr const char* kRed = "\x1b[31m";
constexpr const char* kYellow = "\x1b[33m";
constexpr const char* kDim = "\x1b[2m";
constexpr const char* kPlain = "\x1b[0m";

std::string clock_text(WallTime time) {
  const auto ms = static_cast<unsigned>(time.ns / 1'000'000 % 86'400'000);
  char text[48];
  std::snprintf(text, sizeof(text), "%02u:%02u:%02u.%03u", ms / 3'600'000, ms / 60'000 % 60,
                ms / 1'000 % 60, ms % 1'000);
  return text;
}

std::string padded(std::string text, std::size_t columns) {
  if (text.size() < columns) text.append(columns - text.size(), ' ');
  return text;
}

std::string end_text(const std::uint8_t (&address)[16], std::uint16_t port, const Ends& ends) {
  std::string text = address_text(address, ends.ip_version);
  const bool has_ports =
      ends.l4_proto == IPPROTO_TCP || ends.l4_proto == IPPROTO_UDP || ends.l4_proto == IPPROTO_SCTP;
  if (!has_ports) return text;
  return (ends.ip_version == 6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

std::string ends_text(const Ends& ends) {
  if (ends.ip_version == 0) return "-";
  return end_text(ends.client, ends.client_port, ends) + " -> " +
         end_text(ends.server, ends.server_port, ends);
}

const char* colour_of(int severity) {
  if (severity <= 1) return kRed;
  return severity == 2 ? kYellow : kDim;
}

}  // namespace

std::string alert_line(const Alert& alert, bool colour) {
  const std::string class_name = alert.class_name.empty() ? "-" : printable(alert.class_name);
  std::string line =
      clock_text(alert.time) + "  [" + std::to_string(alert.severity) + "] " +
      padded(class_name, kClassColumns) + "  " + padded(ends_text(alert.ends), kEndsColumns) +
      "  " + printable(alert.signature) + " [9000:" + std::to_string(alert.signature_id) + "]";
  return colour ? colour_of(alert.severity) + line + kPlain : line;
}

}  // namespace nids
