// SPDX-License-Identifier: Apache-2.0
#include "support/bpf_object.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "firstpass/first_pass.hpp"
#include "nids.skel.h"

namespace nids {
namespace {

constexpr std::uint32_t kZero = 0;
constexpr std::uint32_t kLiveTickNs = 1'000'000;  // only told on, in records
constexpr std::uint32_t kTicksOf60s = 60'000;
constexpr std::uint32_t kTicksOf1s = 1'000;
constexpr std::uint32_t kNoIdleTicks = 0x7fffffff;  // as far as ticks can tell before from after
constexpr std::uint32_t kNoSecondTicks = 0xffffffff;

// libbpf's words, the verifier's log among them; shown only where a load fails.
std::string& libbpf_said() {
  static std::string text;
  return text;
}

int remember(libbpf_print_level level, const char* format, va_list arguments) {
  std::array<char, 4096> line{};
  if (level == LIBBPF_WARN && std::vsnprintf(line.data(), line.size(), format, arguments) > 0)
    libbpf_said() += line.data();
  return 0;
}

Error failed(std::string action, int error_number) {
  return {.action = std::move(action), .error_number = error_number, .hint = libbpf_said()};
}

// The object and this file go together: what one lacks is no result of a test.
[[noreturn]] void missing(const char* name) {
  std::fprintf(stderr, "the BPF object has no %s\n", name);
  std::abort();
}

// Where a constant stands in .rodata: the skeleton knows that of its own object only.
std::optional<std::size_t> offset_of(const btf* types, const char* name) {
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (section < 0) return std::nullopt;
  const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(section));
  const btf_var_secinfo* variables = btf_var_secinfos(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const btf_type* variable = btf__type_by_id(types, variables[i].type);
    if (std::strcmp(btf__name_by_offset(types, variable->name_off), name) == 0)
      return variables[i].offset;
  }
  return std::nullopt;
}

nids_info describe(const BpfSetup& setup) {
  nids_info info{};
  info.magic = NIDS_MAGIC;
  info.abi_version = NIDS_ABI_VERSION;
  info.ifindex = setup.ifindex;
  info.cpus = setup.is_packet_time ? 1 : static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  info.sets4_per_cpu = setup.sets4_per_cpu;
  info.sets6_per_cpu = setup.sets6_per_cpu;
  info.cells = std::max(setup.sets4_per_cpu, setup.sets6_per_cpu) * NIDS_WAYS;
  info.rings = setup.rings;
  info.tick_ns = kLiveTickNs;
  info.ring_bytes = setup.ring_bytes;
  info.snap_bytes = setup.snap_bytes;
  info.sample_bytes = setup.sample_bytes;
  info.features = setup.features;
  return info;
}

}  // namespace

void BpfObject::Close::operator()(bpf_object* object) const noexcept { bpf_object__close(object); }

Result<BpfObject> BpfObject::load(const BpfSetup& setup, const ClassTables& tables) {
  BpfObject object;
  libbpf_set_print(remember);
  libbpf_said().clear();
  object.info_ = describe(setup);
  object.is_packet_time_ = setup.is_packet_time;
  if (auto opened = object.open(setup); !opened) return opened.error();
  if (auto was_set = object.set(setup); !was_set) return was_set.error();
  if (auto rings = object.make_rings(setup); !rings) return rings.error();
  if (const int error = bpf_object__load(object.object_.get()); error != 0)
    return failed("load the BPF object " + setup.file, -error);
  if (auto filled = object.fill(tables, setup); !filled) return filled.error();
  return object;
}

Result<void> BpfObject::open(const BpfSetup& setup) {
  std::size_t bytes = 0;
  const void* own = nids_bpf__elf_bytes(&bytes);
  object_.reset(setup.file.empty() ? bpf_object__open_mem(own, bytes, nullptr)
                                   : bpf_object__open_file(setup.file.c_str(), nullptr));
  if (!object_) return failed("open the BPF object " + setup.file, errno);
  return {};
}

template <class T>
void BpfObject::set_constant(const char* name, const T& value) {
  std::size_t bytes = 0;
  bpf_map* rodata = map_to_set(".rodata");
  const auto* initial = static_cast<const std::byte*>(bpf_map__initial_value(rodata, &bytes));
  const auto offset = offset_of(bpf_object__btf(object_.get()), name);
  if (initial == nullptr || !offset || *offset + sizeof(value) > bytes) missing(name);
  std::vector<std::byte> changed(initial, initial + bytes);
  std::memcpy(changed.data() + *offset, &value, sizeof(value));
  if (bpf_map__set_initial_value(rodata, changed.data(), bytes) != 0) missing(name);
}

