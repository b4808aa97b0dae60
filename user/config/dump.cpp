// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/ports.hpp"
#include "config/wording.hpp"

namespace nids {
namespace {

// A TOML basic string; what a terminal would act on is escaped (C0, DEL, C1).
std::string basic_string(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    const bool is_c1 = byte == 0xc2 && next >= 0x80 && next < 0xa0;
    if (is_c1) {
      byte = next;
      ++i;
    }
    if (is_c1 || byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 0xf];
      continue;
    }
    if (byte == '"' || byte == '\\') out += '\\';
    out += text[i];
  }
  return out + '"';
}

// What is no whole number of a unit is a plain number.
std::string size_value(std::uint64_t bytes) {
  const std::string text = size_text(bytes);
  return text.ends_with('B') ? '"' + text + '"' : text;
}

std::string kept_value(std::uint64_t bytes) {
  if (bytes == Config::Retain::kKeptHeaders) return "\"headers\"";
  return bytes == Config::Retain::kKeptWhole ? "\"whole\"" : size_value(bytes);
}

class Writer {
 public:
  void comment(std::string_view text) { out_ += "# " + std::string(text) + "\n"; }
  void table(std::string_view name) { out_ += "\n[" + std::string(name) + "]\n"; }
  void key(std::string_view name, const std::string& value) {
    out_ += std::string(name) + " = " + value + "\n";
  }
  void number(std::string_view name, std::uint64_t value) { key(name, std::to_string(value)); }
  void flag(std::string_view name, bool value) { key(name, value ? "true" : "false"); }
  void blank() { out_ += "\n"; }
  std::string text() && { return std::move(out_); }

 private:
  std::string out_;
};

std::string seconds_string(std::uint32_t seconds) { return '"' + std::to_string(seconds) + "s\""; }

void dump_flow_and_ring(const Config& config, Writer& w) {
  w.table("flow");
  w.comment("Slots in the IPv4 flow table of each CPU, 64 bytes each; a power of two.");
  w.number("slots_per_cpu", config.flow.slots_per_cpu);
  w.comment("The same for IPv6 flows, of 128 bytes each.");
  w.number("ipv6_slots_per_cpu", config.flow.ipv6_slots_per_cpu);
  w.comment(
      "What goes up of flows of no class: an interest, as of the classes; they raise no alert.");
  w.key("unclassified", '"' + std::string(kInterestNames[config.flow.unclassified]) + '"');
  w.comment("Flows that the agent joins; beyond it the one silent longest is told and goes.");
  w.number("max_tracked_flows", config.flow.max_tracked_flows);
  w.comment("Silence after which a flow is over: TCP that was never answered, that was, that has");
  w.comment("ended, and other protocols.");
  w.key("tcp_new", seconds_string(config.flow.tcp_new_seconds));
  w.key("tcp_established", seconds_string(config.flow.tcp_established_seconds));
  w.key("tcp_closed", seconds_string(config.flow.tcp_closed_seconds));
  w.key("udp", seconds_string(config.flow.udp_seconds));
  w.key("icmp", seconds_string(config.flow.icmp_seconds));
  w.key("other", seconds_string(config.flow.other_seconds));
  w.comment("Time between two records of a flow that goes on; 0s: one when it is over.");
  w.key("interim", seconds_string(config.flow.interim_seconds));

  w.table("ring");
  w.comment("Size of the buffer from the kernel to the agent; a power of two.");
  w.key("size", size_value(config.ring.size_bytes));
  w.comment("Of a packet, the bytes that go up at most.");
  w.key("snap", size_value(config.ring.snap_bytes));
  w.comment("The same of a packet that is identified, or a sample of a finding.");
  w.key("sample", size_value(config.ring.sample_bytes));

  w.table("findings");
  w.comment("Whether single packets are judged: LAND, Xmas, lengths that lie and others.");
  w.flag("enabled", config.findings);
}

