// SPDX-License-Identifier: Apache-2.0
#include "measure.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace nids::bench {
namespace {

// ns a packet, whole: the kernel cuts the rest off.
Result<double> test_run(int program, const Bytes& frame, std::uint32_t packets) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.repeat = static_cast<int>(packets);
  if (bpf_prog_test_run_opts(program, &options) != 0)
    return Error{.action = "run a frame of " + std::to_string(frame.size()) + " bytes " +
                           std::to_string(packets) + " times",
                 .error_number = errno};
  if (options.retval != XDP_PASS)
    return Error{.action = "measure a program",
                 .reason = "its verdict is " + std::to_string(options.retval) +
                           ", not XDP_PASS: it did not run to its end"};
  return static_cast<double>(options.duration);
}

Result<int> entry_of(Reference& reference, Pick pick, const Lane& lane) {
  if (pick == Pick::kFrame) return lane.program;
  if (auto aimed = reference.aim(lane.program); !aimed) return aimed.error();
  return pick == Pick::kRandom ? reference.random() : reference.next();
}

Result<double> sample(Reference& reference, Pick pick, const Lane& lane, const Plan& plan) {
  const auto entry = entry_of(reference, pick, lane);
  if (!entry) return entry.error();
  double sum = 0;
  for (std::uint32_t batch = 0; batch < plan.batches; ++batch) {
    const auto ns = test_run(*entry, *lane.frame, plan.packets_per_batch);
    if (!ns) return ns.error();
    sum += *ns;
    if (lane.after_batch) lane.after_batch();
  }
  return sum / plan.batches;
}

}  // namespace

Result<std::vector<Series>> measure(Reference& reference, Pick pick, const std::vector<Lane>& lanes,
                                    const Plan& plan) {
  std::vector<Series> all;
  for (const Lane& lane : lanes) all.push_back({.name = std::string(lane.name)});
  for (std::uint32_t round = 0; round < plan.samples; ++round) {
    for (std::size_t turn = 0; turn < lanes.size(); ++turn) {
      // Each is the first in its turn: none has always the same one before it.
      const std::size_t i = (round + turn) % lanes.size();
      const Lane& lane = lanes[i];
      const Counted before = lane.counted ? lane.counted() : Counted{};
      const auto ns = sample(reference, pick, lane, plan);
      if (!ns) return ns.error();
      all[i].samples.push_back(*ns);
      if (lane.counted) all[i].counted += lane.counted() - before;
    }
  }
  return all;
}

Result<void> warm_up(Reference& reference, const Lane& lane, std::uint64_t flows,
                     std::uint32_t packets_per_batch) {
  const auto entry = entry_of(reference, Pick::kNext, lane);
  if (!entry) return entry.error();
  for (std::uint64_t done = 0; done < flows;) {
    const auto packets =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(packets_per_batch, flows - done));
    if (const auto ns = test_run(*entry, *lane.frame, packets); !ns) return ns.error();
    if (lane.after_batch) lane.after_batch();
    done += packets;
  }
  return {};
}

}  // namespace nids::bench
