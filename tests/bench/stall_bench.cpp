// SPDX-License-Identifier: Apache-2.0
// Measures how long a worker of the agent is away from its rings. The real agent reads the rings
// and flow tables of the real program, which gets its packets by BPF_PROG_TEST_RUN. Meanwhile a
// client asks for flows, and the disk of the EVE file and the packets hangs. Prints a histogram.
// stall_bench.py starts this program.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/agent.hpp"
#include "agent/link.hpp"
#include "agent/output_files.hpp"
#include "agent/settings.hpp"
#include "agent/unix_listener.hpp"
#include "kernel/flow_maps.hpp"
#include "source/flow_commands.hpp"
#include "source/live_tables.hpp"
#include "stall_client.hpp"
#include "stall_report.hpp"
#include "stall_rounds.hpp"
#include "stall_traffic.hpp"

namespace nids::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string directory;  // on a file system that the benchmark may freeze
  std::uint32_t flows = 1'000'000;
  std::uint32_t slots = 1'048'576;
  std::uint32_t interim_s = 0;
  int seconds = 20;
  bool freezes = true;
};

Config config_of(const Options& options) {
  Config config = default_config();
  config.flow.slots_per_cpu = options.slots;
  config.flow.ipv6_slots_per_cpu = 8'192;
  config.flow.max_tracked_flows = std::max(options.slots + options.slots / 4, options.flows);
  config.flow.udp_seconds = 2;  // so that flows end all the time
  config.flow.interim_seconds = options.interim_s;
  for (ProtocolClass& one : config.classes) one.interest = NIDS_INTEREST_CAPTURE;
  return config;
}

int fail(const Error& error) {
  std::fprintf(stderr, "nids-stall-bench: %s\n", error.message().c_str());
  return 1;
}

// Freezes the disk at freeze(), until thaw() or the end of the object.
class FrozenDisk {
 public:
  explicit FrozenDisk(int directory) : directory_(directory) {}
  Result<void> freeze() {
    if (ioctl(directory_, FIFREEZE, 0) != 0)
      return Error{.action = "freeze the disk", .error_number = errno};
    is_frozen_ = true;
    return {};
  }
  void thaw() {
    if (std::exchange(is_frozen_, false)) ioctl(directory_, FITHAW, 0);
  }
  ~FrozenDisk() { thaw(); }

 private:
  int directory_;
  bool is_frozen_ = false;
};

