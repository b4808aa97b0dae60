// SPDX-License-Identifier: Apache-2.0
#include "log/alert_line.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "decode/packet.hpp"
#include "decode/printable.hpp"
#include "log/eve_json.hpp"

namespace nids {
namespace {

// Both ends of IPv4, at their longest; wider text pushes the signature along.
constexpr std::size_t kEndsColumns = 46;
// The most for which every alert of a built-in class fits into 80 columns.
constexpr std::size_t kNarrowEndsColumns = 38;
// A line with its usual signatures and all of kEndsColumns fits from here on.
constexpr std::size_t kWideEnough = 110;

constexpr const char* kRed = "\x1b[31m";
constexpr const char* kYellow = "\x1b[33m";
constexpr const char* kDim = "\x1b[2m";
constexpr const char* kPlain = "\x1b[0m";

std::string date_text(WallTime time) {
  const auto seconds = static_cast<std::time_t>(time.ns / 1'000'000'000);
  std::tm day{};
  char text[32] = "";
  if (gmtime_r(&seconds, &day)) std::strftime(text, sizeof(text), "%Y-%m-%d ", &day);
  return text;
}

std::string padded(std::string text, std::size_t columns) {
  if (text.size() < columns) text.append(columns - text.size(), ' ');
  return text;
}

std::string end_text(const std::uint8_t (&address)[16], std::uint16_t port, const Alert& alert) {
  const Ends& ends = alert.ends;
  std::string text = address_text(address, ends.ip_version);
  if (alert.kind == AlertKind::kHost || !has_ports(ends.l4_proto)) return text;
  return (ends.ip_version == 6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

std::string ends_text(const Alert& alert) {
  const Ends& ends = alert.ends;
  if (ends.ip_version == 0) return "-";
  return end_text(ends.client, ends.client_port, alert) + " -> " +
         end_text(ends.server, ends.server_port, alert);
}

const char* colour_of(int severity) {
  if (severity <= 1) return kRed;
  return severity == 2 ? kYellow : kDim;
}

}  // namespace

std::string clock_text(WallTime time) {
  const auto ms = static_cast<unsigned>(time.ns / 1'000'000 % 86'400'000);
  char text[48];
  std::snprintf(text, sizeof(text), "%02u:%02u:%02u.%03u", ms / 3'600'000, ms / 60'000 % 60,
                ms / 1'000 % 60, ms % 1'000);
  return text;
}

std::string alert_line(const Alert& alert, const AlertLineStyle& style) {
  const bool is_narrow = style.width != 0 && style.width < kWideEnough;
  // Where there is little room the class alone says that its protocol was flagged.
  const bool is_class_only = is_narrow && !alert.class_name.empty() &&
                             alert.signature == "flagged protocol " + alert.class_name;
  const std::string what = printable(is_class_only ? alert.class_name : alert.signature) + " [" +
                           alert.signature_id.text() + "]";
  std::string line = (style.with_date ? date_text(alert.time) : "") + clock_text(alert.time) +
                     " [" + std::to_string(alert.severity) + "] ";
  std::size_t ends_columns = kEndsColumns;
  if (is_narrow) {
    const std::size_t taken = line.size() + 1 + what.size();
    ends_columns = std::min(kNarrowEndsColumns, style.width - std::min(style.width, taken));
  }
  line += padded(ends_text(alert), ends_columns) + " " + what;
  return style.colour ? colour_of(alert.severity) + line + kPlain : line;
}

}  // namespace nids