void dump_alert_and_eve(const Config& config, Writer& w) {
  w.table("alert");
  w.comment(
      "After an alert, how long the same client, server and class raise no other on the same");
  w.comment("interface, VLAN and tunnel. In this time a sender has one sample of a finding.");
  w.key("suppress", seconds_string(config.alert.suppress_seconds));
  w.comment("Suppressions remembered at once; beyond it the oldest goes.");
  w.number("max_suppressions", config.alert.max_suppressions);

  w.table("scan");
  w.comment("Whether port scans are reported. Flow counts are enough: no packet is needed.");
  w.flag("enabled", config.scan.enabled);
  w.comment(
      "So many TCP ports of one host that refuse one source, or do not answer it, are a scan.");
  w.number("ports", config.scan.ports);
  w.comment("Longest time between two such ports of one scan.");
  w.key("window", seconds_string(config.scan.window_seconds));

  w.table("eve");
  w.comment("Whether alerts and flows are written as EVE JSON.");
  w.flag("enabled", config.eve.enabled);
  w.comment(
      "The file, appended to; \"-\": standard output; empty: /var/log/nids-xdp/eve.json, below "
      "NIDS_XDP_ROOT where that is set.");
  w.key("path", basic_string(config.eve.path));
  w.comment("Whether there is a record for each flow that is over.");
  w.flag("flows", config.eve.flows);
  w.comment("Size at which the file is renamed to NAME.1, and a new one begun; 0: never.");
  w.key("rotate_size", size_value(config.eve.rotate_bytes));
  w.comment("Old files NAME.1 to NAME.keep, the newest first; what is older goes.");
  w.number("keep", config.eve.keep);
}

void dump_retain(const Config::Retain& retain, Writer& w) {
  w.table("retain");
  w.comment("Whether the packets of flows that raise alerts are kept.");
  w.flag("enabled", retain.enabled);
  w.comment("Where; empty: /var/lib/nids-xdp/pcap, below NIDS_XDP_ROOT where that is set.");
  w.key("directory", basic_string(retain.directory));
  w.comment(
      "Size of all files of this agent together; beyond it what is worth least goes first: old");
  w.comment("files before new ones, and files without alerts before those with severe ones.");
  w.key("budget", size_value(retain.budget_bytes));
  w.comment("Size of one file; at most an eighth of the budget is used.");
  w.key("segment", size_value(retain.segment_bytes));
  w.comment("Percent of the disk that stays free; below it nothing is kept. 0: no floor.");
  w.number("min_free_percent", retain.min_free_percent);
  w.comment("A file is complete after this time, by its packets.");
  w.key("segment_time", seconds_string(retain.segment_seconds));
  w.comment("Bytes that may wait for a slow disk; beyond it packets are lost by overload.");
  w.key("queue", size_value(retain.queue_bytes));
  w.comment("Alerts that can be asked for; beyond it the oldest goes.");
  w.number("max_alerts", retain.max_alerts);
  w.comment(
      "What a power cut may take: \"never\": the kernel writes when it likes, mostly within 30 "
      "seconds; \"segment\": a file under way; \"second\": the last second.");
  w.key("sync", basic_string(kSyncNames[static_cast<std::size_t>(retain.sync)]));
  w.comment("What is kept of a flow after an alert of that severity which is not its class's own:");
  w.comment("\"headers\", \"whole\", or so many bytes of each direction.");
  w.key("severity_1", kept_value(retain.severity_1));
  w.key("severity_2", kept_value(retain.severity_2));
  w.key("severity_3", kept_value(retain.severity_3));
  w.comment("Of any flow no more than this is kept, in each direction.");
  w.key("flow_depth", size_value(retain.flow_depth_bytes));
  w.comment("Memory for packets of flows that have raised no alert yet, and how long they stay.");
  w.key("hold_budget", size_value(retain.hold_budget_bytes));
  w.key("hold_time", seconds_string(retain.hold_seconds));
}

void dump_ipfix(const Config::Ipfix& ipfix, Writer& w) {
  w.table("ipfix");
  w.comment("Address and port that flow records go to over UDP; empty: none are sent.");
  w.key("collector", '"' + endpoint_text(ipfix.collector) + '"');
  w.comment("Observation domain, by which a collector tells exporters of one address apart.");
  w.number("domain", ipfix.domain);
  w.comment("How often templates are sent again, for a collector that came up later.");
  w.number("template_seconds", ipfix.template_seconds);
}

