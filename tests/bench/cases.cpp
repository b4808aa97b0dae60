// SPDX-License-Identifier: Apache-2.0
#include "cases.hpp"

#include <array>
#include <optional>
#include <utility>

#include "live_consumer.hpp"
#include "measure.hpp"
#include "subject.hpp"
#include "verdict.hpp"

namespace nids::bench {
namespace {

constexpr std::uint32_t kBatch = 32'768;  // its exports fit the default ring

// A run of a program is several short samples: what drifts in a long one would hit the programs
// apart, and a median of many bears more neighbours on the machine.
struct Run {
  std::uint32_t samples;
  std::uint32_t batches;
  std::uint32_t packets_per_batch;
};
constexpr Run kSameFlow{.samples = 10, .batches = 1, .packets_per_batch = 100'000};
// A batch fits the default ring: at this rate, 5 million records a second without end, a consumer
// falls behind, and a record that is lost costs less than one that is sent.
constexpr Run kRecords{.samples = 10, .batches = 6, .packets_per_batch = kBatch / 2};
constexpr Run kRandomFlows{.samples = 4, .batches = 8, .packets_per_batch = kBatch};
constexpr Run kNewFlows{.samples = 4, .batches = 2, .packets_per_batch = kBatch};

// New flows a slot until every set of the table is full.
constexpr std::uint32_t kFlowsToFillASlot = 8;

class Cases {
 public:
  Cases(const Settings& settings, const std::function<void(CaseResult)>& report)
      : settings_(settings), report_(report) {}

  Result<void> hot();
  Result<void> random(std::uint32_t flows, std::uint32_t slots_per_flow, bool with_lru);
  Result<void> new_flow(std::uint32_t slots);
  Result<void> record();

 private:
  struct Loaded {
    Subject subject;
    Reference reference;
  };
  bool is_wanted(const std::string& id) const { return id.rfind(settings_.only, 0) == 0; }
  Result<Loaded> load(const SubjectSize& size, std::uint32_t reference_flows) const;
  Plan plan(const Run& run) const;
  Lane ours(Loaded& loaded, const Bytes& frame) const;
  Lane table(const Loaded& loaded, std::string_view name, int program, const Bytes& frame) const;
  static Lane pass(const Loaded& loaded, const Bytes& frame) {
    return {.name = kPass, .program = loaded.reference.pass(), .frame = &frame};
  }

  const Settings& settings_;
  const std::function<void(CaseResult)>& report_;
};

struct HotPacket {
  std::string id;
  std::string title;
  Bytes frame;
};

// Of no class; each opens its flow or belongs to one that it has opened.
std::vector<HotPacket> hot_packets() {
  return {
      {"hot.tcp-ack", "hot flow, TCP ACK",
       PacketBuilder{}.eth().ipv4().tcp({.dst_port = 443}).padded_to(64).bytes()},
      {"hot.tcp-syn", "hot flow, TCP SYN",
       PacketBuilder{}
           .eth()
           .ipv4()
           .tcp({.dst_port = 443, .flags = kTcpSyn, .options = {2, 4, 5, 180}})
           .padded_to(64)
           .bytes()},
      {"hot.dns", "hot flow, DNS query",
       PacketBuilder{}.eth().ipv4().udp({.dst_port = 53}).payload_bytes(29).bytes()},
      {"hot.ipv6-ack", "hot flow, IPv6 TCP ACK",
       PacketBuilder{}.eth().ipv6().tcp({.dst_port = 443}).bytes()},
  };
}

// What the flow pickers change the sender of: addresses on both sides of the receiver's.
Bytes picked_frame() {
  return PacketBuilder{}
      .eth()
      .ipv4({.dst = "10.128.0.1"})
      .tcp({.dst_port = 443})
      .padded_to(64)
      .bytes();
}

Result<Cases::Loaded> Cases::load(const SubjectSize& size, std::uint32_t reference_flows) const {
  auto subject = Subject::load(size);
  if (!subject) return subject.error();
  auto reference = Reference::load(reference_flows, size.slots_per_cpu);
  if (!reference) return reference.error();
  return Loaded{std::move(*subject), std::move(*reference)};
}

Plan Cases::plan(const Run& run) const {
  if (!settings_.is_quick)
    return {settings_.runs * run.samples, run.batches, run.packets_per_batch};
  // A batch stays whole: a tenth of one would measure its beginning.
  return {settings_.runs, (run.samples * run.batches + 9) / 10, run.packets_per_batch};
}

Lane Cases::ours(Loaded& loaded, const Bytes& frame) const {
  const auto cpu = static_cast<std::uint32_t>(settings_.cpu);
  return {.name = kOurs,
          .program = loaded.subject.program(),
          .frame = &frame,
          .counted = [&loaded, cpu] { return loaded.subject.counted(cpu); },
          .after_batch = [&loaded] { loaded.subject.drain(); }};
}

Lane Cases::table(const Loaded& loaded, std::string_view name, int program,
                  const Bytes& frame) const {
  const auto cpu = static_cast<std::uint32_t>(settings_.cpu);
  return {.name = name, .program = program, .frame = &frame, .counted = [&loaded, cpu] {
            return loaded.reference.counted(cpu);
          }};
}

Result<void> Cases::hot() {
  std::optional<Loaded> loaded;
  for (const auto& [id, title, frame] : hot_packets()) {
    if (!is_wanted(id)) continue;
    if (!loaded) {
      auto fresh = load({}, 2 * kDefaultSlots);
      if (!fresh) return fresh.error();
      loaded.emplace(std::move(*fresh));
    }
    const std::vector<Lane> lanes{
        ours(*loaded, frame), table(*loaded, kHash, loaded->reference.hash(), frame),
        table(*loaded, kLru, loaded->reference.lru(), frame),
        table(*loaded, kParse, loaded->reference.parse(), frame), pass(*loaded, frame)};
    // The first packet of each opens its flow.
    const Plan once{.samples = 1, .batches = 1, .packets_per_batch = 1};
    if (auto opened = measure(loaded->reference, Pick::kFrame, lanes, once); !opened)
      return opened.error();
    const Plan plan = this->plan(kSameFlow);
    auto series = measure(loaded->reference, Pick::kFrame, lanes, plan);
    if (!series) return series.error();
    CaseResult result{.id = id, .title = title, .series = std::move(*series)};
    judge_known_flows(result, plan.packets());
    report_(std::move(result));
  }
  return {};
}

Result<void> Cases::random(std::uint32_t flows, std::uint32_t slots_per_flow, bool with_lru) {
  const std::string id =
      "random." + std::to_string(flows) + "." + std::to_string(slots_per_flow) + "x";
  if (!is_wanted(id)) return {};
  auto loaded = load({.slots_per_cpu = flows * slots_per_flow}, 2 * flows);
  if (!loaded) return loaded.error();
  const Bytes frame = picked_frame();
  Reference& reference = loaded->reference;
  std::vector<Lane> lanes{ours(*loaded, frame), table(*loaded, kHash, reference.hash(), frame)};
  if (with_lru) lanes.push_back(table(*loaded, kLru, reference.lru(), frame));
  for (const Lane& lane : lanes) {
    if (auto set = reference.set_flows(flows, 0); !set) return set.error();
    if (auto warm = warm_up(reference, lane, flows, kBatch); !warm) return warm.error();
  }
  lanes.push_back({.name = kLine, .program = reference.line(), .frame = &frame});
  lanes.push_back(pass(*loaded, frame));
  const Plan plan = this->plan(kRandomFlows);
  auto series = measure(reference, Pick::kRandom, lanes, plan);
  if (!series) return series.error();
  CaseResult result{.id = id,
                    .title = std::to_string(flows) + " flows, " + std::to_string(slots_per_flow) +
                             (slots_per_flow == 1 ? " slot each" : " slots each"),
                    .series = std::move(*series)};
  judge_known_flows(result, plan.packets());
  report_(std::move(result));
  return {};
}

Result<void> Cases::new_flow(std::uint32_t slots) {
  const std::string id = "new." + std::to_string(slots);
  if (!is_wanted(id)) return {};
  auto loaded = load({.slots_per_cpu = slots}, slots);
  if (!loaded) return loaded.error();
  const Bytes frame = picked_frame();
  Reference& reference = loaded->reference;
  std::vector<Lane> lanes{ours(*loaded, frame), table(*loaded, kHash, reference.hash(), frame),
                          table(*loaded, kLru, reference.lru(), frame)};
  // One count of flows for all: none meets a flow again.
  if (auto set = reference.set_flows(slots, 0); !set) return set.error();
  for (const Lane& lane : lanes) {
    const std::uint32_t fill = lane.name == kOurs ? kFlowsToFillASlot : 2;
    if (auto warm = warm_up(reference, lane, std::uint64_t{slots} * fill, kBatch); !warm)
      return warm.error();
  }
  lanes.push_back(pass(*loaded, frame));
  const Plan plan = this->plan(kNewFlows);
  auto series = measure(reference, Pick::kNext, lanes, plan);
  if (!series) return series.error();
  CaseResult result{.id = id,
                    .title = "new flow, victim of " + std::to_string(slots) + " slots",
                    .series = std::move(*series)};
  judge_new_flows(result, plan.packets());
  report_(std::move(result));
  return {};
}

Result<void> Cases::record() {
  const std::string id = "record.128";
  if (!is_wanted(id)) return {};
  CaseResult result{.id = id, .title = "record of 128 bytes, live consumer"};
  if (settings_.consumer_cpu < 0) {
    result.problems.push_back("not measured: there is no second CPU for the consumer");
    report_(std::move(result));
    return {};
  }
  auto loaded = load({.snap_bytes = 128}, 0);
  if (!loaded) return loaded.error();
  const auto to_port = [](std::uint16_t port) {
    return PacketBuilder{}.eth().ipv4().tcp({.dst_port = port}).payload_bytes(146).bytes();
  };
  const Bytes flagged = to_port(kFlaggedPort);
  const Bytes unflagged = to_port(443);
  std::vector<Lane> lanes{ours(*loaded, flagged), ours(*loaded, unflagged), pass(*loaded, flagged)};
  lanes[1].name = kUnflagged;
  auto consumer = LiveConsumer::start(loaded->subject.ring(), settings_.consumer_cpu);
  if (!consumer) return consumer.error();
  for (Lane& lane : lanes)
    if (lane.counted)
      lane.after_batch = [&consumer, counted = lane.counted] {
        (*consumer)->wait_for(counted().records);
      };
  const Plan plan = this->plan(kRecords);
  auto series = measure(loaded->reference, Pick::kFrame, lanes, plan);
  if (!series) return series.error();
  result.series = std::move(*series);
  judge_records(result, plan.packets());
  report_(std::move(result));
  return {};
}

}  // namespace

Result<void> run_cases(const Settings& settings, const std::function<void(CaseResult)>& report) {
  constexpr std::uint32_t kSome = 131'072, kMany = 1'048'576, kFew = 16'384;
  Cases cases(settings, report);
  if (auto done = cases.hot(); !done) return done;
  if (auto done = cases.record(); !done) return done;
  for (const std::uint32_t slots : {kDefaultSlots, kMany})
    if (auto done = cases.new_flow(slots); !done) return done;
  for (std::uint32_t flows = kFew; flows <= kMany; flows *= 2)
    if (auto done = cases.random(flows, 4, flows == kSome || flows == kMany); !done) return done;
  for (const std::uint32_t flows : {kSome, kMany})
    if (auto done = cases.random(flows, 1, false); !done) return done;
  return {};
}

}  // namespace nids::bench
