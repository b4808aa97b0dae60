// SPDX-License-Identifier: Apache-2.0
#include "stall_traffic.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "agent/class_table.hpp"
#include "live_consumer.hpp"
#include "nids.skel.h"
#include "support/packet_builder.hpp"

namespace nids::bench {
namespace {

constexpr int kIfindex = 7;
constexpr std::size_t kSourceOffset = 26;      // of an IPv4 frame
constexpr std::uint32_t kStaying = 10u << 24;  // the first source address of each kind
constexpr std::uint32_t kPassing = 172u << 24;
// Packets of each turn. The ring has no room for all packets of the flood.
constexpr std::uint32_t kFlood = 100'000, kRenewed = 20'000, kPassingFlows = 5'000;

Bytes tcp_frame() {
  return PacketBuilder{}
      .eth()
      .ipv4({.src = "10.0.0.0", .dst = "192.0.2.1"})
      .tcp({.src_port = 40'000, .dst_port = 9'999, .flags = kTcpAck})
      .payload("data")
      .bytes();
}
Bytes udp_frame() {
  return PacketBuilder{}
      .eth()
      .ipv4({.src = "172.0.0.0", .dst = "192.0.2.1"})
      .udp({.src_port = 40'000, .dst_port = 9'999})
      .payload("data")
      .bytes();
}
Bytes flagged_frame(std::uint16_t port) {
  return PacketBuilder{}
      .eth()
      .ipv4({.src = "10.255.0.1", .dst = "192.0.2.1"})
      .udp({.src_port = port, .dst_port = 53'413})
      .payload(std::string(64, 'x'))
      .bytes();
}

Result<void> test_run(int program, std::span<const std::byte> frame, std::uint32_t times) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.repeat = static_cast<int>(times);
  if (bpf_prog_test_run_opts(program, &options) != 0)
    return Error{.action = "run a frame through the program", .error_number = errno};
  return {};
}

void set_source(Bytes& frame, std::uint32_t address) {
  for (std::size_t i = 0; i < 4; ++i)
    frame[kSourceOffset + i] = static_cast<std::byte>(address >> (24 - 8 * i));
}

}  // namespace

Result<StallTraffic> StallTraffic::load(const Config& config, std::uint32_t flows) {
  StallTraffic traffic;
  const auto classes = abi_classes(config);
  const auto ports = abi_ports(config);
  auto object = open_object(kIfindex, "bench", program_setup(config, classes, *ports));
  if (!object) return object.error();
  traffic.object_ = std::move(*object);
  nids_bpf& bpf = *traffic.object_.skeleton;
  bpf_program__set_autoload(bpf.progs.nids_ingress, true);
  if (const int error = nids_bpf__load(&bpf))
    return Error{.action = "load the program", .error_number = -error};
  auto maps = Maps::of_object(bpf.obj);
  if (!maps) return maps.error();
  traffic.maps_ = std::move(*maps);
  traffic.program_ = bpf_program__fd(bpf.progs.nids_ingress);
  traffic.flows_ = flows;
  return traffic;
}

Result<Watched> StallTraffic::watched() const {
  auto rings = maps_.rings();
  if (!rings) return rings.error();
  auto tables = FlowMaps::of(maps_);
  if (!tables) return tables.error();
  MappedArray<nids_agent_counters> counters(maps_.fd("nids_agent"), 1 + rings->size());
  if (!counters) return Error{.action = "map the counters", .error_number = errno};
  return Watched{std::move(*rings), std::move(*tables), std::move(counters)};
}

Result<void> StallTraffic::send_staying(std::uint32_t first, std::uint32_t count) const {
  Bytes frame = tcp_frame();
  for (std::uint32_t i = first; i != first + count; ++i) {
    set_source(frame, kStaying + i % flows_);
    if (auto sent = test_run(program_, frame, 1); !sent) return sent;
  }
  return {};
}

Result<void> StallTraffic::send_passing(std::uint32_t first, std::uint32_t count) const {
  Bytes frame = udp_frame();
  for (std::uint32_t i = first; i != first + count; ++i) {
    set_source(frame, kPassing + i % (1u << 20));
    if (auto sent = test_run(program_, frame, 1); !sent) return sent;
  }
  return {};
}

Result<void> StallTraffic::make_flows() const {
  const auto cpus = static_cast<std::uint32_t>(get_nprocs());
  for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
    if (auto moved = stay_on_cpu(static_cast<int>(cpu)); !moved) return moved;
    const std::uint32_t first = flows_ / cpus * cpu;
    const std::uint32_t last = cpu + 1 == cpus ? flows_ : first + flows_ / cpus;
    if (auto sent = send_staying(first, last - first); !sent) return sent;
  }
  return {};
}

Result<void> StallTraffic::send_flagged(std::uint16_t port, std::uint32_t times) const {
  return test_run(program_, flagged_frame(port), times);
}

// Runs on the first CPU, and sends packets of the flows that have their slots there.
Result<void> StallTraffic::run(const std::atomic<bool>& is_over) const {
  if (auto moved = stay_on_cpu(0); !moved) return moved;
  const std::uint32_t of_this_cpu = flows_ / static_cast<std::uint32_t>(get_nprocs());
  std::uint32_t renewed = 0, passing = 0;
  for (int turn = 0; !is_over; ++turn) {
    const auto port = static_cast<std::uint16_t>(1024 + turn % 60'000);
    if (auto sent = send_flagged(port, kFlood); !sent) return sent;
    if (auto sent = send_staying(renewed, std::min(kRenewed, of_this_cpu - renewed)); !sent)
      return sent;
    if (auto sent = send_passing(passing, std::min(kPassingFlows, flows_)); !sent) return sent;
    renewed = renewed + kRenewed < of_this_cpu ? renewed + kRenewed : 0;
    passing += kPassingFlows;
  }
  return {};
}

}  // namespace nids::bench
