// SPDX-License-Identifier: Apache-2.0
// The configuration: every value with its default, so that no file is needed, and the TOML that
// changes it, every bound checked. Opens no file but the one it is given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nids/abi/config.h"
#include "nids/endpoint.hpp"
#include "nids/result.hpp"

namespace nids {

struct PortRange {
  std::uint8_t l4_proto = 6;  // 6 TCP, 17 UDP
  std::uint16_t first = 0;
  std::uint16_t last = 0;  // inclusive
  bool operator==(const PortRange&) const = default;
};

// A protocol class: what makes a connection suspicious by its destination port.
struct ProtocolClass {
  std::string name;                // [a-z0-9-], at most NIDS_CLASS_NAME_MAX - 1 bytes
  std::uint32_t signature_id = 0;  // of its alert: 1001-1499 built in, 1999 for all configured ones
  int severity = 2;                // 1 high to 3 low
  nids_interest interest = NIDS_INTEREST_INSPECT;
  std::uint32_t depth_bytes = 64 * 1024;  // inspect: a direction
  std::uint8_t identify_packets = 8;      // identify: with payload, of both directions
  std::vector<PortRange> ports;
  std::string technique;  // MITRE ATT&CK id, may be empty
  bool operator==(const ProtocolClass&) const = default;
};

struct Config {
  std::uint32_t workers = 0;  // at most NIDS_RINGS_MAX; 0: see worker_count()
  struct Flow {
    std::uint32_t slots_per_cpu = 65'536;       // IPv4, 64 bytes each; a power of two, at least 64
    std::uint32_t ipv6_slots_per_cpu = 65'536;  // 128 bytes each; likewise
    nids_interest unclassified = NIDS_INTEREST_COUNT;  // in flows of no class
    std::uint32_t max_tracked_flows = 262'144;         // that the agent joins, some 140 bytes each
    // Silence after which a flow is over.
    std::uint32_t tcp_new_seconds = 60;  // never answered
    std::uint32_t tcp_established_seconds = 600;
    std::uint32_t tcp_closed_seconds = 5;  // after a RST or both FINs
    std::uint32_t udp_seconds = 60;
    std::uint32_t icmp_seconds = 60;
    std::uint32_t other_seconds = 60;
    std::uint32_t interim_seconds = 0;  // records of flows that go on; 0: none
    bool operator==(const Flow&) const = default;
  } flow;
  struct Ring {
    std::uint64_t size_bytes = 8ull << 20;  // a power of two, at least 256 KiB
    std::uint32_t snap_bytes = 65'600;      // of a packet that go up at most, NIDS_SNAP_MAX
    std::uint32_t sample_bytes = 512;       // of one identified, or a sample; at most NIDS_SNAP_MAX
    bool operator==(const Ring&) const = default;
  } ring;
  bool findings = true;  // whether single packets are judged
  struct Alerting {
    std::uint32_t suppress_seconds = 60;      // see docs/configuration.md
    std::uint32_t max_suppressions = 65'536;  // remembered at once; the oldest goes
    bool operator==(const Alerting&) const = default;
  } alert;
  struct Scan {
    bool enabled = true;
    std::uint32_t ports = 50;           // failed ports, from one source to one host; at most 256
    std::uint32_t window_seconds = 60;  // the longest time between two of them
    bool operator==(const Scan&) const = default;
  } scan;
  struct Eve {
    bool enabled = true;
    std::string path;   // empty: ROOT/var/log/nids-xdp/eve.json
    bool flows = true;  // a record for each flow that ended
    // With the five that are kept, 1.5 GiB: about as much as is kept of packets.
    std::uint64_t rotate_bytes = 256ull << 20;  // renamed at this size; 0: never
    std::uint32_t keep = 5;                     // old files; at most 1000
    bool operator==(const Eve&) const = default;
  } eve;
  struct Retain {
    static constexpr std::uint64_t kKeptHeaders = 0, kKeptWhole = ~0ull;
    bool enabled = true;
    std::string directory;  // empty: ROOT/var/lib/nids-xdp/pcap
    std::uint64_t budget_bytes = 1ull << 30;
    std::uint64_t segment_bytes = 64ull << 20;
    std::uint32_t min_free_percent = 10;      // of the disk
    std::uint32_t segment_seconds = 3600;     // a file is complete after it
    std::uint64_t queue_bytes = 16ull << 20;  // that may wait for the disk
    std::uint32_t max_alerts = 100'000;       // that can be asked for; the oldest go
    enum class Sync { kNever, kSegment, kSecond } sync = Sync::kNever;
    // What is kept of a flow that raised an alert: kKeptHeaders, kKeptWhole or bytes a direction.
    std::uint64_t severity_1 = kKeptWhole;
    std::uint64_t severity_2 = 1ull << 20;
    std::uint64_t severity_3 = 64ull << 10;
    std::uint64_t flow_depth_bytes = 16ull << 20;   // of any flow, a direction
    std::uint64_t hold_budget_bytes = 16ull << 20;  // of memory, for packets before an alert
    std::uint32_t hold_seconds = 30;
    bool operator==(const Retain&) const = default;
  } retain;
  struct Ipfix {
    Endpoint collector;  // of no IP version: nothing is exported
    std::uint32_t domain = 1;
    std::uint32_t template_seconds = 60;  // templates are sent again this often
    bool operator==(const Ipfix&) const = default;
  } ipfix;
  struct Metrics {
    bool on_unix_socket = false;
    Endpoint address;  // loopback; IP version 0: none
    bool is_on() const { return on_unix_socket || address.ip_version != 0; }
    bool operator==(const Metrics&) const = default;
  } metrics;
  // Interfaces whose flows join, because each carries a part of one link.
  struct Link {
    std::string name;                     // [A-Za-z0-9_-], at most kMaxLinkName bytes
    std::vector<std::string> interfaces;  // two or more, each in one link at most
    bool operator==(const Link&) const = default;
  };
  std::vector<Link> links;  // by name
  std::uint16_t community_id_seed = 0;
  std::vector<ProtocolClass> classes;  // in index order, from index 1; see builtin_classes()

