// SPDX-License-Identifier: Apache-2.0
#include "kernel/flow_maps.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cerrno>

namespace nids {
namespace {

// return bpf_jiffies64();
Fd load_jiffies_program() {
  const bpf_insn code[] = {
      {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_jiffies64},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  return Fd{bpf_prog_load(BPF_PROG_TYPE_XDP, "nids_jiffies", "Dual BSD/GPL", code,
                          sizeof(code) / sizeof(code[0]), nullptr)};
}

Result<std::uint32_t> jiffies_of(const Fd& program) {
  char frame[64]{};
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame;
  options.data_size_in = sizeof(frame);
  options.repeat = 1;
  if (bpf_prog_test_run_opts(program.get(), &options) != 0)
    return Error{.action = "ask the kernel for jiffies", .error_number = errno};
  return options.retval;
}

}  // namespace

Result<FlowMaps> FlowMaps::of(const Maps& maps) {
  FlowMaps out;
  const auto info = maps.info();
  if (!info) return info.error();
  out.info = *info;
  const auto keys = maps.hash_keys();
  if (!keys) return keys.error();
  out.hash_keys = *keys;
  const std::size_t cpus = info->cpus;
  out.counters = {maps.fd("nids_counters"), cpus};
  out.sets4 = {maps.fd("nids_flows4"), cpus * info->sets4_per_cpu};
  out.sets6 = {maps.fd("nids_flows6"), cpus * info->sets6_per_cpu};
  out.cells = {maps.fd("nids_cells"), info->cells};
  if (!out.counters || !out.sets4 || !out.sets6 || !out.cells)
    return Error{.action = "map the flow tables", .error_number = errno};
  return out;
}

Result<TickSample> sample_ticks(std::uint32_t tick_ns) {
  const Fd program = load_jiffies_program();
  if (!program) return Error{.action = "ask the kernel for jiffies", .error_number = errno};
  auto ticks = jiffies_of(program);
  if (!ticks) return ticks.error();
  // At the moment they move, so that the sample is not up to a tick late.
  const MonoTime start = monotonic_now();
  MonoTime now = start;
  for (const std::uint32_t first = *ticks; *ticks == first && now.ns - start.ns < 2u * tick_ns;) {
    ticks = jiffies_of(program);
    if (!ticks) return ticks.error();
    now = monotonic_now();
  }
  return TickSample{now, *ticks, tick_ns};
}

}  // namespace nids
