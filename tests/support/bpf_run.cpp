// SPDX-License-Identifier: Apache-2.0
#include "support/bpf_run.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "nids.skel.h"

namespace nids {
namespace {

constexpr std::uint32_t kZero = 0;

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

int take_record(void* context, void* data, std::size_t bytes) {
  (*static_cast<std::function<void(std::span<const std::byte>)>*>(context))(
      {static_cast<const std::byte*>(data), bytes});
  return 0;
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

}  // namespace

struct BpfRun::Fd {
  int fd = -1;
  explicit Fd(int opened) : fd(opened) {}
  ~Fd() {
    if (fd >= 0) close(fd);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
};

// A map's values, shared with the kernel.
struct BpfRun::Mapping {
  void* data;
  std::size_t bytes;

  explicit Mapping(const bpf_map* map)
      : data(MAP_FAILED), bytes(std::size_t{bpf_map__value_size(map)} * bpf_map__max_entries(map)) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    bytes = (bytes + page - 1) / page * page;
    data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
    entries = bpf_map__max_entries(map);
  }
  ~Mapping() {
    if (data != MAP_FAILED) munmap(data, bytes);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  template <class T>
  std::span<const T> as() const {
    return {static_cast<const T*>(data), entries};
  }
  std::uint32_t entries = 0;
};

// TEST_RUN can't give a socket buffer a VLAN tag beside its bytes, so a program of three calls
// does: push the tag that the test asks for, then go on in nids_egress.
struct BpfRun::Tagger {
  Fd next;  // program array with nids_egress
  Fd program;
};

BpfRun::BpfRun() : skeleton_(nullptr, nids_bpf__destroy), ring_(nullptr, ring_buffer__free) {}
BpfRun::BpfRun(BpfRun&&) noexcept = default;
BpfRun& BpfRun::operator=(BpfRun&&) noexcept = default;
BpfRun::~BpfRun() = default;

Result<BpfRun> BpfRun::load(const BpfSetup& setup, const ClassTables& tables) {
  BpfRun run;
  if (Result<void> opened = run.open(setup, tables); !opened) return opened.error();
  return run;
}

Result<void> BpfRun::open(const BpfSetup& setup, const ClassTables& tables) {
  libbpf_set_print(remember);
  libbpf_said().clear();
  skeleton_.reset(nids_bpf__open());
  if (!skeleton_) return failed("open the BPF object", errno);

  const auto cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  auto& maps = skeleton_->maps;
  bpf_map__set_max_entries(maps.nids_counters, cpus);
  bpf_map__set_max_entries(maps.nids_flows, cpus * setup.sets_per_cpu);
  bpf_map__set_max_entries(maps.nids_ring, setup.ring_bytes);
  skeleton_->rodata->nids_sets_per_cpu = setup.sets_per_cpu;
  skeleton_->rodata->nids_hash_seed = setup.hash_seed;
  skeleton_->rodata->nids_snap_bytes = setup.snap_bytes;
  skeleton_->rodata->nids_ifindex = setup.ifindex;
  if (const int error = nids_bpf__load(skeleton_.get()))
    return failed("load the BPF object", -error);

  int error = bpf_map__update_elem(maps.nids_classes, &kZero, sizeof(kZero), tables.classes.data(),
                                   sizeof(tables.classes), BPF_ANY);
  if (error == 0)
    error = bpf_map__update_elem(maps.nids_ports, &kZero, sizeof(kZero), tables.ports.get(),
                                 sizeof(*tables.ports), BPF_ANY);
  if (error != 0) return failed("write classes and ports", -error);

  counters_ = std::make_unique<Mapping>(maps.nids_counters);
  flows_ = std::make_unique<Mapping>(maps.nids_flows);
  if (counters_->data == MAP_FAILED || flows_->data == MAP_FAILED)
    return failed("map the counters and flows", errno);

  sink_ = std::make_unique<std::function<void(std::span<const std::byte>)>>();
  ring_.reset(ring_buffer__new(bpf_map__fd(maps.nids_ring), take_record, sink_.get(), nullptr));
  if (!ring_) return failed("open the ring", errno);
  return make_tagger();
}

Result<void> BpfRun::make_tagger() {
  Fd next(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "next", 4, 4, 1, nullptr));
  const int egress = bpf_program__fd(skeleton_->progs.nids_egress);
  if (next.fd < 0 || bpf_map_update_elem(next.fd, &kZero, &egress, BPF_ANY) != 0)
    return failed("put nids_egress in a program array", errno);

