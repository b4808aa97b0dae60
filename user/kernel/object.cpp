// SPDX-License-Identifier: Apache-2.0
#include "kernel/object.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/random.h>
#include <sys/stat.h>

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

std::uint64_t wall_now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

nids_info describe(int ifindex, const std::string& ifname, std::uint32_t cpus,
                   std::uint32_t sets_per_cpu, const ProgramSetup& setup) {
  nids_info info{};
  info.magic = NIDS_MAGIC;
  info.abi_version = NIDS_ABI_VERSION;
  info.ifindex = static_cast<std::uint32_t>(ifindex);
  info.attached_wall_ns = wall_now_ns();
  info.netns_inode = own_netns();
  info.cpus = cpus;
  info.sets_per_cpu = sets_per_cpu;
  info.ring_bytes = static_cast<std::uint32_t>(setup.ring_bytes);
  info.snap_bytes = setup.snap_bytes;
  std::strncpy(info.ifname, ifname.c_str(), sizeof(info.ifname) - 1);
  return info;
}

}  // namespace

void SkeletonDeleter::operator()(nids_bpf* skeleton) const noexcept { nids_bpf__destroy(skeleton); }

Result<Object> open_object(int ifindex, const std::string& ifname, const ProgramSetup& setup) {
  Object object;
  object.skeleton.reset(nids_bpf__open());
  if (!object.skeleton) return Error{.action = "open the BPF object", .error_number = errno};
  const bool is_packet_time = setup.packet_time_seed.has_value();
  const auto cpus = is_packet_time ? 1u : static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  const std::uint32_t sets = setup.slots_per_cpu / NIDS_WAYS;
  object.info = describe(ifindex, ifname, cpus, sets, setup);

  nids_bpf& bpf = *object.skeleton;
  bpf_map__set_max_entries(bpf.maps.nids_counters, cpus);
  bpf_map__set_max_entries(bpf.maps.nids_flows, cpus * sets);
  bpf_map__set_max_entries(bpf.maps.nids_ring, static_cast<std::uint32_t>(setup.ring_bytes));
  bpf.rodata->nids_ifindex = static_cast<std::uint32_t>(ifindex);
  bpf.rodata->nids_snap_bytes = setup.snap_bytes;
  bpf.rodata->nids_sets_per_cpu = sets;
  std::uint64_t seed = setup.packet_time_seed.value_or(0);
  if (!is_packet_time && getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
    return Error{.action = "draw a hash seed", .error_number = errno};
  bpf.rodata->nids_hash_seed = seed;
  bpf.rodata->nids_packet_time = is_packet_time;
  // What names the map is code that the verifier finds dead, and it accepts that.
  bpf_map__set_autocreate(bpf.maps.nids_clock, is_packet_time);

  auto classes = make_filled(bpf.maps.nids_classes, setup.classes.data());
  if (!classes) return classes.error();
  auto ports = make_filled(bpf.maps.nids_ports, setup.ports);
  if (!ports) return ports.error();
  auto info = make_filled(bpf.maps.nids_info, &object.info);
  if (!info) return info.error();
  object.classes = std::move(*classes);
  object.ports = std::move(*ports);
  object.info_map = std::move(*info);
  return object;
}

}  // namespace nids
