// SPDX-License-Identifier: Apache-2.0
#include "support/bpf_run.hpp"

#include "firstpass/twin.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace nids {
namespace {

constexpr std::uint32_t kZero = 0;

Error failed(std::string action, int error_number) {
  return {.action = std::move(action), .error_number = error_number};
}

Result<std::uint32_t> test_run(int program, std::span<const std::byte> frame, auto* context) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.repeat = 1;
  if (context != nullptr) {
    options.ctx_in = context;
    options.ctx_size_in = sizeof(*context);
  }
  if (bpf_prog_test_run_opts(program, &options) != 0)
    return failed("run a frame of " + std::to_string(frame.size()) + " bytes", errno);
  return options.retval;
}

template <class Set>
void add_live(nids_sum& live, std::span<const Set> sets) {
  for (const Set& set : sets)
    for (const auto& slot : set.way) {
      live.packets += std::uint64_t{slot.state.packets[0]} + slot.state.packets[1];
      live.bytes += slot.state.bytes[0] + slot.state.bytes[1];
    }
}

}  // namespace

// TEST_RUN can't give a socket buffer a VLAN tag beside its bytes, so a program of three calls
// does: push the tag that the test asks for, then go on in the program of the direction.
struct BpfRun::Tagger {
  Fd next;  // program array, by direction
  Fd program;
};

// libbpf keeps the address of what it calls.
struct BpfRun::Reader {
  RingRecords* records = nullptr;
  std::unique_ptr<ring_buffer, FreeRing> ring;

  static int take(void* context, void* data, std::size_t bytes) noexcept {
    static_cast<Reader*>(context)->records->take({static_cast<const std::byte*>(data), bytes});
    return 0;
  }
};

void BpfRun::FreeRing::operator()(ring_buffer* ring) const noexcept { ring_buffer__free(ring); }

BpfRun::BpfRun() = default;
BpfRun::BpfRun(BpfRun&&) noexcept = default;
BpfRun& BpfRun::operator=(BpfRun&&) noexcept = default;
BpfRun::~BpfRun() = default;

Result<BpfRun> BpfRun::load(const BpfSetup& setup, const ClassTables& tables) {
  BpfRun run;
  if (Result<void> opened = run.open(setup, tables); !opened) return opened.error();
  return run;
}

Result<void> BpfRun::open(const BpfSetup& setup, const ClassTables& tables) {
  auto object = BpfObject::load(setup, tables);
  if (!object) return object.error();
  object_ = std::move(*object);

  counters_ = {object_->map("nids_counters"), info().cpus};
  flows4_ = {object_->map("nids_flows4"), std::size_t{info().cpus} * info().sets4_per_cpu};
  flows6_ = {object_->map("nids_flows6"), std::size_t{info().cpus} * info().sets6_per_cpu};
  cells_ = {object_->map("nids_cells"), info().cells};
  datagrams_ = {object_->map("nids_datagrams"), NIDS_TWIN_DATAGRAMS};
  if (!counters_ || !flows4_ || !flows6_ || !cells_ || !datagrams_)
    return failed("map the counters, flows and cells", errno);
  if (setup.is_packet_time) {
    clock_ = Mapped<nids_clock>(object_->map("nids_clock"));
    if (!clock_) return failed("map the clock", errno);
  }
  for (const Fd& ring : object_->rings()) {
    auto reader = std::make_unique<Reader>();
    reader->ring.reset(ring_buffer__new(ring.get(), Reader::take, reader.get(), nullptr));
    if (!reader->ring) return failed("open a ring", errno);
    readers_.push_back(std::move(reader));
  }
  return setup.is_packet_time ? Result<void>{} : make_tagger();
}

Result<void> BpfRun::make_tagger() {
  Fd next(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "next", 4, 4, 2, nullptr));
  if (!next) return failed("make a program array", errno);
  for (const auto direction : {NIDS_INGRESS, NIDS_EGRESS}) {
    const int program = direction == NIDS_INGRESS ? object_->ingress_tc() : object_->egress();
    if (bpf_map_update_elem(next.get(), &direction, &program, BPF_ANY) != 0)
      return failed("put a program of tc into an array", errno);
  }

  // The tag comes in cb[0] (type, network order) and cb[1] (tci), the direction in cb[2]. r6 keeps
  // the context.
  const bpf_insn code[] = {
      {BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0},
      {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_6, offsetof(__sk_buff, cb[0]), 0},
      {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_6, offsetof(__sk_buff, cb[1]), 0},
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_vlan_push},
      {BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_6, 0, 0},
      {BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, next.get()},
      {0, 0, 0, 0, 0},
      {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_6, offsetof(__sk_buff, cb[2]), 0},
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call},
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, -2},  // no action: the call failed
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  };
  Fd program(
      bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tagger", "GPL", code, std::size(code), nullptr));
  if (!program) return failed("load the program that pushes a VLAN tag", errno);
  tagger_.reset(new Tagger{std::move(next), std::move(program)});
  return {};
}

