// SPDX-License-Identifier: Apache-2.0
#include "kernel/class_tables.hpp"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstddef>

namespace nids {
namespace {

constexpr std::uint32_t kFirst = 0;
constexpr int kTries = 100;  // two switches within one read are rare

Result<std::uint32_t> table_in_force(const Maps& maps) {
  std::uint32_t table = 0;
  if (bpf_map_lookup_elem(maps.fd(kClassTableMap), &kFirst, &table) != 0 ||
      table >= NIDS_CLASS_TABLES)
    return Error{.action = "read which classes are in force", .error_number = errno};
  return table;
}

// Removes these classes from one byte of an aligned word of a slot or cell. Exchanges atomically,
// because the program and the agent write other bytes of the word meanwhile.
void take_from_word(__u64* word, unsigned byte, const ClassSet& classes) {
  __u64 before = __atomic_load_n(word, __ATOMIC_RELAXED);
  const auto has_one = [&] {
    const auto class_id = static_cast<std::uint8_t>(before >> 8 * byte);
    return class_id != 0 && class_id < classes.size() && classes[class_id];
  };
  while (has_one() &&
         !__atomic_compare_exchange_n(word, &before, before & ~(__u64{0xff} << 8 * byte), true,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

__u64* word_at(nids_flow_state& state, std::size_t offset) {
  return reinterpret_cast<__u64*>(reinterpret_cast<std::byte*>(&state) + offset);
}

// The words of a slot that hold its two classes.
constexpr std::size_t kOwn = offsetof(nids_flow_state, class_id);
constexpr std::size_t kOther = offsetof(nids_flow_state, other_class);
constexpr std::size_t kOwnWord = kOwn / 8 * 8, kOtherWord = kOther / 8 * 8;

template <class Visitor>
void each_slot(const FlowMaps& flows, Visitor visitor) {
  for (nids_flow4_set& set : flows.sets4.values())
    for (nids_flow4& one : set.way) visitor(one.state);
  for (nids_flow6_set& set : flows.sets6.values())
    for (nids_flow6& one : set.way) visitor(one.state);
}

}  // namespace

Result<std::vector<nids_class>> read_classes(const Maps& maps) {
  std::vector<nids_class> classes(NIDS_CLASS_MAX);
  for (int tries = 0; tries < kTries; ++tries) {
    const auto before = table_in_force(maps);
    if (!before) return before.error();
    if (bpf_map_lookup_elem(maps.fd("nids_classes"), &*before, classes.data()) != 0)
      return Error{.action = "read map nids_classes", .error_number = errno};
    // The first switch leaves the table that was read unchanged. A second reload overwrites it.
    const auto after = table_in_force(maps);
    if (!after) return after.error();
    if (*after == *before) return classes;
  }
  return Error{.action = "read map nids_classes", .reason = "it keeps changing"};
}

// Replaces an inner map, because this system call returns after an RCU grace period on every
// kernel.
Result<void> wait_for_packets() {
  const auto failed = [] {
    return Error{.action = "wait for the packets under way", .error_number = errno};
  };
  const Fd inner{
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "nids_wait", sizeof(kFirst), sizeof(kFirst), 1, nullptr)};
  if (!inner) return failed();
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.inner_map_fd = static_cast<std::uint32_t>(inner.get());
  const Fd outer{bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "nids_wait", sizeof(kFirst),
                                sizeof(kFirst), 1, &options)};
  const int fd = inner.get();
  if (!outer || bpf_map_update_elem(outer.get(), &kFirst, &fd, BPF_ANY) != 0) return failed();
  return {};
}

Result<void> write_next_classes(const Maps& maps, std::span<const nids_class> classes,
                                const nids_port_classes& ports) {
  const auto now = table_in_force(maps);
  if (!now) return now.error();
  const std::uint32_t next = 1 - *now;
  if (bpf_map_update_elem(maps.fd("nids_classes"), &next, classes.data(), BPF_ANY) != 0)
    return Error{.action = "write map nids_classes", .error_number = errno};
  if (bpf_map_update_elem(maps.fd("nids_ports"), &next, &ports, BPF_ANY) != 0)
    return Error{.action = "write map nids_ports", .error_number = errno};
  return {};
}

// Uses mmap, because each reader then sees the store of an aligned word completely or not at all.
Result<ClassSwitch> ClassSwitch::of(const Maps& maps) {
  Mapped<std::uint32_t> table{maps.fd(kClassTableMap)};
  if (!table) return Error{.action = "map which classes are in use", .error_number = errno};
  return ClassSwitch(std::move(table));
}

void ClassSwitch::flip() const {
  __atomic_store_n(table_.get(), 1 - __atomic_load_n(table_.get(), __ATOMIC_RELAXED),
                   __ATOMIC_RELEASE);
}

Result<void> clear_class_counters(const Maps& maps, const ClassSet& classes) {
  const auto info = maps.info();
  if (!info) return info.error();
  const MappedArray<nids_counters> blocks(maps.fd("nids_counters"), info->cpus);
  if (!blocks) return Error{.action = "map the counters", .error_number = errno};
  for (nids_counters& block : blocks.values())
    for (std::size_t i = 0; i < classes.size(); ++i)
      if (classes[i]) block.classes[i] = {};
  return {};
}

ClassSet classes_in_slots(const FlowMaps& flows) {
  ClassSet found;
  each_slot(flows, [&](nids_flow_state& state) {
    for (const std::uint8_t* class_id : {&state.class_id, &state.other_class})
      if (const auto one = __atomic_load_n(class_id, __ATOMIC_RELAXED); one < found.size())
        found.set(one);
  });
  return found;
}

void take_from_cells(const FlowMaps& flows, const ClassSet& classes) {
  for (nids_flow_cell& cell : flows.cells.values()) take_from_word(&cell.opener, 0, classes);
}

void take_from_slots(const FlowMaps& flows, const ClassSet& classes) {
  each_slot(flows, [&](nids_flow_state& state) {
    take_from_word(word_at(state, kOwnWord), kOwn - kOwnWord, classes);
    take_from_word(word_at(state, kOtherWord), kOther - kOtherWord, classes);
  });
}

}  // namespace nids
