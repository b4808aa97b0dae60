// SPDX-License-Identifier: Apache-2.0
#include "counted.hpp"

#include <bpf/bpf.h>

#include <array>

#include "nids/abi/counters.h"

namespace nids::bench {
namespace {

constexpr std::array kFields{
    &Counted::seen,           &Counted::no_flow, &Counted::unaccounted, &Counted::flows_created,
    &Counted::flows_exported, &Counted::records, &Counted::records_lost};

}  // namespace

Counted read_counted(int map_fd, std::uint32_t cpu) {
  nids_counters block{};
  Counted counted;
  if (bpf_map_lookup_elem(map_fd, &cpu, &block) != 0) return counted;
  counted.seen = block.seen[NIDS_INGRESS].packets;
  counted.no_flow = block.no_flow.packets;
  counted.unaccounted = block.unaccounted.packets;
  counted.flows_created = block.flows_created;
  counted.flows_exported = block.flows_exported;
  counted.records = block.ring_offered.packets;
  for (const nids_sum& kind : block.ring_lost) counted.records_lost += kind.packets;
  return counted;
}

Counted operator-(const Counted& after, const Counted& before) {
  Counted difference;
  for (const auto field : kFields) difference.*field = after.*field - before.*field;
  return difference;
}

Counted& operator+=(Counted& sum, const Counted& more) {
  for (const auto field : kFields) sum.*field += more.*field;
  return sum;
}

}  // namespace nids::bench
