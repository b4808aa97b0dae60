// SPDX-License-Identifier: Apache-2.0
#include "cli/flows_text.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "cli/short_text.hpp"
#include "decode/packet.hpp"
#include "decode/printable.hpp"
#include "log/alert_line.hpp"
#include "log/eve_json.hpp"

namespace nids {
namespace {

constexpr const char* kRed = "\x1b[31m";
constexpr const char* kDim = "\x1b[2m";
constexpr const char* kBold = "\x1b[1m";
constexpr const char* kPlain = "\x1b[0m";

std::string to_lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string to_upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string protocol_text(const Ends& ends) {
  return ends.l4_proto == IPPROTO_ICMPV6 ? "icmp6" : to_lower(protocol_name(ends.l4_proto));
}

// TCP's states as netstat has them; what has none says whether it was answered.
std::string state_text(const FlowRecord& record) {
  if (record.ends.l4_proto != IPPROTO_TCP) return name_of(record.state);
  return record.tcp_state == TcpState::kNone ? "-" : to_upper(name_of(record.tcp_state));
}

std::string vlan_text(const Ends& ends) {
  std::string text;
  for (const std::uint16_t id : ends.vlan)
    if (id != 0) text += (text.empty() ? "" : ".") + std::to_string(id);
  return text;
}

std::uint64_t age_ns(const FlowRecord& record, WallTime now) {
  return now < record.start ? 0 : now.ns - record.start.ns;
}

// An end in its parts, as only the address may be shortened.
struct EndText {
  std::string address;
  std::string port;  // ":ssh"; empty where the protocol has none
  bool has_brackets = false;
  bool may_shorten = false;  // a part of an IPv4 address reads as another one

  std::string whole() const { return joined(address); }
  // What it can't do without.
  std::size_t least() const {
    const std::size_t columns = columns_of(address);
    return rest() + (may_shorten ? std::min(columns, kLeastAddress) : columns);
  }
  std::string fitted(Shortener& shortener, std::size_t columns) const {
    if (!may_shorten || columns < least()) return whole();
    return joined(shortener.fit(address, columns - rest()));
  }

 private:
  static constexpr std::size_t kLeastAddress = 12;  // "2001:d…:dddd"

  std::size_t rest() const { return port.size() + (has_brackets ? 2 : 0); }
  std::string joined(const std::string& text) const {
    return (has_brackets ? "[" + text + "]" : text) + port;
  }
};

EndText end_text(const std::uint8_t (&address)[16], std::uint16_t port, const Ends& ends,
                 const FlowsTextOptions& options) {
  EndText end;
  if (has_ports(ends.l4_proto)) {
    const std::string_view name =
        options.services == nullptr ? "" : options.services->name_of(port, ends.l4_proto);
    end.port = ":" + (name.empty() ? std::to_string(port) : std::string(name));
  }
  if (options.host_name) {
    if (auto name = options.host_name(address, ends.ip_version)) {
      end.address = std::move(*name);
      end.may_shorten = true;
      return end;
    }
  }
  end.address = address_text(address, ends.ip_version);
  end.may_shorten = ends.ip_version == 6;
  end.has_brackets = end.may_shorten && !end.port.empty();
  return end;
}

EndText client_text(const Ends& ends, const FlowsTextOptions& options) {
  return end_text(ends.client, ends.client_port, ends, options);
}

EndText server_text(const Ends& ends, const FlowsTextOptions& options) {
  return end_text(ends.server, ends.server_port, ends, options);
}

struct Column {
  std::string header;
  bool is_right = false;  // numbers
  std::vector<std::string> cells;
  std::size_t width = 0;