Result<std::uint32_t> BpfRun::ingress(std::span<const std::byte> frame,
                                      std::optional<std::uint32_t> linear) const {
  xdp_md context{};
  context.data_end = linear.value_or(0);
  return test_run(object_->ingress(), frame, linear ? &context : nullptr);
}

Result<std::uint32_t> BpfRun::egress(std::span<const std::byte> frame,
                                     const SkbFacts& facts) const {
  return tc(NIDS_EGRESS, frame, facts);
}

Result<std::uint32_t> BpfRun::ingress_tc(std::span<const std::byte> frame,
                                         const SkbFacts& facts) const {
  return tc(NIDS_INGRESS, frame, facts);
}

Result<std::uint32_t> BpfRun::tc(nids_direction direction, std::span<const std::byte> frame,
                                 const SkbFacts& facts) const {
  __sk_buff context{};
  context.gso_segs = facts.gso_segments;
  context.gso_size = facts.gso_segment_len;
  context.cb[0] = __builtin_bswap16(facts.tag_type);
  context.cb[1] = facts.tag_tci;
  context.cb[2] = direction;
  const int program = facts.tag_type != 0         ? tagger_->program.get()
                      : direction == NIDS_INGRESS ? object_->ingress_tc()
                                                  : object_->egress();
  return test_run(program, frame, &context);
}

void BpfRun::set_frames_split(bool are_split) const {
  const std::uint32_t first = 0, value = are_split;
  EXPECT_EQ(bpf_map_update_elem(object_->map(".data.frames"), &first, &value, BPF_ANY), 0);
}

bool BpfRun::frames_are_split() const {
  std::uint32_t first = 0, value = 0;
  EXPECT_EQ(bpf_map_lookup_elem(object_->map(".data.frames"), &first, &value), 0);
  return value != 0;
}

nids_counters BpfRun::counters() const {
  nids_counters total{};
  for (std::uint32_t i = 0; i < info().cpus; ++i) add_counters(total, counters_[i]);
  return total;
}

nids_counters& BpfRun::counters_of(int cpu) const {
  return counters_[static_cast<std::size_t>(cpu)];
}

nids_sum BpfRun::live_by_scan() const {
  nids_sum live{};
  add_live<nids_flow4_set>(live, flows4());
  add_live<nids_flow6_set>(live, flows6());
  return live;
}

void BpfRun::drain(RingRecords& records) {
  for (std::size_t ring = 0; ring < readers_.size(); ++ring) drain(ring, records);
}

void BpfRun::drain(std::size_t ring, RingRecords& records) {
  readers_.at(ring)->records = &records;
  records.ring = ring;
  ring_buffer__consume(readers_[ring]->ring.get());
}

void BpfRun::clear_tables() {
  std::memset(&counters_[0], 0, info().cpus * sizeof(nids_counters));
  std::memset(flows4().data(), 0, flows4().size_bytes());
  std::memset(flows6().data(), 0, flows6().size_bytes());
  std::memset(&cells_[0], 0, info().cells * sizeof(nids_flow_cell));
  std::memset(&datagrams_[0], 0, NIDS_TWIN_DATAGRAMS * sizeof(std::uint64_t));
  for (const auto& [name, entries] :
       {std::pair{"nids_budgets", info().cpus}, std::pair{"nids_samples", 1u}}) {
    const std::vector<std::byte> none(object_->value_bytes(name));
    for (std::uint32_t i = 0; i < entries; ++i)
      bpf_map_update_elem(object_->map(name), &i, none.data(), BPF_ANY);
  }
}

struct OnOneCpu::Mask {
  cpu_set_t cpus;
};

OnOneCpu::OnOneCpu() : OnOneCpu(sched_getcpu()) {}

OnOneCpu::OnOneCpu(int cpu) : cpu_(cpu), before_(new Mask{}) {
  sched_getaffinity(0, sizeof(before_->cpus), &before_->cpus);
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(cpu), &only);
  sched_setaffinity(0, sizeof(only), &only);
}

OnOneCpu::~OnOneCpu() { sched_setaffinity(0, sizeof(before_->cpus), &before_->cpus); }

bool OnOneCpu::is_there() const { return sched_getcpu() == cpu_; }

void BpfTest::load(const BpfSetup& setup, const ClassTables& tables) {
  Result<BpfRun> run = BpfRun::load(setup, tables);
  if (run) {
    program_ = std::move(*run);
    return;
  }
  const char* required = std::getenv("NIDS_REQUIRE_BPF");
  const bool is_required = required != nullptr && std::string_view(required) == "1";
  if (run.error().error_number == EPERM && !is_required)
    GTEST_SKIP() << "needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: " << run.error().message();
  FAIL() << run.error().message();
}

void BpfTest::expect_ledger() {
  const nids_counters counters = program().counters();
  expect_balance(counters);
  const nids_sum scanned = program().live_by_scan();
  EXPECT_EQ(counters.live.packets, scanned.packets);
  EXPECT_EQ(counters.live.bytes, scanned.bytes);
}

}  // namespace nids
