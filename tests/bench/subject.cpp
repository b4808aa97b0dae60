// SPDX-License-Identifier: Apache-2.0
#include "subject.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <string>

#include "firstpass/first_pass.hpp"
#include "nids.skel.h"
#include "nids/abi/config.h"
#include "nids/abi/flow.h"

namespace nids::bench {
namespace {

constexpr std::uint32_t kZero = 0;
constexpr std::uint32_t kNoDepthLimit = 0xffffffff;
constexpr std::uint64_t kHashSeed = 0x5ca1ab1e0ddba11;

int skip_record(void*, void*, std::size_t) { return 0; }

int write_tables(const nids_bpf& bpf) {
  std::array<nids_class, NIDS_CLASS_MAX> classes{};
  classes[1].name[0] = 'b';
  classes[1].interest = NIDS_INTEREST_INSPECT;
  classes[1].depth_bytes = kNoDepthLimit;
  const auto ports = std::make_unique<nids_port_classes>();
  ports->tcp[kFlaggedPort] = 1;
  const int error = bpf_map__update_elem(bpf.maps.nids_classes, &kZero, sizeof(kZero),
                                         classes.data(), sizeof(classes), BPF_ANY);
  if (error != 0) return error;
  return bpf_map__update_elem(bpf.maps.nids_ports, &kZero, sizeof(kZero), ports.get(),
                              sizeof(*ports), BPF_ANY);
}

}  // namespace

void Subject::Unload::operator()(nids_bpf* skeleton) const noexcept { nids_bpf__destroy(skeleton); }
void Subject::Unload::operator()(ring_buffer* ring) const noexcept { ring_buffer__free(ring); }

Result<Subject> Subject::load(const SubjectSize& size) {
  Subject subject;
  subject.skeleton_.reset(nids_bpf__open());
  if (!subject.skeleton_) return Error{.action = "open nids.bpf.o", .error_number = errno};
  const nids_bpf& bpf = *subject.skeleton_;
  const auto cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  const std::uint32_t sets = size.slots_per_cpu / NIDS_WAYS;
  bpf_map__set_max_entries(bpf.maps.nids_counters, cpus);
  bpf_map__set_max_entries(bpf.maps.nids_budgets, cpus);
  bpf_map__set_max_entries(bpf.maps.nids_passes, cpus);
  bpf_map__set_max_entries(bpf.maps.nids_flows4, cpus);
  bpf_map__set_value_size(bpf.maps.nids_flows4, sets * sizeof(nids_flow4_set));
  bpf_map__set_max_entries(bpf.maps.nids_flows6, cpus);
  bpf_map__set_value_size(bpf.maps.nids_flows6, sets * sizeof(nids_flow6_set));
  bpf_map__set_max_entries(bpf.maps.nids_cells, size.slots_per_cpu);
  bpf_map__set_max_entries(bpf.maps.nids_ring0, size.ring_bytes);
  bpf_map__set_autocreate(bpf.maps.nids_clock, false);
  // What the default configuration is loaded with.
  bpf.rodata->nids_features = NIDS_FEATURE_INSPECT | NIDS_FEATURE_FINDINGS;
  bpf.rodata->nids_sets4_per_cpu = sets;
  bpf.rodata->nids_sets6_per_cpu = sets;
  bpf.rodata->nids_cells_bits = static_cast<std::uint32_t>(std::bit_width(size.slots_per_cpu) - 1);
  std::ranges::copy(hash_keys_of(kHashSeed), bpf.rodata->nids_hash_keys);
  bpf.rodata->nids_ring_bytes = size.ring_bytes;
  bpf.rodata->nids_snap_bytes = size.snap_bytes;
  bpf_program__set_autoload(bpf.progs.nids_egress, false);
  bpf_program__set_autoload(bpf.progs.nids_ingress_tc, false);
  bpf_program__set_autoload(bpf.progs.nids_replay, false);

  const std::string what = "nids.bpf.o with " + std::to_string(size.slots_per_cpu) + " slots a CPU";
  if (const int error = nids_bpf__load(subject.skeleton_.get()))
    return Error{.action = "load " + what, .error_number = -error};
  if (const int error = write_tables(bpf))
    return Error{.action = "write classes and ports of " + what, .error_number = -error};
  subject.ring_.reset(ring_buffer__new(subject.ring(), skip_record, nullptr, nullptr));
  if (!subject.ring_) return Error{.action = "open the ring of " + what, .error_number = errno};
  return subject;
}

int Subject::program() const { return bpf_program__fd(skeleton_->progs.nids_ingress); }
int Subject::ring() const { return bpf_map__fd(skeleton_->maps.nids_ring0); }

Counted Subject::counted(std::uint32_t cpu) const {
  return read_counted(bpf_map__fd(skeleton_->maps.nids_counters), cpu);
}

void Subject::drain() { ring_buffer__consume(ring_.get()); }

}  // namespace nids::bench
