// SPDX-License-Identifier: Apache-2.0
// Packets of some flows, or all there are, out of many segments and in the order of their times.
// Knows no index and writes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nids/result.hpp"
#include "nids/time.hpp"
#include "retain/kept.hpp"
#include "retain/pcapng_reader.hpp"

namespace nids {

// What is wanted of a segment.
struct WantedPart {
  // No packet of it is older; it is opened when it is due. 0 where that is not known.
  WallTime first;
  bool is_whole = false;               // every packet, whatever `offsets` says
  std::vector<std::uint64_t> offsets;  // of packets' blocks
  // Bytes that were complete when somebody looked: what ends inside a block behind them is being
  // written, and is not damaged.
  std::uint64_t complete = 0;
};
using WantedParts = std::map<SegmentName, WantedPart>;

class KeptPackets {
 public:
  using Wish = std::function<bool(const pcapng::PacketBlock&, const pcapng::Interface&)>;
  struct Found {
    const pcapng::PacketBlock& packet;  // both valid until the next call
    const pcapng::Interface& interface;
  };

  // `directory_fd` stays the caller's. Of the packets, those for which `wish` is true; it is asked
  // once for each, in no order of times.
  KeptPackets(int directory_fd, WantedParts parts, Wish wish);
  KeptPackets(KeptPackets&&) noexcept;
  ~KeptPackets();

  // The next by time; empty at the end. Keeps 16 bytes for each packet of the segments that overlap
  // in time.
  std::optional<Found> next();

  // What could not be had: segments that are gone or that lie. Grows until the end was met.
  const std::vector<Error>& troubles() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nids