Result<Sinks> open_sinks(const Config& config, const std::string& directory, int fd) {
  Sinks sinks;
  const std::string eve = directory + "/eve.json";
  sinks.eve.emplace(open(eve.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!sinks.eve->start_thread(0)) return Error{.action = "start the writer", .error_number = 0};
  auto store = Store::open(fd, directory, {{7, {.name = "bench", .description = ""}}},
                           store_limits(config, Store::WhenBehind::kLose));
  if (!store) return store.error();
  if (auto started = store->start(); !started) return started.error();
  sinks.store.emplace(std::move(*store));
  return sinks;
}

bool wait_until(const auto& is_so, std::chrono::seconds at_most) {
  const auto deadline = Clock::now() + at_most;
  while (!is_so()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::uint64_t tracked(const std::vector<Watched>& watched) {
  return read_counters(watched.front().counters.values()).flows_tracked;
}

Result<Measured> drive(const Options& options, const StallTraffic& traffic,
                       const std::vector<Watched>& watched, const std::string& socket,
                       FrozenDisk& disk) {
  Measured measured;
  const auto agent = [&] { return read_counters(watched.front().counters.values()); };
  // The store must have a file before the disk hangs.
  if (auto sent = traffic.send_flagged(1'000, 1); !sent) return sent.error();
  if (!wait_until([&] { return agent().retained.packets != 0 && agent().eve_lines != 0; },
                  std::chrono::seconds(10)))
    return Error{.action = "store a packet", .reason = "the agent did not do so in time"};
  std::this_thread::sleep_for(std::chrono::milliseconds(1'500));  // the store flushes once a second
  if (options.freezes)
    if (auto frozen = disk.freeze(); !frozen) return frozen.error();
  if (auto made = traffic.make_flows(); !made) return made.error();
  if (!wait_until([&] { return tracked(watched) >= options.flows * 0.99; },
                  std::chrono::seconds(120)))
    return Error{.action = "make the flows", .reason = "the agent did not find them in time"};
  mark_filled();

  std::atomic<bool> is_over = false;
  std::thread client([&] { measured.asked = ask_each_second(socket, is_over); });
  Result<void> sent;
  std::thread sender([&] { sent = traffic.run(is_over); });
  measured.begun = cpu_times();
  std::this_thread::sleep_for(std::chrono::seconds(options.seconds));
  measured.ended = cpu_times();
  measured.flows = tracked(watched);
  measured.rss_kib = rss_kib();
  is_over = true;
  sender.join();
  client.join();
  measured.consumed = agent().consumed.packets;
  const nids_counters counters = read_counters(watched.front().tables.counters.values());
  for (const nids_sum& one : counters.ring_lost) measured.lost.packets += one.packets;
  if (!sent) return sent.error();
  return measured;
}

Result<void> run(const Options& options) {
  const Config config = config_of(options);
  const Fd directory{open(options.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) return Error{.action = "open " + options.directory, .error_number = errno};
  FrozenDisk disk(directory.get());
  auto noise_ns = machine_noise_ns();
  auto traffic = StallTraffic::load(config, options.flows);
  if (!traffic) return traffic.error();
  std::vector<Watched> watched;
  if (auto one = traffic->watched())
    watched.push_back(std::move(*one));
  else
    return one.error();
  FlowCommands commands(tables_of(watched.front().tables));
  const auto ticks = sample_ticks(watched.front().tables.info.tick_ns);
  auto link = make_link();
  const std::string socket = options.directory + "/../control-" + std::to_string(getpid());
  auto listener = listen_at(socket, -1);
  auto sinks = open_sinks(config, options.directory, directory.get());
  if (!ticks) return ticks.error();
  if (!link) return link.error();
  if (!listener) return listener.error();
  if (!sinks) return sinks.error();
  Outputs outputs(output_settings(config, {{7, "bench"}}), std::move(*sinks));
  outputs.watch(traffic->ifindex(), watched.front().counters[0]);
  ParentLink parent(std::move(link->second), 0);
  const ClassIndexes classes = indexes_in_order(config.classes);
  const Links links;
  Result<void> ended;
  std::thread agent([&] {
    ended = run_agent(
        {.config = config,
         .classes = classes,
         .interfaces = watched,
         .ticks = *ticks,
         .links = links,
         .outputs = outputs,
         .selection = {},
         .steer = [&](std::uint32_t, const FlowIdentity& flow, nids_slot_address slot,
                      std::uint8_t word) { return commands.give(flow, slot, word); },
         .control_listener = std::move(*listener),
         .parent = parent,
         .classes_changed = {},
         .warning = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }});
  });
  auto measured = drive(options, *traffic, watched, socket, disk);
  disk.thaw();
  static_cast<void>(say(link->first.get(), Word::kEnd));
  agent.join();
  unlink(socket.c_str());
  if (!measured) return measured.error();
  if (!ended) return ended;
  report(*measured, take_rounds(), std::move(noise_ns), options.freezes);
  return {};
}

Options options_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--directory") options.directory = value;
    if (name == "--flows") options.flows = static_cast<std::uint32_t>(std::atoi(value));
    if (name == "--slots") options.slots = static_cast<std::uint32_t>(std::atoi(value));
    if (name == "--interim") options.interim_s = static_cast<std::uint32_t>(std::atoi(value));
    if (name == "--seconds") options.seconds = std::max(1, std::atoi(value));
    if (name == "--freeze") options.freezes = std::atoi(value) != 0;
  }
  return options;
}

}  // namespace
}  // namespace nids::bench

int main(int argc, char** argv) {
  if (auto done = nids::bench::run(nids::bench::options_of(argc, argv)); !done)
    return nids::bench::fail(done.error());
  return 0;
}