  void measure() {
    width = columns_of(header);
    for (const std::string& cell : cells) width = std::max(width, columns_of(cell));
  }
  std::string padded(const std::string& cell) const {
    const std::string blanks(width - std::min(width, columns_of(cell)), ' ');
    return is_right ? blanks + cell : cell + blanks;
  }
};

template <class Text>
Column column(std::string header, bool is_right, std::span<const NamedFlow> flows, Text text) {
  Column made{.header = std::move(header), .is_right = is_right, .cells = {}};
  made.cells.reserve(flows.size());
  for (const NamedFlow& flow : flows) made.cells.push_back(text(flow));
  made.measure();
  return made;
}

// What stands right of the ends in any width. Without a class in any flow there is no such column.
std::vector<Column> state_and_counts(std::span<const NamedFlow> flows, WallTime now) {
  const auto packets = [](int way) {
    return [way](const NamedFlow& flow) { return short_count(flow.record.packets[way]); };
  };
  const auto bytes = [](int way) {
    return [way](const NamedFlow& flow) { return short_bytes(flow.record.bytes[way]); };
  };
  std::vector<Column> columns{
      column("STATE", false, flows, [](auto& flow) { return state_text(flow.record); }),
      column(">PKT", true, flows, packets(0)), column(">BYT", true, flows, bytes(0)),
      column("<PKT", true, flows, packets(1)), column("<BYT", true, flows, bytes(1))};
  const auto has_class = [](const NamedFlow& flow) { return !flow.class_name.empty(); };
  if (std::any_of(flows.begin(), flows.end(), has_class))
    columns.push_back(
        column("CLASS", false, flows, [](auto& flow) { return printable(flow.class_name); }));
  columns.push_back(column("AGE", true, flows,
                           [now](auto& flow) { return short_age(age_ns(flow.record, now)); }));
  return columns;
}

// What wider terminals see too, the most telling first.
std::vector<Column> extras(std::span<const NamedFlow> flows) {
  return {
      column("START", false, flows,
             [](auto& flow) { return clock_text(flow.record.start).substr(0, 8); }),
      column("CONN", false, flows,
             [](auto& flow) { return std::string(name_of(flow.record.conn_state)); }),
      column("HISTORY", false, flows, [](auto& flow) { return printable(flow.record.history); }),
      column("VLAN", false, flows, [](auto& flow) { return vlan_text(flow.record.ends); }),
      column("COMMUNITY_ID", false, flows,
             [](auto& flow) { return printable(flow.record.community_id); })};
}

std::size_t width_of(const std::vector<Column>& columns) {
  std::size_t width = 0;
  for (const Column& one : columns) width += one.width + 1;
  return width;
}

class Table {
 public:
  Table(std::span<const NamedFlow> flows, WallTime now, const FlowsTextOptions& options)
      : flows_(flows),
        options_(options),
        protocol_(column("PRO", false, flows,
                         [](auto& flow) { return protocol_text(flow.record.ends); })),
        right_(state_and_counts(flows, now)) {
    add_ends();
    for (Column& extra : extras(flows)) {
      const std::size_t used = left_width() + width_of(right_) - 1;
      if (used + 1 + extra.width <= options.width) right_.push_back(std::move(extra));
    }
  }

  std::string header() const {
    std::string line = protocol_.padded(protocol_.header) + ' ' + client_.padded(client_.header) +
                       ' ' + server_.padded(server_.header);
    for (const Column& one : right_) line += ' ' + one.padded(one.header);
    return coloured(line, kBold);
  }

  std::string row(std::size_t i) const {
    const FlowRecord& record = flows_[i].record;
    std::string line = protocol_.padded(protocol_.cells[i]) + ' ';
    line +=
        stands_in_one_line(i)
            ? client_.padded(client_.cells[i]) + ' ' + server_.padded(server_.cells[i])
            : client_.cells[i] + ' ' + server_.cells[i] + '\n' + std::string(left_width() - 1, ' ');
    for (const Column& one : right_) line += ' ' + one.padded(one.cells[i]);
    if (record.is_alerted) return coloured(line, kRed);
    return coloured(line, record.state == FlowState::kClosed ? kDim : nullptr);
  }

 private:
  std::size_t left_width() const { return protocol_.width + client_.width + server_.width + 3; }

