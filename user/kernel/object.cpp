// SPDX-License-Identifier: Apache-2.0
#include "kernel/object.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "kernel/maps.hpp"
#include "nids.skel.h"

namespace nids {
namespace {

// A map of the object's shape, with its value in it before the object is loaded.
template <class T>
Result<Fd> make_filled(bpf_map* map, const T* value) {
  const std::string name = bpf_map__name(map);
  Fd fd{bpf_map_create(bpf_map__type(map), name.c_str(), bpf_map__key_size(map),
                       bpf_map__value_size(map), bpf_map__max_entries(map), nullptr)};
  if (!fd) return Error{.action = "create map " + name, .error_number = errno};
  if (auto written = write_value(fd.get(), value, name); !written) return written.error();
  if (const int error = bpf_map__reuse_fd(map, fd.get()); error != 0)
    return Error{.action = "use map " + name, .error_number = -error};
  return fd;
}

std::uint64_t own_netns() {
  struct stat status {};
  return stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0;
}

constexpr std::uint64_t kSecond_ns = 1'000'000'000;

// Ticks wrap, so no interval can be longer than half of their range.
std::uint32_t ticks_of(std::uint64_t ns, std::uint32_t tick_ns) {
  constexpr std::uint64_t kMax_ticks = 0x7fffffff;
  return static_cast<std::uint32_t>(std::min(ns / tick_ns, kMax_ticks));
}

// The coarse clock moves once a jiffy, and its resolution says how long that is.
std::uint32_t tick_ns() {
  timespec resolution{};
  clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
  return static_cast<std::uint32_t>(std::max(resolution.tv_nsec, 1L));
}

std::uint64_t wall_now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

nids_info describe(int ifindex, const std::string& ifname, const ProgramSetup& setup) {
  nids_info info{};
  info.magic = NIDS_MAGIC;
  info.abi_version = NIDS_ABI_VERSION;
  info.ifindex = static_cast<std::uint32_t>(ifindex);
  info.attached_wall_ns = wall_now_ns();
  info.netns_inode = own_netns();
  info.cpus = setup.packet_time ? 1 : static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  info.sets4_per_cpu = setup.slots_per_cpu / NIDS_WAYS;
  info.sets6_per_cpu = setup.ipv6_slots_per_cpu / NIDS_WAYS;
  info.cells = std::max(setup.slots_per_cpu, setup.ipv6_slots_per_cpu);
  info.rings = setup.rings;
  info.tick_ns = setup.packet_time ? setup.packet_time->tick_ns : tick_ns();
  info.ring_bytes = static_cast<std::uint32_t>(setup.ring_bytes);
  info.snap_bytes = setup.snap_bytes;
  info.sample_bytes = setup.sample_bytes;
  info.features = setup.features;
  std::strncpy(info.ifname, ifname.c_str(), sizeof(info.ifname) - 1);
  return info;
}

void size_maps(nids_bpf& bpf, const nids_info& info) {
  bpf_map__set_max_entries(bpf.maps.nids_counters, info.cpus);
  bpf_map__set_max_entries(bpf.maps.nids_agent, info.rings + 1);
  bpf_map__set_max_entries(bpf.maps.nids_budgets, info.cpus);
  bpf_map__set_max_entries(bpf.maps.nids_passes, info.cpus);
  bpf_map__set_max_entries(bpf.maps.nids_flows4, info.cpus);
  bpf_map__set_value_size(bpf.maps.nids_flows4, info.sets4_per_cpu * sizeof(nids_flow4_set));
  bpf_map__set_max_entries(bpf.maps.nids_flows6, info.cpus);
  bpf_map__set_value_size(bpf.maps.nids_flows6, info.sets6_per_cpu * sizeof(nids_flow6_set));
  bpf_map__set_max_entries(bpf.maps.nids_cells, info.cells);
}

Result<void> fill_settings(nids_bpf& bpf, const nids_info& info, const ProgramSetup& setup) {
  auto& settings = *bpf.rodata;
  settings.nids_ifindex = info.ifindex;
  settings.nids_features = setup.features;
  settings.nids_snap_bytes = setup.snap_bytes;
  settings.nids_sample_bytes = setup.sample_bytes;
  settings.nids_sets4_per_cpu = info.sets4_per_cpu;
  settings.nids_sets6_per_cpu = info.sets6_per_cpu;
  settings.nids_cells_bits = static_cast<std::uint32_t>(std::bit_width(info.cells) - 1);
  settings.nids_ring_count = info.rings;
  settings.nids_ring_bytes = info.ring_bytes;
  settings.nids_tick_ns = info.tick_ns;
  settings.nids_idle_ticks = static_cast<std::uint32_t>(NIDS_IDLE_NS / info.tick_ns);
  settings.nids_second_ticks = static_cast<std::uint32_t>(kSecond_ns / info.tick_ns);
  settings.nids_sample_window_ticks =
      ticks_of(static_cast<std::uint64_t>(setup.sample_window.count()) * kSecond_ns, info.tick_ns);
  settings.nids_packet_time = setup.packet_time.has_value();
  // What names the map is code that the verifier finds dead, and it accepts that.
  bpf_map__set_autocreate(bpf.maps.nids_clock, setup.packet_time.has_value());
  const auto keys = setup.hash_keys ? Result<HashKeys>(*setup.hash_keys) : random_hash_keys();
  if (!keys) return keys.error();
  std::ranges::copy(*keys, settings.nids_hash_keys);
  return {};
}

// All rings exist before the first packet does.
Result<void> make_rings(Object& object, const ProgramSetup& setup) {
  bpf_map* map = object.skeleton->maps.nids_rings;
  for (std::uint32_t i = 0; i < setup.rings; ++i) {
    object.rings.emplace_back(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "nids_ring", 0, 0,
                                             static_cast<std::uint32_t>(setup.ring_bytes),
                                             nullptr));
    const int ring = object.rings.back().get();
    if (ring < 0) return Error{.action = "create a ring buffer", .error_number = errno};
    if (!object.ring_map) {
      bpf_map_create_opts options{};
      options.sz = sizeof(options);
      options.inner_map_fd = static_cast<std::uint32_t>(ring);
      object.ring_map =
          Fd{bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "nids_rings", sizeof(std::uint32_t),
                            sizeof(std::uint32_t), NIDS_RINGS_MAX, &options)};
      if (!object.ring_map) return Error{.action = "create map nids_rings", .error_number = errno};
    }
    if (bpf_map_update_elem(object.ring_map.get(), &i, &ring, BPF_ANY) != 0)
      return Error{.action = "write map nids_rings", .error_number = errno};
  }
  if (const int error = bpf_map__reuse_fd(map, object.ring_map.get()); error != 0)
    return Error{.action = "use map nids_rings", .error_number = -error};
  return {};
}

}  // namespace

