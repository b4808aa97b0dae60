// SPDX-License-Identifier: Apache-2.0
// The complete pipeline over a capture file, in packet time: the first pass by its native twin, or
// by a copy of the program in the kernel. Attaches nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/confinement.hpp"
#include "config/config.hpp"
#include "nids/abi/config.h"
#include "nids/abi/counters.h"
#include "nids/result.hpp"
#include "source/capture_file.hpp"
#include "worker/pipeline.hpp"

namespace nids {

struct ReplayRequest {
  std::string file;  // "-" is standard input
  Config config;
  std::optional<std::string> eve;     // "-" is standard output; none: not written
  std::optional<std::string> retain;  // a directory; none: nothing is kept
  std::function<void(const Alert&)> on_alert;
  std::function<void(const std::string&)> warning;  // what failed on the way
  std::function<bool()> is_to_end;                  // asked before each packet; may be empty
  // Gives the filter of `selection` for the file, once that is open; none: it stays as it is. An
  // error ends the replay.
  std::function<Result<PacketFilter>(pcap*)> filter;
  Selection selection;
  bool by_kernel = false;   // needs privileges, which are given up before the file is read
  std::size_t workers = 1;  // for tests: it does not change the results
  Confine confine{};        // called after that; null: the process stays as it is, as tests need
};

struct ReplayOutcome {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;      // on the wire
  std::uint64_t not_taken = 0;  // of the packets: the kernel could not be given them
  double duration_s = 0;        // from the first packet's time to the last's
  double wall_s = 0;
  nids_counters counters{};
  nids_agent_counters agent{};
  std::vector<nids_class> classes;
  std::uint64_t slots = 0;
  bool scan_agrees = true;  // the slots add up to counters.live
  // Why it was not read to its end: it ends inside a packet, is corrupt, or it was to end before.
  std::optional<Error> damage;
};

// An error: nothing was read.
[[nodiscard]] Result<ReplayOutcome> replay(ReplayRequest request);

}  // namespace nids