Result<void> BpfObject::set(const BpfSetup& setup) {
  for (const char* by_cpu : {"nids_counters", "nids_budgets", "nids_passes"})
    bpf_map__set_max_entries(map_to_set(by_cpu), info_.cpus);
  bpf_map__set_max_entries(map_to_set("nids_agent"), info_.rings + 1);
  bpf_map__set_max_entries(map_to_set("nids_flows4"), info_.cpus);
  bpf_map__set_value_size(map_to_set("nids_flows4"), info_.sets4_per_cpu * sizeof(nids_flow4_set));
  bpf_map__set_max_entries(map_to_set("nids_flows6"), info_.cpus);
  bpf_map__set_value_size(map_to_set("nids_flows6"), info_.sets6_per_cpu * sizeof(nids_flow6_set));
  bpf_map__set_max_entries(map_to_set("nids_cells"), info_.cells);
  bpf_map__set_autocreate(map_to_set("nids_clock"), setup.is_packet_time);

  for (const char* live : {"nids_ingress", "nids_egress", "nids_ingress_tc"})
    bpf_program__set_autoload(bpf_object__find_program_by_name(object_.get(), live),
                              !setup.is_packet_time);
  bpf_program__set_autoload(bpf_object__find_program_by_name(object_.get(), "nids_replay"),
                            setup.is_packet_time);

  set_constant("nids_ifindex", setup.ifindex);
  set_constant("nids_features", setup.features);
  set_constant("nids_snap_bytes", setup.snap_bytes);
  set_constant("nids_sample_bytes", setup.sample_bytes);
  set_constant("nids_sets4_per_cpu", info_.sets4_per_cpu);
  set_constant("nids_sets6_per_cpu", info_.sets6_per_cpu);
  set_constant("nids_cells_bits", static_cast<std::uint32_t>(std::bit_width(info_.cells) - 1));
  set_constant("nids_ring_count", info_.rings);
  set_constant("nids_ring_bytes", info_.ring_bytes);
  set_constant("nids_tick_ns", info_.tick_ns);
  set_constant("nids_idle_ticks", setup.is_timeless ? kNoIdleTicks : kTicksOf60s);
  set_constant("nids_second_ticks", setup.is_timeless ? kNoSecondTicks : kTicksOf1s);
  set_constant("nids_sample_window_ticks", setup.is_timeless ? kNoSecondTicks : kTicksOf60s);
  set_constant("nids_packet_time", static_cast<std::uint8_t>(setup.is_packet_time));
  set_constant("nids_hash_keys", hash_keys_of(setup.hash_seed));
  return {};
}

Result<void> BpfObject::make_rings(const BpfSetup& setup) {
  for (std::uint32_t i = 0; i < setup.rings; ++i) {
    Fd ring{bpf_map_create(BPF_MAP_TYPE_RINGBUF, "nids_ring", 0, 0, setup.ring_bytes, nullptr)};
    if (!ring) return failed("create a ring buffer", errno);
    if (!outer_ring_) {
      LIBBPF_OPTS(bpf_map_create_opts, options);
      options.inner_map_fd = static_cast<std::uint32_t>(ring.get());
      outer_ring_ = Fd{bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "nids_rings", sizeof(kZero),
                                      sizeof(kZero), NIDS_RINGS_MAX, &options)};
    }
    const int fd = ring.get();
    if (!outer_ring_ || bpf_map_update_elem(outer_ring_.get(), &i, &fd, BPF_ANY) != 0)
      return failed("put a ring buffer into nids_rings", errno);
    rings_.push_back(std::move(ring));
  }
  if (const int error = bpf_map__reuse_fd(map_to_set("nids_rings"), outer_ring_.get()); error != 0)
    return failed("use map nids_rings", -error);
  return {};
}

Result<void> BpfObject::fill(const ClassTables& tables, const BpfSetup& setup) {
  const auto keys = hash_keys_of(setup.hash_seed);
  if (bpf_map_update_elem(map("nids_classes"), &kZero, tables.classes.data(), BPF_ANY) != 0 ||
      bpf_map_update_elem(map("nids_ports"), &kZero, tables.ports.get(), BPF_ANY) != 0 ||
      bpf_map_update_elem(map("nids_keys"), &kZero, &keys, BPF_ANY) != 0 ||
      bpf_map_update_elem(map("nids_info"), &kZero, &info_, BPF_ANY) != 0)
    return failed("write classes, ports, keys and info", errno);
  return {};
}

bpf_map* BpfObject::map_to_set(const char* name) const {
  bpf_map* found = nullptr;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    // libbpf names the section's map after the object, and cuts the object's name.
    const std::string_view full = bpf_map__name(map);
    if (full == name || (*name == '.' && full.ends_with(name))) found = map;
  }
  if (found == nullptr) missing(name);
  return found;
}

int BpfObject::map(const char* name) const { return bpf_map__fd(map_to_set(name)); }

std::size_t BpfObject::value_bytes(const char* map) const {
  return bpf_map__value_size(map_to_set(map));
}

int BpfObject::program(const char* name) const {
  return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), name));
}

}  // namespace nids
