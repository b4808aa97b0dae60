// SPDX-License-Identifier: Apache-2.0
// Gives records from memory to workers, to measure what a record costs and whether two workers are
// twice as fast. The first pass makes the records before, of flagged connections. Each worker gets
// the records that its ring would have. Prints records per second and CPU time per record of one
// worker, and the ratios of two workers to one in the same run.
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/class_table.hpp"
#include "agent/output_files.hpp"
#include "agent/settings.hpp"
#include "analyse/host/correlator.hpp"
#include "config/config.hpp"
#include "decode/decode.hpp"
#include "firstpass/first_pass.hpp"
#include "nids/abi/shard.h"
#include "output/outputs.hpp"
#include "source/twin_tables.hpp"
#include "support/packet_builder.hpp"
#include "worker/pipeline.hpp"

namespace nids {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kSlots = 65'536;
constexpr int kHosts = 200, kPorts = 20;

// The records of one ring, one after the other.
struct Recorded {
  std::vector<std::byte> bytes;
  std::vector<std::uint32_t> sizes;
};

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

PacketBuilder packet_of(int host, int port, std::uint16_t service, bool is_answer,
                        std::uint8_t flags, std::size_t payload) {
  const std::string client =
      "10.1." + std::to_string(host / 250) + "." + std::to_string(host % 250 + 1);
  const std::string server = "10.2.0.1";
  const auto client_port = static_cast<std::uint16_t>(30'000 + port);
  return PacketBuilder{}
      .eth()
      .ipv4({.src = is_answer ? server : client, .dst = is_answer ? client : server})
      .tcp({.src_port = is_answer ? service : client_port,
            .dst_port = is_answer ? client_port : service,
            .flags = flags})
      .payload(std::string(payload, 'x'));
}

// Each ring's records of `kHosts` clients with `kPorts` connections each to a flagged service.
std::vector<Recorded> record_traffic(const Config& config, std::uint32_t rings) {
  std::vector<Recorded> recorded(rings);
  Packet packet;
  ExportedFlow flow;
  FirstPass first_pass(
      {.slots = kSlots, .slots_ipv6 = kSlots, .features = abi_features(config)},
      abi_classes(config), *abi_ports(config), [&](std::span<const std::byte> record) {
        std::uint32_t set = 0;
        if (decode(record, ClockOffset{}, packet, flow) == DecodeResult::kPacket)
          set = packet.slot.set;
        else
          set = flow.set;
        Recorded& ring = recorded[nids_ring_of_set(set, kSlots / NIDS_WAYS, rings)];
        ring.bytes.insert(ring.bytes.end(), record.begin(), record.end());
        ring.sizes.push_back(static_cast<std::uint32_t>(record.size()));
      });
  std::uint64_t now_ns = 1'000'000'000;
  const auto send = [&](const PacketBuilder& builder) {
    const Bytes frame = builder.bytes();
    first_pass.packet({.bytes = frame.data(),
                       .captured_len = static_cast<std::uint32_t>(frame.size()),
                       .wire_len = static_cast<std::uint32_t>(frame.size()),
                       .time_ns = now_ns += 10'000,
                       .is_ethernet = 1});
  };
  for (int host = 0; host < kHosts; ++host)
    for (int port = 0; port < kPorts; ++port) {
      send(packet_of(host, port, 22, false, kTcpSyn, 0));
      send(packet_of(host, port, 22, true, kTcpSyn | kTcpAck, 0));
      for (int i = 0; i < 4; ++i) {
        send(packet_of(host, port, 22, false, kTcpAck, 64));
        send(packet_of(host, port, 22, true, kTcpAck, 512));
      }
    }
  return recorded;
}

struct Measured {
  double wall_s = 0, cpu_s = 0;
  std::uint64_t records = 0;
  double records_a_second() const { return static_cast<double>(records) / wall_s; }
  double cpu_ns() const { return cpu_s * 1e9 / static_cast<double>(records); }
};

Measured measure(const Config& config, std::uint32_t workers, int rounds,
                 const std::string& folder) {
  const auto recorded = record_traffic(config, workers);
  FirstPass tables({.slots = kSlots, .slots_ipv6 = kSlots, .features = abi_features(config)},
                   abi_classes(config), *abi_ports(config), [](auto) {});
  Sinks sinks;
  sinks.eve.emplace(open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC));
  static_cast<void>(sinks.eve->start_thread(0));
  if (!folder.empty()) {
    const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto store = Store::open(directory, folder, {{0, {.name = "v0", .description = ""}}},
                             store_limits(config, Store::WhenBehind::kLose));
    close(directory);
    if (store) sinks.store.emplace(std::move(*store));
    if (sinks.store) sinks.store->serve(workers);
  }
  Outputs outputs(output_settings(config, {}), std::move(sinks));
  nids_agent_counters of_outputs{};
  outputs.watch(0, of_outputs);
  Correlator correlator(host_analysers(config), workers, {});
  static_cast<void>(correlator.start_thread());
  Quota quota({});
  std::vector<std::unique_ptr<Pipeline>> pipelines;
  struct alignas(64) Counters : nids_agent_counters {};
  std::vector<Counters> counters(workers);
  FlowTables watched = tables_of(tables);
  watched.rings = workers;
  for (std::uint32_t i = 0; i < workers; ++i) {
    pipelines.push_back(
        std::make_unique<Pipeline>(pipeline_settings(config, outputs.keeps_packets(), workers), i,
                                   Pipeline::Shared{outputs, correlator, quota, {}}));
    pipelines.back()->watch(watched, counters[i]);
  }

  std::barrier start(workers + 1);
  std::atomic<double> cpu_s = 0;
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < workers; ++i)
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      const double begun = seconds_of(CLOCK_THREAD_CPUTIME_ID);
      for (int round = 0; round < rounds; ++round) {
        const std::byte* record = recorded[i].bytes.data();
        for (const std::uint32_t size : recorded[i].sizes) {
          pipelines[i]->record({record, size}, ClockOffset{}, counters[i]);
          record += size;
        }
        pipelines[i]->tick({1'000'000'000ull + static_cast<std::uint64_t>(round) * 1'000'000});
      }
      cpu_s += seconds_of(CLOCK_THREAD_CPUTIME_ID) - begun;
    });
  start.arrive_and_wait();
  const auto begun = Clock::now();
  for (std::thread& one : threads) one.join();
  Measured measured;
  measured.wall_s = std::chrono::duration<double>(Clock::now() - begun).count();
  measured.cpu_s = cpu_s;
  for (const auto& one : counters) measured.records += one.consumed.packets;
  correlator.finish();
  outputs.finish({});
  return measured;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void compare(const char* what, const Config& config, int runs, int rounds,
             const std::string& folder) {
  std::vector<double> one_rate, one_cpu, rate, cpu;
  for (int run = 0; run < runs; ++run) {
    const Measured one = measure(config, 1, rounds, folder);
    const Measured two = measure(config, 2, rounds, folder);
    one_rate.push_back(one.records_a_second());
    one_cpu.push_back(one.cpu_ns());
    rate.push_back(two.records_a_second() / one.records_a_second());
    cpu.push_back(two.cpu_ns() / one.cpu_ns());
  }
  std::printf("%-22s %9.0f %10.0f %18.2f %14.2f\n", what, median(one_rate), median(one_cpu),
              median(rate), median(cpu));
}

int run(int runs, int rounds) {
  Config config = default_config();
  std::string folder =
      (std::filesystem::temp_directory_path() / "nids-bench-agent.XXXXXX").string();
  if (!mkdtemp(folder.data())) return 1;
  std::printf("%d CPUs, medians of %d runs\n\n", get_nprocs(), runs);
  std::printf("%-22s %9s %10s %18s %14s\n", "", "one", "one,", "two workers:", "CPU a record,");
  std::printf("%-22s %9s %10s %18s %14s\n", "outputs", "records/s", "ns/record", "records, ratio",
              "ratio");
  config.retain.enabled = false;
  compare("EVE", config, runs, rounds, "");
  config.retain.enabled = true;
  compare("EVE, packets stored", config, runs, rounds, folder);
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace nids

int main(int argc, char** argv) {
  int runs = 5, rounds = 50;
  for (int i = 1; i < argc; i += 2) {
    int* const option = std::strcmp(argv[i], "--runs") == 0     ? &runs
                        : std::strcmp(argv[i], "--rounds") == 0 ? &rounds
                                                                : nullptr;
    if (option == nullptr || i + 1 == argc) {
      std::puts("usage: tools/bench agent [--runs N] [--rounds N]  (5 runs of 50 rounds)");
      return std::strcmp(argv[i], "--help") == 0 ? 0 : 2;
    }
    *option = std::max(1, std::atoi(argv[i + 1]));
  }
  return nids::run(runs, rounds);
}
