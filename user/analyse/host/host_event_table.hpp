// SPDX-License-Identifier: Apache-2.0
// The host events of one worker in the current tick, added up by key. Bounded: events beyond the
// limit are added to the remainder of their source, and those beyond the remainders are counted.
// For one thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <vector>

#include "analyse/host/host_event.hpp"
#include "decode/secret_hash.hpp"

namespace nids {

class HostEventTable {
 public:
  struct Limits {
    std::size_t events = 4096, remainders = 1024;
  };
  explicit HostEventTable(Limits limits) : limits_(limits) {}

  // If the table is full, a new key evicts one with a single flow, so that busy hosts stay in a
  // flood of sources with one flow each.
  void add(HostEvent event);

  bool empty() const { return events_.empty() && remainders_.empty(); }
  // Returns all events and remainders, and empties the table. Then uses the memory of `spare`,
  // because a million bytes of new pages for each tick would take milliseconds.
  std::vector<HostEvent> take(std::vector<HostEvent> spare = {});

  std::uint64_t merged() const { return merged_; }  // flows that went into remainders, so far
  std::uint64_t lost() const { return lost_; }      // flows that did not fit there either

 private:
  using Index = boost::unordered_flat_map<HostKey, std::uint32_t, SecretHash<HostKey>>;

  void add_to_remainder(HostEvent event);

  Limits limits_;
  std::vector<HostEvent> events_, remainders_;
  Index event_of_, remainder_of_;
  std::size_t hand_ = 0;  // where the next search begins
  std::uint64_t merged_ = 0, lost_ = 0;
};

}  // namespace nids
