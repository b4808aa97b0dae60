// SPDX-License-Identifier: Apache-2.0
#include "reference.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <string>

#include "reference.h"
#include "reference.skel.h"

namespace nids::bench {
namespace {

constexpr std::uint32_t kZero = 0;
constexpr std::uint64_t kRandomSeed = 0x2545f4914f6cdd1d;

}  // namespace

void Reference::Unload::operator()(reference_bpf* skeleton) const noexcept {
  reference_bpf__destroy(skeleton);
}

Result<Reference> Reference::load(std::uint32_t flows, std::uint32_t lines) {
  Reference reference;
  reference.skeleton_.reset(reference_bpf__open());
  if (!reference.skeleton_) return Error{.action = "open reference.bpf.o", .error_number = errno};
  const reference_bpf& bpf = *reference.skeleton_;
  bpf_map__set_max_entries(bpf.maps.bench_counters,
                           static_cast<std::uint32_t>(libbpf_num_possible_cpus()));
  for (bpf_map* table : {bpf.maps.bench_hash_flows, bpf.maps.bench_lru_flows,
                         bpf.maps.bench_hash_flows6, bpf.maps.bench_lru_flows6})
    bpf_map__set_max_entries(table, flows == 0 ? 1 : flows);
  bpf_map__set_max_entries(bpf.maps.bench_lines, lines);
  bpf.rodata->bench_line_count = lines;
  for (bpf_program* program : {bpf.progs.bench_hash, bpf.progs.bench_lru})
    bpf_program__set_autoload(program, flows != 0);
  if (const int error = reference_bpf__load(reference.skeleton_.get()))
    return Error{.action = "load reference.bpf.o with tables of " + std::to_string(flows),
                 .error_number = -error};
  return reference;
}

int Reference::pass() const { return bpf_program__fd(skeleton_->progs.bench_pass); }
int Reference::parse() const { return bpf_program__fd(skeleton_->progs.bench_parse); }
int Reference::hash() const { return bpf_program__fd(skeleton_->progs.bench_hash); }
int Reference::lru() const { return bpf_program__fd(skeleton_->progs.bench_lru); }
int Reference::line() const { return bpf_program__fd(skeleton_->progs.bench_line); }
int Reference::random() const { return bpf_program__fd(skeleton_->progs.bench_random); }
int Reference::next() const { return bpf_program__fd(skeleton_->progs.bench_next); }

Counted Reference::counted(std::uint32_t cpu) const {
  return read_counted(bpf_map__fd(skeleton_->maps.bench_counters), cpu);
}

Result<void> Reference::aim(int program) {
  const int array = bpf_map__fd(skeleton_->maps.bench_next_program);
  if (bpf_map_update_elem(array, &kZero, &program, BPF_ANY) != 0)
    return Error{.action = "put the program to measure in bench_next_program",
                 .error_number = errno};
  return {};
}

Result<void> Reference::set_flows(std::uint32_t flows, std::uint64_t next) {
  const bench_pick pick{.random = kRandomSeed, .next = next, .mask = flows - 1};
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.bench_pick), &kZero, &pick, BPF_ANY) != 0)
    return Error{.action = "say the number of flows in bench_pick", .error_number = errno};
  return {};
}

}  // namespace nids::bench