void dump_class(const ProtocolClass& c, Writer& w) {
  w.table("classes." + c.name);
  w.comment("signature " + std::to_string(c.signature_id) +
            (c.technique.empty() ? "" : ", ATT&CK " + c.technique));
  std::string ports;
  for (const PortRange& range : c.ports)
    ports += (ports.empty() ? "\"" : ", \"") + ports_text(range) + '"';
  w.key("ports", '[' + ports + ']');
  w.key("severity", std::to_string(c.severity));
  w.key("interest", '"' + std::string(kInterestNames[c.interest]) + '"');
  w.key("depth", size_value(c.depth_bytes));
  w.key("identify_packets", std::to_string(c.identify_packets));
}

std::string interfaces_value(const Config::Link& link) {
  std::string list;
  for (const std::string& one : link.interfaces)
    list += (list.empty() ? "" : ", ") + basic_string(one);
  return '[' + list + ']';
}

std::string_view without_blanks(std::string_view text) {
  const auto first = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t comma = list.find(',');
    parts.push_back(without_blanks(list.substr(0, comma)));
    if (comma == list.npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string dump_config(const Config& config) {
  Writer w;
  w.comment(
      "The configuration of nids-xdp. A size is a number of bytes or has a unit (64KiB, 10MB).");
  w.blank();
  w.comment("Threads that take packets, each with its own buffer from each interface; 0 is one.");
  w.number("workers", config.workers);
  dump_flow_and_ring(config, w);
  dump_alert_and_eve(config, w);
  dump_retain(config.retain, w);
  dump_ipfix(config.ipfix, w);
  w.table("metrics");
  w.comment("Where metrics are served for Prometheus, over HTTP: \"unix\" is the socket");
  w.comment("/run/nids-xdp/metrics.sock, for root and the group nids-xdp; \"127.0.0.1:9177\" and");
  w.comment("\"[::1]:9177\" are open to every user of this host; empty: off.");
  w.key("listen", '"' + listener_text(config.metrics) + '"');
  w.table("links");
  w.comment(
      "Interfaces whose flows join, because each carries a part of one link: the two ports of");
  w.comment("a network tap, or ports of a bond. uplink = [\"eth1\", \"eth2\"]");
  for (const Config::Link& link : config.links) w.key(link.name, interfaces_value(link));
  w.table("community_id");
  w.comment("Seed of community_id, 0 to 65535; the same in all tools that are to agree.");
  w.number("seed", config.community_id_seed);

  w.blank();
  w.comment("Classes: what makes a connection suspicious, by its destination port.");
  w.comment("ports: tcp/ or udp/ and a port or range, each in one class; [] switches a class off.");
  w.comment("severity: 1 high to 3 low.");
  w.comment(
      "interest, what goes up: \"count\" nothing; \"identify\" the first identify_packets with");
  w.comment("payload, shortened; \"inspect\" all up to the depth; \"headers\" of all the headers;");
  w.comment("\"capture\" all; \"bypass\" not even samples of findings.");
  w.comment("depth, of \"inspect\" alone: what is kept of a connection, in each direction.");
  for (const ProtocolClass& c : config.classes) dump_class(c, w);
  return std::move(w).text();
}

Result<void> restrict_classes(Config& config, std::string_view list) {
  std::vector<std::string_view> names;
  for (const ProtocolClass& c : config.classes) names.push_back(c.name);

  const auto listed = split(list);
  for (const std::string_view name : listed) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    std::string all;
    for (const std::string_view known : names)
      all += (all.empty() ? "" : ", ") + std::string(known);
    const std::string_view near = nearest(name, names);
    return Error{.action = "limit the classes to " + quoted(list),
                 .reason = "no class is called " + quoted(name) +
                           (near.empty() ? "" : "; did you mean " + quoted(near) + "?"),
                 .hint = "the classes are " + all};
  }
  for (ProtocolClass& c : config.classes)
    if (std::find(listed.begin(), listed.end(), c.name) == listed.end())
      c.interest = NIDS_INTEREST_COUNT;
  return {};
}

}  // namespace nids