  // The tag comes in cb[0] (type, network order) and cb[1] (tci). r6 keeps the context.
  const bpf_insn code[] = {
      {BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0},
      {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_6, offsetof(__sk_buff, cb[0]), 0},
      {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_6, offsetof(__sk_buff, cb[1]), 0},
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_vlan_push},
      {BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_6, 0, 0},
      {BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, next.fd},
      {0, 0, 0, 0, 0},
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0},
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call},
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, -2},  // no action: the call failed
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  };
  Fd program(
      bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tagger", "GPL", code, std::size(code), nullptr));
  if (program.fd < 0) return failed("load the program that pushes a VLAN tag", errno);
  tagger_.reset(new Tagger{Fd(std::exchange(next.fd, -1)), Fd(std::exchange(program.fd, -1))});
  return {};
}

Result<std::uint32_t> BpfRun::ingress(std::span<const std::byte> frame,
                                      std::optional<std::uint32_t> linear) {
  xdp_md context{};
  context.data_end = linear.value_or(0);
  return test_run(bpf_program__fd(skeleton_->progs.nids_ingress), frame,
                  linear ? &context : nullptr);
}

Result<std::uint32_t> BpfRun::egress(std::span<const std::byte> frame, const SkbFacts& facts) {
  __sk_buff context{};
  context.gso_segs = facts.gso_segments;
  context.gso_size = facts.gso_segment_len;
  context.cb[0] = __builtin_bswap16(facts.tag_type);
  context.cb[1] = facts.tag_tci;
  const int program =
      facts.tag_type != 0 ? tagger_->program.fd : bpf_program__fd(skeleton_->progs.nids_egress);
  return test_run(program, frame, &context);
}

nids_counters BpfRun::counters() const {
  // A block is 64-bit words throughout, and each is a sum.
  constexpr std::size_t kWords = sizeof(nids_counters) / sizeof(std::uint64_t);
  std::array<std::uint64_t, kWords> sum{};
  for (const nids_counters& block : counters_->as<nids_counters>()) {
    std::array<std::uint64_t, kWords> words;
    std::memcpy(words.data(), &block, sizeof(block));
    for (std::size_t i = 0; i < kWords; ++i) sum[i] += words[i];
  }
  nids_counters total;
  std::memcpy(&total, sum.data(), sizeof(total));
  return total;
}

const nids_counters& BpfRun::counters_of(int cpu) const {
  return counters_->as<nids_counters>()[static_cast<std::size_t>(cpu)];
}

nids_sum BpfRun::live_by_scan() const {
  nids_sum live{};
  for (const nids_flow_set& set : flows_->as<nids_flow_set>())
    for (const nids_flow_slot& slot : set.way) {
      live.packets += slot.packets[0] + slot.packets[1];
      live.bytes += slot.bytes[0] + slot.bytes[1];
    }
  return live;
}

void BpfRun::drain(RingRecords& records) {
  *sink_ = [&records](std::span<const std::byte> record) { records.take(record); };
  ring_buffer__consume(ring_.get());
}

void BpfRun::clear_tables() {
  std::memset(counters_->data, 0, counters_->bytes);
  std::memset(flows_->data, 0, flows_->bytes);
  const auto openers = std::make_unique<nids_openers>();
  bpf_map__update_elem(skeleton_->maps.nids_openers, &kZero, sizeof(kZero), openers.get(),
                       sizeof(*openers), BPF_ANY);
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

}  // namespace nids
