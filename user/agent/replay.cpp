// SPDX-License-Identifier: Apache-2.0
#include "agent/replay.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <span>

#include "agent/class_table.hpp"
#include "agent/inline_workers.hpp"
#include "agent/output_files.hpp"
#include "agent/privileges.hpp"
#include "decode/printable.hpp"
#include "source/capture_file.hpp"
#include "source/record_source.hpp"
#include "source/twin_frame.hpp"

namespace nids {
namespace {

// Any one does: nobody can attack a table that lives for one file, and the same file must give
// the same output.
constexpr std::uint64_t kHashSeed = 0x6e6964732d786470;

// Who replays keeps packets as himself, but root becomes the agent's user first.
AgentUser packets_owner() {
  if (geteuid() == 0) return agent_user();
  return {.name = "this user", .uid = geteuid(), .gid = getegid()};
}

Result<Sinks> open_sinks(const ReplayRequest& request, int dlt, Fd directory) {
  Sinks sinks;
  sinks.on_alert = request.on_alert;
  sinks.warning = request.warning;
  if (request.retain) {
    auto store = Store::open(directory.get(), *request.retain,
                             {{0,
                               {.name = request.file,
                                .description = {},
                                .link_type = pcapng::link_type_of(dlt),
                                .snap_len = 0,
                                .filter = printable(request.selection.filter_text)}}},
                             store_limits(request.config, Store::WhenBehind::kWait));
    if (!store) return store.error();
    if (auto repaired = store->start(); !repaired) return repaired.error();
    sinks.store.emplace(std::move(*store));
  }
  return sinks;
}

// The first pass wants tables for one file only; the agent's own are per CPU.
FirstPass::Setup first_pass_setup(const Config& config) {
  return {.slots = config.flow.slots_per_cpu,
          .slots_ipv6 = config.flow.ipv6_slots_per_cpu,
          .features = abi_features(config),
          .snap_bytes = config.ring.snap_bytes,
          .sample_bytes = config.ring.sample_bytes,
          .sample_window = std::chrono::seconds(config.alert.suppress_seconds),
          .hash_seed = kHashSeed};
}

Result<std::unique_ptr<RecordSource>> open_source(const ReplayRequest& request,
                                                  RecordSource::Sink sink) {
  const auto classes = abi_classes(request.config);
  const auto ports = abi_ports(request.config);
  const RecordSourceSetup setup{
      .first_pass = first_pass_setup(request.config), .classes = classes, .ports = ports.get()};
  return request.by_kernel ? source_by_kernel(setup, std::move(sink))
                           : source_by_twin(setup, std::move(sink));
}

Result<void> may_load() {
  const std::string missing = missing_to_load();
  if (missing.empty()) return {};
  return Error{.action = "load the program into the kernel",
               .reason = "this process lacks " + missing,
               .hint = "run it as root; without --kernel a replay needs no privilege"};
}

// When to look at the flow tables, by the packets' clock. A table that few packets have gone
// through is looked at seldom: a capture may be of a year.
class FlowScans {
 public:
  FlowScans(InlineWorkers& workers, std::uint32_t tick_ns) : workers_(workers), tick_ns_(tick_ns) {}

  void before(WallTime time) {
    const std::uint64_t passed_ns = time.ns > last_.ns ? time.ns - last_.ns : 0;
    const bool is_due = packets_ < kFew ? passed_ns >= kSeldom_ns : passed_ns >= kOften_ns;
    if (is_due && packets_ > 0) {
      // At the time of the packets so far: the next may come after ticks have wrapped. Then twice
      // at its own, since a flow is over where nothing was read of it for a scan.
      workers_.scan(clock(latest_));
      workers_.scan(clock(time));
      workers_.scan(clock(time));
      workers_.tick(time);
      workers_.flush(time);
    }
    if (is_due) {
      last_ = time;
      packets_ = 0;
    }
    ++packets_;
    latest_ = std::max(latest_, time);
  }
  void end() { workers_.end(clock(latest_)); }

 private:
  static constexpr std::uint64_t kOften_ns = 1'000'000'000, kSeldom_ns = 30'000'000'000;
  static constexpr std::uint64_t kFew = 4096;

  TickClock clock(WallTime now) const {
    return {.now_ticks = static_cast<std::uint32_t>(now.ns / tick_ns_),
            .tick_ns = tick_ns_,
            .now = now};
  }