  // As wide as they need; else the widths in which most flows stand in one line.
  void add_ends() {
    std::vector<EndText> clients, servers;
    for (const NamedFlow& flow : flows_) {
      clients.push_back(client_text(flow.record.ends, options_));
      servers.push_back(server_text(flow.record.ends, options_));
      client_.cells.push_back(clients.back().whole());
      server_.cells.push_back(servers.back().whole());
    }
    client_.measure();
    server_.measure();
    const std::size_t others = protocol_.width + 1 + width_of(right_) + 1;
    const std::size_t room = std::max(options_.width, others + 2 * kLeastEnd) - others;
    if (client_.width + server_.width <= room) return;

    const std::size_t for_client =
        std::min(client_.width, best_client_width(clients, servers, room));
    server_.width = std::min(server_.width, room - for_client);
    client_.width = room - server_.width;
    const std::size_t line = std::max(options_.width, protocol_.width + 2) - protocol_.width - 2;
    Shortener shortener;
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      client_.cells[i] = clients[i].fitted(shortener, client_.width);
      server_.cells[i] = servers[i].fitted(shortener, server_.width);
      if (stands_in_one_line(i)) continue;
      client_.cells[i] = clients[i].fitted(shortener, line - line / 2);
      server_.cells[i] = servers[i].fitted(shortener, line / 2);
    }
  }

  static std::size_t best_client_width(const std::vector<EndText>& clients,
                                       const std::vector<EndText>& servers, std::size_t room) {
    std::size_t first = room / 2, last = first, most = 0;
    for (std::size_t width = kLeastEnd; width + kLeastEnd <= room; ++width) {
      std::size_t fitting = 0;
      for (std::size_t i = 0; i < clients.size(); ++i)
        fitting += clients[i].least() <= width && servers[i].least() <= room - width ? 1 : 0;
      if (fitting > most) {
        most = fitting;
        first = last = width;
      } else if (fitting == most && last + 1 == width) {
        last = width;
      }
    }
    return (first + last) / 2;
  }

  bool stands_in_one_line(std::size_t i) const {
    return columns_of(client_.cells[i]) <= client_.width &&
           columns_of(server_.cells[i]) <= server_.width;
  }

  // With its newline, without blanks before it.
  std::string coloured(std::string line, const char* colour) const {
    line.erase(line.find_last_not_of(' ') + 1);
    if (!options_.colour || colour == nullptr) return line + '\n';
    return colour + line + kPlain + '\n';
  }

  static constexpr std::size_t kLeastEnd = 12;

  std::span<const NamedFlow> flows_;
  const FlowsTextOptions& options_;
  Column protocol_;
  Column client_{.header = "CLIENT", .cells = {}}, server_{.header = "SERVER", .cells = {}};
  std::vector<Column> right_;
};

}  // namespace

std::string flows_table(std::span<const NamedFlow> flows, std::uint64_t total, WallTime now,
                        const FlowsTextOptions& options) {
  const Table table(flows, now, options);
  std::string text = table.header();
  for (std::size_t i = 0; i < flows.size(); ++i) text += table.row(i);
  return text + grouped(flows.size()) + " of " + grouped(total) +
         (total == 1 ? " flow\n" : " flows\n");
}

std::string flow_change_line(ChangeSign change, const NamedFlow& flow, WallTime now,
                             const FlowsTextOptions& options) {
  const FlowRecord& record = flow.record;
  std::string line{static_cast<char>(change)};
  line += ' ' + clock_text(now) + ' ' + protocol_text(record.ends) + ' ' +
          client_text(record.ends, options).whole() + " -> " +
          server_text(record.ends, options).whole() + ' ' + state_text(record) + " >" +
          short_count(record.packets[0]) + ' ' + short_bytes(record.bytes[0]) + " <" +
          short_count(record.packets[1]) + ' ' + short_bytes(record.bytes[1]) + ' ' +
          short_age(age_ns(record, now));
  if (change == ChangeSign::kEnd) {
    line += ' ' + std::string(name_of(record.conn_state));
    if (!record.history.empty()) line += ' ' + printable(record.history);
  }
  if (!flow.class_name.empty()) line += ' ' + printable(flow.class_name);
  if (record.is_alerted) line += " alerted";
  if (!options.colour) return line + '\n';
  const char* colour = record.is_alerted ? kRed : change == ChangeSign::kEnd ? kDim : "";
  return colour + line + kPlain + '\n';
}

}  // namespace nids
