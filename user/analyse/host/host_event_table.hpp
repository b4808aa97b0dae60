// SPDX-License-Identifier: Apache-2.0
// The host events of one worker until they are handed over, added up by key. Bounded: what does
// not fit is added to the remainder of its source, and what does not fit there is counted. One
// thread.
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

  // A new key takes the place of one with a single event, if the table is full: a host that does
  // much stays, however many others do little.
  void add(HostEvent event);

  bool empty() const { return events_.empty() && remainders_.empty(); }
  // All events and remainders; the table is empty then.
  std::vector<HostEvent> take();

  std::uint64_t merged() const { return merged_; }  // flows that went into remainders, so far
  std::uint64_t lost() const { return lost_; }      // flows that did not fit there either

 private:
  using Index = boost::unordered_flat_map<HostKey, std::uint32_t, SecretHash<HostKey>>;

  void add_to_remainder(HostEvent event);

  Limits limits_;
  std::vector<HostEvent> events_, remainders_;
  Index event_of_, remainder_of_;
  std::size_t hand_ = 0;  // where the search for a place goes on
  std::uint64_t merged_ = 0, lost_ = 0;
};

}  // namespace nids