  InlineWorkers& workers_;
  std::uint32_t tick_ns_;
  WallTime last_, latest_;
  std::uint64_t packets_ = 0;
};

// Every frame of the file, until its end, its damage, or enough of it.
Result<void> take_frames(CaptureFile& file, RecordSource& source, const InlineWorkers& workers,
                         FlowScans& scans, const std::function<bool()>& is_to_end,
                         ReplayOutcome& outcome) {
  const int dlt = file.link_type();
  std::uint64_t first_ns = 0, last_ns = 0;
  for (;;) {
    auto frame = file.next();
    if (is_to_end && is_to_end()) {  // which may have interrupted the reading
      outcome.damage = Error{.action = "read the file to its end", .reason = "a signal came"};
      break;
    }
    if (!frame) {
      outcome.damage = frame.error();
      break;
    }
    if (!*frame) break;
    scans.before((*frame)->time);
    const auto taken = source.packet(twin_frame(**frame, dlt));
    if (!taken) return taken.error();
    outcome.not_taken += !*taken;
    if (outcome.packets++ == 0) first_ns = last_ns = (*frame)->time.ns;
    first_ns = std::min(first_ns, (*frame)->time.ns);
    last_ns = std::max(last_ns, (*frame)->time.ns);
    outcome.bytes += (*frame)->wire_len;
    if (workers.has_enough()) break;
  }
  outcome.duration_s = static_cast<double>(last_ns - first_ns) / 1e9;
  return {};
}

}  // namespace

Result<ReplayOutcome> replay(ReplayRequest request) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const auto started = std::chrono::steady_clock::now();
  if (request.by_kernel)
    if (auto able = may_load(); !able) return able.error();
  request.config.retain.enabled = request.retain.has_value();
  ReplayOutcome outcome;
  Fd eve, directory;
  std::unique_ptr<RecordSource> source;
  std::optional<InlineWorkers> workers;  // its outputs want the file's link type
  const auto prepare = [&]() -> Result<void> {
    if (request.eve) {
      auto fd = open_eve(*request.eve, false);
      if (!fd) return fd.error();
      eve = std::move(*fd);
    }
    if (request.retain) {
      auto fd = open_packet_directory(*request.retain, packets_owner());
      if (!fd) return fd.error();
      directory = std::move(*fd);
    }
    auto opened =
        open_source(request, [&](auto record) { workers->record(record, outcome.agent); });
    if (!opened) return opened.error();
    source = std::move(*opened);
    if (auto dropped = drop_root(); !dropped || !request.confine) return dropped;
    const int retain = directory.get();
    return request.confine({.directories = std::span(&retain, directory ? 1 : 0),
                            .may_run_programs = request.by_kernel});
  };
  auto file = CaptureFile::open(request.file, prepare);
  if (!file) return file.error();
  if (request.filter) {
    auto filter = request.filter(file->libpcap());
    if (!filter) return filter.error();
    request.selection.filter = std::move(*filter);
  }
  auto sinks = open_sinks(request, file->link_type(), std::move(directory));
  if (!sinks) return sinks.error();
  if (eve) sinks->eve.emplace(eve.release());

  outcome.classes = abi_classes(request.config);
  outcome.slots =
      std::uint64_t{request.config.flow.slots_per_cpu} + request.config.flow.ipv6_slots_per_cpu;
  workers.emplace(
      request.config, std::map<std::uint32_t, std::string>{}, std::move(*sinks),
      std::move(request.selection),
      [&](auto, const FlowIdentity& flow, nids_slot_address slot, std::uint8_t word) {
        return source->command(flow, slot, word);
      },
      request.workers);
  workers->watch(source->tables(), outcome.agent);
  FlowScans scans(*workers, first_pass_setup(request.config).tick_ns);
  if (auto done = take_frames(*file, *source, *workers, scans, request.is_to_end, outcome); !done)
    return done.error();
  scans.end();
  const auto reading = source->read();
  if (!reading) return reading.error();
  outcome.counters = reading->counters;
  const nids_sum &live = reading->live_by_scan, &counted = outcome.counters.live;
  outcome.scan_agrees = live.packets == counted.packets && live.bytes == counted.bytes;
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - started;
  outcome.wall_s = wall.count();
  return outcome;
}

}  // namespace nids
