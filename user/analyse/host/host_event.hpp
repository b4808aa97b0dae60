// SPDX-License-Identifier: Apache-2.0
// What a worker sends to the host analysers: the flows of one tick, added up by source, destination
// and service. The order in which events are added does not change the result.
#pragma once

#include <algorithm>
#include <boost/container/flat_set.hpp>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "net/ends.hpp"
#include "nids/time.hpp"

namespace nids {

// The source is the originator of the flows. No padding: keys are compared and hashed as bytes.
struct HostKey {
  std::uint8_t source[16]{};
  std::uint8_t destination[16]{};
  std::uint32_t link = 0;  // Links::id_of() of the interface
  std::uint16_t vlan[2]{};
  std::uint8_t ip_version = 0;
  std::uint8_t l4_proto = 0;
  std::uint8_t class_id = 0;      // of the service; 0: of no class
  std::uint8_t is_remainder = 0;  // 1: many destinations and services, which are zero here
  TunnelEnds tunnel;
  bool operator==(const HostKey& other) const {
    return std::memcmp(this, &other, sizeof *this) == 0;
  }
  bool operator<(const HostKey& other) const { return std::memcmp(this, &other, sizeof *this) < 0; }
};
static_assert(std::has_unique_object_representations_v<HostKey>);

// The lowest kMax ports of a set. With fewer than kMax it is the complete set. The order in which
// ports are added does not change the sample.
class PortSample {
 public:
  static constexpr std::size_t kMax = 256;

  void add(std::uint16_t port) {
    ports_.insert(port);
    if (ports_.size() > kMax) ports_.erase(std::prev(ports_.end()));
  }
  void add(const PortSample& other) {
    for (const std::uint16_t port : other.ports_) add(port);
  }
  void remove(const PortSample& other) {
    for (const std::uint16_t port : other.ports_) ports_.erase(port);
  }
  std::size_t size() const { return ports_.size(); }
  bool empty() const { return ports_.empty(); }
  std::uint16_t lowest() const { return *ports_.begin(); }
  std::uint16_t highest() const { return *ports_.rbegin(); }
  bool operator==(const PortSample&) const = default;

 private:
  boost::container::flat_set<std::uint16_t, std::less<>,
                             boost::container::small_vector<std::uint16_t, 4>>
      ports_;
};

// Counts are in flows.
struct HostEvent {
  HostKey key;
  std::uint32_t started = 0;
  std::uint32_t answered = 0;
  std::uint32_t refused = 0;     // by a RST
  std::uint32_t unanswered = 0;  // for a second, or until their end
  PortSample failed_ports;       // of the destination: refused or unanswered
  PortSample late_ports;         // answered after they counted as unanswered
  WallTime first{~0ull}, last;   // of the flows' packets

  std::uint64_t flows() const { return std::uint64_t{started} + answered + refused + unanswered; }
  // `other` has the same key.
  void add(const HostEvent& other) {
    started += other.started;
    answered += other.answered;
    refused += other.refused;
    unanswered += other.unanswered;
    failed_ports.add(other.failed_ports);
    late_ports.add(other.late_ports);
    first = std::min(first, other.first);
    last = std::max(last, other.last);
  }
};

}  // namespace nids