  bool operator==(const Config&) const = default;
};

inline constexpr std::size_t kMaxLinkName = 31, kMaxLinks = 64, kMaxInterfacesOfLink = 16;

// By Config::Retain::Sync.
inline constexpr std::array<std::string_view, 3> kSyncNames{"never", "segment", "second"};

// The classes of docs/classes.md, in the order of their indexes. Never reordered.
std::vector<ProtocolClass> builtin_classes();

// A configuration with every default, classes included.
Config default_config();

// The number of workers, and of the rings of each interface. Programs that are taken over keep
// their number of rings.
std::uint32_t worker_count(const Config&);

// One problem of a file; line and column count from 1.
struct ConfigProblem {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string text;  // what was found, what was expected, a near name where there is one
};

struct ConfigOutcome {
  Config config;  // meaningful only where there are no problems
  std::vector<ConfigProblem> problems;
};

// All problems at once, in the order of the file.
ConfigOutcome parse_config(std::string_view toml);

// An error: the file can't be read. Files over 1 MiB are refused.
Result<ConfigOutcome> load_config(const std::string& path);

// TOML with every key; parse_config() of it gives the same configuration back.
std::string dump_config(const Config&);

// "64KiB", "1GiB", "4096", "10MB" to bytes; "10s", "500ms", "2m", "1h" to milliseconds. Errors name
// what was expected.
Result<std::uint64_t> parse_size(std::string_view text);
Result<std::uint64_t> parse_duration_ms(std::string_view text);
std::string size_text(std::uint64_t bytes);  // "64KiB" where it is a whole number of a unit

// "192.0.2.1:4739", "[2001:db8::1]:4739"; the port is 1 to 65535. No names: a stage never waits for
// a resolver.
Result<Endpoint> parse_endpoint(std::string_view text);
std::string endpoint_text(const Endpoint&);  // empty where there is none

// Reads "unix", "127.0.0.1:9177" or "[::1]:9177"; empty turns the listener off. Refuses an address
// that other hosts can reach.
Result<Config::Metrics> parse_listener(std::string_view text);
std::string listener_text(const Config::Metrics&);

// Limits every class but those listed ("ssh,telnet") to be counted only. An error names the
// classes there are.
Result<void> restrict_classes(Config&, std::string_view list);

}  // namespace nids