Result<HashKeys> random_hash_keys() {
  HashKeys keys;
  if (getrandom(keys.data(), sizeof(keys), 0) != static_cast<ssize_t>(sizeof(keys)))
    return Error{.action = "draw hash keys", .error_number = errno};
  return keys;
}

void SkeletonDeleter::operator()(nids_bpf* skeleton) const noexcept { nids_bpf__destroy(skeleton); }

Result<Object> open_object(int ifindex, const std::string& ifname, const ProgramSetup& setup) {
  Object object;
  object.skeleton.reset(nids_bpf__open());
  if (!object.skeleton) return Error{.action = "open the BPF object", .error_number = errno};
  object.info = describe(ifindex, ifname, setup);

  nids_bpf& bpf = *object.skeleton;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, bpf.obj) bpf_program__set_autoload(program, false);
  size_maps(bpf, object.info);
  if (auto filled = fill_settings(bpf, object.info, setup); !filled) return filled.error();
  auto classes = make_filled(bpf.maps.nids_classes, setup.classes.data());
  if (!classes) return classes.error();
  auto ports = make_filled(bpf.maps.nids_ports, setup.ports);
  if (!ports) return ports.error();
  auto keys = make_filled(bpf.maps.nids_keys, &bpf.rodata->nids_hash_keys);
  if (!keys) return keys.error();
  auto info = make_filled(bpf.maps.nids_info, &object.info);
  if (!info) return info.error();
  if (auto made = make_rings(object, setup); !made) return made.error();
  object.classes = std::move(*classes);
  object.keys = std::move(*keys);
  object.ports = std::move(*ports);
  object.info_map = std::move(*info);
  return object;
}

}  // namespace nids
